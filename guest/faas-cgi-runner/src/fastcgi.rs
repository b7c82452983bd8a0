//! FastCGI records, as far as a web server speaks them to an application in the role of responder.
//!
//! Pure. What comes back may be user code's: it is decoded without trust and nothing is set aside for
//! bytes that are only announced.

/// Bytes of a record's header.
const HEADER: usize = 8;
/// The most bytes of a record's content.
pub const MAX_CONTENT: usize = 0xffff;

const VERSION: u8 = 1;
/// The only request of a connection.
const REQUEST: u16 = 1;

const BEGIN_REQUEST: u8 = 1;
const END_REQUEST: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;

const RESPONDER: u8 = 1;
const REQUEST_COMPLETE: u8 = 0;

/// A variable that fits no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the variable {name} is too long for FastCGI, whose records have at most {MAX_CONTENT} bytes")]
pub struct VariableTooLong {
    /// Its name.
    pub name: String,
}

/// What begins a request: its role and its variables.
///
/// # Errors
/// A variable is too long: php-cgi reads none that is spread over two records.
pub fn begin<'a>(variables: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Vec<u8>, VariableTooLong> {
    let mut bytes = Vec::new();
    record(&mut bytes, BEGIN_REQUEST, &[0, RESPONDER, 0, 0, 0, 0, 0, 0]);
    let mut content = Vec::new();
    for (name, value) in variables {
        let mut pair = Vec::with_capacity(name.len() + value.len() + 8);
        length(&mut pair, name.len());
        length(&mut pair, value.len());
        pair.extend_from_slice(name.as_bytes());
        pair.extend_from_slice(value);
        if pair.len() > MAX_CONTENT {
            return Err(VariableTooLong { name: name.to_owned() });
        }
        if content.len() + pair.len() > MAX_CONTENT {
            record(&mut bytes, PARAMS, &content);
            content.clear();
        }
        content.append(&mut pair);
    }
    if !content.is_empty() {
        record(&mut bytes, PARAMS, &content);
    }
    record(&mut bytes, PARAMS, &[]);
    Ok(bytes)
}

/// Some of the body.
#[must_use]
pub fn stdin(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + HEADER);
    for content in body.chunks(MAX_CONTENT) {
        record(&mut bytes, STDIN, content);
    }
    bytes
}

/// The end of the body.
#[must_use]
pub fn stdin_end() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    record(&mut bytes, STDIN, &[]);
    bytes
}

fn record(bytes: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let [id_high, id_low] = REQUEST.to_be_bytes();
    bytes.extend_from_slice(&[VERSION, kind, id_high, id_low, high, low, 0, 0]);
    bytes.extend_from_slice(content);
}

/// One byte below 128, else four with the highest bit set.
fn length(bytes: &mut Vec<u8>, length: usize) {
    match u8::try_from(length).ok().filter(|length| *length < 0x80) {
        Some(short) => bytes.push(short),
        None => bytes.extend_from_slice(&(u32::try_from(length).unwrap_or(u32::MAX) | 0x8000_0000).to_be_bytes()),
    }
}

/// What an application says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Some of its answer.
    Stdout(Vec<u8>),
    /// Some of its messages.
    Stderr(Vec<u8>),
    /// The answer is whole.
    End,
}

/// What is no answer of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Another version, or not FastCGI at all.
    #[error("a record of version {0}, where 1 is due")]
    Version(u8),
    /// A request that nobody made.
    #[error("a record of request {0}, where 1 is due")]
    Request(u16),
    /// A record that no application sends.
    #[error("a record of type {0}")]
    Kind(u8),
    /// An end that says nothing, or a request that was refused.
    #[error("an end of the request with protocol status {0}")]
    Refused(u8),
}

/// Cuts what an application says into records.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    /// Takes what was read and gives what is whole. Nothing may be pushed after an error.
    ///
    /// # Errors
    /// What is no record, or none that is due. What was whole before it is in `said`.
    pub fn push(&mut self, bytes: &[u8], said: &mut Vec<Said>) -> Result<(), RecordError> {
        self.bytes.extend_from_slice(bytes);
        let mut start = 0;
        let result = loop {
            match cut(self.bytes.get(start..).unwrap_or_default()) {
                Ok(Some((record, taken))) => {
                    start += taken;
                    said.extend(record);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.bytes.drain(..start);
        result
    }
}

/// The first record, and its length; streams that end say nothing.
fn cut(bytes: &[u8]) -> Result<Option<(Option<Said>, usize)>, RecordError> {
    let Some(([version, kind, id_high, id_low, high, low, padding, _], rest)) = bytes.split_first_chunk::<HEADER>()
    else {
        return Ok(None);
    };
    if *version != VERSION {
        return Err(RecordError::Version(*version));
    }
    let id = u16::from_be_bytes([*id_high, *id_low]);
    if id != REQUEST {
        return Err(RecordError::Request(id));
    }
    if ![STDOUT, STDERR, END_REQUEST].contains(kind) {
        return Err(RecordError::Kind(*kind));
    }
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let whole = length + usize::from(*padding);
    let Some(content) = rest.get(..whole).and_then(|rest| rest.get(..length)) else { return Ok(None) };
    let said = match *kind {
        _ if length == 0 && *kind != END_REQUEST => None,
        STDOUT => Some(Said::Stdout(content.to_vec())),
        STDERR => Some(Said::Stderr(content.to_vec())),
        _ => match content.get(4) {
            Some(&REQUEST_COMPLETE) => Some(Said::End),
            status => return Err(RecordError::Refused(status.copied().unwrap_or(u8::MAX))),
        },
    };
    Ok(Some((said, HEADER + whole)))
}

#[cfg(test)]
mod tests;

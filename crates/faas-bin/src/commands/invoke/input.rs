//! What a call is given: a JSON document, or bytes as they are.

use crate::diagnostic::CliError;
use faas_types::ErrorCode;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most that is read; servers take less.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Options that say what a call is given.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct InputOptions {
    /// Its data as JSON, or @FILE for JSON in a file: the body of a request to a handler or under cgi, the first
    /// argument under argv-json, $`FAAS_INPUT` of a script, standard input of a command
    #[arg(long, short = 'd', value_name = "JSON", allow_hyphen_values = true)]
    data: Option<String>,

    /// The content of a file as it is: the body of a request, else standard input
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,

    /// The same from standard input
    #[arg(long)]
    stdin: bool,
}

/// What a call is given.
#[derive(Debug)]
pub(super) enum Input {
    /// A document, and its text as it was written.
    Json { value: Value, text: String },
    /// Bytes as they are.
    Bytes(Vec<u8>),
}

impl InputOptions {
    pub(super) fn read(&self) -> Result<Option<Input>, CliError> {
        if let Some(data) = &self.data {
            return match data.strip_prefix('@') {
                None => json(data.clone(), "--data").map(Some),
                Some(path) => {
                    let text = String::from_utf8(file(Path::new(path))?).map_err(|error| {
                        let place = error.utf8_error().valid_up_to();
                        CliError::new(ErrorCode::NotText, format!("--data {data} is not UTF-8 at byte {place}"))
                    })?;
                    json(text, &format!("--data {data}")).map(Some)
                }
            };
        }
        match (&self.file, self.stdin) {
            (Some(path), _) => Ok(Some(Input::Bytes(file(path)?))),
            (None, true) => Ok(Some(Input::Bytes(bounded(io::stdin().lock(), "standard input")?))),
            (None, false) => Ok(None),
        }
    }
}

fn json(text: String, option: &str) -> Result<Input, CliError> {
    let value = serde_json::from_str(&text).map_err(|error| {
        CliError::new(ErrorCode::InvalidJson, format!("{option} is not JSON: {error}; accepted: one JSON document"))
            .help(
                "put the document into single quotes, and texts in it into double ones: --data '{\"name\":\"World\"}'",
            )
    })?;
    Ok(Input::Json { value, text })
}

fn file(path: &Path) -> Result<Vec<u8>, CliError> {
    let place = path.display().to_string();
    bounded(File::open(path).map_err(|error| unreadable(&place, &error))?, &place)
}

fn bounded(source: impl Read, place: &str) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    source.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(place, &error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MOST_BYTES {
        let detail = format!("{place} is above {MOST_BYTES} bytes, which is the most a call is given");
        return Err(CliError::new(ErrorCode::BodyTooLarge, detail).help("give it less"));
    }
    Ok(bytes)
}

fn unreadable(place: &str, error: &io::Error) -> CliError {
    CliError::new(ErrorCode::FileRefused, format!("{place} cannot be read: {error}"))
        .help("check the path and its permissions")
}

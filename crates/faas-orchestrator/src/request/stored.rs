//! A request as a row keeps it until the execution ends: JSON, then its standard input.

use super::{ExecutionRequest, HttpCall, Work};
use crate::function::Called;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use faas_executor_api::FileIn;
use faas_types::{Contract, IsolationLevel, Language, Mode, OutputLimits, PackagesId, Resources};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A stored request cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the stored request cannot be read: {reason}")]
pub struct StoredRequestError {
    /// What is wrong with it.
    pub reason: String,
}

/// The JSON has no line break of its own, so the first one ends it.
const END_OF_REQUEST: u8 = b'\n';

#[derive(Serialize, Deserialize)]
struct StoredRequest {
    work: StoredWork,
    args: Vec<String>,
    env: Vec<(String, String)>,
    files: Vec<StoredFile>,
    input: Option<serde_json::Value>,
    entry: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<HttpCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    function: Option<Called>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packages: Option<PackagesId>,
    resources: Resources,
    isolation: IsolationLevel,
    timeout: Duration,
    output: OutputLimits,
    mode: Mode,
    labels: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredWork {
    /// The code was checked to be text.
    Script {
        code: String,
        name: String,
        language: Language,
        contract: Contract,
    },
    Command {
        argv: Vec<String>,
    },
}

/// A file as a row keeps it.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredFile {
    path: String,
    base64: String,
    executable: bool,
}

impl StoredFile {
    pub(crate) fn of(file: &FileIn) -> Self {
        Self { path: file.path.clone(), base64: STANDARD.encode(&file.content), executable: file.executable }
    }

    /// The file; `Err` says why it is none.
    pub(crate) fn read(self) -> Result<FileIn, String> {
        let content = STANDARD.decode(&self.base64).map_err(|error| error.to_string())?;
        Ok(FileIn { path: self.path, content: content.into(), executable: self.executable })
    }
}

impl ExecutionRequest {
    /// Its stored form. What [`Self::check`] accepts comes back the same.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let work = match &self.work {
            Work::Script { code, name, language, contract } => StoredWork::Script {
                code: String::from_utf8_lossy(code).into_owned(),
                name: name.clone(),
                language: *language,
                contract: *contract,
            },
            Work::Command { argv } => StoredWork::Command { argv: argv.clone() },
        };
        let stored = StoredRequest {
            work,
            args: self.args.clone(),
            env: self.env.clone(),
            files: self.files.iter().map(StoredFile::of).collect(),
            input: self.input.clone(),
            entry: self.entry.clone(),
            http: self.http.clone(),
            function: self.function.clone(),
            packages: self.packages,
            resources: self.resources,
            isolation: self.isolation,
            timeout: self.timeout,
            output: self.output,
            mode: self.mode,
            labels: self.labels.clone(),
        };
        // Maps with text keys and plain values always have a JSON form.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// It is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredRequestError> {
        let unreadable = |reason: String| StoredRequestError { reason };
        let stored: StoredRequest = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        let read_file = |file: StoredFile| file.read().map_err(unreadable);
        Ok(Self {
            work: match stored.work {
                StoredWork::Script { code, name, language, contract } => {
                    Work::Script { code: code.into(), name, language, contract }
                }
                StoredWork::Command { argv } => Work::Command { argv },
            },
            args: stored.args,
            env: stored.env,
            files: stored.files.into_iter().map(read_file).collect::<Result<_, _>>()?,
            input: stored.input,
            entry: stored.entry,
            http: stored.http,
            function: stored.function,
            packages: stored.packages,
            resources: stored.resources,
            isolation: stored.isolation,
            timeout: stored.timeout,
            output: stored.output,
            mode: stored.mode,
            labels: stored.labels,
        })
    }
}

/// What a row keeps: the request and its standard input.
pub(crate) fn to_row(request: &ExecutionRequest, stdin: &[u8]) -> Vec<u8> {
    let mut row = request.to_bytes();
    row.push(END_OF_REQUEST);
    row.extend_from_slice(stdin);
    row
}

/// The request and the standard input of a row.
pub(crate) fn from_row(mut row: Vec<u8>) -> Result<(ExecutionRequest, Bytes), StoredRequestError> {
    let end = row.iter().position(|byte| *byte == END_OF_REQUEST).unwrap_or(row.len());
    let request = ExecutionRequest::from_bytes(&row[..end])?;
    row.drain(..row.len().min(end.saturating_add(1)));
    Ok((request, row.into()))
}

#[cfg(test)]
mod tests {
    use super::{from_row, to_row};
    use crate::{ExecutionRequest, Work};
    use bytes::Bytes;
    use faas_executor_api::FileIn;
    use faas_types::{Contract, Language};
    use proptest::prelude::*;
    use serde_json::json;
    use std::time::Duration;

    proptest! {
        #[test]
        fn a_request_and_its_input_survive_the_row(
            code in "\\PC{1,40}",
            content in prop::collection::vec(any::<u8>(), 0..64),
            stdin in prop::collection::vec(any::<u8>(), 0..64),
            labels in prop::collection::btree_map("[a-z]{1,8}", "\\PC{0,8}", 0..4),
            microseconds in 1..u64::MAX,
            script: bool,
        ) {
            let work = if script {
                Work::Script {
                    code: Bytes::from(code),
                    name: "main.py".to_owned(),
                    language: Language::Python,
                    contract: Contract::ArgvJson,
                }
            } else {
                Work::Command { argv: vec![code] }
            };
            let request = ExecutionRequest {
                files: vec![FileIn { path: "a".to_owned(), content: content.into(), executable: true }],
                env: vec![("A".to_owned(), "line\nbreak".to_owned())],
                input: script.then(|| json!({"a": [1, null, "\n"]})),
                timeout: Duration::from_micros(microseconds),
                labels,
                ..ExecutionRequest::new(work)
            };
            let (read, input) = from_row(to_row(&request, &stdin)).expect("readable");
            prop_assert_eq!(read, request);
            prop_assert_eq!(input, Bytes::from(stdin));
        }

        #[test]
        fn any_row_is_read_without_panic(row in prop::collection::vec(any::<u8>(), 0..256)) {
            drop(from_row(row));
        }
    }
}

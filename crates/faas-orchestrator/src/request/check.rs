//! The check of a request. Pure; every refusal names the field and what is accepted.

use super::{Call, ExecutionRequest, INPUT_VARIABLE, LONGEST_TIMEOUT, RequestError, Work};
use faas_executor_api::{MAX_CODE_BYTES, Stay, check_command, check_invocation};
use faas_types::{Contract, Language, Mode};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// The most labels, and the most bytes of one's name and value.
const MAX_LABELS: usize = 64;
const MAX_LABEL_BYTES: usize = 256;

pub(super) fn check(request: &ExecutionRequest) -> Result<(), RequestError> {
    check_mode(request.mode)?;
    if let Work::Script { code, .. } = &request.work {
        check_code(code)?;
    }
    check_contract(request)?;
    check_timeout(request.timeout)?;
    if request.output.bytes.as_bytes() == 0 {
        return Err(field("output", "it is zero", "a size above zero"));
    }
    request.resources.check()?;
    check_input(request)?;
    check_env(request)?;
    check_labels(request)?;
    match request.clone().into_call(Instant::now(), Stay::No) {
        Call::Invoke(invocation) => check_invocation(&invocation)?,
        Call::Exec(command) => check_command(&command)?,
    }
    let bytes = request
        .files
        .iter()
        .fold(0u64, |sum, file| sum.saturating_add(u64::try_from(file.content.len()).unwrap_or(u64::MAX)));
    if bytes > request.resources.disk.as_bytes() {
        return Err(RequestError::FilesTooLarge { disk: request.resources.disk });
    }
    Ok(())
}

fn check_contract(request: &ExecutionRequest) -> Result<(), RequestError> {
    let Some(language) = request.language() else { return Ok(()) };
    if language.offers(request.contract()) {
        return Ok(());
    }
    let accepted = match language {
        Language::Php => "cgi, which is the default of php",
        Language::Bash => "script, argv-json and cgi with bash",
        Language::Python | Language::JavaScript => "script, argv-json, handler and cgi with python and javascript",
    };
    Err(field("contract", format!("{language} has no {}", request.contract()), accepted))
}

fn check_timeout(timeout: Duration) -> Result<(), RequestError> {
    let reason = match timeout {
        Duration::ZERO => "it is zero".to_owned(),
        longer if longer > LONGEST_TIMEOUT => format!("it is {longer:?}"),
        _ => return Ok(()),
    };
    Err(field("timeout", reason, "a duration from 1ms to 24h"))
}

/// The backends check the same; here each case has its own stable code.
fn check_code(code: &[u8]) -> Result<(), RequestError> {
    if code.is_empty() {
        return Err(RequestError::CodeEmpty);
    }
    if code.len() > MAX_CODE_BYTES {
        return Err(RequestError::CodeTooLarge);
    }
    if let Err(error) = std::str::from_utf8(code) {
        return Err(RequestError::NotText { problem: "no UTF-8", position: error.valid_up_to() });
    }
    match code.iter().position(|byte| *byte == 0) {
        Some(position) => Err(RequestError::NotText { problem: "a NUL byte", position }),
        None => Ok(()),
    }
}

fn check_mode(mode: Mode) -> Result<(), RequestError> {
    match mode {
        Mode::Ephemeral | Mode::Cached => Ok(()),
        Mode::Checkpointed | Mode::Branched | Mode::Persistent => {
            Err(RequestError::Unsupported { field: "mode", value: mode.to_string(), accepted: "ephemeral, cached" })
        }
    }
}

fn check_labels(request: &ExecutionRequest) -> Result<(), RequestError> {
    const ACCEPTED: &str = "at most 64 of them, names of 1 to 256 bytes, values of at most 256 bytes";
    if request.labels.len() > MAX_LABELS {
        return Err(field("labels", format!("there are {}", request.labels.len()), ACCEPTED));
    }
    let fits = |(name, value): (&String, &String)| {
        (1..=MAX_LABEL_BYTES).contains(&name.len()) && value.len() <= MAX_LABEL_BYTES
    };
    if request.labels.iter().all(fits) {
        Ok(())
    } else {
        Err(field("labels", "a name is empty, or a name or a value is too long", ACCEPTED))
    }
}

fn check_env(request: &ExecutionRequest) -> Result<(), RequestError> {
    let mut names = HashSet::with_capacity(request.env.len());
    for (name, _) in &request.env {
        if !names.insert(name.as_str()) {
            let shown: String = name.chars().take(64).collect();
            return Err(field("env", format!("{shown:?} is given twice"), "each name once"));
        }
    }
    let input_is_variable = request.input.is_some() && request.contract() == Contract::Script;
    if input_is_variable && names.contains(INPUT_VARIABLE) {
        return Err(field("env", "FAAS_INPUT is given, which carries the input", "the variable or input, not both"));
    }
    Ok(())
}

fn check_input(request: &ExecutionRequest) -> Result<(), RequestError> {
    if request.input.is_some() && request.contract() == Contract::Command {
        return Err(field(
            "input",
            "the command contract takes none",
            "stdin, arguments or environment, or the contracts script and argv-json",
        ));
    }
    Ok(())
}

fn field(field: &'static str, reason: impl Into<String>, accepted: &'static str) -> RequestError {
    RequestError::Field { field, reason: reason.into(), accepted }
}

//! A function asked through its HTTP address, its answer printed as it comes.

use super::input::Input;
use super::{PATIENCE, trace};
use crate::console;
use crate::diagnostic::CliError;
use crate::output::{Output, Stream};
use crate::terminal::one_line;
use bytes::Bytes;
use faas_client::{Client, Question, Response};
use std::io;
use std::process::ExitCode;

/// What the server adds to an answer that says that the function failed.
const ERROR_KIND: &str = "x-faas-error-kind";
const EXECUTION: &str = "x-faas-execution-id";

/// Options that ask through HTTP.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Through HTTP")]
pub(super) struct HttpOptions {
    /// The method [default: GET, and POST with data]
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,

    /// Path and query, as the function sees them [default: /]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,

    /// A field of the request's head; repeatable
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,

    /// Print the head of the answer, too
    #[arg(short, long)]
    include: bool,
}

impl HttpOptions {
    /// Whether any of them was given.
    pub(super) const fn is_wanted(&self) -> bool {
        self.method.is_some() || self.path.is_some() || !self.header.is_empty() || self.include
    }
}

pub(super) async fn ask(
    client: &Client,
    function: &str,
    options: &HttpOptions,
    input: Option<Input>,
    traced: bool,
) -> Result<ExitCode, CliError> {
    let body = input.map(|input| match input {
        Input::Json { text, .. } => Bytes::from(text),
        Input::Bytes(bytes) => Bytes::from(bytes),
    });
    let usual = if body.is_some() { "POST" } else { "GET" };
    let question = Question {
        method: options.method.clone().unwrap_or_else(|| usual.to_owned()),
        path: options.path.clone().unwrap_or_else(|| "/".to_owned()),
        headers: options.header.iter().map(|field| header(field)).collect::<Result<_, _>>()?,
        body,
    };
    let Response { status, headers, mut body } = client.functions().ask_http(function, question, PATIENCE).await?;
    let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let output = Output::start().map_err(|error| CliError::io("standard output cannot be used", &error))?;
    if options.include {
        let mut head = format!("HTTP/1.1 {status}\n");
        for (name, value) in &headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            head.push_str(&format!("{name}: {}\n", one_line(&value)));
        }
        // A reader that went away is found out about below.
        drop(output.write(Stream::Stdout, Bytes::from(head + "\n")).await);
    }
    while let Some(piece) = body.next().await {
        if output.write(Stream::Stdout, piece?).await.is_err() {
            break;
        }
    }
    match output.finish().await {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(console::broken_pipe()),
        Err(error) => return Err(CliError::io("standard output cannot be written", &error)),
    }
    if let Some(id) = field(EXECUTION).filter(|_| traced) {
        // The answer may be read before the execution has its end.
        trace(&client.wait(id, PATIENCE).await?);
    }
    match field(ERROR_KIND) {
        None => Ok(ExitCode::SUCCESS),
        Some(_) => Ok(ExitCode::FAILURE),
    }
}

fn header(field: &str) -> Result<(String, String), CliError> {
    match field.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        // The value stays out of the message: it may be a secret.
        _ => Err(CliError::invalid("--header is refused: no name before a colon; accepted: 'NAME: VALUE'".to_owned())),
    }
}

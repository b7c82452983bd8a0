//! From the start of the process to its end.

use crate::exchange::{Refusal, exchange, refuse};
use crate::executable::Executable;
use crate::host::{Host, HostError};
use crate::peer::{AskError, Failure};
use crate::php::{Connection, Php};
use crate::place::{PlaceError, place};
use crate::sys;
use crate::variables::{Request, Script, Variables};
use faas_protocol::VERSION;
use faas_protocol::call::{FromRunner, ToRunner};
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// The most bytes of code that are believed.
const MAX_CODE: u64 = 64 << 20;
/// What shells answer for a program that cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
const BAD_REQUEST: u16 = 400;
const HEADERS_TOO_LARGE: u16 = 431;

/// Why the runner ends with 1.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("its arguments are fastcgi PHP-CGI, or program INTERPRETER")]
    Arguments,
    #[error("descriptor 3: {0}")]
    Socket(rustix::io::Errno),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error("the working directory: {0}")]
    Directory(io::Error),
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// What answers.
enum Backend {
    Php(Php),
    Program { argv: Vec<String> },
}

/// What the host wants run.
struct Program {
    name: String,
    args: Vec<String>,
    code: Vec<u8>,
}

/// Serves the host until it closes the socket; gives the code that the last program's end stands for.
pub fn run() -> ExitCode {
    match serve() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Nobody listening is fine.
            let _ = writeln!(io::stderr(), "runner: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<u8, RunError> {
    let socket = sys::take_call_socket().map_err(RunError::Socket)?;
    let mut host = Host::new(UnixStream::from(socket));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, interpreter] = arguments.as_slice() else { return Err(RunError::Arguments) };
    host.send(&FromRunner::Hello { version: VERSION })?;
    let Program { name, args, code } = program(&mut host)?;
    let directory = std::env::current_dir().map_err(RunError::Directory)?;
    let script = place(&directory, &name, &code)?;
    let mut backend = match kind.as_str() {
        "fastcgi" => Backend::Php(Php::new(interpreter.clone())),
        "program" => {
            // A first line that names an interpreter decides; else it is the language's.
            let interpreter = (!code.starts_with(b"#!")).then(|| interpreter.clone());
            Backend::Program { argv: interpreter.into_iter().chain([script.path.clone()]).chain(args).collect() }
        }
        _ => return Err(RunError::Arguments),
    };
    drop(code);
    let mut last = 0;
    loop {
        match host.next() {
            Ok(ToRunner::Request { call, method, path, query, headers, body_bytes }) => {
                let request = Request { method, path, query, headers, body_bytes };
                match answer(&mut host, &mut backend, &script, call, &request) {
                    Ok(exit) => last = exit,
                    Err(AskError::Host(HostError::Gone)) => return Ok(last),
                    Err(error) => return Err(error.into()),
                }
            }
            // A last one for the answer before.
            Ok(ToRunner::Credit { .. }) => {}
            Ok(_) => return Err(HostError::Protocol("a frame where a request is due").into()),
            Err(HostError::Gone) => return Ok(last),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is to be run.
fn program(host: &mut Host) -> Result<Program, HostError> {
    let ToRunner::Begin { call, contract, name, args, env, code_bytes } = host.next()? else {
        return Err(HostError::Protocol("a frame where a program is due"));
    };
    if contract != "cgi" {
        return Err(HostError::Protocol("a contract that is not cgi"));
    }
    if !env.is_empty() {
        return Err(HostError::Protocol("variables for a runner that did not wait"));
    }
    let mut code = Vec::new();
    loop {
        match host.next()? {
            ToRunner::Body { call: of, bytes, .. } if of == call => code.extend_from_slice(&bytes),
            ToRunner::End { call: of } if of == call => break,
            _ => return Err(HostError::Protocol("a frame that is not due inside a program")),
        }
        if code.len() as u64 > code_bytes.min(MAX_CODE) {
            return Err(HostError::Protocol("more code than was announced"));
        }
    }
    if code.len() as u64 != code_bytes {
        return Err(HostError::Protocol("less code than was announced"));
    }
    Ok(Program { name, args, code })
}

fn answer(
    host: &mut Host,
    backend: &mut Backend,
    script: &Script,
    call: u32,
    request: &Request,
) -> Result<u8, AskError> {
    let body = request.body_bytes;
    let Ok(variables) = Variables::of(request, script) else {
        return refuse(host, call, body, Refusal::Status(BAD_REQUEST));
    };
    let failed = |what: &str, error: &io::Error| {
        let message = format!("{what} cannot be started: {error}");
        Refusal::Failed(Failure { message, exit: NOT_EXECUTABLE, shown: false })
    };
    match backend {
        Backend::Php(php) => match php.connect() {
            Ok((running, stream)) => match Connection::ask(running, stream, &variables) {
                Ok(mut connection) => exchange(host, &mut connection, call, body),
                Err(_) => refuse(host, call, body, Refusal::Status(HEADERS_TOO_LARGE)),
            },
            Err(error) => refuse(host, call, body, failed("php-cgi", &error)),
        },
        Backend::Program { argv } => match Executable::start(argv, &variables) {
            Ok(mut program) => exchange(host, &mut program, call, body),
            Err(error) => {
                let what = "the program (or the interpreter that its first line names)";
                refuse(host, call, body, failed(what, &error))
            }
        },
    }
}

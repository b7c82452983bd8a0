//! `faas run FILE | -c CODE | -`.

use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use crate::files::{self, text};
use crate::language::{self, Source};
use crate::sandbox_options::SandboxOptions;
use crate::{session, settings};
use bytes::Bytes;
use faas_lib::{ExecutionRequest, Work};
use faas_types::{Contract, ErrorCode, Language};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::process::ExitCode;

/// Options of `faas run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  faas run examples/hello.py\n  faas run -c 'print(1)'\n  \
faas run examples/php/hello.php --input '{\"name\": \"Alice\"}'\n  \
faas run --file words.txt examples/wordcount.py words.txt\n  faas run program.py -- --an-option-of-the-program")]
pub(crate) struct RunOptions {
    /// The program's text instead of a file
    #[arg(short = 'c', long, value_name = "CODE", allow_hyphen_values = true)]
    code: Option<OsString>,

    /// Its language: python, javascript, bash or php [default: by the file's extension, else its first line]
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<String>,

    /// How it is called: script, argv-json, handler or cgi [default: cgi of php, else script]
    #[arg(long, value_name = "CONTRACT")]
    contract: Option<String>,

    /// JSON input: $FAAS_INPUT of a script, the first argument under argv-json, the body a handler or a CGI program is sent
    #[arg(long, value_name = "JSON", allow_hyphen_values = true)]
    input: Option<String>,

    #[command(flatten)]
    sandbox: SandboxOptions,

    /// The program's file, or - for standard input
    #[arg(value_name = "FILE", help_heading = "Arguments")]
    program: Option<OsString>,

    /// Arguments of the program; those that begin with a dash go after --
    #[arg(value_name = "ARGS", help_heading = "Arguments")]
    args: Vec<OsString>,
}

/// A program as it will run.
struct Program {
    code: Bytes,
    name: String,
    language: Language,
}

pub(super) fn run(options: RunOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    let RunOptions { code, lang, contract, input, sandbox, program: file, args } = options;
    let config = settings::load_own(global, &sandbox.flags(global.flags()))?;
    let asked = lang
        .map(|name| name.parse::<Language>())
        .transpose()
        .map_err(|error| CliError::new(ErrorCode::UnknownLanguage, format!("--lang: {error}")))?;
    let contract = contract
        .map(|name| name.parse::<Contract>())
        .transpose()
        .map_err(|error| CliError::invalid(format!("--contract: {error}")))?;
    let input = input.map(|text| parse_input(&text)).transpose()?;

    let default_language = config.default_language.value;
    let (program, leading, stdin_is_taken) = match (code, file) {
        (Some(code), first) => {
            let language = asked.unwrap_or(default_language);
            let name = language.main_file().to_owned();
            (Program { code: Bytes::from(code.into_vec()), name, language }, first, false)
        }
        (None, Some(file)) if file == "-" => {
            let code = files::read_standard_input()?;
            let language = language::choose(asked, Source::Unnamed(&code), Some(default_language))?;
            (Program { code, name: language.main_file().to_owned(), language }, None, true)
        }
        (None, Some(file)) => (read_file(Path::new(&file), asked)?, None, false),
        (None, None) => {
            return Err(CliError::invalid("no program; accepted: FILE, -c CODE, or - for standard input".to_owned()));
        }
    };

    let Program { code, name, language } = program;
    let contract = contract.unwrap_or(language.execution_contract());
    let mut request = ExecutionRequest::new(Work::Script { code, name, language, contract });
    request.args = leading.into_iter().chain(args).map(|part| text("ARGS", part)).collect::<Result<_, _>>()?;
    request.input = input;
    request.timeout = config.timeout_for(contract);
    let plan = sandbox.plan(&config, request, stdin_is_taken)?;
    session::execute(&config, plan)
}

fn read_file(path: &Path, asked: Option<Language>) -> Result<Program, CliError> {
    let code = files::read_program(path)?;
    let language = language::choose(asked, Source::File(path, &code), None)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(language.main_file()).to_owned();
    Ok(Program { code, name, language })
}

fn parse_input(text: &str) -> Result<serde_json::Value, CliError> {
    serde_json::from_str(text)
        .map_err(|error| CliError::invalid(format!("--input is not JSON: {error}; accepted: one JSON document")))
}

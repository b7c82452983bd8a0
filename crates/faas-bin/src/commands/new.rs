//! `faas new NAME`: a folder to begin with.

use crate::console;
use crate::diagnostic::CliError;
use crate::function::MANIFEST;
use faas_types::{Contract, ErrorCode, FunctionName, Language};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const MANIFEST_TEMPLATE: &str = include_str!("../../templates/faas.yaml");

macro_rules! templates {
    ($($language:ident $contract:ident $file:literal),+ $(,)?) => {
        /// A source file for each language and contract.
        const TEMPLATES: &[(Language, Contract, &str)] =
            &[$((Language::$language, Contract::$contract, include_str!(concat!("../../templates/", $file)))),+];
    };
}

templates! {
    Python Handler "python/handler.py",
    Python Script "python/script.py",
    Python Command "python/command.py",
    Python ArgvJson "python/argv-json.py",
    Python Cgi "python/cgi.py",
    JavaScript Handler "javascript/handler.js",
    JavaScript Script "javascript/script.js",
    JavaScript Command "javascript/command.js",
    JavaScript ArgvJson "javascript/argv-json.js",
    JavaScript Cgi "javascript/cgi.js",
    Bash Script "bash/script.sh",
    Bash Command "bash/command.sh",
    Bash ArgvJson "bash/argv-json.sh",
    Bash Cgi "bash/cgi.sh",
    Php Cgi "php/cgi.php",
}

/// Options of `faas new`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: faas new hello --lang python && faas deploy hello && \
faas invoke hello --data '{\"name\":\"World\"}'")]
pub(crate) struct NewOptions {
    /// The function's name, which is the folder's as well
    #[arg(value_name = "NAME", help_heading = "Arguments")]
    name: String,

    /// Its language: python, javascript, bash or php
    #[arg(long, value_name = "LANGUAGE", default_value = "python")]
    lang: String,

    /// How it is called: handler, script, command, argv-json or cgi [default: handler; bash: command; php: cgi]
    #[arg(long, value_name = "CONTRACT")]
    contract: Option<String>,

    /// Where the folder is made
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(super) fn new(options: &NewOptions) -> Result<ExitCode, CliError> {
    let name: FunctionName =
        options.name.parse().map_err(|error| CliError::invalid(format!("NAME is refused: {error}")))?;
    let language: Language =
        options.lang.parse().map_err(|error| CliError::new(ErrorCode::UnknownLanguage, format!("--lang: {error}")))?;
    let contract = match &options.contract {
        None => language.function_contract(),
        Some(name) => name.parse().map_err(|error| CliError::invalid(format!("--contract: {error}")))?,
    };
    let template = TEMPLATES.iter().find(|(of, called, _)| (*of, *called) == (language, contract));
    let Some((_, _, source)) = template else {
        let contracts: Vec<_> =
            TEMPLATES.iter().filter(|(of, ..)| *of == language).map(|(_, called, _)| called.as_str()).collect();
        let accepted = contracts.join(", ");
        return Err(CliError::invalid(format!(
            "--contract {contract} is refused: there is no template of it in {language}; accepted: {accepted}"
        )));
    };
    let main = language.main_file();
    let manifest = MANIFEST_TEMPLATE
        .replace("{name}", name.as_str())
        .replace("{runtime}", language.as_str())
        .replace("{contract}", contract.as_str())
        .replace("{main}", main);
    let here = options.dir.as_os_str() == ".";
    let folder = if here { PathBuf::from(name.as_str()) } else { options.dir.join(name.as_str()) };
    write(&folder, &[(MANIFEST, &manifest), (main, source)])?;
    let shown = folder.display();
    console::print(format!("made {shown}/{MANIFEST} and {shown}/{main}\nnext: faas deploy {shown}\n").as_bytes())
}

/// Writes the files into a folder that did not exist, so that nothing of anybody's is written over.
fn write(folder: &Path, files: &[(&str, &str)]) -> Result<(), CliError> {
    let cannot = |path: &Path, error: &io::Error| {
        let shown = path.display();
        CliError::new(ErrorCode::FileRefused, format!("{shown} cannot be made: {error}"))
    };
    fs::create_dir(folder).map_err(|error| {
        let refused = cannot(folder, &error);
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                refused.help("nothing is written over: take another name, or another place with --dir")
            }
            _ => refused.help("check the place that --dir names: whether it exists, and its permissions"),
        }
    })?;
    for (name, text) in files {
        let path = folder.join(name);
        File::create_new(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| cannot(&path, &error))?;
    }
    Ok(())
}

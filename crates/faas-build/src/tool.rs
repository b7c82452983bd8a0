//! The package tools: how they are asked, and what it means when they fail.

use crate::dependency::Dependencies;
use crate::error::BuildError;
use crate::index::Index;
use crate::limits::TooLarge;
use crate::log::Log;
use crate::relay::BUILT;
use bytes::Bytes;
use faas_executor_api::FileIn;
use faas_types::Language;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// What runs in the sandbox beside the tool.
const BRIDGE: &str = include_str!("bridge.py");
/// Where the bridge's own interpreter is.
pub(crate) const PYTHON: &str = "/usr/bin/python3";
const NPM: &str = "/usr/bin/npm";

/// The most bytes of the archives of one build: a sandbox is sent them all.
const MAX_GIVEN: u64 = 128 << 20;

/// How pip begins to say that it found no wheel.
const NO_WHEEL: &str = "No matching distribution found for ";

/// Where the tools leave what they are asked for.
pub(crate) const WHEELS: &str = "/tmp/wheels";
const PROJECT: &str = "/tmp/project";

/// What pip or npm needs beside the bridge to resolve these. `with_built`: wheels that were built here count, too.
pub(crate) fn resolving(dependencies: &Dependencies, index: &Index, with_built: bool) -> Vec<FileIn> {
    match dependencies.language() {
        Language::JavaScript => files(&npm_plan(index), [file("package.json", package_json(dependencies))]),
        Language::Python | Language::Bash | Language::Php => files(&pip_plan(dependencies, index, with_built), []),
    }
}

/// The bridge with its plan, and what the plan names.
pub(crate) fn files(plan: &Value, others: impl IntoIterator<Item = FileIn>) -> Vec<FileIn> {
    [file("bridge.py", BRIDGE), file("plan.json", plan.to_string())].into_iter().chain(others).collect()
}

/// Archives as files of a sandbox that builds; `what` is what errors call all of them.
pub(crate) async fn given(what: &str, archives: Vec<(String, PathBuf)>) -> Result<Vec<FileIn>, BuildError> {
    let (mut files, mut bytes) = (Vec::with_capacity(archives.len()), 0_u64);
    for (path, archive) in archives {
        let io = |source| BuildError::Io { path: archive.clone(), source };
        bytes = bytes.saturating_add(tokio::fs::metadata(&archive).await.map_err(io)?.len());
        if bytes > MAX_GIVEN {
            return Err(TooLarge::new(what, "128Mi").into());
        }
        files.push(file(path, tokio::fs::read(&archive).await.map_err(io)?));
    }
    Ok(files)
}

/// A file of a sandbox.
pub(crate) fn file(path: impl Into<String>, content: impl Into<Bytes>) -> FileIn {
    FileIn { path: path.into(), content: content.into(), executable: false }
}

/// All that a tool of Python's finds in its environment.
pub(crate) fn python_environment() -> Value {
    json!({"PATH": "/usr/bin:/bin", "HOME": "/tmp", "PIP_CONFIG_FILE": "/dev/null", "LANG": "C.UTF-8"})
}

/// The command that runs the bridge.
pub(crate) fn command() -> Vec<String> {
    [PYTHON, "-I", "-S", "bridge.py"].map(str::to_owned).into()
}

/// pip downloads wheels: it runs no code of a package, and installs nothing.
fn pip_plan(dependencies: &Dependencies, index: &Index, with_built: bool) -> Value {
    let mut command = [
        PYTHON,
        "-I",
        "-m",
        "pip",
        "--isolated",
        "download",
        "--no-input",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--no-color",
        "--progress-bar",
        "off",
        "--only-binary",
        ":all:",
        "--retries",
        "1",
        "--timeout",
        "60",
        "--dest",
        WHEELS,
        "--index-url",
    ]
    .map(str::to_owned)
    .to_vec();
    command.push(format!("{{index}}{}/", index.path));
    if with_built {
        command.extend(["--find-links".to_owned(), format!("{{index}}{BUILT}")]);
    }
    // Nothing behind this is an option, whatever it looks like.
    command.push("--".to_owned());
    command.extend(dependencies.entries().iter().map(|entry| format!("{}{}", entry.name, entry.versions)));
    json!({
        "command": command,
        "environment": python_environment(),
        "files": WHEELS,
    })
}

/// npm writes its lock: it runs no script, and fetches no package but one that brings others along, to look what
/// those are. The addresses of packages are the registry's own, and lead through the bridge only when replaced.
fn npm_plan(index: &Index) -> Value {
    let shell = format!("mkdir {PROJECT} && cp package.json {PROJECT}/ && cd {PROJECT} && exec {NPM} \"$@\"");
    let registry = format!("{{index}}{}/", index.path);
    json!({
        "command": [
            "/bin/sh", "-c", shell, "npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund",
            "--no-update-notifier", "--no-color", "--no-progress", "--loglevel=http", "--cache=/tmp/cache", "--fetch-retries=1",
            "--fetch-retry-mintimeout=1000", "--replace-registry-host=always", "--registry", registry,
        ],
        "environment": {
            "PATH": "/usr/bin:/bin", "HOME": "/tmp", "NPM_CONFIG_USERCONFIG": "/tmp/none", "NPM_CONFIG_GLOBALCONFIG": "/tmp/no",
            "NPM_CONFIG_OMIT_LOCKFILE_REGISTRY_RESOLVED": "false",
            // Of a repository that a package depends on, npm would run scripts to look what that one is, whatever
            // it was told about scripts. Not every version knows the second one, which says why it refuses.
            "NPM_CONFIG_GIT": "/bin/false", "NPM_CONFIG_ALLOW_GIT": "none",
        },
        "document": format!("{PROJECT}/package-lock.json"),
    })
}

/// npm reads the dependencies from here, where no word of them can be an option.
fn package_json(dependencies: &Dependencies) -> String {
    let versions: Map<String, Value> =
        dependencies.entries().iter().map(|entry| (entry.name.clone(), Value::from(entry.versions.clone()))).collect();
    json!({"name": "function", "version": "0.0.0", "private": true, "dependencies": versions}).to_string()
}

/// Why there is no such tool.
pub(crate) const fn missing(language: Language) -> BuildError {
    match language {
        Language::JavaScript => BuildError::ToolMissing { tool: "npm", package: "npm" },
        Language::Python | Language::Bash | Language::Php => {
            BuildError::ToolMissing { tool: "pip", package: "python3-pip" }
        }
    }
}

/// What a failed tool said, as an error.
pub(crate) fn explain(language: Language, log: &Log) -> BuildError {
    let said = |words: &'static str| log.last(|line| line.contains(words)).map(|line| plain(&line));
    let (absent, not_found, prefix) = match language {
        Language::JavaScript => (
            format!("{NPM}: not found"),
            said("is not in this registry")
                .or_else(|| said("404 Not Found - GET"))
                .or_else(|| said("No matching version found for"))
                .or_else(|| said("notarget")),
            "npm err",
        ),
        Language::Python | Language::Bash | Language::Php => {
            ("No module named pip".to_owned(), said(NO_WHEEL), "error:")
        }
    };
    if log.last(|line| line.contains(&absent)).is_some() {
        return missing(language);
    }
    if let Some(said) = not_found {
        return BuildError::NotFound { said, log: log.text() };
    }
    let reason = log
        .last(|line| line.to_ascii_lowercase().starts_with(prefix) && !line.contains("complete log of this run"))
        .or_else(|| log.last(|line| !line.trim().is_empty()))
        .map_or_else(|| "the tool failed and said nothing".to_owned(), |line| plain(&line));
    BuildError::Failed { reason, log: log.text() }
}

/// The one dependency of Python's that pip says it found no wheel of.
pub(crate) fn without_wheel(said: &str) -> Option<Dependencies> {
    let entry = said.strip_prefix(NO_WHEEL)?;
    let entry = entry.split([';', '(']).next().unwrap_or(entry).trim();
    Dependencies::parse(Language::Python, &[entry.to_owned()], false).ok()
}

/// A tool's line without what it puts before its errors.
fn plain(line: &str) -> String {
    let line = line.trim();
    let prefixes = [
        "ERROR: ",
        "npm error notarget ",
        "npm error 404 ",
        "npm error ",
        "npm ERR! notarget ",
        "npm ERR! 404 ",
        "npm ERR! ",
    ];
    prefixes.into_iter().find_map(|prefix| line.strip_prefix(prefix)).unwrap_or(line).trim().to_owned()
}

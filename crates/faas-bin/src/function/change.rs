//! What a deployment changes: settings and files, between what a server shows and what is wanted.
//!
//! A setting that `faas.yaml` does not name has the server's default. The two whose default no server tells
//! (`isolation`, `on_output_limit`) stay what they are. Values of variables are never shown.

use super::lines;
use crate::diagnostic::CliError;
use crate::terminal::one_line;
use faas_client::model::{FileBody, FunctionBody, RouteAuth};
use faas_types::{ByteSize, Contract, CpuAmount, Mode, Resources, Runtime, Scaling};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// Members that are the source, or say nothing about a version.
const NO_SETTINGS: [&str; 5] = ["name", "code", "files", "module", "executor"];
/// Members whose own members are settings.
const NESTED: [&str; 3] = ["resources", "scaling", "env"];

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Change {
    /// Of a setting; values that may be secret are left out.
    Setting {
        key: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        new: Option<Value>,
    },
    /// Of a file.
    File {
        path: String,
        change: &'static str,
        #[serde(skip)]
        lines: Vec<String>,
    },
}

/// What is different, and the merge patch that makes it equal.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) changes: Vec<Change>,
    pub(super) patch: Value,
}

/// Files by their paths.
type Files<'a> = BTreeMap<&'a str, &'a FileBody>;

/// Compares a function with what is wanted of it; `defaults` are the server's.
pub(super) fn compare(
    shown: &Map<String, Value>,
    wanted: &FunctionBody,
    defaults: &BTreeMap<String, u64>,
) -> Result<Difference, CliError> {
    let old_source = source(shown)?;
    let (old_files, new_files) = (by_path(&old_source.files), by_path(&wanted.files));
    let mut old = settings(shown.clone());
    let mut new = settings(object(&completed(wanted, defaults))?);
    old.insert("main".to_owned(), json!(old_source.main));
    stay(&old, &mut new);

    let mut changes = changed_settings(&old, &new);
    let mut patch = patch_between(&old, &new);
    let mut files = Map::new();
    for path in old_files.keys().chain(new_files.keys()).copied().collect::<BTreeSet<_>>() {
        let (before, after) = (old_files.get(path).copied(), new_files.get(path).copied());
        if before.map(content) == after.map(content) {
            continue;
        }
        changes.push(changed_file(path, before, after));
        files.insert(path.to_owned(), after.map_or(Value::Null, |file| sent(file, before.is_some())));
    }
    if !files.is_empty() {
        // What is shown as one text has no files that a patch could be merged with.
        let whole = || new_files.iter().map(|(path, file)| ((*path).to_owned(), sent(file, false))).collect();
        let files = if shown.contains_key("files") { files } else { whole() };
        patch.insert("files".to_owned(), Value::Object(files));
        patch.insert("main".to_owned(), json!(wanted.main));
    }
    if let Some(executor) = &wanted.executor {
        patch.insert("executor".to_owned(), json!(executor));
    }
    Ok(Difference { changes, patch: Value::Object(patch) })
}

/// The files that are new, as changes from nothing.
pub(super) fn all_new(wanted: &FunctionBody) -> Vec<Change> {
    by_path(&wanted.files).into_iter().map(|(path, file)| changed_file(path, None, Some(file))).collect()
}

fn by_path(files: &[FileBody]) -> Files<'_> {
    files.iter().map(|file| (file.path.as_str(), file)).collect()
}

const fn content(file: &FileBody) -> (&Vec<u8>, bool) {
    (&file.content, file.executable)
}

/// A file as a patch sends it. The other form of a content that is there already is removed.
fn sent(file: &FileBody, replaces: bool) -> Value {
    let sent = object(&FunctionBody { files: vec![file.clone()], ..FunctionBody::default() });
    let mut sent = sent.ok().and_then(|mut body| body.remove("files")?.get(&file.path).cloned()).unwrap_or_default();
    if let (true, Some(members)) = (replaces, sent.as_object_mut()) {
        let other = if members.contains_key("text") { "base64" } else { "text" };
        members.insert(other.to_owned(), Value::Null);
    }
    sent
}

/// The source of what is shown, as files.
fn source(shown: &Map<String, Value>) -> Result<FunctionBody, CliError> {
    let part: Map<_, _> = ["code", "files", "main"]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), shown.get(*name)?.clone())))
        .collect();
    let unusable =
        |why: &dyn std::fmt::Display| CliError::invalid(format!("what the server shows cannot be used: {why}"));
    let mut body = FunctionBody::from_json(Value::Object(part).to_string().as_bytes()).map_err(|why| unusable(&why))?;
    let runtime = shown.get("runtime").and_then(Value::as_str).map(str::parse::<Runtime>).transpose();
    let usual = runtime.map_err(|why| unusable(&why))?.map(|runtime| runtime.language.main_file().to_owned());
    body.main = body.main.or(usual);
    if let (Some(code), Some(path)) = (body.code.take(), body.main.clone()) {
        body.files = vec![FileBody { path, content: code.into_bytes(), executable: false }];
    }
    Ok(body)
}

/// What the server makes of it where it says nothing.
fn completed(wanted: &FunctionBody, defaults: &BTreeMap<String, u64>) -> FunctionBody {
    let mut body = FunctionBody { name: None, files: Vec::new(), ..wanted.clone() };
    let contract = body.contract.or_else(|| body.runtime.as_ref().map(|runtime| runtime.language.function_contract()));
    body.contract = contract;
    body.handler.get_or_insert_with(|| "handle".to_owned());
    body.mode.get_or_insert(Mode::Cached);
    body.auth.get_or_insert(RouteAuth::Key);
    body.allow_build = body.allow_build.filter(|allowed| *allowed);
    let default = |name: &str| defaults.get(name).copied();
    let small = |name: &str| default(name).and_then(|value| u32::try_from(value).ok());
    let size = |name: &str| default(name).map(ByteSize::from_bytes);
    body.cpu = body.cpu.or_else(|| small("cpu_milli").and_then(|milli| format!("{milli}m").parse::<CpuAmount>().ok()));
    body.memory = body.memory.or_else(|| size("memory_bytes"));
    body.pids = body.pids.or_else(|| small("pids"));
    body.output_limit = body.output_limit.or_else(|| size("output_bytes"));
    if body.disk.is_none()
        && let (Some(memory), Some(disk)) = (body.memory, size("disk_bytes"))
    {
        body.disk = Some(disk.min(Resources::default_disk_for(memory)));
    }
    let timeout = if contract == Some(Contract::ArgvJson) { "argv_json_timeout_ms" } else { "timeout_ms" };
    body.timeout = body.timeout.or_else(|| default(timeout).map(Duration::from_millis));
    let scaling = Scaling::default();
    body.scaling.min.get_or_insert(scaling.min);
    body.scaling.max.get_or_insert(scaling.max);
    body.scaling.concurrency.get_or_insert(scaling.concurrency);
    body
}

fn object(body: &FunctionBody) -> Result<Map<String, Value>, CliError> {
    match serde_json::to_value(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) | Err(_) => Err(CliError::invalid("the function cannot be written as JSON".to_owned())),
    }
}

/// The settings among a function's members. What a newer server shows beside them is passed over.
fn settings(members: Map<String, Value>) -> Map<String, Value> {
    let is_setting = |name: &str| FunctionBody::MEMBERS.contains(&name) && !NO_SETTINGS.contains(&name);
    members.into_iter().filter(|(name, _)| is_setting(name)).collect()
}

/// Single values of which nothing is known stay what they are; lists and variables that are not named are none, and
/// what is allowed is only what is said.
fn stay(old: &Map<String, Value>, new: &mut Map<String, Value>) {
    for (name, value) in old {
        match (value, new.get_mut(name)) {
            (Value::Object(inner), Some(Value::Object(kept))) if name != "env" => stay(inner, kept),
            (Value::Array(_) | Value::Object(_), _) | (_, Some(_)) => {}
            _ if name == "allow_build" => {}
            (single, None) => drop(new.insert(name.clone(), single.clone())),
        }
    }
}

fn changed_settings(old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Change> {
    let (old, new) = (flat(old), flat(new));
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let change = |key: &String| {
        let (old, new) = (old.get(key), new.get(key));
        let shown = |value: Option<&Value>| match (value, key.starts_with("env.")) {
            (Some(_), true) => Some(Value::from("(not shown)")),
            (value, _) => value.cloned(),
        };
        (old != new).then(|| Change::Setting { key: key.clone(), old: shown(old), new: shown(new) })
    };
    keys.into_iter().filter_map(change).collect()
}

fn flat(settings: &Map<String, Value>) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    for (name, value) in settings {
        match value {
            Value::Object(inner) if NESTED.contains(&name.as_str()) => {
                flat.extend(inner.iter().map(|(inner, value)| (format!("{name}.{inner}"), value.clone())));
            }
            value => drop(flat.insert(name.clone(), value.clone())),
        }
    }
    flat
}

/// The merge patch (RFC 7396) that makes one of the other.
fn patch_between(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (name, value) in new {
        match (old.get(name), value) {
            (Some(before), after) if before == after => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                patch.insert(name.clone(), Value::Object(patch_between(before, after)));
            }
            (_, after) => drop(patch.insert(name.clone(), after.clone())),
        }
    }
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    patch.extend(gone.map(|name| (name.clone(), Value::Null)));
    patch
}

fn changed_file(path: &str, before: Option<&FileBody>, after: Option<&FileBody>) -> Change {
    let text = |file: &FileBody| String::from_utf8(file.content.clone()).ok();
    let (change, lines) = match (before, after) {
        (None, _) => ("added", None),
        (_, None) => ("removed", None),
        (Some(before), Some(after)) if before.content == after.content && after.executable => ("made executable", None),
        (Some(before), Some(after)) if before.content == after.content => ("made not executable", None),
        (Some(before), Some(after)) => {
            ("changed", text(before).zip(text(after)).and_then(|(before, after)| lines::changed(&before, &after)))
        }
    };
    Change::File { path: path.to_owned(), change, lines: lines.unwrap_or_default() }
}

impl Change {
    /// As lines for people, each with its newline.
    pub(crate) fn describe(&self) -> String {
        let value = |value: &Option<Value>| match value {
            None => "(none)".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        match self {
            Self::Setting { key, old, new } => {
                format!("  {}\n", one_line(&format!("{key}: {} -> {}", value(old), value(new))))
            }
            Self::File { path, change, lines } => {
                let mut text = format!("  {}: {change}\n", one_line(path));
                for line in lines {
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "    {}", one_line(&line.replace('\t', "    ")));
                }
                text
            }
        }
    }
}

#[cfg(test)]
#[path = "change/tests.rs"]
mod tests;

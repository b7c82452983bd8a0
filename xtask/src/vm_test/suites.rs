//! Which suites run in the machine, and the binaries they need, built here.

use super::Place;
use super::options::Options;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One suite as init runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) name: String,
    /// It is killed after this long.
    pub(super) seconds: u32,
    pub(super) ordinary_user: bool,
    /// For bash.
    pub(super) command: String,
}

/// All that the image needs to know.
pub(super) struct Suites {
    pub(super) list: Vec<Suite>,
    /// Files and directories of this machine, and where they go: not under their own paths, because
    /// a checkout may be where the machine mounts something else.
    pub(super) files: Vec<(&'static str, PathBuf)>,
    pub(super) environment: Vec<(String, String)>,
}

const CONFORMANCE: &str = "/vm/bin/conformance";
const HOSTILE: &str = "/vm/bin/hostile";
const FAAS: &str = "/vm/bin/faas";
const HOSTILE_PROGRAMS: &str = "/vm/hostile-programs";

const NAMES: [&str; 5] = ["probes", "conformance", "conformance-ordinary", "hostile", "hostile-copies"];

/// What of the hostile suite is tried in copies of a zygote and in spares, too: whatever a sandbox's cgroups and
/// namespaces decide. All of it would take half an hour more; elsewhere all of it is tried.
const IN_COPIES: [&str; 6] = ["row_02_", "row_22_", "row_37_", "row_39_", "row_44_", "row_59_"];

/// Builds what was asked for and says how to run it.
pub(super) fn prepare(place: &Place, options: &Options) -> Result<Suites> {
    if let Some(unknown) = options.suites.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("no suite {unknown}; there are: {}", NAMES.join(", "));
    }
    let wanted = |name: &str| options.suites.is_empty() || options.suites.iter().any(|suite| suite == name);
    let mut suites = Suites { list: Vec::new(), files: Vec::new(), environment: Vec::new() };
    // A console of a few kilobytes a second: the message is enough.
    suites.set("RUST_BACKTRACE", "0");
    // For bounds on time that a test sets: the machine's processor is emulated.
    suites.set("FAAS_TIME_FACTOR", "5");
    suites.set("FAAS_ROW_36_SECONDS", "10");

    if wanted("probes") {
        suites.add("probes", false, 120, "exec /usr/bin/python3 -I /vm/probes.py".to_owned());
    }
    let arguments = options.arguments.iter().map(|argument| format!(" '{argument}'")).collect::<String>();
    if wanted("conformance") || wanted("conformance-ordinary") {
        let build_arguments = ["test", "--no-run", "-p", "faas-executor-process", "--test", "conformance"];
        let binary = build(place, options, &build_arguments, "conformance")?;
        // Both users have a suite of their own here, so root's need not start the other's.
        let command = format!("exec {CONFORMANCE} --test-threads=2 --skip ordinary_user::{arguments}");
        suites.files.push((CONFORMANCE, binary));
        for (name, ordinary_user) in [("conformance", false), ("conformance-ordinary", true)] {
            if wanted(name) {
                suites.add(name, ordinary_user, 360, command.clone());
            }
        }
    }
    if wanted("hostile") || wanted("hostile-copies") {
        let binary = build(place, options, &["test", "--no-run", "-p", "faas-tester", "--test", "hostile"], "hostile")?;
        let faas = build(place, options, &["build", "-p", "faas-bin", "--bin", "faas"], "faas")?;
        let programs = place.root.join("crates/faas-tester/hostile-programs");
        suites.set("FAAS_BIN", FAAS);
        suites.set("FAAS_HOSTILE_DIR", HOSTILE_PROGRAMS);
        // It becomes an ordinary user by itself.
        if wanted("hostile") {
            suites.add("hostile", false, 1800, format!("exec {HOSTILE} --skip ::zygote --skip ::spare{arguments}"));
        }
        if wanted("hostile-copies") {
            let rows = if arguments.is_empty() { format!(" {}", IN_COPIES.join(" ")) } else { arguments };
            suites.add("hostile-copies", false, 900, format!("exec {HOSTILE} --skip ::cold{rows}"));
        }
        suites.files.extend([(HOSTILE, binary), (FAAS, faas), (HOSTILE_PROGRAMS, programs)]);
    }
    for (name, value) in &options.environment {
        suites.set(name, value);
    }
    Ok(suites)
}

impl Suites {
    fn add(&mut self, name: &str, ordinary_user: bool, seconds: u32, command: String) {
        self.list.push(Suite { name: name.to_owned(), seconds, ordinary_user, command });
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }
}

/// Runs cargo and answers the executable it made for `target`.
fn build(place: &Place, options: &Options, arguments: &[&str], target: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).arg("--message-format=json-render-diagnostics").current_dir(&place.root);
    if options.release {
        command.arg("--release");
    }
    let output = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).output().context("run cargo")?;
    if !output.status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().find_map(|message| executable_of(message, target));
    executable.with_context(|| format!("cargo {} made no executable {target}", arguments.join(" ")))
}

/// The executable that one of cargo's messages announces, if it is the target's.
fn executable_of(message: &str, target: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    if message.get("reason")? != "compiler-artifact" || message.get("target")?.get("name")? != target {
        return None;
    }
    message.get("executable")?.as_str().map(Path::new).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_that_is_tried_in_copies_is_there() {
        let programs = crate::root().join("crates/faas-tester/hostile-programs");
        let names = std::fs::read_dir(programs).expect("the programs").filter_map(Result::ok);
        let names: Vec<_> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        for row in IN_COPIES {
            assert!(names.iter().any(|name| name.starts_with(row)), "{row}");
        }
    }

    #[test]
    fn finds_the_targets_executable_among_cargos_messages() {
        let of = |message| executable_of(message, "faas");
        assert_eq!(
            of(r#"{"reason":"compiler-artifact","target":{"name":"faas"},"executable":"/t/faas"}"#),
            Some(PathBuf::from("/t/faas"))
        );
        for other in [
            r#"{"reason":"compiler-artifact","target":{"name":"faas"},"executable":null}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/other"}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "not json",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}

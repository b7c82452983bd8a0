//! The steps, in the order continuous integration runs them: cheap ones first.

use super::process::Call;
use anyhow::Context;
use std::fs;
use std::path::{Path, PathBuf};

/// One step of the verification.
pub(super) struct Step {
    /// How the command line and the report name it.
    pub(super) name: &'static str,
    pub(super) plan: Plan,
}

/// What a step does on this machine.
pub(super) enum Plan {
    Call(Call),
    /// It cannot run here, and why.
    Skip(String),
}

/// The sandbox uses these interpreters, so the tests of the runners use no other.
const PYTHON: &str = "/usr/bin/python3";
const NODE: &str = "/usr/bin/node";

/// Every step.
pub(super) fn all(root: &Path) -> anyhow::Result<Vec<Step>> {
    let nextest = is_installed("cargo-nextest");
    Ok(vec![
        cargo(root, "fmt", "fmt --all --check"),
        cargo(root, "fmt-guest", "fmt --all --check --manifest-path guest/Cargo.toml"),
        cargo(root, "check-layers", "run --quiet --package xtask -- check-layers"),
        cargo(root, "clippy", "clippy --workspace --all-targets --all-features -- -D warnings"),
        guest(root, "clippy-guest", "clippy --manifest-path guest/Cargo.toml --workspace --all-targets -- -D warnings"),
        cargo(root, "check-fuzz", "check --manifest-path fuzz/Cargo.toml --target-dir target --bins"),
        if nextest {
            // The hostile suite is a step of its own and prints its own table.
            let mut step =
                cargo(root, "tests", "nextest run --workspace --all-features --no-tests pass --no-fail-fast");
            step.add(&["-E", "not binary(hostile)"]);
            step
        } else {
            cargo(root, "tests", "test --workspace --all-features --lib --bins --tests --no-fail-fast")
        },
        cargo(root, "api-fuzz", "run --quiet --package xtask -- api-fuzz"),
        if nextest {
            guest(root, "tests-guest", "nextest run --manifest-path guest/Cargo.toml --workspace --no-tests pass")
        } else {
            guest(root, "tests-guest", "test --manifest-path guest/Cargo.toml --workspace")
        },
        cargo(root, "doctests", "test --workspace --all-features --doc --no-fail-fast"),
        python_runner(root)?,
        javascript_runner(root)?,
        if is_installed("cargo-deny") {
            cargo(root, "deny", "deny check bans licenses sources")
        } else {
            Step { name: "deny", plan: Plan::Skip("cargo-deny is not installed; see CONTRIBUTING.md".to_owned()) }
        },
        cargo(root, "hostile", "test --package faas-tester --test hostile"),
        cargo(root, "vm-test", "run --quiet --package xtask -- vm-test"),
    ])
}

impl Step {
    fn add(&mut self, arguments: &[&str]) {
        if let Plan::Call(call) = &mut self.plan {
            call.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        }
    }
}

/// A cargo call; `arguments` are separated by spaces.
fn cargo(root: &Path, name: &'static str, arguments: &str) -> Step {
    Step {
        name,
        plan: Plan::Call(Call {
            program: std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()),
            arguments: arguments.split(' ').map(str::to_owned).collect(),
            environment: Vec::new(),
            folder: root.to_path_buf(),
        }),
    }
}

/// A cargo call in the guest workspace. The launcher embeds init and the CGI runner, which a build of the
/// main workspace makes first; what is linted and tested here never starts them.
fn guest(root: &Path, name: &'static str, arguments: &str) -> Step {
    let mut step = cargo(root, name, arguments);
    if let Plan::Call(call) = &mut step.plan {
        let embedded = ["FAAS_INIT", "FAAS_CGI_RUNNER"];
        call.environment.extend(embedded.map(|name| (name, "/dev/null".to_owned())));
    }
    step
}

fn python_runner(root: &Path) -> anyhow::Result<Step> {
    let is_test = |name: &str| name.starts_with("test_") && name.ends_with(".py");
    runner(root, "runner-python", PYTHON, "runtimes/python", is_test, |folder, tests| Call {
        program: PYTHON.to_owned(),
        // Discovery skips folders that are no packages, so the files are named.
        arguments: ["-B", "-m", "unittest"].into_iter().map(str::to_owned).chain(relative(folder, tests)).collect(),
        environment: vec![("PYTHONPATH", folder.to_string_lossy().into_owned())],
        folder: folder.to_path_buf(),
    })
}

fn javascript_runner(root: &Path) -> anyhow::Result<Step> {
    let is_test = |name: &str| [".test.js", ".test.cjs", ".test.mjs"].iter().any(|end| name.ends_with(end));
    runner(root, "runner-javascript", NODE, "runtimes/javascript", is_test, |folder, tests| Call {
        program: NODE.to_owned(),
        arguments: ["--test", "--test-reporter=tap"]
            .into_iter()
            .map(str::to_owned)
            .chain(relative(folder, tests))
            .collect(),
        environment: Vec::new(),
        folder: folder.to_path_buf(),
    })
}

fn runner(
    root: &Path,
    name: &'static str,
    interpreter: &str,
    folder: &str,
    is_test: impl Fn(&str) -> bool,
    call: impl FnOnce(&Path, &[PathBuf]) -> Call,
) -> anyhow::Result<Step> {
    let folder = root.join(folder);
    let mut tests = Vec::new();
    find(&folder, &is_test, &mut tests)?;
    tests.sort();
    let plan = if tests.is_empty() {
        Plan::Skip(format!("no tests under {}", folder.strip_prefix(root).unwrap_or(&folder).display()))
    } else if !Path::new(interpreter).exists() {
        Plan::Skip(format!("{interpreter} is not installed; scripts/install-test-deps installs it"))
    } else {
        Plan::Call(call(&folder, &tests))
    };
    Ok(Step { name, plan })
}

fn relative(folder: &Path, files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.strip_prefix(folder).unwrap_or(file).to_string_lossy().into_owned()).collect()
}

fn find(folder: &Path, wanted: &impl Fn(&str) -> bool, into: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() && name != "node_modules" {
            find(&entry.path(), wanted, into)?;
        } else if name.to_str().is_some_and(wanted) {
            into.push(entry.path());
        }
    }
    Ok(())
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::{Plan, all};
    use crate::root;
    use std::collections::BTreeSet;

    #[test]
    fn every_step_has_its_own_name_and_the_repository_as_its_place() {
        let root = root();
        let steps = all(&root).expect("the steps");
        let names: BTreeSet<_> = steps.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), steps.len());
        for step in &steps {
            if let Plan::Call(call) = &step.plan {
                assert!(call.folder.starts_with(&root), "{}: {}", step.name, call.folder.display());
            }
        }
    }
}

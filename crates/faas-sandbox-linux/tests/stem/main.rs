//! Programs started from zygotes, with everything real: a launcher's root, namespaces, cgroups, filters
//! and capabilities, Python as the zygote, and shells assembled as the launcher does, with this program as
//! their init.
//!
//! Each test is a process of its own with one thread, as a launcher is. Needs root.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]
#![expect(clippy::print_stdout, reason = "it is its own harness")]

mod adopting;
mod faults;
mod hatching;
mod init;
mod limits;
mod programs;
mod refusing;
mod speed;
mod world;

use std::process::{Command, ExitCode};

type Test = (&'static str, fn());

/// Says what this machine cannot run.
pub(crate) fn skip(reason: &str) {
    println!("SKIP {reason}");
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.first().is_some_and(|name| name == "faas-init") {
        return init::run();
    }
    let tests: Vec<Test> =
        [programs::TESTS, limits::TESTS, faults::TESTS, hatching::TESTS, adopting::TESTS, refusing::TESTS]
            .into_iter()
            .flatten()
            .copied()
            .collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    if has("--list") {
        if !has("--ignored") {
            tests.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return ExitCode::SUCCESS;
    }
    if has("--speed") {
        speed::measure();
        return ExitCode::SUCCESS;
    }
    if has("--be-killed-with-stem") {
        adopting::be_killed();
        return ExitCode::SUCCESS;
    }
    if has("--be-killed") {
        hatching::be_killed();
        return ExitCode::SUCCESS;
    }
    let wanted = |name: &str| arguments.iter().skip(1).any(|argument| argument == name);
    if has("--exact") {
        return match tests.iter().find(|(name, _)| wanted(name)) {
            Some((name, _)) if !rustix::process::geteuid().is_root() => {
                println!("SKIP {name}: needs root");
                ExitCode::SUCCESS
            }
            Some((_, test)) => {
                test();
                ExitCode::SUCCESS
            }
            None => ExitCode::FAILURE,
        };
    }
    let filters: Vec<&String> = arguments.iter().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut failed = false;
    for (name, _) in
        tests.iter().filter(|(name, _)| filters.is_empty() || filters.iter().any(|part| name.contains(part.as_str())))
    {
        let this = std::env::current_exe().expect("this program's path");
        let passed = Command::new(this).args([name, "--exact"]).status().is_ok_and(|status| status.success());
        println!("{} {name}", if passed { "PASS" } else { "FAIL" });
        failed |= !passed;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

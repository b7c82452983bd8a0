//! `cargo xtask vm-test`: conformance and the hostile suite on a kernel with cgroup v2.
//!
//! Boots Debian's cloud kernel under QEMU's own emulation (no KVM) with an initramfs made of this
//! machine's files: the interpreters, the tools, the binaries under test. Nothing of the machine is
//! reached from inside; what ran comes back over the serial console.
//!
//! Invariant: it never passes by not running. Where QEMU or the kernel cannot be had it prints SKIP and
//! why, and with `CI=true` that is a failure; a suite that does not report is a failure everywhere.

mod console;
mod cpio;
mod image;
mod libraries;
mod machine;
mod options;
mod prerequisites;
mod suites;
mod tree;

use anyhow::{Context, Result, bail};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Runs `vm-test` with the arguments after its name.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let Some(options) = options::parse(args)? else {
        return say(options::USAGE);
    };
    let place = Place::find()?;
    let tools = match prerequisites::ready(&place)? {
        prerequisites::Readiness::Ready(tools) => tools,
        prerequisites::Readiness::Unavailable(reason) if std::env::var("CI").is_ok_and(|value| value == "true") => {
            bail!("vm-test may not be skipped in CI: {reason}");
        }
        prerequisites::Readiness::Unavailable(reason) => return say(&format!("SKIP vm-test: {reason}")),
    };
    let suites = suites::prepare(&place, &options)?;
    let nonce = std::fs::read_to_string("/proc/sys/kernel/random/uuid").context("read a random id")?;
    let initramfs = image::write(&place, &tools, &suites, nonce.trim()).context("make the initramfs")?;
    let report = machine::run(&machine::Settings {
        kernel: &tools.kernel,
        initramfs: &initramfs,
        memory_mib: options.memory_mib,
        deadline: options.deadline,
        nonce: nonce.trim(),
    })?;

    if let Some(booted) = report.booted {
        say(&format!("vm-test: boot to the first suite {:.1} s", booted.as_secs_f64()))?;
    }
    for result in &report.results {
        let verdict = if result.code == 0 { "ok" } else { "FAILED" };
        say(&format!(
            "vm-test: suite {} {verdict}, exit {}, {:.1} s:",
            result.name,
            result.code,
            result.took.as_secs_f64()
        ))?;
        // On a line of its own, which is how `verify` counts.
        say(&result.counts())?;
    }
    let expected: Vec<String> = suites.list.iter().map(|suite| suite.name.clone()).collect();
    report.verdict(&expected)?;
    say("vm-test: all passed on cgroup v2")
}

/// Where the repository and the build's files are.
struct Place {
    root: PathBuf,
    /// `target/vm`, for the unpacked packages and the initramfs.
    work: PathBuf,
}

impl Place {
    fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent directory")?.to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(Self { work: root.join(target).join("vm"), root })
    }
}

/// A line on standard output; a closed one is an error rather than a panic.
fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").context("write to standard output")
}

//! Runs the virtual machine: starts QEMU, shows its console as it comes, and ends it.
//!
//! Invariant: QEMU is dead and reaped when [`run`] returns, whatever happened.

use super::console::Report;
use super::say;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// For the kernel. `quiet loglevel=3` keeps its own lines, such as one for each OOM kill, out of the
/// suites'; `tsc=reliable` spares reading the time from an emulated device; a panic ends the machine. The
/// second line only saves time: an emulated processor has no side channels to mitigate, sandboxes wait
/// for many grace periods when they are made and taken down, and AppArmor has no profiles here.
const COMMAND_LINE: &str = "console=ttyS0 quiet loglevel=3 tsc=reliable rdinit=/vm/init panic=-1 reboot=t \
    mitigations=off rcupdate.rcu_expedited=1 init_on_alloc=0 apparmor=0";

pub(super) struct Settings<'a> {
    pub(super) kernel: &'a Path,
    pub(super) initramfs: &'a Path,
    pub(super) memory_mib: u32,
    pub(super) deadline: Duration,
    pub(super) nonce: &'a str,
}

/// Runs the machine to its end or the deadline.
pub(super) fn run(settings: &Settings<'_>) -> Result<Report> {
    let started = Instant::now();
    let mut machine = Machine::start(settings)?;
    let lines = machine.console()?;
    let mut report = Report::new(settings.nonce);
    loop {
        let left = settings.deadline.saturating_sub(started.elapsed());
        match lines.recv_timeout(left) {
            Ok(line) => {
                let line = String::from_utf8_lossy(&line);
                let line = line.trim_end();
                if report.line(line, started.elapsed()) && !line.is_empty() {
                    say(&format!("vm| {line}"))?;
                }
            }
            Err(RecvTimeoutError::Timeout) => bail!(
                "the machine was ended at its deadline of {} s, in {}; --deadline SECONDS sets it",
                settings.deadline.as_secs(),
                report.running().map_or("its boot".to_owned(), |name| format!("suite {name}")),
            ),
            // It closed its console: it has ended, or is about to.
            Err(RecvTimeoutError::Disconnected) => return Ok(report),
        }
    }
}

struct Machine {
    child: Child,
}

impl Machine {
    fn start(settings: &Settings<'_>) -> Result<Self> {
        // The smaller `microvm` boots a second sooner, but without an HPET a busy host makes the
        // kernel's measuring of the processor's clock fail, and then its boot hangs.
        let child = Command::new("qemu-system-x86_64")
            .args(["-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"])
            .args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"])
            .args(["-m", &settings.memory_mib.to_string()])
            .arg("-kernel")
            .arg(settings.kernel)
            .arg("-initrd")
            .arg(settings.initramfs)
            .args(["-append", COMMAND_LINE])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("start qemu-system-x86_64")?;
        Ok(Self { child })
    }

    /// Its console's lines, which need not be UTF-8.
    fn console(&mut self) -> Result<Receiver<Vec<u8>>> {
        let console = self.child.stdout.take().context("QEMU has no console")?;
        let (sender, receiver) = sync_channel(1024);
        std::thread::Builder::new().name("vm-console".to_owned()).spawn(move || {
            let mut console = BufReader::new(console);
            let mut line = Vec::new();
            while console.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    break;
                }
            }
        })?;
        Ok(receiver)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Already ended is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

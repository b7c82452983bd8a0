//! This program as the init of a shell: collects what ends, and says so.

use crate::world::{poll, receive};
use faas_sandbox_linux::{packet, stem::Waiter, sys};
use rustix::process::{DumpableBehavior, Pid, Signal, WaitOptions};
use std::process::ExitCode;

/// What it says when it is ready, and when a child ended.
pub(crate) const READY: &str = "ready";

/// What it is told: to kill every other process of the sandbox.
pub(crate) const KILL: &str = "kill";

/// The conversation is descriptor 3.
pub(crate) fn run() -> ExitCode {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).expect("what init does");
    let waiter = Waiter::new().expect("signals of children");
    sys::with_descriptor(3, |control| {
        packet::send(control, READY.as_bytes(), &[]).expect("a launcher that listens");
        loop {
            poll(&[control, waiter.descriptor()]);
            waiter.quiet();
            while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
                let said = match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => format!("{} exited {code}", pid.as_raw_nonzero()),
                    (_, Some(signal)) => format!("{} killed {signal}", pid.as_raw_nonzero()),
                    _ => continue,
                };
                packet::send(control, said.as_bytes(), &[]).expect("a launcher that listens");
            }
            let told = rustix::net::recv(
                control,
                &mut [0_u8; 16][..],
                rustix::net::RecvFlags::DONTWAIT | rustix::net::RecvFlags::PEEK,
            );
            match told {
                Ok((_, 0)) => return ExitCode::SUCCESS,
                Ok(_) => {
                    assert_eq!(receive(control), KILL);
                    let all = rustix::process::kill_process_group(Pid::INIT, Signal::KILL);
                    let said = format!("killing {all:?}");
                    packet::send(control, said.as_bytes(), &[]).expect("a launcher that listens");
                }
                Err(_) => {}
            }
        }
    })
}

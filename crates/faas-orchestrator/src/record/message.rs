//! The one line that says how an execution ended, with the knob that changes it.

use faas_types::{LimitHit, Outcome, OutputLimits, Resources};
use std::time::Duration;

/// The limits an execution ran under.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) resources: Resources,
    pub(super) output: OutputLimits,
    pub(super) timeout: Duration,
}

/// What went wrong; `None` when the program ended with code 0.
pub(super) fn message(outcome: Outcome, limits: &Limits) -> Option<String> {
    let memory = limits.resources.memory;
    Some(match outcome {
        Outcome::Exited { code: 0 } => return None,
        Outcome::Exited { code } => format!("the program exited with code {code}"),
        Outcome::Signaled { signal } => match signal_name(signal) {
            Some(name) => format!("signal {signal} ({name}) ended the program"),
            None => format!("signal {signal} ended the program"),
        },
        Outcome::TimedOut => format!("the timeout of {:?} passed; raise timeout", limits.timeout),
        Outcome::OutOfMemory => format!("the memory limit of {memory} was reached; raise memory"),
        Outcome::LimitExceeded { limit: LimitHit::Output } => {
            format!("the output limit of {} was passed; raise it, or let the rest be discarded", limits.output.bytes)
        }
        Outcome::Cancelled => "cancelled by the caller".to_owned(),
        Outcome::SandboxLost => "the sandbox ended before its program did, and no limit explains it".to_owned(),
    })
}

const fn signal_name(signal: u8) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

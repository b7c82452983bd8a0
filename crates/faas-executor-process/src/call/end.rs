//! How a call ends, and what it used: the same for a call that has its program to itself and for one of several.

use crate::link::State;
use crate::output::StreamStats;
use crate::sandbox::Shared;
use faas_executor_api::Interrupt;
use faas_protocol::control::FromInit;
use faas_protocol::launcher::Counters;
use faas_types::{LimitHit, Outcome, OutputStats, Usage};
use tokio::sync::{Notify, watch};

/// SIGKILL's number, and the exit code shells give for a child it ended.
const SIGKILL: u8 = 9;
const SHELL_SIGKILL: u8 = 128 + SIGKILL;

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The program ended.
    Exited { code: u8, signal: u8 },
    /// It answered, or said that it has no answer, and stays.
    Answered,
    /// Somebody had it killed.
    Interrupted(Interrupt),
    /// The sandbox ended, or init or the runner broke the protocol.
    Lost,
}

/// Waits until init says that the program ended; passes on that it took stock.
pub(crate) async fn exit(shared: &Shared, started_by: u32, stocked: &Notify) -> End {
    loop {
        match shared.hear().await {
            Ok((Some(FromInit::Kept), _)) => stocked.notify_one(),
            Ok((Some(FromInit::Exited { call, code, signal }), _)) if call == started_by => {
                return End::Exited { code, signal };
            }
            _ => return End::Lost,
        }
    }
}

/// Ends what still runs and reads the counters. After a program that ended by itself, or stays, its sandbox
/// lives on; after everything else it is dead.
pub(crate) async fn finish(shared: &Shared, mut state: watch::Receiver<State>, end: End) -> (End, Counters) {
    let counters = match end {
        End::Exited { .. } => shared.link.usage(shared.id).await,
        End::Answered => shared.usage().await,
        End::Interrupted(_) | End::Lost => None,
    };
    if let Some(counters) = counters {
        return (end, counters);
    }
    shared.link.kill(shared.id).await;
    match state.wait_for(|state| *state != State::Alive).await.map(|state| *state) {
        Ok(State::Ended(counters)) => (end, counters),
        _ => (End::Lost, Counters::default()),
    }
}

/// The outcome, by what ended the call and by the kernel's counters.
pub(crate) fn outcome(end: End, before: Counters, after: Counters) -> Outcome {
    let out_of_memory = after.oom_kills > before.oom_kills;
    match end {
        End::Exited { code: SHELL_SIGKILL, signal: 0 } | End::Exited { signal: SIGKILL, .. } | End::Lost
            if out_of_memory =>
        {
            Outcome::OutOfMemory
        }
        End::Exited { code, signal: 0 } => Outcome::Exited { code },
        End::Answered => Outcome::Exited { code: 0 },
        End::Exited { signal, .. } => Outcome::Signaled { signal },
        End::Interrupted(Interrupt::Cancel) => Outcome::Cancelled,
        End::Interrupted(Interrupt::Deadline) => Outcome::TimedOut,
        End::Interrupted(Interrupt::OutputLimit) => Outcome::LimitExceeded { limit: LimitHit::Output },
        End::Lost => Outcome::SandboxLost,
    }
}

/// What was used between two readings.
pub(crate) fn usage(before: Counters, after: Counters) -> Usage {
    Usage {
        cpu_us: after.cpu_us.zip(before.cpu_us).map(|(after, before)| after.saturating_sub(before)),
        memory_peak_bytes: after.memory_peak_bytes,
    }
}

/// What became of both streams.
pub(crate) fn stats(out: StreamStats, err: StreamStats) -> OutputStats {
    OutputStats {
        stdout_bytes: out.bytes,
        stderr_bytes: err.bytes,
        stdout_truncated: out.truncated,
        stderr_truncated: err.truncated,
    }
}

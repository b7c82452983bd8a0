//! Ctrl-C and the termination signal: the first cancels, the second ends us at once.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

/// Both signals, from now on no longer deadly.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes them over. Called inside the runtime.
    pub(crate) fn take_over() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The number of the next one.
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => SIGINT,
            _ = self.terminate.recv() => SIGTERM,
        }
    }
}

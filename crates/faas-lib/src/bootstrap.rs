//! The start of a process that embeds the platform, in the order privileges demand.
//!
//! Invariant: the launcher starts before any thread exists, and what parses requests has given up
//! every privilege before the first request.

use crate::Platform;
use faas_config::Config;
use faas_executor_process::{Launcher, Settings};
use std::sync::Arc;

pub use faas_executor_process::{DelegateError, StartError, delegate, undelegate};
pub use faas_protocol::launcher::Host;

/// A started launcher that serves nobody yet.
pub struct Bootstrap {
    launcher: Launcher,
}

impl Bootstrap {
    /// Starts the launcher. The process must not have started a thread.
    ///
    /// # Errors
    /// The launcher cannot work on this host; the error says what to do.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        let settings =
            Settings { runtime_dir: config.runtime_dir.value.clone(), max_sandboxes: config.max_sandboxes.value };
        Ok(Self { launcher: Launcher::start(&settings)? })
    }

    /// What this host gives to sandboxes.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.launcher.host()
    }

    /// Gives up every privilege of this process; nothing happens when it has none. The process
    /// must still be single-threaded.
    ///
    /// # Errors
    /// The kernel refuses; the process must end.
    pub fn become_unprivileged(&self) -> Result<(), StartError> {
        self.launcher.become_unprivileged()
    }

    /// The platform on this launcher. Called inside a tokio runtime.
    ///
    /// # Errors
    /// The launcher went away.
    pub fn into_platform(self) -> Result<Platform, StartError> {
        Ok(Platform::from_process_executor(Arc::new(self.launcher.into_executor()?)))
    }
}

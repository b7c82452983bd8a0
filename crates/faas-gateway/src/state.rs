//! What every route shares.

use crate::stream::Watchers;
use crate::{Access, HttpLimits, Modules};
use bytes::Bytes;
use faas_orchestrator::Orchestrator;
use faas_routes::Reserved;
use faas_telemetry::Metrics;
use faas_types::{Contract, IsolationLevel, Language, OutputLimits, Resources};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;

/// What the gateway is made of.
pub struct GatewayParts {
    /// Where executions go.
    pub orchestrator: Orchestrator,
    /// Who may ask.
    pub access: Access,
    /// What one connection and one request may take.
    pub limits: HttpLimits,
    /// What an execution gets that does not ask.
    pub defaults: Defaults,
    /// What is measured.
    pub metrics: Metrics,
    /// Where functions' modules are, where there is such a place.
    pub modules: Option<Arc<dyn Modules>>,
}

/// What an execution gets that does not ask; from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// The language of code.
    pub language: Language,
    /// The limits of its sandbox.
    pub resources: Resources,
    /// How long a script or command may run.
    pub timeout: Duration,
    /// How long an argv-json call may run.
    pub argv_json_timeout: Duration,
    /// The isolation insisted on.
    pub isolation: IsolationLevel,
    /// How much it may write.
    pub output: OutputLimits,
}

impl Defaults {
    /// How long a call may run.
    pub(crate) const fn timeout_of(&self, contract: Contract) -> Duration {
        match contract {
            Contract::Script | Contract::Command | Contract::Handler | Contract::Cgi => self.timeout,
            Contract::ArgvJson => self.argv_json_timeout,
        }
    }
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            language: Language::Python,
            resources: Resources::default(),
            timeout: Duration::from_secs(30),
            argv_json_timeout: Duration::from_secs(300),
            isolation: IsolationLevel::default(),
            output: OutputLimits::default(),
        }
    }
}

/// What handlers share.
pub(crate) struct State {
    pub(crate) orchestrator: Orchestrator,
    pub(crate) limits: HttpLimits,
    pub(crate) defaults: Defaults,
    pub(crate) metrics: Metrics,
    pub(crate) watchers: Watchers,
    pub(crate) modules: Option<Arc<dyn Modules>>,
    /// How many modules may be read at once.
    pub(crate) module_reads: Semaphore,
    /// What seals cursors: the same for one data directory, so that a cursor survives a restart.
    pub(crate) cursor_key: [u8; 32],
    /// The paths that no function may take.
    pub(crate) reserved: Reserved,
    /// What does not change while the gateway lives is written once.
    pub(crate) limits_answer: Bytes,
    /// Written when somebody asks for it first: most embedded runs never do.
    pub(crate) document: OnceLock<Bytes>,
    pub(crate) page: OnceLock<Bytes>,
}

/// The handle handlers get.
pub(crate) type Shared = Arc<State>;

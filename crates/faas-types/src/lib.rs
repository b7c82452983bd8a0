//! Layer 0: the words of the platform as types.
//!
//! Ids, quantities, limits, isolation, outcomes and the registry of stable error codes. No I/O, no
//! runtime, no HTTP: every other crate depends on this one and it depends on none of them.

mod code;
mod contract;
mod excerpt;
mod function;
mod id;
mod isolation;
mod mode;
mod outcome;
mod packages;
mod quantity;
mod record;
mod resources;
mod runtime;
mod scaling;
mod state;
mod timestamp;

pub use code::{ErrorCode, RetryClass};
pub use contract::{Contract, Language, UnknownContract, UnknownLanguage};
pub use function::{AliasName, FunctionKey, FunctionName, FunctionRef, NameError, VersionSelector};
pub use id::{ExecutionId, FunctionId, IdError, InstanceId, NodeId, SandboxId, TenantId, VersionId};
pub use isolation::{Enforcement, IsolationLevel, IsolationReport, Layer, LimitKind};
pub use mode::{Mode, UnknownMode};
pub use outcome::{ErrorKind, LimitHit, Outcome, OutputStats, Usage};
pub use packages::{PackagesId, PackagesIdError};
pub use quantity::{ByteSize, CpuAmount, QuantityError, parse_count, parse_duration};
pub use record::{ExecutionRecord, StartRecord, UsageRecord};
pub use resources::{OnOutputLimit, OutputLimits, Resources, ResourcesError};
pub use runtime::{Runtime, RuntimeError};
pub use scaling::{Scaling, ScalingError};
pub use state::{ExecutionState, UnknownState};
pub use timestamp::Timestamp;

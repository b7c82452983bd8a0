//! Layer 0: the words of the platform as types.
//!
//! Ids, quantities, limits, isolation, outcomes and the registry of stable error codes. No I/O, no
//! runtime, no HTTP: every other crate depends on this one and it depends on none of them.

mod code;
mod contract;
mod excerpt;
mod id;
mod isolation;
mod outcome;
mod quantity;
mod resources;

pub use code::{ErrorCode, RetryClass};
pub use contract::{Contract, Language, UnknownContract, UnknownLanguage};
pub use id::{ExecutionId, IdError, SandboxId, TenantId};
pub use isolation::{Enforcement, IsolationLevel, IsolationReport, Layer, LimitKind};
pub use outcome::{ErrorKind, LimitHit, Outcome, OutputStats, Usage};
pub use quantity::{ByteSize, CpuAmount, QuantityError, parse_count, parse_duration};
pub use resources::{OnOutputLimit, OutputLimits, Resources, ResourcesError};

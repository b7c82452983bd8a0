//! One call of a sandbox, from the plan to its `Done`.

mod converse;
mod drive;
mod plan;
mod resident;
mod silent;
mod start;

pub(crate) use converse::Idle;
pub(crate) use plan::CallPlan;
pub(crate) use resident::Resident;
pub(crate) use start::{ask, start};

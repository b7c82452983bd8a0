//! One call of a sandbox, from the plan to its `Done`.

mod converse;
mod drive;
mod plan;
mod start;

pub(crate) use plan::CallPlan;
pub(crate) use start::start;

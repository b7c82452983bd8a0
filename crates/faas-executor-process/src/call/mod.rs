//! One call of a sandbox, from the plan to its `Done`. What several calls of one program have of their own is in
//! [`crate::share`].

mod converse;
mod drive;
mod end;
mod environment;
mod plan;
mod resident;
mod silent;
mod start;
mod waiting;

pub(crate) use converse::Idle;
pub(crate) use end::{End, exit, finish, outcome, stats};
pub(crate) use plan::{CallPlan, pieces, request_head};
pub(crate) use resident::{Parts, Resident};
pub(crate) use start::{ask, start};
pub(crate) use waiting::{Preparing, Waiting};

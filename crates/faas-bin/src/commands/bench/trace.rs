//! Calls as somebody recorded them, or as a generator makes them up, to be made again.
//!
//! The readers and the generator all give a [`calls::Trace`]; [`replay`] knows nothing of where it came from.

mod azure2019;
mod azure2021;
mod calls;
mod error;
mod random;
mod replay;
mod source;
mod synthetic;
mod table;

pub(super) use replay::replay;
pub(super) use source::TraceOptions;

//! How much is kept ready: spares for calls to come ([`Spares`]), and warm sandboxes of functions after their calls
//! ([`KeepAlive`]); and whether a version gets another instance while its calls wait ([`ScaleOut`]).
//!
//! All learn from what happened (calls, what a start cost, what a sandbox takes) and decide when they are asked, at a
//! moment that is passed in. Invariants: the same happenings lead to the same decisions; as many keys are known as the
//! settings say, and then the one that was called longest ago is forgotten; a decision carries its reason, for
//! `/stats`. The process executor's stock asks for spares, after every change of it and once a second while there are any;
//! the orchestrator
//! for keep-alive times, after every call and every [`PRICE_EVERY`].

mod budget;
mod costs;
mod demand;
mod gaps;
mod keep_alive;
mod rate;
mod recent;
mod scale_out;
mod spares;

pub use demand::{Bounds, BoundsError};
pub use keep_alive::{Keep, KeepAlive, KeepReason, KeepSettings, PRICE_EVERY};
pub use scale_out::{Crowd, FIRST, ScaleOut, Verdict};
pub use spares::{Reason, SpareSettings, Spares, Target, TooManyBounds};

//! Layer 1: who runs next, where, and how much is kept ready. Pure: no clock, no I/O, nothing asynchronous; moments
//! are passed in, and the same calls lead to the same decisions.
//!
//! [`FairQueue`] is the queue of executions that wait for a sandbox; `faas-orchestrator` holds it. [`Lanes`] chooses
//! where a sandbox is made, by seed 004's score or in turns. [`Spares`] says how many spares of each key are kept
//! ready; the process executor's stock asks it. [`KeepAlive`] says for how long a function's warm sandbox is kept;
//! the orchestrator asks. [`ScaleOut`] says whether a call that finds none free is to wait or to have one started; the
//! orchestrator's queue asks.

mod autoscale;
mod fair_queue;
mod lanes;
mod score;

pub use autoscale::{
    Bounds, BoundsError, Crowd, FIRST, Keep, KeepAlive, KeepReason, KeepSettings, PRICE_EVERY, Reason, ScaleOut,
    SpareSettings, Spares, Target, TooManyBounds, Verdict,
};
pub use fair_queue::{FairQueue, Full};
pub use lanes::{LaneState, Lanes, Placement, Policy};
pub use score::{Parts, SAMPLE_EVERY, Sample, SampleError, Smoothed, Weights, WeightsError};

//! Layer 1: the bodies of requests and answers of API v1.
//!
//! Requests are strict: an unknown field, a field given twice, a wrong type and a value out of range
//! are each a [`BodyError`] that names the field, and what a request costs to read is bounded by its
//! own length. Answers may grow fields. [`schema`] describes both for the OpenAPI document.

mod answer;
mod request;
pub mod schema;

pub use answer::{
    AliasesAnswer, CapabilitiesAnswer, EventPage, ExecutionPage, FailedCall, FunctionAnswer, FunctionPage,
    FunctionStatsAnswer, HealthAnswer, InstanceAnswer, InvokeAnswer, InvokeRefusal, KeptAnswer, LaneAnswer,
    LatencyAnswer, LimitsAnswer, NotDeployedAnswer, OutputText, PlatformEventAnswer, ProblemBody, ProgressEvent,
    RuntimeAnswer, SparesAnswer, StatsAnswer, StreamEvent, StreamName, VersionAnswer, VersionPage,
};
pub use request::{
    AliasBody, BodyError, ClientFrame, Content, ExecuteBody, FileBody, FunctionBody, InvokeBody, MAX_ENTRIES,
    MAX_INPUT_BYTES, MAX_LABELS, OnDisconnect, RollbackBody, RouteAuth, ScalingBody, SeedFunctionBody, check_label,
    merge, read_patch,
};

//! Bodies of answers. They may grow fields; readers ignore what they do not know.

mod event_page;
mod function;
mod health;
mod instance;
mod invoke;
mod page;
mod platform;
mod problem;
mod stream;

pub use event_page::{EventPage, PlatformEventAnswer};
pub use function::{
    AliasesAnswer, FailedCall, FunctionAnswer, FunctionPage, NotDeployedAnswer, ProgressEvent, VersionAnswer,
    VersionPage,
};
pub use health::HealthAnswer;
pub use instance::InstanceAnswer;
pub use invoke::{InvokeAnswer, InvokeRefusal};
pub use page::ExecutionPage;
pub use platform::{
    CapabilitiesAnswer, FunctionStatsAnswer, KeptAnswer, LaneAnswer, LatencyAnswer, LimitsAnswer, RuntimeAnswer,
    SparesAnswer, StatsAnswer,
};
pub use problem::ProblemBody;
pub use stream::{OutputText, StreamEvent, StreamName};

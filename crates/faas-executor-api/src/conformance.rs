//! The conformance suite: what every backend must do, as scenarios over the contract alone.
//!
//! A backend's test provides an executor and a [`Guest`] (the programs that do what a scenario
//! needs; [`ShellGuest`] for Linux) and writes one line:
//!
//! ```text
//! faas_executor_api::conformance_suite!(make_executor().await, ShellGuest::default());
//! ```
//!
//! Capabilities are proven both ways: what is declared works, what is not declared refuses. Every
//! scenario needs [`Verb::Exec`](crate::Verb::Exec) except those of the `verbs` family. Every wait
//! is bounded; a scenario fails by panicking with its name.

mod cgi_programs;
mod guest;
mod scenario;
mod shell;
mod suite;
mod trial;

pub use guest::{CgiTask, Guest, HandlerTask, ScriptTask, TOGETHER_FLOOD};
pub use scenario::*;
pub use shell::ShellGuest;
pub use suite::{SCENARIOS, Scenario, ScenarioFuture};
pub use trial::within;

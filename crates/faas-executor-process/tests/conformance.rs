//! The conformance suite on the process executor, with whatever rights the test has; and, when that
//! is root, once more as a fresh ordinary user, with delegated cgroups and without.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

mod ordinary_user;

use faas_executor_api::Executor;
use faas_executor_api::conformance::ShellGuest;
use faas_executor_process::{Launcher, Settings};
use std::sync::Arc;

async fn executor() -> Arc<dyn Executor> {
    let launcher = Launcher::start(&Settings::default()).expect("a launcher");
    Arc::new(launcher.into_executor().expect("an executor"))
}

/// As patient as `FAAS_TIME_FACTOR` says, for machines that are this many times slower than usual.
fn guest() -> ShellGuest {
    let factor = std::env::var("FAAS_TIME_FACTOR").ok().map(|text| text.parse().expect("a whole number"));
    ShellGuest::patient(factor.unwrap_or(1))
}

faas_executor_api::conformance_suite!(executor().await, guest());

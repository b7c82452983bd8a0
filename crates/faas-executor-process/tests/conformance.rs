//! The conformance suite on the process executor, with whatever rights the test has.

#![expect(clippy::expect_used, reason = "a test that cannot start has failed")]

use faas_executor_api::Executor;
use faas_executor_api::conformance::ShellGuest;
use faas_executor_process::{Launcher, Settings};
use std::sync::Arc;

async fn executor() -> Arc<dyn Executor> {
    let launcher = Launcher::start(&Settings::default()).expect("a launcher");
    Arc::new(launcher.into_executor().expect("an executor"))
}

faas_executor_api::conformance_suite!(executor().await, ShellGuest::default());

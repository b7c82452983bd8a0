//! One call after another of what is measured.

use super::tally::{Answer, Sample};
use faas_client::Client;
use faas_client::model::ExecuteBody;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// No program of ours takes as long; what hangs is an error.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Makes calls over connections of its own. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    client: Client,
    target: Arc<Target>,
    patience: Duration,
}

/// What is called.
#[derive(Debug)]
pub(super) enum Target {
    /// A new execution each time.
    Execution(Box<ExecuteBody>),
    /// The function of this name.
    Function(String),
}

impl Caller {
    pub(super) const fn new(client: Client, target: Arc<Target>, patience: Duration) -> Self {
        Self { client, target, patience }
    }

    /// Makes one call.
    pub(super) fn call(&self) -> impl Future<Output = Answer> + Send + 'static {
        self.made(ExecuteBody { wait: Some(true), ..ExecuteBody::default() }, Duration::ZERO)
    }

    /// Makes one call of a function that is told to run so long.
    pub(super) fn call_for(&self, duration: Duration) -> impl Future<Output = Answer> + Send + 'static {
        let input = Some(duration.as_secs_f64().into());
        self.made(ExecuteBody { wait: Some(true), input, ..ExecuteBody::default() }, duration)
    }

    fn made(&self, body: ExecuteBody, own: Duration) -> impl Future<Output = Answer> + Send + 'static {
        let Self { client, target, patience } = self.clone();
        async move {
            let answered = match &*target {
                Target::Execution(execution) => client.execute(execution, None, patience).await,
                Target::Function(name) => client.functions().invoke(name, &body, None, patience).await,
            };
            match answered {
                Ok(record) => Answer { own, ..Answer::of(record) },
                Err(error) => Answer::refused(error),
            }
        }
    }

    /// Makes one call that begins now, and times it.
    pub(super) async fn sample(&self) -> Sample {
        let begin = Instant::now();
        let answer = self.call().await;
        Sample { latency: begin.elapsed(), lag: Duration::ZERO, answer }
    }
}

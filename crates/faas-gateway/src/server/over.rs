//! The end of the drain, as an upgraded connection hears of it.
//!
//! Its task has handed it over to whoever upgraded it, so its IO has to tell.

use super::Stage;
use std::task::{Context, Poll, ready};
use std::{fmt, future::Future, io, pin::Pin};
use tokio::sync::watch;

/// Whether the drain is over, which nobody else tells an upgraded connection.
pub(super) struct Over {
    stage: Option<watch::Receiver<Stage>>,
    aborted: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl fmt::Debug for Over {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Over").finish_non_exhaustive()
    }
}

impl Over {
    /// Of this server.
    pub(super) const fn new(stage: watch::Receiver<Stage>) -> Self {
        Self { stage: Some(stage), aborted: None }
    }

    /// Ready with what the connection ends with.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if let Some(mut stage) = self.stage.take() {
            self.aborted = Some(Box::pin(async move {
                if stage.wait_for(|stage| *stage == Stage::Aborted).await.is_err() {
                    // A server whose handles are gone without a drain ends nothing.
                    std::future::pending::<()>().await;
                }
            }));
        }
        let Some(aborted) = &mut self.aborted else { return Poll::Pending };
        ready!(aborted.as_mut().poll(context));
        self.aborted = None;
        Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, "the server has stopped"))
    }
}

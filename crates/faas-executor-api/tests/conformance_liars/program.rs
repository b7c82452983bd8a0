//! A wrapper around a program of the fake that is shared, which breaks one promise.

use crate::liar::{Common, Lie, locked};
use async_trait::async_trait;
use faas_executor_api::{
    CallError, HandlerRequest, Health, InputSink, Interrupter, Invocation, SharedCall, SharedProgram, Stay,
};
use faas_types::OutputLimits;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct LyingProgram {
    lie: Lie,
    inner: Arc<dyn SharedProgram>,
    /// As it was loaded.
    loaded: Invocation,
    common: Common,
    interrupters: Arc<Mutex<Vec<Interrupter>>>,
    /// The input of the call that was asked last.
    last: Mutex<Option<InputSink>>,
}

impl LyingProgram {
    pub(crate) fn new(lie: Lie, inner: Arc<dyn SharedProgram>, loaded: Invocation) -> Self {
        let (interrupters, last) = (Arc::default(), Mutex::default());
        Self { lie, inner, loaded, common: Common::default(), interrupters, last }
    }

    /// What ends a call: every one of them, or none.
    fn interrupter(&self, honest: Interrupter) -> Interrupter {
        match self.lie {
            Lie::IgnoresInterrupts => Interrupter::new(|_| ()),
            Lie::EndsAllWithOne => {
                locked(&self.interrupters).push(honest);
                let all = Arc::clone(&self.interrupters);
                Interrupter::new(move |why| locked(&all).iter().for_each(|one| one.interrupt(why)))
            }
            _ => honest,
        }
    }
}

#[async_trait]
impl SharedProgram for LyingProgram {
    async fn ask(&self, mut call: Invocation) -> Result<SharedCall, CallError> {
        match self.lie {
            Lie::IgnoresDeadline => call.deadline += Duration::from_secs(3600),
            Lie::IgnoresOutputLimit => call.output = OutputLimits::default(),
            Lie::TakesMoreCalls => call.at_once += 1,
            Lie::TakesAnyProgram => {
                let request = call.request.zip(self.loaded.request.clone());
                let request = request.map(|(asked, loaded)| HandlerRequest { entry: loaded.entry, ..asked });
                call = Invocation { request, stay: Stay::Answered, ..self.loaded.clone() };
            }
            Lie::AsksOneByOne => {
                let last = locked(&self.last).take();
                if let Some(last) = last {
                    last.closed().await;
                }
            }
            _ => {}
        }
        let SharedCall { session, interrupter } = self.inner.ask(call).await?;
        *locked(&self.last) = Some(session.input.clone());
        Ok(SharedCall { session: self.lie.bend(session, &self.common), interrupter: self.interrupter(interrupter) })
    }

    fn health(&self) -> Health {
        if self.lie == Lie::StaysReady { Health::Ready } else { self.inner.health() }
    }
}

//! What happens to the platform, as events.

use super::deliver::{Manner, deliver};
use super::frame::{error_event, named, sse};
use super::source::{event_stream, patience, too_slow};
use super::watchers::Seat;
use axum::response::Response;
use bytes::Bytes;
use faas_api_model::PlatformEventAnswer;
use faas_orchestrator::{EventFeed, EventKind, Orchestrator, PlatformEvent};
use futures_util::stream::{self, StreamExt as _};
use std::time::Duration;

/// An event as the API shows it.
pub(crate) fn platform_event(event: PlatformEvent) -> PlatformEventAnswer {
    PlatformEventAnswer {
        seq: event.seq,
        at: event.at,
        kind: event.kind.as_str().to_owned(),
        execution_id: event.execution_id,
        detail: event.detail,
    }
}

/// Ends when the platform takes nothing new any more.
pub(crate) async fn draining(orchestrator: &Orchestrator) {
    // The feed's place is taken before the state is read, so that the event is not missed in between.
    let mut feed = orchestrator.events();
    if orchestrator.readiness().draining {
        return;
    }
    while feed.next().await.is_some_and(|event| event.kind != EventKind::Draining) {}
}

/// What is kept of the events after one, then those to come, as SSE, until the platform drains: then
/// a follower would only keep the server from stopping.
pub(crate) fn follow_events(orchestrator: &Orchestrator, after: u64, seat: Seat, write_timeout: Duration) -> Response {
    let feed = orchestrator.events();
    let draining = orchestrator.readiness().draining;
    let kept = feed.recent(after);
    let last = kept.last().map_or(after, |event| event.seq);
    let over = draining || kept.iter().any(|event| event.kind == EventKind::Draining);
    let coming = Coming { feed, _seat: seat, last, over };
    let source = stream::iter(kept).chain(stream::unfold(coming, Coming::next)).map(|event| {
        let event = platform_event(event);
        named(Some(event.seq), "event", &event)
    });
    let manner = Manner {
        patience: patience(write_timeout),
        too_slow: Some(sse(&error_event(&too_slow()))),
        keep_alive: Some(Bytes::from_static(b": still here\n\n")),
    };
    event_stream(deliver(source, manner))
}

/// Events after those that were kept.
struct Coming {
    feed: EventFeed,
    /// Held as long as somebody reads.
    _seat: Seat,
    last: u64,
    over: bool,
}

impl Coming {
    async fn next(mut self) -> Option<(PlatformEvent, Self)> {
        while !self.over {
            let event = self.feed.next().await?;
            self.over = event.kind == EventKind::Draining;
            if event.seq > self.last {
                return Some((event, self));
            }
        }
        None
    }
}

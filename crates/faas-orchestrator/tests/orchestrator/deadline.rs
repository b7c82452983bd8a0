//! The deadline, on a clock that stands still while nothing happens.

use crate::house::{command, house, started};
use faas_orchestrator::Watched;
use faas_types::{ErrorKind, ExecutionState};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn it_bounds_the_start() {
    let house = house(2, 2).await;
    house.executor.open.send_replace(false);
    let mut request = command("fake nothing");
    request.timeout = Duration::from_secs(30);
    let before = Instant::now();
    let mut attached = house.attach(request).await;
    let Some(Watched::Complete { seq: 1, record }) = attached.watch.next().await else { panic!("an end") };
    assert_eq!(before.elapsed().as_secs(), 30);
    assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::Timeout)));
    assert!(record.error.as_deref().is_some_and(|error| error.contains("30s")), "{record:?}");
    assert_eq!(attached.watch.not_started().and_then(|why| why.code()), None, "its record says it all");
    house.no_sandbox_is_left().await;
    house.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn it_counts_from_the_start_and_not_from_the_queue() {
    let house = house(1, 2).await;
    let mut first = command("fake sleep");
    first.timeout = Duration::from_secs(50);
    let mut second = command("fake sleep");
    second.timeout = Duration::from_secs(20);
    let mut first = house.attach(first).await;
    started(&mut first.watch).await;
    let before = Instant::now();
    let second = house.attach(second).await;
    let record = second.watch.complete().await;
    let seconds = before.elapsed().as_secs_f64();
    assert!((69.0..71.0).contains(&seconds), "{seconds}");
    assert_eq!(record.error_kind, Some(ErrorKind::Timeout));
    assert!(record.started_at.is_some());
    drop(first);
    house.shut_down().await;
}

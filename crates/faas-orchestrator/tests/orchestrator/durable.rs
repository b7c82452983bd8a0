//! What a crash leaves, and keys against doing a thing twice.

use crate::house::{Ground, TENANT, attached, bounded, command, detached, house, house_on, started};
use bytes::Bytes;
use faas_orchestrator::{EventKind, Stdin, Submission, SubmitError, Submitted, Watched};
use faas_store_api::Idempotency;
use faas_types::{ErrorCode, ErrorKind, ExecutionState};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn after_a_crash_what_waited_runs_and_what_ran_is_lost() {
    let ground = Ground::new();
    let life = runtime();
    let (attached_id, running, waiting, marked) = life.block_on(async {
        let house = house_on(&ground, 3, 4).await;
        let mut attached = house.attach(command("fake sleep")).await;
        started(&mut attached.watch).await;
        let running = house.detach(command("fake sleep")).await;
        started(&mut house.watch(running).await).await;
        // One whose sandbox is being made.
        house.executor.open.send_replace(false);
        let before = *house.executor.waiting.borrow();
        let marked = house.detach(command("fake sleep")).await;
        bounded(house.executor.waiting.subscribe().wait_for(|waiting| *waiting > before)).await.expect("it starts");
        let mut waiting = Vec::new();
        for number in 0..300 {
            let stdin = Stdin::Bytes(Bytes::from(format!("input {number}")));
            let submission = Submission { stdin, ..detached(command("fake echo")) };
            let Ok(Submitted::Queued(record)) = house.orchestrator.submit(submission).await else { panic!() };
            waiting.push(record.id);
        }
        // Neither is told of its end: everything simply stops.
        let attached_id = attached.id;
        std::mem::forget(attached);
        std::mem::forget(house);
        (attached_id, running, waiting, marked)
    });
    drop(life);

    runtime().block_on(async {
        let house = house_on(&ground, 4, 4).await;
        for id in [attached_id, running, marked] {
            let record = house.get(id).await;
            assert_eq!((record.status, record.error_kind), (ExecutionState::Failed, Some(ErrorKind::SandboxLost)));
        }
        for (number, id) in waiting.iter().enumerate() {
            let record = house.end(*id).await;
            assert_eq!((record.status, record.stdout), (ExecutionState::Succeeded, format!("input {number}")));
        }
        let events = house.orchestrator.events().recent(0);
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::ExecutionLost).count(), 3, "{events:?}");
        assert_eq!(events.last().map(|event| event.kind), Some(EventKind::Started));
        assert_eq!(house.orchestrator.stats().queued, 0);
        house.shut_down().await;
    });
}

fn keyed(key: &str, digest: u8, submission: Submission) -> Submission {
    Submission { idempotency: Some(Idempotency { key: key.to_owned(), digest: [digest; 32] }), ..submission }
}

#[tokio::test]
async fn a_key_runs_once_and_its_row_is_held_from_the_beginning() {
    let house = house(2, 4).await;
    let submit = |submission| house.orchestrator.submit(submission);
    let first = submit(keyed("a", 1, attached(command("fake wait-for-signal")))).await.expect("accepted");
    let Submitted::Attached(mut first) = first else { panic!("{first:?}") };
    started(&mut first.watch).await;
    let stored = house.stored(first.id).await.expect("it is in the store before it runs");
    assert_eq!(stored.status, ExecutionState::Starting);

    let again = submit(keyed("a", 1, attached(command("fake wait-for-signal")))).await.expect("known");
    assert!(matches!(again, Submitted::Repeat(id) if id == first.id), "{again:?}");
    let other = submit(keyed("a", 2, attached(command("fake nothing")))).await.expect_err("another request");
    assert!(matches!(other, SubmitError::KeyConflict), "{other}");
    assert_eq!(house.orchestrator.stats().running, 1, "neither took a place");

    first.watch.canceller().cancel();
    let record = bounded(first.watch.complete()).await;
    assert_eq!(house.stored(record.id).await.expect("there").status, ExecutionState::Cancelled, "before the reply");

    let kept = submit(keyed("b", 1, detached(command("fake nothing")))).await.expect("accepted");
    let Submitted::Queued(kept) = kept else { panic!("{kept:?}") };
    assert_eq!(house.end(kept.id).await.status, ExecutionState::Succeeded);
    let again = submit(keyed("b", 1, detached(command("fake nothing")))).await.expect("known");
    assert!(matches!(again, Submitted::Repeat(id) if id == kept.id), "{again:?}");
    house.shut_down().await;
}

#[tokio::test]
async fn a_repeat_of_what_could_not_be_started_is_told_so_too() {
    let house = house(1, 1).await;
    let first = house.orchestrator.submit(keyed("a", 1, attached(command("no-such-program")))).await.expect("accepted");
    let Submitted::Attached(first) = first else { panic!("{first:?}") };
    assert_eq!(bounded(first.watch.complete()).await.status, ExecutionState::Failed);
    let again = house.orchestrator.submit(keyed("a", 1, attached(command("no-such-program")))).await.expect("known");
    let Submitted::Repeat(id) = again else { panic!("{again:?}") };
    let mut watch = house.watch(id).await;
    let Some(Watched::Complete { record, .. }) = bounded(watch.next()).await else { panic!("an end") };
    assert_eq!(record.refusal.as_deref(), Some(ErrorCode::CommandNotFound.as_str()));

    let ran = house.detach(command("fake print 61 00 1")).await;
    assert_eq!(house.end(ran).await.refusal, None, "a program that fails is no refusal");
    house.shut_down().await;
}

#[tokio::test]
async fn what_an_earlier_life_left_unreadable_is_said() {
    let ground = Ground { dropped: vec!["one".to_owned(), "two".to_owned()], ..Ground::new() };
    let house = house_on(&ground, 1, 1).await;
    let events = house.orchestrator.events().recent(0);
    let said = events.iter().filter(|event| event.kind == EventKind::JournalDamaged);
    assert_eq!(said.map(|event| event.detail.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    house.shut_down().await;
}

#[tokio::test]
async fn a_submission_that_is_dropped_is_accepted_or_not_but_never_stands_still() {
    let house = house(2, 4).await;
    for number in 0..20 {
        let submission = keyed(&format!("key {number}"), 1, detached(command("fake nothing")));
        tokio::select! {
            biased;
            _ = house.orchestrator.submit(submission) => {}
            () = std::future::ready(()) => {}
        }
    }
    bounded(async {
        loop {
            let counts = faas_store_api::ExecutionStore::counts(&*house.store).await.expect("the store works");
            if counts.queued == 0 && counts.running == 0 && counts.ended == 20 {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let page = faas_store_api::ListQuery { filter: faas_store_api::Filter::default(), cursor: None, limit: 200 };
    assert_eq!(house.orchestrator.list(TENANT, &page).await.expect("listed").items.len(), 20);
    house.shut_down().await;
}

//! Readers: from any point, at any time, none missing and none twice.

use crate::house::{Ground, TENANT, attached, bounded, command, flood, house, house_on, script};
use faas_orchestrator::{Orchestrator, StreamName, Submission, Submitted, Watched};
use faas_store_api::Idempotency;
use faas_types::{ExecutionId, ExecutionState};
use proptest::prelude::*;

/// A reader's view of one event, without the record.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Started(u64),
    Output(u64, StreamName, Vec<u8>),
    Complete(u64, ExecutionState),
}

impl Seen {
    fn seq(&self) -> u64 {
        match self {
            Self::Started(seq) | Self::Output(seq, ..) | Self::Complete(seq, _) => *seq,
        }
    }
}

fn seen(watched: Watched) -> Seen {
    match watched {
        Watched::Started { seq, .. } => Seen::Started(seq),
        Watched::Output { seq, stream, bytes } => Seen::Output(seq, stream, bytes.to_vec()),
        Watched::Complete { seq, record } => Seen::Complete(seq, record.status),
    }
}

/// Reads at most `count` from `from` on.
async fn read(orchestrator: &Orchestrator, id: ExecutionId, from: u64, count: usize) -> Vec<Seen> {
    let mut watch = orchestrator.watch(TENANT, id, from).await.expect("the store works").expect("it is there");
    let mut all = Vec::new();
    while all.len() < count
        && let Some(watched) = bounded(watch.next()).await
    {
        all.push(seen(watched));
    }
    all
}

/// Reads everything, going away after each few and coming back where it was.
async fn read_in_visits(orchestrator: &Orchestrator, id: ExecutionId, visits: &[usize]) -> Vec<Seen> {
    let mut all: Vec<Seen> = Vec::new();
    let mut visits = visits.iter().copied().cycle();
    while !matches!(all.last(), Some(Seen::Complete(..))) {
        let from = all.last().map_or(0, |seen| seen.seq() + 1);
        let count = visits.next().expect("it goes round");
        all.extend(read(orchestrator, id, from, count).await);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_reader_that_comes_back_has_no_gap_and_nothing_twice(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        visits in prop::collection::vec(1..5_usize, 1..6),
        from in 0..45_u64,
    ) {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let code: String = pieces.iter().map(|(out, err)| format!("print {} {} 0\n", hex(out), hex(err))).collect();
        let mut expected = vec![Seen::Started(1)];
        for (out, err) in &pieces {
            for (stream, bytes) in [(StreamName::Stdout, out), (StreamName::Stderr, err)] {
                if !bytes.is_empty() {
                    let seq = u64::try_from(expected.len()).expect("few") + 1;
                    expected.push(Seen::Output(seq, stream, bytes.clone()));
                }
            }
        }
        expected.push(Seen::Complete(u64::try_from(expected.len()).expect("few") + 1, ExecutionState::Succeeded));

        let place = tempfile::tempdir().expect("a directory");
        let ground = Ground {
            logs: faas_orchestrator::Logs::directory(&place.path().join("logs")).expect("made"),
            ..Ground::new()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let house = house_on(&ground, 1, 1).await;
            let code = if code.is_empty() { "nothing\n".to_owned() } else { code };
            let id = house.detach(script(&code)).await;
            // While it runs, after it ended, and in a later life.
            let reading = read_in_visits(&house.orchestrator, id, &visits).await;
            prop_assert_eq!(&reading, &expected);
            prop_assert_eq!(&read_in_visits(&house.orchestrator, id, &visits).await, &expected);
            house.shut_down().await;
            let house = house_on(&ground, 1, 1).await;
            prop_assert_eq!(&read_in_visits(&house.orchestrator, id, &visits).await, &expected);
            let rest: Vec<_> = expected.iter().filter(|seen| seen.seq() >= from).cloned().collect();
            prop_assert_eq!(read(&house.orchestrator, id, from, usize::MAX).await, rest);
            house.shut_down().await;
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn many_readers_of_a_growing_log_see_the_same() {
    let house = house(1, 1).await;
    let attached = house.attach(command("fake steps 2000")).await;
    let mut readers = tokio::task::JoinSet::new();
    for from in [0, 1, 2, 3, 100, 1999, 4001, 4002] {
        let orchestrator = house.orchestrator.clone();
        let id = attached.id;
        readers.spawn(async move { (from, read(&orchestrator, id, from, usize::MAX).await) });
    }
    while let Some(reader) = readers.join_next().await {
        let (from, all) = reader.expect("it reads");
        let numbers: Vec<_> = all.iter().map(Seen::seq).collect();
        assert_eq!(numbers, (from.max(1)..=4002).collect::<Vec<_>>(), "from {from}");
    }
    assert!(bounded(attached.watch.complete()).await.stdout.starts_with("0\n1\n2\n"));
    house.shut_down().await;
}

#[tokio::test]
async fn one_that_is_seen_before_its_submission_is_answered_can_be_watched() {
    let house = std::sync::Arc::new(house(1, 1).await);
    house.store.inserting.send_replace(false);
    let submission = tokio::spawn({
        let house = house.clone();
        async move { house.detach(command("fake print 61 00 0")).await }
    });
    let id = house.first_in_store().await;
    let mut watch = house.watch(id).await;
    house.store.inserting.send_replace(true);
    assert_eq!(bounded(submission).await.expect("accepted"), id);
    crate::house::started(&mut watch).await;
    assert_eq!(bounded(watch.complete()).await.stdout, "a");
    house.shut_down().await;
}

#[tokio::test]
async fn one_with_a_key_that_is_seen_before_its_caller_arrives_can_be_watched() {
    let house = std::sync::Arc::new(house(1, 1).await);
    house.store.inserting.send_replace(false);
    let submission = tokio::spawn({
        let house = house.clone();
        let idempotency = Some(Idempotency { key: "key".to_owned(), digest: [0; 32] });
        let submission = Submission { idempotency, ..attached(command("fake print 61 00 0")) };
        async move { house.orchestrator.submit(submission).await }
    });
    let id = house.first_in_store().await;
    let mut watch = house.watch(id).await;
    house.store.inserting.send_replace(true);
    let submitted = bounded(submission).await.expect("no panic").expect("accepted");
    let Submitted::Attached(caller) = submitted else { panic!("{submitted:?}") };
    crate::house::started(&mut watch).await;
    assert_eq!(bounded(watch.complete()).await.stdout, "a");
    assert_eq!(bounded(caller.watch.complete()).await.stdout, "a");
    house.shut_down().await;
}

#[tokio::test]
async fn what_nobody_knows_cannot_be_watched() {
    let house = house(1, 1).await;
    let watch = house.orchestrator.watch(TENANT, ExecutionId::generate(), 0).await.expect("the store works");
    assert!(watch.is_none());
    house.shut_down().await;
}

#[tokio::test]
async fn output_past_the_inline_limit_is_in_the_log_only() {
    let house = house(1, 1).await;
    let attached = house.attach(flood(3 << 20)).await;
    let record = bounded(attached.watch.complete()).await;
    assert!(record.stdout_truncated);
    assert_eq!(record.stdout_bytes, 3 << 20);
    let all = read(&house.orchestrator, record.id, 2, usize::MAX).await;
    let bytes: usize = all.iter().map(|seen| if let Seen::Output(_, _, bytes) = seen { bytes.len() } else { 0 }).sum();
    assert_eq!(bytes, 3 << 20);
    house.shut_down().await;
}

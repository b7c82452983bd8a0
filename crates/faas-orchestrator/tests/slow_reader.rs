//! A hundred megabytes of output and a reader that does not read. A program of its own, because it looks
//! at the memory of the whole process.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use faas_executor_api::fake::{FakeExecutor, FakeHost};
use faas_orchestrator::{
    ExecutionRequest, Logs, OnDisconnect, Orchestrator, Parts, Respond, Settings, Stdin, Submission, Submitted, Wait,
    WarmSettings, Watched, Work,
};
use faas_store_api::{MemoryStore, Retention};
use faas_types::{ByteSize, ExecutionState, NodeId, OutputLimits, TenantId};
use std::sync::Arc;
use std::time::Duration;

const BYTES: u64 = 100 << 20;
/// Far below what was written, far above what anything else here takes.
const MOST_MEMORY: u64 = 24 << 20;

/// Memory of this process that is its own: what files are cached in is not counted.
fn own_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("it is there");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test]
async fn the_program_ends_and_memory_stays_flat() {
    let place = tempfile::tempdir().expect("a directory");
    let settings = Settings {
        node: NodeId::generate(),
        concurrency: 2,
        queue: 2,
        warm: WarmSettings::default(),
        cold_start_timeout: Settings::COLD_START_TIMEOUT,
        retention: Retention { rows: 100, bytes: 1 << 20 },
        log_retention_bytes: 1 << 30,
    };
    let parts = Parts {
        executor: Arc::new(FakeExecutor::new(FakeHost::default())),
        store: Arc::new(MemoryStore::default()),
        builder: None,
        logs: Logs::directory(&place.path().join("logs")).expect("made"),
        settings,
    };
    let orchestrator = Orchestrator::start(parts).await.expect("started");
    let argv = ["fake", "flood", &BYTES.to_string(), "7"].map(str::to_owned).to_vec();
    let output = OutputLimits { bytes: ByteSize::mib(128), ..OutputLimits::default() };
    let submission = Submission {
        tenant: TenantId::LOCAL,
        request: ExecutionRequest { output, ..ExecutionRequest::new(Work::Command { argv }) },
        wait: Wait::Attached,
        stdin: Stdin::Closed,
        idempotency: None,
        on_disconnect: OnDisconnect::Cancel,
        respond: Respond::Record,
    };
    let before = own_memory();
    let Ok(Submitted::Attached(mut attached)) = orchestrator.submit(submission).await else { panic!("accepted") };
    assert!(matches!(attached.watch.next().await, Some(Watched::Started { .. })));

    // Its own reader reads no further; another one waits for the end only.
    let second = orchestrator.watch(TenantId::LOCAL, attached.id, u64::MAX).await.expect("the store works");
    let record = tokio::time::timeout(Duration::from_secs(60), second.expect("it is there").complete()).await;
    let record = record.expect("nobody holds the program up");
    assert_eq!((record.status, record.exit_code, record.stdout_bytes), (ExecutionState::Failed, Some(7), BYTES));
    drop(record);
    let grown = own_memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "memory grew by {grown} bytes while nobody read");

    let mut read = 0;
    while let Some(watched) = attached.watch.next().await {
        if let Watched::Output { bytes, .. } = watched {
            read += u64::try_from(bytes.len()).expect("a piece");
        }
    }
    assert_eq!(read, BYTES, "it is all there for whoever reads later");
    let grown = own_memory().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "memory grew by {grown} bytes while it was read");
    orchestrator.drain(Duration::ZERO).await;
}

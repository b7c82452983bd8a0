//! What a warm call allocates: `cargo bench --package faas-lib --bench allocations`.
//!
//! The embedded platform with its store on disk, real sandboxes, one call after the other of a Python handler that
//! stays; every allocation of this process between the first and the last call is counted, those of the store's
//! thread, which imports the journal meanwhile, included. `-- --gate` fails above the bounds. Counts do not depend on
//! what else the machine does.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use faas_config::{Config, Flags};
use faas_lib::{Bootstrap, Platform};
use faas_orchestrator::{
    CallInput, FunctionSpec, HttpCall, OnDisconnect, Respond, ResponsePart, Stdin, Submission, Submitted, Version, Wait,
};
use faas_types::{ExecutionState, Language, TenantId};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use std::process::ExitCode;

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CALLS: usize = 2000;
/// Calls before, in which tables and pools grow to their size.
const WARM_UP: usize = 200;
/// The most of a call: a few more than were counted when this was written.
const MOST_ALLOCATIONS: usize = 100;
const MOST_BYTES: usize = 80 << 10;

fn main() -> ExitCode {
    let gated = std::env::args().any(|word| word == "--gate");
    let config = Config::resolve(None, &BTreeMap::new(), &Flags::default()).expect("the defaults");
    let data = tempfile::tempdir().expect("a directory");
    let bootstrap = Bootstrap::start(&config).expect("the launcher starts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (allocations, bytes) = runtime.block_on(async {
        let platform = bootstrap.into_server(&config, data.path()).await.expect("a platform");
        let counted = count(&platform).await;
        platform.shutdown().await;
        counted
    });
    let holds = allocations <= MOST_ALLOCATIONS && bytes <= MOST_BYTES;
    println!("| what | n | a call | at most | |");
    println!("|---|---|---|---|---|");
    for (what, counted, most) in
        [("allocations", allocations, MOST_ALLOCATIONS), ("bytes allocated", bytes, MOST_BYTES)]
    {
        let verdict = if counted <= most { "held" } else { "MISSED" };
        println!("| {what}, warm call of a Python handler, embedded | {CALLS} | {counted} | {most} | {verdict} |");
    }
    if gated && !holds { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Allocations and their bytes, of one call.
async fn count(platform: &Platform) -> (usize, usize) {
    let mut spec = FunctionSpec::new(Language::Python, "def handle(request):\n    return 'hello'\n");
    // One instance, so that no call has to begin another.
    spec.scaling.max = 1;
    let functions = platform.orchestrator().functions();
    let name = "warm".parse().expect("a name");
    let version = functions.create(TenantId::LOCAL, name, spec).await.expect("a function").version;
    for _ in 0..WARM_UP {
        call(platform, &version).await;
    }
    let region = Region::new(COUNTING);
    for _ in 0..CALLS {
        assert_eq!(call(platform, &version).await, "warm");
    }
    let counted = region.change();
    let bytes = counted.bytes_allocated.saturating_add_signed(counted.bytes_reallocated);
    ((counted.allocations + counted.reallocations) / CALLS, bytes / CALLS)
}

/// One call to its end; how its sandbox came to be.
async fn call(platform: &Platform, version: &Version) -> String {
    let http = HttpCall {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: vec![("host".to_owned(), "127.0.0.1".into())],
        body: bytes::Bytes::new(),
    };
    let submission = Submission {
        tenant: TenantId::LOCAL,
        request: version.request(CallInput { http: Some(http), ..CallInput::default() }),
        wait: Wait::Attached,
        stdin: Stdin::Closed,
        idempotency: None,
        on_disconnect: OnDisconnect::Cancel,
        respond: Respond::Stream,
    };
    let submitted = platform.orchestrator().submit(submission).await.expect("it is accepted");
    let Submitted::Attached(attached) = submitted else { panic!("it was put aside") };
    let mut response = attached.response.expect("a response");
    let mut body = Vec::new();
    while let Some(part) = response.next().await {
        if let ResponsePart::Body(bytes) = part {
            body.extend_from_slice(&bytes);
        }
    }
    let record = attached.watch.complete().await;
    assert!(record.status == ExecutionState::Succeeded && body == b"hello", "{record:?}");
    record.start.kind
}

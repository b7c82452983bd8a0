//! `faas bench`: the shape of what it says and that it counts. How long anything took is no business of a test.

#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use std::time::Instant;
use support::server::{Place, Server};
use support::{BOUND, Finished, assert_refused, finish, pid_of, run};

fn report(finished: &Finished) -> Value {
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    serde_json::from_str(&finished.stdout).expect("one JSON document")
}

fn assert_is_report(report: &Value, bench: &str, samples: u64) {
    assert_eq!(report["bench"], bench, "{report}");
    assert_eq!(report["calls"]["n"], samples, "{report}");
    for of in ["calls", "control"] {
        assert!(report[of]["p50_ms"].as_f64().is_some_and(|time| time > 0.0), "{report}");
        assert!(report[of]["p999_ms"].is_null(), "five samples have no p99.9: {report}");
    }
    assert_eq!((&report["errors"], &report["interrupted"]), (&serde_json::json!({}), &Value::Bool(false)), "{report}");
    assert!(report["host"]["cores"].as_u64().is_some_and(|cores| cores > 0), "{report}");
    assert!(["v1", "v2", "hybrid", "none"].contains(&report["host"]["cgroups"].as_str().expect("a layout")));
    assert!(
        report["layers"].as_array().is_some_and(|layers| layers.iter().any(|layer| layer == "seccomp")),
        "{report}"
    );
}

fn starts(report: &Value) -> u64 {
    report["starts"].as_object().expect("kinds").values().filter_map(Value::as_u64).sum()
}

fn functions(server: &Server) -> usize {
    let (status, page) = server.request("GET", "/api/v1/functions", "");
    assert_eq!(status, 200);
    page["items"].as_array().expect("items").len()
}

#[test]
fn cold_counts_what_started_in_this_process() {
    let finished = run(&["bench", "cold", "--samples", "5", "--language", "command", "--json"]);
    let report = report(&finished);
    assert_is_report(&report, "cold", 5);
    assert_eq!((&report["place"], &report["contract"]), (&"embedded".into(), &"command".into()), "{report}");
    assert_eq!(report["loop"], serde_json::json!({"kind": "closed"}));
    assert_eq!(report["control"]["n"], 5);
    assert_eq!(starts(&report), 5, "{report}");
}

#[test]
fn warm_and_throughput_leave_no_function_on_a_server() {
    let place = Place::new();
    let server = place.serve(&[]);
    let warm = report(&server.run(&["bench", "warm", "--samples", "5", "--rate", "100", "--json"]));
    assert_is_report(&warm, "warm", 5);
    assert_eq!(warm["loop"], serde_json::json!({"kind": "open", "rate": 100.0}));
    // One that comes while the instance is still busy with the one before may get another instance.
    assert_eq!((&warm["lag"]["n"], starts(&warm)), (&5.into(), 5), "{warm}");
    assert!(warm["starts"]["warm"].as_u64().is_some_and(|count| count > 0), "{warm}");
    assert_eq!(warm["place"], format!("http://{}", server.address));

    let finished = server.run(&["bench", "throughput", "--clients", "2", "--seconds", "1", "--gate", "0.000001"]);
    assert_eq!(finished.code, Some(1), "no call takes a nanosecond: {finished:?}");
    for part in ["closed, 2 clients at once", "calls a second over", "MISSED", "control"] {
        assert!(finished.stdout.contains(part), "{part}: {finished:?}");
    }
    assert_eq!(functions(&server), 0, "each bench removes its own function");
}

#[test]
fn a_signal_ends_it_with_what_was_measured_and_without_the_function() {
    let place = Place::new();
    let server = place.serve(&[]);
    let child = server.command(&["bench", "warm", "--samples", "1000000", "--json"]).spawn().expect("it starts");
    let begin = Instant::now();
    while functions(&server) == 0 {
        assert!(begin.elapsed() < BOUND, "no function was deployed");
    }
    kill_process(pid_of(&child), Signal::INT).expect("it runs");
    let finished = finish(child);
    assert_eq!(finished.code, Some(130), "{finished:?}");
    let report: Value = serde_json::from_str(&finished.stdout).expect("a report");
    assert_eq!(report["interrupted"], true, "{report}");
    assert_eq!(functions(&server), 0);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    assert_refused(
        &run(&["bench", "cold", "--language", "command", "--contract", "script"]),
        "invalid_field",
        &["--contract"],
    );
    assert_refused(&run(&["bench", "warm", "--rate", "1e9"]), "invalid_field", &["--rate", "100000"]);
    assert_refused(&run(&["bench", "trace", "--from", "1"]), "invalid_field", &["--from", "--azure-2021"]);
    assert_refused(&run(&["bench", "density", "--server", "http://192.0.2.1:8080"]), "invalid_field", &["loopback"]);
    assert_refused(&run(&["bench", "warm", "--server", "http://127.0.0.1:1"]), "server_unreachable", &["127.0.0.1:1"]);
}

#[test]
fn density_says_what_each_instance_takes() {
    let finished = run(&["bench", "density", "--instances", "3", "--json"]);
    let report = report(&finished);
    assert_eq!((&report["bench"], &report["instances"]), (&"density".into(), &3.into()), "{report}");
    assert!(report["pss_bytes_each"].as_u64().is_some_and(|bytes| bytes > 0), "{report}");
    assert!(report["processes_each"].as_f64().is_some_and(|count| count >= 1.0), "{report}");
    assert!(report["available_bytes_each"].is_i64(), "{report}");
}

#[test]
fn a_trace_is_replayed_and_each_function_removed() {
    let place = Place::new();
    let server = place.serve(&[]);
    let calls = place.path("calls.csv");
    let text = "app,func,end_timestamp,duration\na,f,60.01,0.01\nb,f,60.2,0.01\na,f,60.4,0.005\na,f,1000,1\n";
    std::fs::write(&calls, text).expect("ours");
    let calls = calls.to_str().expect("text");
    let trace = ["bench", "trace", "--azure-2021", calls, "--from", "1", "--speed", "2", "--json"];
    let replayed = report(&server.run(&trace));
    assert_eq!((&replayed["bench"], &replayed["source"]), (&"trace".into(), &"azure-2021".into()), "{replayed}");
    assert_eq!((&replayed["calls"]["n"], &replayed["overhead"]["n"]), (&3.into(), &3.into()), "{replayed}");
    assert_eq!((&replayed["functions"], &replayed["left_out"]), (&2.into(), &0.into()), "{replayed}");
    assert!(replayed["cold_ratio"].as_f64().is_some_and(|ratio| (0.5..=1.0).contains(&ratio)), "{replayed}");
    for cost in ["cpu_s_per_1000", "host_cpu_s_per_1000"] {
        assert!(replayed[cost].as_f64().is_some_and(|seconds| seconds > 0.0), "{cost}: {replayed}");
    }
    assert!(replayed["memory"]["peak_mib"].is_f64(), "{replayed}");
    assert_eq!(functions(&server), 0);

    let pair = report(&server.run(&[trace.as_slice(), &["--against", "60"]].concat()));
    for (which, idle_ttl) in [("adaptive", Value::Null), ("fixed", 60.into())] {
        let one = &pair[which];
        assert_eq!((&one["calls"]["n"], &one["idle_ttl_s"]), (&3.into(), &idle_ttl), "{pair}");
    }
    assert_eq!(functions(&server), 0);

    let simulated = report(&run(&[
        "bench",
        "trace",
        "--azure-2021",
        calls,
        "--minutes",
        "20",
        "--simulate",
        "--against",
        "60",
        "--json",
    ]));
    assert_eq!((&simulated["calls"], &simulated["functions"]), (&4.into(), &2.into()), "{simulated}");
    assert_eq!((&simulated["fixed"]["cold"], &simulated["adaptive"]["cold"]), (&3.into(), &3.into()), "{simulated}");

    let minutes = place.path("minutes.csv");
    std::fs::write(&minutes, "HashOwner,HashApp,HashFunction,Trigger,1\no,a,f,http,x\n").expect("ours");
    let minutes = minutes.to_str().expect("text");
    let refused = run(&["bench", "trace", "--azure-2019", minutes, "--durations", calls]);
    assert_refused(&refused, "invalid_field", &["minutes.csv line 2, column 1: \"x\"", "accepted"]);
}

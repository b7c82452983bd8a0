//! The report of a measurement of calls. Pure.

use super::control::p99_ratio;
use super::ground::Ground;
use super::host::Host;
use super::pace::Pace;
use super::percentiles::{Percentiles, milliseconds};
use super::program::Asked;
use super::runs::Measured;
use crate::printed::Table;
use faas_types::{Contract, Layer};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// What was measured, where, how. Its JSON form is documented in `docs/cli.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Report {
    pub(super) bench: &'static str,
    pub(super) place: String,
    pub(super) host: Host,
    pub(super) language: Asked,
    pub(super) contract: Contract,
    #[serde(rename = "loop")]
    pub(super) pace: Pace,
    pub(super) clients: u32,
    /// Whether Ctrl-C ended it early.
    pub(super) interrupted: bool,
    /// The layers of isolation that every sandbox had.
    pub(super) layers: Vec<Layer>,
    pub(super) missing: BTreeSet<String>,
    /// How sandboxes were started, and how often.
    pub(super) starts: BTreeMap<String, u64>,
    /// Failed calls by their cause.
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) calls: Percentiles,
    pub(super) control: Percentiles,
    /// p99 of the calls, or of the overhead of a trace, as a multiple of the control's.
    pub(super) p99_ratio: Option<f64>,
    /// How much later than intended calls of an open loop were sent.
    pub(super) lag: Option<Percentiles>,
    pub(super) throughput: Option<Throughput>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<Replayed>,
    pub(super) gate: Option<Gate>,
}

/// Calls in a time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Throughput {
    pub(super) seconds: f64,
    pub(super) per_second: f64,
}

/// What only the replay of a trace has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Replayed {
    /// `synthetic`, `azure-2019` or `azure-2021`.
    pub(super) source: &'static str,
    pub(super) seed: u64,
    pub(super) speed: f64,
    pub(super) idle_ttl_s: Option<u32>,
    pub(super) functions: usize,
    /// Calls of the trace that were not made.
    pub(super) left_out: u64,
    /// Which part of the starts was cold.
    pub(super) cold_ratio: Option<f64>,
    /// Which part was of a sandbox made beforehand.
    pub(super) spare_ratio: Option<f64>,
    /// What calls took above their own duration.
    pub(super) overhead: Percentiles,
    /// Where everything happens on this host: what was taken of its memory.
    pub(super) memory: Option<MemoryHeld>,
    /// Processor time that sandboxes used.
    pub(super) cpu_s_per_1000: Option<f64>,
    /// Where everything happens on this host: all that its processors did.
    pub(super) host_cpu_s_per_1000: Option<f64>,
}

/// Memory over the time of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct MemoryHeld {
    pub(super) mean_mib: f64,
    pub(super) peak_mib: f64,
}

/// A bound on the median.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Gate {
    pub(super) p50_ms: f64,
    pub(super) held: bool,
}

impl Gate {
    /// Ranks the median among all calls: each that failed is above every bound, so that no failure helps to hold
    /// one. A median that there is none of does not hold.
    pub(super) fn of(bound: f64, times: &[Duration], failed: u64) -> Self {
        let within = times.iter().filter(|time| milliseconds(**time) <= bound).count();
        let without = u64::try_from(times.len() - within).unwrap_or(u64::MAX).saturating_add(failed);
        let held = within > 0 && u64::try_from(within).is_ok_and(|within| within >= without);
        Self { p50_ms: bound, held }
    }
}

impl Report {
    /// The report of what was measured; what only some measurements have is added to it.
    pub(super) fn of(
        bench: &'static str,
        ground: &Ground,
        (language, contract): (Asked, Contract),
        pace: Pace,
        measured: Measured,
    ) -> Self {
        let Measured { mut tally, mut control, .. } = measured;
        let calls = Percentiles::of(&mut tally.latencies);
        let control = Percentiles::of(&mut control);
        Self {
            bench,
            place: ground.place.clone(),
            host: Host::look(),
            language,
            contract,
            pace,
            clients: 1,
            interrupted: false,
            layers: tally.layers.unwrap_or_default(),
            missing: tally.missing,
            starts: tally.starts,
            errors: tally.errors,
            p99_ratio: p99_ratio(&calls, &control),
            lag: matches!(pace, Pace::Open { .. }).then(|| Percentiles::of(&mut tally.lags)),
            throughput: None,
            trace: None,
            gate: None,
            calls,
            control,
        }
    }

    /// Whether calls were made and none of them succeeded.
    pub(super) fn is_of_failures(&self) -> bool {
        self.calls.n == 0 && !self.errors.is_empty()
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        let Host { cores, kernel, cgroups } = &self.host;
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<10}{}", crate::terminal::one_line(&value));
        };
        line("bench", format!("{} {}, {}", self.bench, self.program(), self.place));
        line("host", format!("{cores} cores, Linux {kernel}, cgroups {cgroups}"));
        line("loop", self.paced());
        let layers: Vec<&str> = self.layers.iter().map(|layer| layer.as_str()).collect();
        let missing: Vec<&str> = self.missing.iter().map(String::as_str).collect();
        if let Some(trace) = &self.trace {
            line("trace", trace.describe());
        }
        line("layers", if layers.is_empty() { "not known".to_owned() } else { layers.join(" ") });
        if !missing.is_empty() {
            line("missing", missing.join(" "));
        }
        line("starts", counts(&self.starts));
        line("errors", counts(&self.errors));
        if self.interrupted {
            line("ended", "early, by a signal".to_owned());
        }
        text.push('\n');
        text.push_str(&self.table().to_string());
        if let Some(ratio) = self.p99_ratio {
            let of = if self.trace.is_some() { " of the overhead" } else { "" };
            let _ = writeln!(text, "\np99{of} is {ratio:.2} times the control's");
        }
        if let Some(Throughput { seconds, per_second }) = self.throughput {
            let _ = writeln!(text, "{per_second:.0} calls a second over {seconds:.1} s");
        }
        if let Some(trace) = &self.trace {
            text.push_str(&trace.costs());
        }
        if let Some(Gate { p50_ms, held }) = self.gate {
            let _ = writeln!(text, "gate: p50 ≤ {p50_ms} ms {}", if held { "held" } else { "MISSED" });
        }
        text
    }

    fn program(&self) -> String {
        match self.language {
            Asked::Python => format!("python {}", self.contract),
            Asked::Javascript => format!("javascript {}", self.contract),
            Asked::Command => "command true".to_owned(),
        }
    }

    fn paced(&self) -> String {
        match self.pace {
            Pace::Open { rate } => format!("open, {rate} calls a second, timed from when each should have begun"),
            Pace::Closed if self.clients == 1 => "closed, one call after another".to_owned(),
            Pace::Closed => format!("closed, {} clients at once", self.clients),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["", "N", "P50", "P95", "P99", "P99.9"]);
        let mut row = |name: &str, of: &Percentiles| {
            let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3} ms"));
            let [p50, p95, p99, p999] = [of.p50_ms, of.p95_ms, of.p99_ms, of.p999_ms].map(shown);
            table.row(&[name, &of.n.to_string(), &p50, &p95, &p99, &p999]);
        };
        row("calls", &self.calls);
        if let Some(trace) = &self.trace {
            row("overhead", &trace.overhead);
        }
        if let Some(lag) = &self.lag {
            row("sent late", lag);
        }
        row("control", &self.control);
        table
    }
}

impl Replayed {
    fn describe(&self) -> String {
        let Self { source, seed, speed, functions, left_out, .. } = self;
        let idle = self.idle_ttl_s.map_or_else(String::new, |seconds| format!(", idle instances kept {seconds} s"));
        format!("{source}, {functions} functions, speed {speed}, seed {seed}{idle}; {left_out} calls left out")
    }

    fn costs(&self) -> String {
        let mut text = String::new();
        let mut line = |what: &str, value: Option<String>| {
            if let Some(value) = value {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{what}: {value}");
            }
        };
        let percent = |ratio: f64| format!("{:.1} %", ratio * 100.0);
        line("cold starts", self.cold_ratio.map(percent));
        line("starts of sandboxes made beforehand", self.spare_ratio.map(percent));
        let memory = self.memory.map(|held| format!("{:.0} MiB, at most {:.0} MiB", held.mean_mib, held.peak_mib));
        line("memory of this host taken", memory);
        line("CPU seconds per 1,000 calls, in sandboxes", self.cpu_s_per_1000.map(|seconds| format!("{seconds:.2}")));
        let host = self.host_cpu_s_per_1000.map(|seconds| format!("{seconds:.2}"));
        line("CPU seconds per 1,000 calls, of this host", host);
        text
    }
}

fn counts(of: &BTreeMap<String, u64>) -> String {
    if of.is_empty() {
        return "none".to_owned();
    }
    of.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Gate, MemoryHeld, Replayed, Report};
    use crate::commands::bench::control::p99_ratio;
    use crate::commands::bench::host::Host;
    use crate::commands::bench::pace::Pace;
    use crate::commands::bench::percentiles::Percentiles;
    use crate::commands::bench::program::Asked;
    use faas_types::{Contract, Layer};
    use serde_json::json;
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    fn report() -> Report {
        let of = |each: u64| Percentiles::of(&mut vec![Duration::from_millis(each); 100]);
        let (calls, control) = (of(6), of(4));
        Report {
            bench: "cold",
            place: "embedded".to_owned(),
            host: Host { cores: 2, kernel: "6.1".to_owned(), cgroups: "v2" },
            language: Asked::Python,
            contract: Contract::Script,
            pace: Pace::Open { rate: 20.0 },
            clients: 1,
            interrupted: true,
            layers: vec![Layer::User, Layer::Seccomp],
            missing: BTreeSet::from(["cpu".to_owned()]),
            starts: BTreeMap::from([("cold".to_owned(), 97), ("spare".to_owned(), 3)]),
            errors: BTreeMap::from([("timeout\u{1b}[2J".to_owned(), 1)]),
            p99_ratio: p99_ratio(&calls, &control),
            lag: Some(control),
            throughput: None,
            trace: None,
            gate: Some(Gate::of(5.0, &[Duration::from_millis(6); 100], 1)),
            calls,
            control,
        }
    }

    #[test]
    fn people_are_told_everything_and_no_terminal_obeys_it() {
        let text = report().describe();
        for part in [
            "cold python script, embedded",
            "2 cores, Linux 6.1, cgroups v2",
            "open, 20 calls a second",
            "user seccomp",
            "cold 97, spare 3",
            "timeout^[[2J 1",
            "early",
            "calls      100  6.000 ms",
            "control    100  4.000 ms",
            "p99 is 1.50 times",
            "gate: p50 ≤ 5 ms MISSED",
        ] {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn the_json_form_is_what_is_documented() {
        let value = serde_json::to_value(report()).expect("JSON");
        assert_eq!(value["loop"], json!({"kind": "open", "rate": 20.0}));
        let percentiles = json!({"n": 100, "p50_ms": 6.0, "p95_ms": 6.0, "p99_ms": 6.0, "p999_ms": null});
        assert_eq!(value["calls"], percentiles);
        assert_eq!(value["gate"], json!({"p50_ms": 5.0, "held": false}));
        assert_eq!((&value["language"], &value["contract"]), (&json!("python"), &json!("script")));
        assert_eq!(value["layers"], json!(["user", "seccomp"]));
    }

    #[test]
    fn a_replay_says_what_it_cost() {
        let cold = report();
        let replayed = Replayed {
            source: "synthetic",
            seed: 7,
            speed: 2.0,
            idle_ttl_s: Some(60),
            functions: 3,
            left_out: 4,
            cold_ratio: Some(0.125),
            spare_ratio: Some(0.25),
            overhead: cold.calls,
            memory: Some(MemoryHeld { mean_mib: 50.0, peak_mib: 70.0 }),
            cpu_s_per_1000: Some(1.5),
            host_cpu_s_per_1000: None,
        };
        let report = Report { trace: Some(replayed), ..cold };
        let text = report.describe();
        for part in [
            "synthetic, 3 functions, speed 2, seed 7, idle instances kept 60 s; 4 calls",
            "overhead",
            "p99 of the overhead is 1.50",
            "cold starts: 12.5 %",
            "beforehand: 25.0 %",
            "50 MiB, at most 70 MiB",
            "in sandboxes: 1.50",
        ] {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
        let value = serde_json::to_value(report).expect("JSON");
        assert_eq!((&value["cold_ratio"], &value["overhead"]["n"]), (&json!(0.125), &json!(100)));
        assert_eq!(value["spare_ratio"], json!(0.25));
        assert_eq!((&value["memory"]["peak_mib"], &value["host_cpu_s_per_1000"]), (&json!(70.0), &json!(null)));
    }

    #[test]
    fn a_gate_without_samples_is_missed() {
        assert!(!Gate::of(5.0, &[], 0).held);
    }

    #[test]
    fn failures_hold_no_gate() {
        let within = [Duration::from_millis(1); 3];
        assert!(Gate::of(5.0, &within, 3).held, "the third of six is within");
        assert!(!Gate::of(5.0, &within, 4).held, "the fourth of seven failed");
        let none = Percentiles::of(&mut []);
        assert!(Report { calls: none, ..report() }.is_of_failures());
        assert!(!Report { calls: none, errors: BTreeMap::new(), ..report() }.is_of_failures(), "none was made");
        assert!(!report().is_of_failures());
    }
}

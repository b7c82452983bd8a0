//! Two replays of the same calls, side by side: idle instances as the platform has them, and kept for a fixed time. Pure.

use crate::commands::bench::report::Report;
use crate::printed::Table;
use serde::Serialize;

/// See the module. Its JSON form is documented in `docs/cli.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Pair {
    pub(super) adaptive: Report,
    pub(super) fixed: Report,
}

impl Pair {
    /// Both reports, and what tells them apart.
    pub(super) fn describe(&self) -> String {
        let mut table = Table::new(&[
            "IDLE INSTANCES ARE KEPT",
            "COLD",
            "P50",
            "P99",
            "P99.9",
            "MEMORY",
            "CPU S/1000",
            "OF THE HOST",
        ]);
        self.row(&mut table, "as it is worth it", &self.adaptive);
        self.row(&mut table, "for a fixed time", &self.fixed);
        format!(
            "{}\n{}\nthe same calls, one replay after the other; P50 to P99.9 of what calls took above their own duration; only \
             the times between calls are scaled, by the speed\n\n{table}",
            self.adaptive.describe(),
            self.fixed.describe(),
        )
    }

    fn row(&self, table: &mut Table, name: &str, report: &Report) {
        let Some(trace) = &report.trace else { return };
        let shown =
            |value: Option<f64>, unit: &str| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}{unit}"));
        let overhead = trace.overhead;
        table.row(&[
            name,
            &shown(trace.cold_ratio.map(|ratio| ratio * 100.0), " %"),
            &shown(overhead.p50_ms, " ms"),
            &shown(overhead.p99_ms, " ms"),
            &shown(overhead.p999_ms, " ms"),
            &shown(trace.memory.map(|held| held.mean_mib), " MiB"),
            &shown(trace.cpu_s_per_1000, ""),
            &shown(trace.host_cpu_s_per_1000, ""),
        ]);
    }
}

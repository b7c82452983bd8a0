//! Makes the calls of a trace again, each at its time, and says what they took and what that cost.

use super::calls::{Row, Trace};
use super::pair::Pair;
use super::source::TraceOptions;
use crate::cli::GlobalOptions;
use crate::commands::bench::calls::{Caller, Target};
use crate::commands::bench::clock::Monotonic;
use crate::commands::bench::control::{Control, p99_ratio};
use crate::commands::bench::ground::{Ground, on_ground};
use crate::commands::bench::open_loop::open_loop;
use crate::commands::bench::pace::Pace;
use crate::commands::bench::percentiles::{Percentiles, rounded};
use crate::commands::bench::processes::{busy_time, memory_available};
use crate::commands::bench::program::{Asked, handler};
use crate::commands::bench::progress::Progress;
use crate::commands::bench::report::{Gate, MemoryHeld, Replayed, Report};
use crate::commands::bench::runs::{Measured, end, finish};
use crate::commands::bench::tally::Tally;
use crate::commands::bench::temporary::with_functions;
use crate::diagnostic::CliError;
use crate::printed::json_line;
use crate::session::{Cancelled, received};
use faas_client::model::{FunctionBody, ScalingBody};
use faas_types::{ByteSize, Contract, Language};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// A handler that takes as long as it is told, in seconds.
const CODE: &str = "import time\n\ndef handle(request):\n    time.sleep(float(request.body))\n    return 'slept'\n";
/// What an instance may have of memory, whatever its trace says, in mebibytes.
const LEAST_MEMORY: u32 = 64;
const MOST_MEMORY: u32 = 1024;
/// What a call may take beside its own duration.
const BESIDE: Duration = Duration::from_secs(60);
/// How often the control runs and memory is looked at.
const LOOK: Duration = Duration::from_millis(100);
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// What this host showed meanwhile.
#[derive(Default)]
struct Looks {
    control: Vec<Duration>,
    available: Vec<u64>,
}

/// Replays what the options name and prints the report.
pub(super) fn replay(options: &TraceOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    let (trace, source) = options.read()?;
    on_ground(&options.remote, global, async |ground, cancelled| {
        let pass = async |idle_ttl| report(options, idle_ttl, &trace, source, &ground, cancelled.clone()).await;
        let adaptive = pass(options.idle_ttl).await?;
        let Some(against) = options.against.filter(|_| cancelled.borrow().is_none()) else {
            return finish(&adaptive, options.json, &cancelled);
        };
        let pair = Pair { adaptive, fixed: pass(Some(against)).await? };
        let text = if options.json { json_line(&pair)? } else { pair.describe() };
        end(&text, &[&pair.adaptive, &pair.fixed], &cancelled)
    })
}

async fn report(
    options: &TraceOptions,
    idle_ttl: Option<u32>,
    trace: &Trace,
    source: &'static str,
    ground: &Ground,
    cancelled: Cancelled,
) -> Result<Report, CliError> {
    let control = Control::find()?;
    let bodies = trace.memory_mib.iter().map(|memory| function(idle_ttl, trace, *memory)).collect();
    let here = ground.is_here();
    let before = Looks { available: memory_available().into_iter().collect(), ..Looks::default() };
    let busy = busy_time();
    let (mut measured, looks) = with_functions(&ground.client()?, bodies, &cancelled, async |names| {
        let mut looks = Looks::default();
        let tally = tokio::select! {
            tally = calls(options, trace, names, ground, cancelled.clone()) => tally?,
            failed = watch(&control, &mut looks) => return failed,
        };
        Ok((Measured { tally, control: std::mem::take(&mut looks.control), called: Duration::ZERO }, looks))
    })
    .await?;
    let busy = busy_time().zip(busy).and_then(|(after, before)| after.checked_sub(before)).filter(|_| here);

    let answered = measured.tally.latencies.len() as f64;
    let per_thousand = |time: Duration| (answered > 0.0).then(|| rounded(time.as_secs_f64() * 1000.0 / answered));
    let starts = &measured.tally.starts;
    let all: u64 = starts.values().sum();
    let part = |kinds: &[&str]| {
        let of_kinds: u64 = kinds.iter().filter_map(|kind| starts.get(*kind)).sum();
        (all > 0).then(|| rounded(of_kinds as f64 / all as f64))
    };
    // A copy of a zygote is in a sandbox that was made for it, and loads the program.
    let (cold_ratio, spare_ratio) = (part(&["cold", "zygote"]), part(&["spare"]));
    let gate = options.gate.map(|bound| Gate::of(bound, &measured.tally.overheads, measured.tally.failed()));
    let overhead = Percentiles::of(&mut measured.tally.overheads);
    let replayed = Replayed {
        source,
        seed: options.seed,
        speed: options.speed,
        idle_ttl_s: idle_ttl,
        functions: trace.memory_mib.len(),
        left_out: trace.left_out,
        cold_ratio,
        spare_ratio,
        overhead,
        memory: held(before.available.first().copied(), &looks.available).filter(|_| here),
        cpu_s_per_1000: per_thousand(measured.tally.cpu),
        host_cpu_s_per_1000: busy.and_then(per_thousand),
    };
    let seconds = trace.span().as_secs_f64() / options.speed;
    let rate = if seconds > 0.0 { rounded(trace.rows.len() as f64 / seconds) } else { 0.0 };
    let report = Report::of("trace", ground, (Asked::Python, Contract::Handler), Pace::Open { rate }, measured);
    // What the trace itself says is no doing of the platform.
    let p99_ratio = p99_ratio(&overhead, &report.control);
    Ok(Report { trace: Some(replayed), p99_ratio, gate, interrupted: cancelled.borrow().is_some(), ..report })
}

/// What stands for a function of the trace.
fn function(idle_ttl: Option<u32>, trace: &Trace, memory: Option<u32>) -> FunctionBody {
    let idle_ttl = idle_ttl.map(|seconds| Duration::from_secs(seconds.into()));
    FunctionBody {
        memory: memory.map(|mebibytes| ByteSize::mib(mebibytes.clamp(LEAST_MEMORY, MOST_MEMORY).into())),
        timeout: Some(trace.longest().saturating_add(BESIDE)),
        scaling: ScalingBody { idle_ttl, ..ScalingBody::default() },
        ..handler(Language::Python, CODE)
    }
}

async fn calls(
    options: &TraceOptions,
    trace: &Trace,
    names: &[String],
    ground: &Ground,
    mut cancelled: Cancelled,
) -> Result<Tally, CliError> {
    let client = ground.client()?;
    let patience = trace.longest().saturating_add(BESIDE);
    let caller = |name: &String| Caller::new(client.clone(), Arc::new(Target::Function(name.clone())), patience);
    let callers: Vec<Caller> = names.iter().map(caller).collect();
    let mut progress = Progress::new("trace", trace.rows.len().to_string());
    let clock = Monotonic::new();
    let mut alarm = clock.timer()?;
    let calls = trace.rows.iter().filter_map(|row| {
        let caller = callers.get(usize::try_from(row.function).ok()?)?;
        Some((at(row, options.speed), caller.call_for(Duration::from_micros(row.duration_us))))
    });
    Ok(open_loop(&clock, &mut alarm, calls, received(&mut cancelled), |done| progress.at(done)).await)
}

/// When a call begins at this speed.
fn at(row: &Row, speed: f64) -> Duration {
    Duration::try_from_secs_f64(Duration::from_micros(row.t_us).as_secs_f64() / speed).unwrap_or(Duration::MAX)
}

/// Runs the control and looks at the memory until it is dropped.
async fn watch<T>(control: &Control, looks: &mut Looks) -> Result<T, CliError> {
    let mut each = tokio::time::interval(LOOK);
    each.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        each.tick().await;
        looks.control.push(control.sample().await?);
        looks.available.extend(memory_available());
    }
}

/// What was taken of the memory that had been available before.
fn held(before: Option<u64>, during: &[u64]) -> Option<MemoryHeld> {
    let before = before?;
    let taken: Vec<f64> = during.iter().map(|available| before.saturating_sub(*available) as f64 / MEBIBYTE).collect();
    let peak = taken.iter().copied().reduce(f64::max)?;
    Some(MemoryHeld { mean_mib: rounded(taken.iter().sum::<f64>() / taken.len() as f64), peak_mib: rounded(peak) })
}

#[cfg(test)]
mod tests {
    use super::{Row, at, held};
    use crate::commands::bench::report::MemoryHeld;
    use std::time::Duration;

    #[test]
    fn speed_divides_the_times_between_calls() {
        let row = Row { t_us: 3_000_000, function: 0, duration_us: 1 };
        assert_eq!((at(&row, 1.0), at(&row, 6.0)), (Duration::from_secs(3), Duration::from_millis(500)));
        assert_eq!(at(&row, 1e-300), Duration::MAX);
    }

    #[test]
    fn memory_is_what_is_no_longer_available() {
        let mib = 1024 * 1024;
        let found = held(Some(100 * mib), &[90 * mib, 70 * mib, 110 * mib]);
        assert_eq!(found, Some(MemoryHeld { mean_mib: 13.333, peak_mib: 30.0 }));
        assert_eq!((held(None, &[1]), held(Some(1), &[])), (None, None));
    }
}

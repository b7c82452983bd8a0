//! Runs of calls with the control between them: one after another, at fixed times, or from many clients.

use super::calls::{Caller, PATIENCE, Target};
use super::clock::Monotonic;
use super::control::Control;
use super::ground::{Ground, on_ground};
use super::open_loop::open_loop;
use super::options::{CommonOptions, Load, Wanted};
use super::pace::{Pace, evenly};
use super::percentiles::rounded;
use super::program::{Program, Work};
use super::progress::Progress;
use super::report::{Gate, Report, Throughput};
use super::tally::Tally;
use super::temporary::with_function;
use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use crate::printed::json_line;
use crate::session::{Cancelled, received};
use crate::{console, exit};
use faas_types::ErrorCode;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Calls before the first that counts.
const WARM_UP: usize = 5;
/// Clients pause for the control after so long.
const SLICE: Duration = Duration::from_secs(1);
/// Samples of the control in each pause.
const CONTROLS_PER_SLICE: u32 = 100;

/// What one run gave.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) tally: Tally,
    pub(super) control: Vec<Duration>,
    /// How long clients called.
    pub(super) called: Duration,
}

/// Makes the calls and prints the report.
pub(super) fn run(wanted: Wanted, common: &CommonOptions, global: &GlobalOptions) -> Result<ExitCode, CliError> {
    on_ground(&common.remote, global, async |ground, cancelled| {
        let report = report(&wanted, common.gate, &ground, cancelled.clone()).await?;
        finish(&report, common.json, &cancelled)
    })
}

async fn report(wanted: &Wanted, gate: Option<f64>, ground: &Ground, cancelled: Cancelled) -> Result<Report, CliError> {
    let control = Control::find()?;
    let Program { language, contract, ref work } = wanted.program;
    let measured = match work {
        Work::Execution(body) => {
            let target = Arc::new(Target::Execution(body.clone()));
            measure(wanted, ground, &target, &control, cancelled.clone()).await?
        }
        Work::Function(body) => {
            with_function(&ground.client()?, (**body).clone(), &cancelled, async |name| {
                let target = Arc::new(Target::Function(name.to_owned()));
                measure(wanted, ground, &target, &control, cancelled.clone()).await
            })
            .await?
        }
    };
    let (pace, clients) = match wanted.load {
        Load::Samples { pace, .. } => (pace, 1),
        Load::Clients { clients, .. } => (Pace::Closed, clients),
    };
    let throughput = matches!(wanted.load, Load::Clients { .. }).then(|| {
        let seconds = measured.called.as_secs_f64();
        let made = measured.tally.latencies.len() as f64;
        Throughput { seconds: rounded(seconds), per_second: if made > 0.0 { rounded(made / seconds) } else { 0.0 } }
    });
    let interrupted = cancelled.borrow().is_some();
    let gate = gate.map(|bound| Gate::of(bound, &measured.tally.latencies, measured.tally.failed()));
    let report = Report::of(wanted.bench, ground, (language, contract), pace, measured);
    Ok(Report { clients, interrupted, throughput, gate, ..report })
}

/// Prints a report and says how to exit.
pub(super) fn finish(report: &Report, json: bool, cancelled: &Cancelled) -> Result<ExitCode, CliError> {
    let text = if json { json_line(report)? } else { report.describe() };
    end(&text, &[report], cancelled)
}

/// Prints what is said of these reports and says how to exit.
pub(super) fn end(text: &str, reports: &[&Report], cancelled: &Cancelled) -> Result<ExitCode, CliError> {
    let printed = console::print(text.as_bytes())?;
    if let Some(signal) = *cancelled.borrow() {
        return Ok(ExitCode::from(exit::of_signal(signal)));
    }
    let missed = reports.iter().any(|report| report.gate.is_some_and(|gate| !gate.held) || report.is_of_failures());
    Ok(if missed { ExitCode::from(super::MISSED) } else { printed })
}

async fn measure(
    wanted: &Wanted,
    ground: &Ground,
    target: &Arc<Target>,
    control: &Control,
    mut cancelled: Cancelled,
) -> Result<Measured, CliError> {
    let caller = Caller::new(ground.client()?, Arc::clone(target), PATIENCE);
    let mut failures = Vec::new();
    for _ in 0..WARM_UP {
        tokio::select! {
            // Where a signal came before there was a function, none is called.
            biased;
            _ = received(&mut cancelled) => return Ok(Measured::default()),
            answer = caller.call() => {
                // What cannot be reached, or be run at all, has no numbers.
                if let Some(refusal) = answer.refusal {
                    return Err(refusal.into());
                }
                failures.extend(answer.error);
            }
        }
    }
    refuse_what_only_fails(&failures)?;
    match wanted.load {
        Load::Samples { count, pace: Pace::Closed } => {
            closed(wanted.bench, &caller, count, control, &mut cancelled).await
        }
        Load::Samples { count, pace: Pace::Open { rate } } => {
            open(wanted.bench, &caller, (count, rate), control, cancelled).await
        }
        Load::Clients { clients, seconds } => {
            let callers = (0..clients).map(|_| Ok(Caller::new(ground.client()?, Arc::clone(target), PATIENCE)));
            let callers: Vec<Caller> = callers.collect::<Result<_, CliError>>()?;
            // Once for each, so that instances and connections are there.
            tokio::select! {
                _ = callers.iter().map(Caller::call).collect::<JoinSet<_>>().join_all() => {}
                _ = received(&mut cancelled) => return Ok(Measured::default()),
            }
            saturated(wanted.bench, &callers, Duration::from_secs(seconds.into()), control, &cancelled).await
        }
    }
}

/// A program of which each call before the first fails has no numbers either.
fn refuse_what_only_fails(failures: &[String]) -> Result<(), CliError> {
    match failures.last() {
        Some(last) if failures.len() >= WARM_UP => {
            let detail =
                format!("each of the {WARM_UP} calls before the first that counts failed, the last with {last}");
            Err(CliError::new(ErrorCode::Internal, detail).help("`faas run` shows why a program fails"))
        }
        Some(_) | None => Ok(()),
    }
}

/// One call after another, a control behind each.
async fn closed(
    bench: &'static str,
    caller: &Caller,
    count: u32,
    control: &Control,
    cancelled: &mut Cancelled,
) -> Result<Measured, CliError> {
    let mut progress = Progress::new(bench, count.to_string());
    let mut measured = Measured::default();
    for number in 0..count {
        tokio::select! {
            sample = caller.sample() => measured.tally.add(sample),
            _ = received(cancelled) => {
                measured.tally.add_unanswered(1);
                break;
            }
        }
        measured.control.push(control.sample().await?);
        progress.at(number + 1);
    }
    Ok(measured)
}

/// Calls at fixed times, and the control in the middle between them.
async fn open(
    bench: &'static str,
    caller: &Caller,
    (count, rate): (u32, f64),
    control: &Control,
    mut cancelled: Cancelled,
) -> Result<Measured, CliError> {
    let mut progress = Progress::new(bench, count.to_string());
    let clock = Monotonic::new();
    let mut alarm = clock.timer()?;
    let mut controls = Vec::new();
    let between = async {
        let half = Duration::try_from_secs_f64(0.5 / rate).unwrap_or(Duration::ZERO);
        tokio::time::sleep(half).await;
        let mut each = tokio::time::interval(half.saturating_mul(2));
        each.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        for _ in 0..count {
            each.tick().await;
            controls.push(control.sample().await?);
        }
        std::future::pending().await
    };
    let heard = |done| progress.at(done);
    let calls = open_loop(&clock, &mut alarm, evenly(count, rate, || caller.call()), received(&mut cancelled), heard);
    let tally = tokio::select! {
        tally = calls => tally,
        failed = between => return failed,
    };
    Ok(Measured { tally, control: controls, called: Duration::ZERO })
}

/// Many clients, each of which calls again when it has its answer.
async fn saturated(
    bench: &'static str,
    callers: &[Caller],
    time: Duration,
    control: &Control,
    cancelled: &Cancelled,
) -> Result<Measured, CliError> {
    let mut progress = Progress::new(bench, format!("{} s", time.as_secs()));
    let mut measured = Measured::default();
    while measured.called < time && cancelled.borrow().is_none() {
        for _ in 0..CONTROLS_PER_SLICE {
            measured.control.push(control.sample().await?);
        }
        let begin = Instant::now();
        let end = begin + SLICE.min(time.saturating_sub(measured.called));
        let mut clients = JoinSet::new();
        for caller in callers {
            let (caller, mut cancelled) = (caller.clone(), cancelled.clone());
            clients.spawn(async move {
                let mut tally = Tally::default();
                while Instant::now() < end && cancelled.borrow().is_none() {
                    tokio::select! {
                        sample = caller.sample() => tally.add(sample),
                        _ = received(&mut cancelled) => tally.add_unanswered(1),
                    }
                }
                tally
            });
        }
        while let Some(ended) = clients.join_next().await {
            // One that panicked has counted nothing.
            measured.tally.merge(ended.unwrap_or_default());
        }
        measured.called += begin.elapsed();
        progress.at(measured.called.as_secs());
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::{WARM_UP, refuse_what_only_fails};

    #[test]
    fn what_fails_each_time_is_refused() {
        let failures = vec!["oom".to_owned(); WARM_UP];
        let refused = refuse_what_only_fails(&failures).expect_err("each failed");
        assert!(refused.to_string().contains("oom"), "{refused}");
        assert!(refuse_what_only_fails(&failures[1..]).is_ok(), "one succeeded");
    }
}

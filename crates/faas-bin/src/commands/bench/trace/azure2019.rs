//! The trace of Azure Functions of 2019: for each function how often it was called in each minute of a day, how
//! long its calls took, and what its application held of memory, in three tables.
//!
//! The tables are joined by `HashApp` and `HashFunction`; memory is that of the application. Within its minute a
//! call begins at a random time, and its duration is drawn from the percentiles, both by the seed. Pure but for
//! its readers.

use super::calls::{Part, Row, Trace, check_count, microseconds};
use super::error::TraceError;
use super::random::Random;
use super::table::Table;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::BufRead;

const MINUTE_US: f64 = 60e6;
/// A microsecond less, so that rounding leaves a call in its own minute.
const WITHIN_US: f64 = MINUTE_US - 1.0;
/// The percentiles of the second table, as parts of one.
const PERCENTILES: [(&str, f64); 7] = [
    ("percentile_Average_0", 0.0),
    ("percentile_Average_1", 0.01),
    ("percentile_Average_25", 0.25),
    ("percentile_Average_50", 0.5),
    ("percentile_Average_75", 0.75),
    ("percentile_Average_99", 0.99),
    ("percentile_Average_100", 1.0),
];

/// The function of a line, ordered by how often it was called.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Function {
    calls: u64,
    /// Of equal ones the earlier one counts more.
    line: Reverse<u64>,
    app: String,
    function: String,
    /// Minutes with calls, and how many.
    minutes: Vec<(u32, u32)>,
}

/// Milliseconds at each of the percentiles.
type Durations = [f64; PERCENTILES.len()];

/// The three tables, each with its name.
pub(super) struct Tables<A, B, C> {
    pub(super) invocations: (String, A),
    pub(super) durations: (String, B),
    pub(super) memory: Option<(String, C)>,
}

/// Reads the wanted part.
pub(super) fn read<A: BufRead, B: BufRead, C: BufRead>(
    tables: Tables<A, B, C>,
    part: Part,
    seed: u64,
) -> Result<Trace, TraceError> {
    let Tables { invocations, durations, memory } = tables;
    let (functions, mut left_out) = most_called(&invocations.0, invocations.1, part)?;
    let durations = durations_of(&durations.0, durations.1, &functions)?;
    let memory = memory.map(|(file, reader)| memory_of(&file, reader, &functions)).transpose()?.unwrap_or_default();
    let (mut memory_mib, mut rows) = (Vec::new(), Vec::new());
    check_count(functions.iter().map(|function| function.calls).sum())?;
    for Function { calls, line, app, function, minutes } in functions {
        let Some(durations) = durations.get(&(app.clone(), function)) else {
            left_out = left_out.saturating_add(calls);
            continue;
        };
        let place = u32::try_from(memory_mib.len()).unwrap_or(u32::MAX);
        memory_mib.push(memory.get(&app).copied());
        let mut random = Random::of(seed, line.0);
        for (minute, count) in minutes {
            for _ in 0..count {
                let begin = f64::from(minute.saturating_sub(part.from)) * MINUTE_US + random.unit() * WITHIN_US;
                let t_us = microseconds(begin / 1e6).unwrap_or(0);
                let duration_us = microseconds(at(durations, random.unit()) / 1e3).unwrap_or(0);
                rows.push(Row { t_us, function: place, duration_us });
            }
        }
    }
    Trace::new(memory_mib, rows, left_out)
}

/// The functions with most calls in the part, most first, and how many calls the others have.
fn most_called(file: &str, reader: impl BufRead, part: Part) -> Result<(Vec<Function>, u64), TraceError> {
    let mut table = Table::open(file, reader)?;
    let (app, function) = (table.column("HashApp")?, table.column("HashFunction")?);
    // Columns are named by minutes from 1 on.
    let minutes =
        table.columns(|name| name.parse::<u32>().ok()?.checked_sub(1).filter(|minute| part.has_minute(*minute)));
    if minutes.is_empty() {
        table.column(&part.from.saturating_add(1).to_string())?;
    }
    let mut kept = BinaryHeap::new();
    let (mut line, mut left_out) = (0_u64, 0_u64);
    while let Some(record) = table.next()? {
        line += 1;
        let mut counted = Vec::new();
        for (column, minute) in &minutes {
            match record.count(*column)? {
                0 => {}
                count => counted.push((*minute, count)),
            }
        }
        let calls = counted.iter().map(|(_, count)| u64::from(*count)).sum();
        let (app, function) = (record.id(app)?.to_owned(), record.id(function)?.to_owned());
        if calls > 0 {
            kept.push(Reverse(Function { calls, line: Reverse(line), app, function, minutes: counted }));
        }
        if kept.len() > usize::try_from(part.functions).unwrap_or(usize::MAX) {
            let fewest = kept.pop().map_or(0, |Reverse(function)| function.calls);
            left_out = left_out.saturating_add(fewest);
        }
    }
    Ok((kept.into_sorted_vec().into_iter().map(|Reverse(function)| function).collect(), left_out))
}

/// The durations of these functions.
fn durations_of(
    file: &str,
    reader: impl BufRead,
    wanted: &[Function],
) -> Result<BTreeMap<(String, String), Durations>, TraceError> {
    let mut table = Table::open(file, reader)?;
    let (app, function) = (table.column("HashApp")?, table.column("HashFunction")?);
    let mut columns = [0; PERCENTILES.len()];
    for (column, (name, _)) in columns.iter_mut().zip(PERCENTILES) {
        *column = table.column(name)?;
    }
    let mut found = BTreeMap::new();
    while let Some(record) = table.next()? {
        let name = (record.id(app)?, record.id(function)?);
        if !wanted.iter().any(|function| (function.app.as_str(), function.function.as_str()) == name) {
            continue;
        }
        let mut durations = [0.0; PERCENTILES.len()];
        let mut before = 0.0;
        for (duration, column) in durations.iter_mut().zip(columns) {
            *duration = record.measure(column)?;
            if *duration < before {
                return Err(record.refused(column, "milliseconds, no fewer than at the percentile before"));
            }
            before = *duration;
        }
        found.insert((name.0.to_owned(), name.1.to_owned()), durations);
    }
    Ok(found)
}

/// Mebibytes of the applications of these functions.
fn memory_of(file: &str, reader: impl BufRead, wanted: &[Function]) -> Result<BTreeMap<String, u32>, TraceError> {
    let mut table = Table::open(file, reader)?;
    let (app, memory) = (table.column("HashApp")?, table.column("AverageAllocatedMb")?);
    let mut found = BTreeMap::new();
    while let Some(record) = table.next()? {
        let name = record.id(app)?;
        if wanted.iter().any(|function| function.app == name) {
            // As whole seconds, so that no cast is needed to make whole mebibytes of them.
            let whole = microseconds(record.measure(memory)?).map(|micro| micro.div_ceil(1_000_000));
            let mebibytes = whole.and_then(|whole| u32::try_from(whole).ok());
            found.insert(name.to_owned(), mebibytes.ok_or_else(|| record.refused(memory, "mebibytes"))?);
        }
    }
    Ok(found)
}

/// Milliseconds at this part of all calls, on straight lines between the percentiles.
fn at(durations: &Durations, part: f64) -> f64 {
    let points = PERCENTILES.iter().map(|(_, at)| *at).zip(durations.iter().copied());
    let mut lower = (0.0, 0.0);
    for point in points {
        if part < point.0 {
            let ((from, low), (to, high)) = (lower, point);
            return low + (high - low) * (part - from) / (to - from);
        }
        lower = point;
    }
    lower.1
}

#[cfg(test)]
mod tests;

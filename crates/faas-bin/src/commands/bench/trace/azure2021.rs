//! The invocation trace of Azure Functions of 2021: one line for each call, with its end and its duration.
//!
//! Columns: `app`, `func`, `end_timestamp` and `duration` in seconds. Pure but for its reader.

use super::calls::{Part, Row, Trace, check_count, largest, microseconds};
use super::error::TraceError;
use super::table::Table;
use std::collections::HashMap;
use std::io::BufRead;

/// The most functions that are told apart.
const MOST_FUNCTIONS: usize = 100_000;
const ACCEPTED: &str = "seconds from 0 to 1e9";

/// Reads the wanted part.
pub(super) fn read(file: &str, reader: impl BufRead, part: Part) -> Result<Trace, TraceError> {
    let mut table = Table::open(file, reader)?;
    let [app, func, end, duration] = ["app", "func", "end_timestamp", "duration"].map(|name| table.column(name));
    let (app, func, end, duration) = (app?, func?, end?, duration?);
    let mut places: HashMap<(String, String), u32> = HashMap::new();
    let (mut counts, mut rows, mut left_out) = (Vec::<u64>::new(), Vec::new(), 0_u64);
    while let Some(record) = table.next()? {
        let ended_us = microseconds(record.measure(end)?).ok_or_else(|| record.refused(end, ACCEPTED))?;
        let duration_us = microseconds(record.measure(duration)?).ok_or_else(|| record.refused(duration, ACCEPTED))?;
        let name = (record.id(app)?.to_owned(), record.id(func)?.to_owned());
        let Some(began_us) = ended_us.checked_sub(duration_us) else {
            // It began before the trace does.
            left_out += u64::from(part.at(0).is_some());
            continue;
        };
        let Some(t_us) = part.at(began_us) else { continue };
        let next = u32::try_from(places.len()).unwrap_or(u32::MAX);
        let function = *places.entry(name).or_insert(next);
        if function == next {
            if places.len() > MOST_FUNCTIONS {
                return Err(TraceError::TooManyFunctions { file: file.to_owned(), limit: MOST_FUNCTIONS });
            }
            counts.push(0);
        }
        if let Some(count) = usize::try_from(function).ok().and_then(|place| counts.get_mut(place)) {
            *count += 1;
        }
        rows.push(Row { t_us, function, duration_us });
        check_count(u64::try_from(rows.len()).unwrap_or(u64::MAX))?;
    }
    let kept = largest(&counts, part.functions);
    let new_places: HashMap<u32, u32> =
        kept.iter().zip(0..).filter_map(|(old, new)| Some((u32::try_from(*old).ok()?, new))).collect();
    let all = rows.len();
    rows.retain_mut(|row| match new_places.get(&row.function) {
        Some(place) => {
            row.function = *place;
            true
        }
        None => false,
    });
    left_out += u64::try_from(all - rows.len()).unwrap_or(u64::MAX);
    Trace::new(vec![None; kept.len()], rows, left_out)
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::commands::bench::trace::calls::{Part, Row, Trace};
    use proptest::prelude::*;

    const ALL: Part = Part { functions: 100, from: 0, minutes: 1000 };

    fn row(t_us: u64, function: u32, duration_us: u64) -> Row {
        Row { t_us, function, duration_us }
    }

    #[test]
    fn a_call_began_its_duration_before_its_end() {
        let text = "app,func,end_timestamp,duration\na,f,61.5,1.25\nb,f,60.0,0.5\na,f,62,0\nc,f,1,2\n";
        let trace = read("x", text.as_bytes(), ALL).expect("a trace");
        let rows = vec![row(59_500_000, 1, 500_000), row(60_250_000, 0, 1_250_000), row(62_000_000, 0, 0)];
        assert_eq!(trace, Trace { memory_mib: vec![None; 2], rows, left_out: 1 });
        let part = Part { functions: 1, from: 1, minutes: 1 };
        let trace = read("x", text.as_bytes(), part).expect("a trace");
        assert_eq!(trace.rows, [row(250_000, 0, 1_250_000), row(2_000_000, 0, 0)]);
        assert_eq!(trace.left_out, 0);
        let most = read("x", text.as_bytes(), Part { functions: 1, ..ALL }).expect("a trace");
        assert_eq!((most.rows.len(), most.left_out), (2, 2), "the function that is called most is kept");
    }

    #[test]
    fn what_is_no_time_is_refused_by_its_place() {
        for (line, column) in
            [("a,f,NaN,1", "end_timestamp"), ("a,f,5,-1", "duration"), ("a,f,1e300,1", "end_timestamp")]
        {
            let text = format!("app,func,end_timestamp,duration\n{line}\n");
            let error = read("x", text.as_bytes(), ALL).expect_err("refused").to_string();
            assert!(error.contains(&format!("x line 2, column {column}")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn calls_survive_the_format(calls in proptest::collection::vec((0_u64..60_000_000_000, 0_u64..100_000_000), 1..40)) {
            let mut text = "app,func,end_timestamp,duration\n".to_owned();
            for (t_us, duration_us) in &calls {
                let end = t_us + duration_us;
                text.push_str(&format!("a,f,{}.{:06},{}.{:06}\n",
                    end / 1_000_000, end % 1_000_000, duration_us / 1_000_000, duration_us % 1_000_000));
            }
            let mut rows: Vec<Row> = calls.iter().map(|(t_us, duration_us)| row(*t_us, 0, *duration_us)).collect();
            rows.sort_unstable();
            let trace = read("x", text.as_bytes(), ALL).expect("a trace");
            prop_assert_eq!(trace.rows, rows);
        }
    }
}

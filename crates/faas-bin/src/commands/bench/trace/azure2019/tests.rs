//! The three tables, made by hand.

use super::{Tables, at, read};
use crate::commands::bench::trace::calls::{Part, Trace};
use proptest::prelude::*;

const DURATIONS: &str = "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,\
percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,\
percentile_Average_100\n";

fn invocations(lines: &[(&str, &str, &[u32])]) -> String {
    let minutes = lines.first().map_or(0, |(_, _, counts)| counts.len());
    let mut text = "HashOwner,HashApp,HashFunction,Trigger".to_owned();
    text.extend((1..=minutes).map(|minute| format!(",{minute}")));
    for (app, function, counts) in lines {
        text.push_str(&format!("\no,{app},{function},http"));
        text.extend(counts.iter().map(|count| format!(",{count}")));
    }
    text
}

fn tables(invocations: &str, durations: &str, memory: Option<&str>, part: Part) -> Result<Trace, String> {
    let tables = Tables {
        invocations: ("invocations".to_owned(), invocations.as_bytes()),
        durations: ("durations".to_owned(), durations.as_bytes()),
        memory: memory.map(|text| ("memory".to_owned(), text.as_bytes())),
    };
    read(tables, part, 7).map_err(|error| error.to_string())
}

#[test]
fn tables_are_joined_and_the_most_called_are_kept() {
    let calls =
        invocations(&[("a", "f", &[1, 0, 2]), ("a", "g", &[0, 5, 0]), ("b", "f", &[9, 9, 9]), ("c", "f", &[1, 1, 0])]);
    let durations =
        format!("{DURATIONS}o,a,f,5,3,1,9,5,5,5,5,5,5,5\no,a,g,7,5,7,7,7,7,7,7,7,7,7\no,x,y,1,1,1,1,1,1,1,1,1,1,1\n");
    let memory = "HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,a,9,120.5\no,z,1,1\n";
    let part = Part { functions: 3, from: 1, minutes: 2 };
    let trace = tables(&calls, &durations, Some(memory), part).expect("a trace");
    assert_eq!(trace.left_out, 18 + 1, "those without durations, and the least called one");
    assert_eq!(trace.memory_mib, [Some(121), Some(121)]);
    let of = |function| trace.rows.iter().filter(|row| row.function == function).copied().collect::<Vec<_>>();
    let (g, f) = (of(0), of(1));
    assert_eq!((g.len(), f.len()), (5, 2));
    assert!(g.iter().all(|row| row.duration_us == 7_000 && row.t_us < 60_000_000), "{g:?}");
    assert!(f.iter().all(|row| row.duration_us == 5_000 && (60_000_000..120_000_000).contains(&row.t_us)), "{f:?}");
    assert_eq!(tables(&calls, &durations, Some(memory), part), Ok(trace), "a seed means one trace");
}

#[test]
fn what_is_refused_is_named_by_table_line_and_column() {
    let part = Part { functions: 3, from: 0, minutes: 1 };
    let calls = invocations(&[("a", "f", &[1])]);
    let falls = format!("{DURATIONS}o,a,f,5,3,1,9,5,5,5,4,5,5,5\n");
    let text = format!("{DURATIONS}o,a,f,5,3,1,9,5,5,5,x,5,5,5\n");
    let good = format!("{DURATIONS}o,a,f,5,3,1,9,5,5,5,5,5,5,5\n");
    for (calls, durations, memory, part, named) in [
        (calls.as_str(), falls.as_str(), None, part, "durations line 2, column percentile_Average_50"),
        (&calls, &text, None, part, "durations line 2, column percentile_Average_50: \"x\""),
        (&calls, "HashApp,HashFunction\n", None, part, "durations line 1 names no column percentile_Average_0"),
        (&calls, &good, Some("HashApp,AverageAllocatedMb\na,-3\n"), part, "memory line 2, column AverageAllocatedMb"),
        (&calls, &good, None, Part { from: 5, ..part }, "invocations line 1 names no column 6"),
        (&calls.replace(",1\no", ",1\n\no").replace("http,1", "http,many"), &good, None, part, "column 1: \"many\""),
        (&calls.replace("http,1", "http,4000000000"), &good, None, part, "4000000000 calls are too many"),
        (&calls.replace("http,1", "http,0"), &good, None, part, "no call is in that part"),
    ] {
        let error = tables(calls, durations, memory, part).expect_err(named);
        assert!(error.contains(named), "{named}: {error}");
    }
}

#[test]
fn durations_lie_between_the_percentiles() {
    let durations = [1.0, 2.0, 10.0, 20.0, 40.0, 100.0, 900.0];
    for (part, wanted) in
        [(0.0, 1.0), (0.01, 2.0), (0.25, 10.0), (0.375, 15.0), (0.5, 20.0), (0.99, 100.0), (1.0, 900.0)]
    {
        assert!((at(&durations, part) - wanted).abs() < 1e-9, "{part}");
    }
}

proptest! {
    #[test]
    fn counts_survive_the_format(counts in proptest::collection::vec(0_u32..20, 1..30)) {
        prop_assume!(counts.iter().any(|count| *count > 0));
        let calls = invocations(&[("a", "f", &counts)]);
        let durations = format!("{DURATIONS}o,a,f,5,3,1,9,0,1,2,3,4,5,6\n");
        let part = Part { functions: 1, from: 0, minutes: 30 };
        let trace = tables(&calls, &durations, None, part).expect("a trace");
        let mut found = vec![0_u32; counts.len()];
        for row in &trace.rows {
            let minute = usize::try_from(row.t_us / 60_000_000).expect("small");
            found[minute] += 1;
            prop_assert!(row.duration_us <= 6_000);
        }
        prop_assert!(trace.rows.is_sorted());
        prop_assert_eq!(found, counts);
    }
}

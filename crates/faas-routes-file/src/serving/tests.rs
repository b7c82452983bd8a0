//! What a reading changes.

use super::{Change, MOST_COMPLAINTS, Serving, Update};
use crate::FunctionRoots;
use crate::image::{Field, RawRow};
use crate::judge::{BadRow, Rules};
use crate::row::RowFunction;
use faas_routes::{Reserved, Route, Table};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn route(text: &str) -> Route {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn rules() -> Rules {
    let roots = FunctionRoots::new(["/opt/functions".into()]).expect("absolute");
    Rules { reserved: Reserved::new([]), roots: Arc::new(roots) }
}

fn value(module: &str) -> String {
    format!(r#"{{"name":"hello","runtime":"php","module":"{module}"}}"#)
}

fn function(module: &str) -> RowFunction {
    let rules = rules();
    RowFunction::parse(&value(module), Some(1), &rules.roots).expect("a function")
}

/// Reads rows of key and module; without a module the row is bad.
fn read(serving: &mut Serving, rows: &[(&str, Option<&str>)]) -> Update {
    let rules = rules();
    let mut reading = serving.begin();
    for (number, (key, module)) in (1..).zip(rows) {
        let value = module.map_or_else(|| "{".to_owned(), value);
        reading
            .row(&RawRow { number, key: Field::Text(key), value: Field::Text(&value), updated: Some(Some(1)) }, &rules);
    }
    reading.finish()
}

fn served(serving: &Serving) -> BTreeMap<Route, RowFunction> {
    serving.functions().map(|(key, function)| (route(key), function.clone())).collect()
}

#[test]
fn added_changed_and_removed_rows_are_told_apart() {
    let mut serving = Serving::default();
    let first = read(&mut serving, &[("GET:/b", Some("1")), ("GET:/a", Some("1"))]);
    let added = |key: &str, module: &str| Change::Added(route(key), function(module));
    assert_eq!(first.changes, [added("GET:/a", "1"), added("GET:/b", "1")]);
    let second = read(&mut serving, &[("GET:/b", Some("2")), ("GET:/c", Some("1"))]);
    let changed = Change::Changed(route("GET:/b"), function("2"));
    assert_eq!(second.changes, [Change::Removed(route("GET:/a")), changed, added("GET:/c", "1")]);
    assert_eq!(read(&mut serving, &[("GET:/b", Some("2")), ("GET:/c", Some("1"))]), Update::default());
}

#[test]
fn a_row_that_turns_bad_leaves_its_last_good_version_and_is_told_once() {
    let mut serving = Serving::default();
    read(&mut serving, &[("GET:/a", Some("1"))]);
    let bad = read(&mut serving, &[("GET:/a", None)]);
    assert!(bad.changes.is_empty());
    assert!(bad.complaints.len() == 1 && bad.complaints[0].key == "GET:/a", "{bad:?}");
    assert_eq!(served(&serving)[&route("GET:/a")], function("1"));
    assert!(read(&mut serving, &[("GET:/a", None)]).is_empty(), "told twice");
    assert!(read(&mut serving, &[("GET:/a", Some("1"))]).is_empty(), "it is as it was");
    assert_eq!(read(&mut serving, &[]).changes, [Change::Removed(route("GET:/a"))]);
    assert_eq!(read(&mut serving, &[("GET:/a", None)]).complaints.len(), 1, "it is bad anew");
    assert!(served(&serving).is_empty());
}

#[test]
fn of_two_rows_that_collide_the_one_that_is_served_stays_and_the_other_waits() {
    let mut serving = Serving::default();
    read(&mut serving, &[("GET:/a/{y}", Some("1"))]);
    let both = [("GET:/a/{x}", Some("2")), ("GET:/a/{y}", Some("1"))];
    let update = read(&mut serving, &both);
    assert!(update.changes.is_empty());
    let [complaint] = &update.complaints[..] else { panic!("{update:?}") };
    assert!(complaint.reason.contains("GET:/a/{x}") && complaint.reason.contains("GET:/a/{y}"), "{complaint:?}");
    assert!(read(&mut serving, &both).is_empty(), "told twice");
    let update = read(&mut serving, &both[..1]);
    let added = Change::Added(route("GET:/a/{x}"), function("2"));
    assert_eq!(update.changes, [Change::Removed(route("GET:/a/{y}")), added]);
}

#[test]
fn a_reading_that_is_given_up_changes_nothing() {
    let mut serving = Serving::default();
    read(&mut serving, &[("GET:/a", Some("1")), ("GET:/b", Some("1"))]);
    let (before, rules) = (served(&serving), rules());
    let value = value("2");
    let mut reading = serving.begin();
    let row = |key| RawRow { number: 1, key: Field::Text(key), value: Field::Text(&value), updated: Some(Some(1)) };
    reading.row(&row("GET:/a"), &rules);
    reading.row(&row("GET:/c"), &rules);
    drop(reading);
    assert_eq!(served(&serving), before);
    let update = read(&mut serving, &[("GET:/a", Some("2")), ("GET:/b", Some("1"))]);
    assert_eq!(update.changes, [Change::Changed(route("GET:/a"), function("2"))]);
}

#[test]
fn a_second_row_of_a_key_is_told_once() {
    let mut serving = Serving::default();
    let rows = [("GET:/a", Some("1")), ("GET:/a", Some("2"))];
    assert_eq!(read(&mut serving, &rows).complaints.len(), 1);
    assert!(read(&mut serving, &rows).is_empty());
    assert_eq!(served(&serving)[&route("GET:/a")], function("1"));
}

#[test]
fn a_flood_of_bad_rows_is_counted() {
    let keys: Vec<String> = (0..1000).map(|n| format!("GET:/{n}")).collect();
    let rows: Vec<(&str, Option<&str>)> = keys.iter().map(|key| (key.as_str(), None)).collect();
    let update = read(&mut Serving::default(), &rows);
    assert_eq!((update.complaints.len(), update.untold), (MOST_COMPLAINTS, 1000 - MOST_COMPLAINTS));
}

#[test]
fn what_a_row_says_is_safe_in_a_line() {
    let row = BadRow::new("a\nb\u{1b}[31m", &"x\r".repeat(1000));
    assert!(!row.key.contains(char::is_control) && !row.reason.contains(char::is_control));
    assert!(row.reason.chars().count() <= 400);
}

proptest! {
    /// Changes applied in order to a table keep it equal to what is served, without one collision; every
    /// row of the table that could be served is.
    #[test]
    fn changes_applied_to_a_table_never_collide(
        readings in prop::collection::vec(
            prop::collection::btree_map("(GET|ANY):/[ab](/(\\{[xy]\\}|\\*[xy]|c))?", prop::option::of("[12]"), 0..8), 1..12)
    ) {
        let (mut serving, mut table) = (Serving::default(), Table::default());
        for reading in readings {
            let list: Vec<(&str, Option<&str>)> =
                reading.iter().map(|(key, module)| (key.as_str(), module.as_deref())).collect();
            for change in read(&mut serving, &list).changes {
                match change {
                    Change::Added(route, function) => prop_assert!(table.insert(route, function).is_ok()),
                    Change::Changed(route, function) => {
                        prop_assert!(table.remove(&route).is_some());
                        prop_assert!(table.insert(route, function).is_ok());
                    }
                    Change::Removed(route) => prop_assert!(table.remove(&route).is_some()),
                }
            }
            let served = served(&serving);
            prop_assert_eq!(table.len(), served.len());
            for (route, function) in &served {
                prop_assert_eq!(table.get(route), Some(function));
                prop_assert!(reading.contains_key(&route.to_string()));
            }
            for (key, module) in reading.iter().filter_map(|(key, module)| Some((key, module.as_ref()?))) {
                match served.get(&route(key)) {
                    Some(there) => prop_assert_eq!(there, &function(module)),
                    None => prop_assert!(table.collision(&route(key)).is_some(), "{} is not served", key),
                }
            }
        }
    }
}

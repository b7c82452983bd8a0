//! What a table of 100,000 routes costs: to build, to ask, to change, in memory.
//!
//! `cargo bench --package faas-routes` prints the table. Lookups are timed in batches of 16, because
//! reading the clock costs as much as a lookup; p95 and p99 are of these batches.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use faas_routes::{Lookup, Method, Reserved, Route, Table};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUTES: u32 = 100_000;
const BATCH: usize = 16;

fn main() {
    let texts: Vec<String> = (0..ROUTES).map(text).collect();
    let requests: Vec<(Method, String)> = shuffled(&texts).into_iter().map(|text| request(text)).collect();
    let misses: Vec<(Method, String)> =
        requests.iter().map(|(method, path)| (*method, format!("/un{}", &path[1..]))).collect();
    let target = Arc::new(());

    println!("| what | n | p50 | p95 | p99 |\n|---|---|---|---|---|");
    let begun = Instant::now();
    let routes: Vec<Route> = texts.iter().map(|text| text.parse().expect("a route")).collect();
    once("parse", routes.len(), begun.elapsed());

    let reserved = Reserved::new([("POST", "/functions/{id}/invoke"), ("GET", "/health")]);
    let begun = Instant::now();
    let free = routes.iter().filter(|route| reserved.shadowing(route).is_none()).count();
    once("check against the system's routes", free, begun.elapsed());

    let before = resident();
    let begun = Instant::now();
    let mut table = Table::default();
    for route in &routes {
        table.insert(route.clone(), Arc::clone(&target)).expect("no collision");
    }
    once("build", table.len(), begun.elapsed());
    let bytes = resident().saturating_sub(before);
    println!("| memory | {} | {} bytes a route | | |", table.len(), bytes / u64::from(ROUTES));

    row("lookup, found", lookups(&table, &requests, true));
    row("lookup, unknown path", lookups(&table, &misses, false));
    let mut changes = Vec::new();
    for route in routes.iter().step_by(10) {
        let begun = Instant::now();
        let value = table.remove(route).expect("it is there");
        table.insert(route.clone(), value).expect("no collision");
        changes.push(begun.elapsed());
    }
    row("one route out and in", changes);
    println!("\nthe worst shape for a search, {}", worst());
}

/// As people write them: some tenants, under each some resources, some with parameters.
fn text(n: u32) -> String {
    let (team, resource) = (n / 100, n % 100);
    match n % 4 {
        0 => format!("GET:/team-{team}/resource-{resource}"),
        1 => format!("POST:/team-{team}/resource-{resource}/{{id}}"),
        2 => format!("ANY:/team-{team}/resource-{resource}/{{id}}/details"),
        _ => format!("GET:/team-{team}/resource-{resource}/*path"),
    }
}

/// A request for it.
fn request(text: &str) -> (Method, String) {
    let (method, path) = text.split_once(':').expect("a method");
    (Method::from_name(method).unwrap_or(Method::Put), path.replace("{id}", "4711").replace("*path", "some/file.txt"))
}

/// In an order that no cache guesses.
fn shuffled<T>(items: &[T]) -> Vec<&T> {
    (0..items.len()).map(|index| &items[index * 7919 % items.len()]).collect()
}

fn lookups(table: &Table<Arc<()>>, requests: &[(Method, String)], found: bool) -> Vec<Duration> {
    let mut times = Vec::new();
    for batch in requests.chunks_exact(BATCH) {
        let begun = Instant::now();
        let is_hit =
            |(method, path): &&(Method, String)| matches!(table.lookup(*method, black_box(path)), Lookup::Found(_));
        let hits = batch.iter().filter(is_hit).count();
        times.push(begun.elapsed() / u32::try_from(BATCH).expect("small"));
        assert_eq!(hits, if found { BATCH } else { 0 });
    }
    times
}

/// Routes that make a search go both ways at every level and find nothing.
fn worst() -> String {
    const DEPTH: u32 = 8;
    let mut table = Table::default();
    for mask in 0..1_u32 << DEPTH {
        let path: String = (0..DEPTH)
            .map(|level| if mask >> level & 1 == 0 { "/a".to_owned() } else { format!("/{{p{level}}}") })
            .collect();
        let route: Route = format!("GET:{path}").parse().expect("a route");
        table.insert(route, ()).expect("no collision");
    }
    let path = format!("{}/b/c", "/a".repeat(DEPTH as usize));
    let begun = Instant::now();
    assert!(matches!(table.lookup(Method::Get, &path), Lookup::Unknown));
    format!("{} routes of {DEPTH} segments: {:?}", table.len(), begun.elapsed())
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("| {what} | {} | {:?} | {:?} | {:?} |", times.len(), at(50), at(95), at(99));
}

fn once(what: &str, count: usize, time: Duration) {
    println!("| {what} | {count} | {time:?} in all | | |");
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("a process of its own");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}

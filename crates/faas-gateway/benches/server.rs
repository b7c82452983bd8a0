//! What the server adds on this machine, beside the gates of SPECIFICATION.md.
//!
//! `cargo bench --package faas-gateway` prints the table; `-- --gate` also fails when a median misses
//! its gate. The built `faas-server` runs as a process of its own with all middleware on, and is asked
//! over keep-alive connections of this machine; `FAAS_SERVER_BIN` names another binary.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::expect_used, reason = "a bench that cannot run has nothing to say")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// What starts this program as the bare server to compare with.
const BARE: &str = "--bare-axum";
/// How many executions wait when the server is restarted.
const QUEUED: usize = 10_000;
const LIMITS: &str = "/api/v1/limits";
const EXECUTIONS: &str = "/api/v1/executions";
const FUNCTIONS: &str = "/api/v1/functions";

fn main() -> ExitCode {
    if std::env::args().any(|word| word == BARE) {
        return bare_axum();
    }
    let gated = std::env::args().any(|word| word == "--gate");
    let program = server_program();
    let mut rows = Vec::new();
    {
        let state = StateDirectory::make();
        let server = Process::server(&program, state.path(), &[]);
        let idle = server.memory_mib();
        rows.push(Row::new(
            "added by the server to an embedded execution",
            Unit::Milliseconds,
            1.0,
            0.3,
            added(&server),
        ));
        rows.push(Row::new(
            "authenticated `GET /api/v1/limits` against bare axum",
            Unit::Ratio,
            0.6,
            0.8,
            ratio(&server),
        ));
        rows.push(Row::new(
            "first streamed byte after the program wrote it",
            Unit::Milliseconds,
            3.0,
            1.0,
            first_byte(&server),
        ));
        rows.push(Row::new("idle server", Unit::Mebibytes, 40.0, 25.0, vec![idle]));
        rows.push(Row::new("warm Python handler over HTTP", Unit::Milliseconds, 1.0, 0.3, warm_handler(&server)));
        for (what, name, does) in SATURATED {
            rows.push(Row::new(what, Unit::Ratio, 0.9, 1.0, beside_saturated(&server, name, does)));
        }
        rows.push(Row::new("change of a route to its first answer", Unit::Milliseconds, 50.0, 20.0, route(&server)));
    }
    let (restarts, memory) = many_functions(&program);
    rows.push(Row::new("restart with 10,000 functions, 100,000 routes", Unit::Milliseconds, 2000.0, 1000.0, restarts));
    rows.push(Row::new("the same, resident", Unit::Mebibytes, 400.0, 200.0, memory));
    let (accepted, restarts) = queued(&program);
    rows.insert(3, Row::new("durable 202, 16 clients", Unit::PerSecond, 2000.0, 5000.0, accepted));
    rows.push(Row::new("restart with 10,000 queued to serving", Unit::Milliseconds, 3000.0, 1000.0, restarts));

    println!("| what | n | p50 | p95 | p99 | gate | goal | |");
    println!("|---|---|---|---|---|---|---|---|");
    for row in &rows {
        row.print();
    }
    if gated && !rows.iter().all(Row::holds) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Milliseconds,
    Mebibytes,
    Ratio,
    PerSecond,
}

impl Unit {
    /// Whether more is better.
    const fn grows(self) -> bool {
        matches!(self, Self::Ratio | Self::PerSecond)
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Mebibytes => format!("{value:.1} MiB"),
            Self::Ratio => format!("{value:.2}×"),
            Self::PerSecond => format!("{value:.0} /s"),
        }
    }
}

struct Row {
    what: &'static str,
    unit: Unit,
    gate: f64,
    goal: f64,
    /// From the best to the worst.
    samples: Vec<f64>,
}

impl Row {
    fn new(what: &'static str, unit: Unit, gate: f64, goal: f64, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        if unit.grows() {
            samples.reverse();
        }
        Self { what, unit, gate, goal, samples }
    }

    fn percentile(&self, percent: usize) -> f64 {
        let last = self.samples.len().saturating_sub(1);
        self.samples.get(last * percent / 100).copied().unwrap_or(f64::NAN)
    }

    fn reaches(&self, bound: f64) -> bool {
        if self.unit.grows() { self.percentile(50) >= bound } else { self.percentile(50) <= bound }
    }

    fn holds(&self) -> bool {
        self.reaches(self.gate)
    }

    fn print(&self) {
        let verdict = if self.reaches(self.goal) {
            "goal"
        } else if self.holds() {
            "gate"
        } else {
            "MISSED"
        };
        let sign = if self.unit.grows() { '≥' } else { '≤' };
        let [p50, p95, p99] = [50, 95, 99].map(|percent| self.unit.show(self.percentile(percent)));
        let [gate, goal] = [self.gate, self.goal].map(|bound| self.unit.show(bound));
        println!(
            "| {} | {} | {p50} | {p95} | {p99} | {sign} {gate} | {sign} {goal} | {verdict} |",
            self.what,
            self.samples.len()
        );
    }
}

/// The release binary, built when it is not there.
fn server_program() -> PathBuf {
    if let Some(path) = std::env::var_os("FAAS_SERVER_BIN") {
        return path.into();
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--quiet", "--release", "--package", "faas-bin", "--bin", "faas-server"];
    assert!(Command::new(cargo).args(build).status().is_ok_and(|status| status.success()), "faas-server builds");
    let bench = std::env::current_exe().expect("this program's path");
    bench.ancestors().nth(3).expect("the target directory").join("release/faas-server")
}

/// A process that listens, killed at the latest when it is dropped.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn server(program: &Path, state: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FAAS_")) {
            command.env_remove(name);
        }
        command.args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(state).args(flags);
        let server = Self::start(command.env_remove("RUST_LOG").env("HOME", "/nonexistent"));
        while Client::open(server.address).get("/ready").0 != 200 {
            std::thread::yield_now();
        }
        server
    }

    fn bare_axum() -> Self {
        Self::start(Command::new(std::env::current_exe().expect("this program's path")).arg(BARE))
    }

    /// Starts it and waits until it says where it listens; what else it says is read and dropped.
    fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let (sender, receiver) = std::sync::mpsc::channel();
        let stdout: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("piped"));
        let stderr: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("piped"));
        for pipe in [stdout, stderr] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if let Some(address) = address_in(&line) {
                        // Only the first one is waited for.
                        let _ = sender.send(address);
                    }
                }
            });
        }
        drop(sender);
        let address = receiver.recv_timeout(Duration::from_secs(30)).expect("it says where it listens");
        Self { child, address }
    }

    fn memory_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = &line[line.find("127.0.0.1:")?..];
    let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.' && character != ':');
    rest[..end.unwrap_or(rest.len())].parse().ok().filter(|address: &SocketAddr| address.port() != 0)
}

/// A directory of this bench, removed at its end. The server makes its own inside.
struct StateDirectory(PathBuf);

impl StateDirectory {
    fn make() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("server-bench-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a directory");
        Self(path.join("data"))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for StateDirectory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(self.0.parent().unwrap_or(&self.0)));
    }
}

/// A keep-alive connection.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Self { stream: BufReader::new(stream) }
    }

    fn get(&mut self, path: &str) -> (u16, Vec<u8>) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: demo-key\r\n\r\n"));
        self.answer()
    }

    fn post(&mut self, path: &str, body: &str) -> (u16, Vec<u8>) {
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: demo-key\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        ));
        self.answer()
    }

    fn send(&mut self, request: &str) {
        self.stream.get_mut().write_all(request.as_bytes()).expect("the server reads");
    }

    /// The status and the length of the body; `None` where it comes in chunks.
    fn head(&mut self) -> (u16, Option<usize>) {
        let (mut status, mut length) = (0, None);
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).expect("an answer") > 0, "the server closed the connection");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                return (status, length);
            }
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.get(..3).and_then(|digits| digits.parse().ok()).expect("a status");
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
        }
    }

    fn answer(&mut self) -> (u16, Vec<u8>) {
        let (status, length) = self.head();
        let mut body = vec![0; length.unwrap_or_default()];
        self.stream.read_exact(&mut body).expect("the whole answer");
        if length.is_none() {
            while self.chunk(&mut body) {}
        }
        (status, body)
    }

    /// Adds a chunk of an answer without a length. `false` after the last one.
    fn chunk(&mut self, body: &mut Vec<u8>) -> bool {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the size of a chunk");
        let size = usize::from_str_radix(line.trim(), 16).expect("a size");
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk).expect("a whole chunk");
        body.extend_from_slice(&chunk[..size]);
        size > 0
    }

    fn done(&mut self, method: &str, path: &str, body: &Value) {
        let body = body.to_string();
        let length = body.len();
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: demo-key\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        ));
        let (status, answer) = self.answer();
        assert!((200..300).contains(&status), "{status} {}", String::from_utf8_lossy(&answer));
    }
}

/// What a client waits for whose function is loaded already, over the function's own route.
fn warm_handler(server: &Process) -> Vec<f64> {
    let mut client = Client::open(server.address);
    let code = "def handle(request):\n    return {'message': 'hello'}\n";
    let body = json!({ "name": "warm", "runtime": "python", "code": code, "routes": ["GET:/warm"] });
    client.done("POST", FUNCTIONS, &body);
    let mut samples = Vec::new();
    for number in 0..2200 {
        let before = Instant::now();
        let (status, answer) = client.get("/warm");
        let waited = milliseconds(before.elapsed());
        assert!(status == 200 && answer == br#"{"message": "hello"}"#, "{status} {}", String::from_utf8_lossy(&answer));
        // The first ones make the sandboxes: one is made as new while the next call comes.
        if number >= 200 {
            samples.push(waited);
        }
    }
    samples
}

/// What a function does that has more callers than it serves: it waits, or takes a processor.
const SATURATED: [(&str, &str, &str); 2] = [
    ("warm handler's p50 alone, against beside a function that waits, saturated", "waits", "time.sleep(0.005)"),
    (
        "warm handler's p50 alone, against beside a function that computes, saturated",
        "computes",
        "until = time.monotonic() + 0.005\n    while time.monotonic() < until: pass",
    ),
];

/// The p50 of the warm handler alone, divided by its p50 while another function has one instance and eight callers.
/// Both are taken in turns, so that what else the machine does is in both.
fn beside_saturated(server: &Process, name: &str, does: &str) -> Vec<f64> {
    const CALLERS: usize = 8;
    let code = format!("import time\n\ndef handle(request):\n    {does}\n    return {{}}\n");
    let path = format!("/{name}");
    let body = json!({ "name": name, "runtime": "python", "code": code, "routes": [format!("GET:{path}")],
        "scaling": { "max": 1, "concurrency": 1 } });
    let mut client = Client::open(server.address);
    client.done("POST", FUNCTIONS, &body);
    assert_eq!(client.get(&path).0, 200);
    let mut median = || {
        let waited = (0..100).map(|_| {
            let before = Instant::now();
            assert_eq!(client.get("/warm").0, 200);
            before.elapsed().as_secs_f64()
        });
        let mut waited: Vec<_> = waited.collect();
        waited.sort_by(f64::total_cmp);
        waited[waited.len() / 2]
    };
    median();
    let rounds = (0..20).map(|_| {
        let alone = median();
        let (over, called) = (AtomicBool::new(false), Barrier::new(CALLERS + 1));
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    let mut caller = Client::open(server.address);
                    assert_eq!(caller.get(&path).0, 200);
                    called.wait();
                    while !over.load(Ordering::Relaxed) {
                        assert_eq!(caller.get(&path).0, 200);
                    }
                });
            }
            called.wait();
            let beside = median();
            over.store(true, Ordering::Relaxed);
            alone / beside
        })
    });
    rounds.collect()
}

/// A route is moved; how long until a client that waits for the change is answered there?
fn route(server: &Process) -> Vec<f64> {
    let mut client = Client::open(server.address);
    let body = json!({ "name": "moves", "runtime": "bash", "code": "true", "routes": ["GET:/moves/0"] });
    client.done("POST", FUNCTIONS, &body);
    let moves = (1..=100).map(|number| {
        let before = Instant::now();
        let path = format!("/moves/{number}");
        client.done("PUT", "/api/v1/functions/moves", &json!({ "routes": [format!("GET:{path}")] }));
        assert_eq!(client.get(&path).0, 200);
        milliseconds(before.elapsed())
    });
    moves.collect()
}

/// How fast a server is back that has many functions, and what it then takes.
fn many_functions(program: &Path) -> (Vec<f64>, Vec<f64>) {
    const MANY: usize = 10_000;
    const ROUTES: usize = 10;
    let state = StateDirectory::make();
    let server = Process::server(program, state.path(), &[]);
    let mut client = Client::open(server.address);
    for number in 0..MANY {
        let routes: Vec<String> = (0..ROUTES).map(|route| format!("GET:/many/{number}/{route}/{{id}}")).collect();
        let code = format!("def handle(request):\n    return {number}\n");
        let body = json!({ "name": format!("f{number}"), "runtime": "python", "code": code, "routes": routes });
        client.done("POST", FUNCTIONS, &body);
    }
    drop(server);
    let (mut restarts, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let before = Instant::now();
        let server = Process::server(program, state.path(), &[]);
        restarts.push(milliseconds(before.elapsed()));
        memory.push(server.memory_mib());
        let stats: Value = serde_json::from_slice(&Client::open(server.address).get("/api/v1/stats").1).expect("JSON");
        assert_eq!(stats["routes"]["deployed"], MANY * ROUTES);
    }
    (restarts, memory)
}

/// What a client waits for beyond the making of the sandbox and the run of the program: the way through
/// the server, the queue, the journal and the record.
fn added(server: &Process) -> Vec<f64> {
    let mut client = Client::open(server.address);
    let body = json!({ "command": ["/usr/bin/true"] }).to_string();
    let mut samples = Vec::new();
    for number in 0..330 {
        let before = Instant::now();
        let (status, answer) = client.post(EXECUTIONS, &body);
        let waited = milliseconds(before.elapsed());
        let record: Value = serde_json::from_slice(&answer).expect("a record");
        assert!(status == 200 && record["exit_code"] == 0, "{record}");
        let part = |name: &str| record["start"][name].as_f64().expect("a time") / 1000.0;
        // The first ones warm up.
        if number >= 30 {
            samples.push(waited - part("start_us") - part("run_us"));
        }
    }
    samples
}

/// The rate of the server against the rate of a router with one route and no middleware, side by side.
fn ratio(server: &Process) -> Vec<f64> {
    let bare = Process::bare_axum();
    let rounds = (0..7).map(|_| {
        let bare = rate(bare.address);
        rate(server.address) / bare
    });
    // The first one warms up.
    rounds.skip(1).collect()
}

fn rate(address: SocketAddr) -> f64 {
    const CLIENTS: usize = 4;
    const EACH: usize = 1500;
    let before = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = Client::open(address);
                for _ in 0..EACH {
                    assert_eq!(client.get(LIMITS).0, 200);
                }
            });
        }
    });
    (CLIENTS * EACH) as f64 / before.elapsed().as_secs_f64()
}

/// What the router is compared with: the same library, one route that answers a text of the same size.
fn bare_axum() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("{}", listener.local_addr().expect("an address"));
        let text: &'static str = "x".repeat(1024).leak();
        let router = axum::Router::new().route(LIMITS, axum::routing::get(move || async move { text }));
        axum::serve(listener, router).await.expect("serves");
    });
    ExitCode::SUCCESS
}

/// A program writes what the clock says; how much later is it here?
fn first_byte(server: &Process) -> Vec<f64> {
    let code = "import time\ntime.sleep(0.3)\nfor _ in range(200):\n    print(time.monotonic_ns(), flush=True)\n    time.sleep(0.002)\n";
    let (status, answer) =
        Client::open(server.address).post(EXECUTIONS, &json!({ "code": code, "wait": false }).to_string());
    let record: Value = serde_json::from_slice(&answer).expect("a record");
    assert_eq!(status, 202, "{record}");
    let mut client = Client::open(server.address);
    let id = record["id"].as_str().expect("an id");
    client.send(&format!(
        "GET {EXECUTIONS}/{id}/stream HTTP/1.1\r\nhost: localhost\r\nx-api-key: demo-key\r\naccept: text/event-stream\r\n\r\n"
    ));
    assert_eq!(client.head().0, 200);
    let mut samples = Vec::new();
    for line in client.stream.lines().map_while(Result::ok) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let now = now.tv_sec * 1_000_000_000 + now.tv_nsec;
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let event: Value = serde_json::from_str(data).expect("an event");
        match event["type"].as_str() {
            Some("output") => {
                let text = event["data"].as_str().expect("a text");
                let written: i64 = text.lines().next().and_then(|line| line.parse().ok()).expect("a clock");
                samples.push(milliseconds(Duration::from_nanos(u64::try_from(now - written).unwrap_or(0))));
            }
            Some("complete") => return samples,
            _ => {}
        }
    }
    panic!("the stream ended before the program")
}

/// How fast executions are accepted that wait, and how fast a server is back that finds them.
fn queued(program: &Path) -> (Vec<f64>, Vec<f64>) {
    const CLIENTS: usize = 16;
    const PARTS: usize = 4;
    let state = StateDirectory::make();
    let one_at_a_time = ["--max-sandboxes", "1"];
    let server = Process::server(program, state.path(), &one_at_a_time);
    // What is accepted waits behind this one, so that only accepting is measured.
    let first = json!({ "command": ["/usr/bin/sleep", "600"], "timeout_ms": 900_000, "wait": false }).to_string();
    let mut client = Client::open(server.address);
    let (status, answer) = client.post(EXECUTIONS, &first);
    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&answer));
    while !client.get("/api/v1/stats").1.windows(11).any(|part| part == br#""running":1"#) {
        std::thread::yield_now();
    }
    let body = json!({ "command": ["/usr/bin/sleep", "600"], "timeout_ms": 900_000, "wait": false }).to_string();
    let rates = (0..PARTS).map(|_| {
        let left = Arc::new(AtomicUsize::new(QUEUED / PARTS));
        let before = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let left = Arc::clone(&left);
                let (body, address) = (&body, server.address);
                scope.spawn(move || {
                    let mut client = Client::open(address);
                    let take = |left: usize| left.checked_sub(1);
                    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                        assert_eq!(client.post(EXECUTIONS, body).0, 202);
                    }
                });
            }
        });
        (QUEUED / PARTS) as f64 / before.elapsed().as_secs_f64()
    });
    let rates = rates.collect();
    drop(server);
    let restart = |_| {
        let before = Instant::now();
        let server = Process::server(program, state.path(), &one_at_a_time);
        let took = milliseconds(before.elapsed());
        drop(server);
        took
    };
    (rates, (0..5).map(restart).collect())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

//! Asks several servers the same in rotation, over connections that stay open.
//!
//! `load CONNECTIONS ROUNDS BATCH URL…`: in each round every server is asked `BATCH` times over each of
//! its `CONNECTIONS` at once, a closed loop, while the others are left alone; every round begins with
//! another server. Prints a line for each server: its URL, the nanoseconds of all its slices together,
//! then the nanoseconds of every request. An answer that is not `200` with the body `hello` ends it.

use anyhow::{Context, bail, ensure};
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Servers close connections that are idle for some seconds; one that waited longer than this is
/// opened anew, with a request that is not counted.
const IDLE: Duration = Duration::from_secs(1);
/// No server here takes this long for one request.
const LONGEST: Duration = Duration::from_secs(30);

struct Server {
    url: String,
    connections: Vec<Connection>,
    elapsed: u128,
    samples: Vec<u128>,
}

struct Connection {
    address: String,
    request: Vec<u8>,
    stream: Option<TcpStream>,
    used: Instant,
    received: Vec<u8>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [connections, rounds, batch, urls @ ..] = words.as_slice() else {
        bail!("usage: load CONNECTIONS ROUNDS BATCH URL...");
    };
    let (connections, rounds, batch) = (connections.parse()?, rounds.parse()?, batch.parse()?);
    let mut servers = urls.iter().map(|url| Server::new(url, connections)).collect::<anyhow::Result<Vec<_>>>()?;
    for round in 0..rounds {
        for turn in 0..servers.len() {
            let place = (round + turn) % servers.len();
            let server = &mut servers[place];
            server.slice(batch).await.with_context(|| format!("asking {}", server.url))?;
        }
    }
    let mut out = std::io::stdout().lock();
    for server in servers {
        let mut line = format!("{} {}", server.url, server.elapsed);
        for sample in server.samples {
            write!(line, " {sample}")?;
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

impl Server {
    fn new(url: &str, connections: usize) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").with_context(|| format!("{url} is not http://"))?;
        let (address, path) = rest.split_once('/').with_context(|| format!("{url} has no path"))?;
        let request = format!("GET /{path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
        let connection = || Connection {
            address: address.to_owned(),
            request: request.clone(),
            stream: None,
            used: Instant::now(),
            received: Vec::with_capacity(4096),
        };
        let connections = (0..connections).map(|_| connection()).collect();
        Ok(Self { url: url.to_owned(), connections, elapsed: 0, samples: Vec::new() })
    }

    async fn slice(&mut self, batch: usize) -> anyhow::Result<()> {
        for connection in &mut self.connections {
            connection.open().await?;
        }
        let began = Instant::now();
        let mut asking = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            asking.spawn(async move {
                let mut samples = Vec::with_capacity(batch);
                for _ in 0..batch {
                    samples.push(connection.timed().await?);
                }
                anyhow::Ok((connection, samples))
            });
        }
        while let Some(ended) = asking.join_next().await {
            let (connection, samples) = ended??;
            self.connections.push(connection);
            self.samples.extend(samples);
        }
        self.elapsed += began.elapsed().as_nanos();
        Ok(())
    }
}

impl Connection {
    async fn open(&mut self) -> anyhow::Result<()> {
        if self.stream.is_some() && self.used.elapsed() < IDLE {
            return Ok(());
        }
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        self.stream = Some(stream);
        self.timed().await.map(drop)
    }

    async fn timed(&mut self) -> anyhow::Result<u128> {
        let began = Instant::now();
        tokio::time::timeout(LONGEST, self.ask()).await.context("no answer in 30 s")??;
        self.used = Instant::now();
        Ok(began.elapsed().as_nanos())
    }

    async fn ask(&mut self) -> anyhow::Result<()> {
        let stream = self.stream.as_mut().context("not connected")?;
        stream.write_all(&self.request).await?;
        self.received.clear();
        loop {
            ensure!(stream.read_buf(&mut self.received).await? > 0, "the server closed the connection");
            if is_whole(&self.received)? {
                return Ok(());
            }
        }
    }
}

/// Whether the answer is there to its end. It is `hello` with its length, or in chunks.
fn is_whole(received: &[u8]) -> anyhow::Result<bool> {
    let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(false) };
    let (head, body) = received.split_at(end + 4);
    ensure!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(received));
    let head = head.to_ascii_lowercase();
    let chunked = head.windows(26).any(|bytes| bytes == b"transfer-encoding: chunked");
    let whole: &[u8] = if chunked { b"5\r\nhello\r\n0\r\n\r\n" } else { b"hello" };
    ensure!(whole.starts_with(body), "the body is {:?}", String::from_utf8_lossy(body));
    Ok(body.len() == whole.len())
}

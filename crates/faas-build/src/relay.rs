//! Between the tool in its sandbox and the index: what the tool asks for is fetched, counted, and kept
//! where it is a package.
//!
//! Invariant: a package that is installed went through here; what the sandbox says of it is only believed
//! when its digest is that of something fetched from the index, or built from such a thing.

mod built;

pub(crate) use built::BUILT;

use crate::frame::{LONGEST, ToBridge};
use crate::index::Index;
use crate::limits::{Limits, TooLarge};
use crate::log::{Log, Phase};
use crate::upstream::{Answer, Upstream, UpstreamError};
use bytes::Bytes;
use faas_executor_api::{InputItem, InputSink};
use sha2::{Digest as _, Sha256, Sha512};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Notify, Semaphore};

/// How a path begins that belongs to another origin than the index's own.
const ORIGIN: &str = "/.faas-origin-";
/// How many requests are under way to the index at once.
const AT_ONCE: usize = 16;

/// A package that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) path: PathBuf,
    pub(crate) sha256: [u8; 32],
    pub(crate) sha512: [u8; 64],
}

/// Why something was not fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RelayError {
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    #[error("the index answers with status {0}")]
    Status(u16),
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("{0}")]
    Spool(#[from] io::Error),
    #[error("the tool went away")]
    Gone,
}

/// The relay of one build.
pub(crate) struct Relay {
    upstream: Arc<Upstream>,
    index: Index,
    /// Whether addresses in pages lead through the relay.
    rewrites: bool,
    limits: Limits,
    spool: PathBuf,
    log: Arc<Log>,
    at_once: Semaphore,
    requests: AtomicU32,
    bytes: AtomicU64,
    packages: Mutex<HashMap<[u8; 32], Fetched>>,
    /// What was built here, by its file's name.
    built: Mutex<BTreeMap<String, Fetched>>,
    /// What was too large; ends the build.
    exceeded: Mutex<Option<TooLarge>>,
    stop: Notify,
}

impl Relay {
    /// `spool` is an existing directory for packages.
    pub(crate) fn new(
        upstream: Arc<Upstream>,
        index: Index,
        rewrites: bool,
        limits: Limits,
        spool: &Path,
        log: Arc<Log>,
    ) -> Self {
        Self {
            upstream,
            index,
            rewrites,
            limits,
            spool: spool.to_owned(),
            log,
            at_once: Semaphore::new(AT_ONCE),
            requests: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            packages: Mutex::default(),
            built: Mutex::default(),
            exceeded: Mutex::default(),
            stop: Notify::new(),
        }
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// Waits until something was too large.
    pub(crate) async fn exceeded(&self) -> TooLarge {
        loop {
            let stopped = self.stop.notified();
            if let Some(exceeded) = self.exceeded.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                return exceeded;
            }
            stopped.await;
        }
    }

    /// A package that the tool was given.
    pub(crate) fn package(&self, sha256: &[u8; 32]) -> Option<Fetched> {
        self.packages.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).cloned()
    }

    /// Answers one request of the tool's.
    pub(crate) async fn answer(self: Arc<Self>, number: u32, accept: String, path: String, input: InputSink) {
        let Err(error) = self.relayed(number, &accept, &path, &input).await else { return };
        // Where nobody listens any more the call is over, and its end says why.
        let _ = input.send(InputItem::Stdin(ToBridge::Broken.encode(number))).await;
        if !matches!(error, RelayError::Gone) {
            self.log.say(&format!("{path}: {error}"));
        }
        if let RelayError::TooLarge(exceeded) = error {
            self.exceeded.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(exceeded);
            self.stop.notify_one();
        }
    }

    async fn relayed(&self, number: u32, accept: &str, path: &str, input: &InputSink) -> Result<(), RelayError> {
        if let Some(file) = path.strip_prefix(BUILT) {
            return self.give_built(number, file, input).await;
        }
        let (origin, path) = self.origin_of(path);
        let (_place, mut answer) = self.ask(origin, path, accept).await?;
        let head = ToBridge::Head { status: answer.status, content_type: &answer.content_type };
        say(input, head, number).await?;
        if is_package(path) && answer.status == 200 {
            let mut package = self.begin(path).await?;
            while let Some(piece) = answer.next().await? {
                self.count(path, &mut package.bytes, &piece, self.limits.file)?;
                package.write(&piece).await?;
                pass_on(input, &piece, number).await?;
            }
            let fetched = package.end().await?;
            self.packages.lock().unwrap_or_else(PoisonError::into_inner).insert(fetched.sha256, fetched);
        } else if self.rewrites {
            pass_on(input, &self.page(path, answer).await?, number).await?;
        } else {
            let mut length = 0;
            while let Some(piece) = answer.next().await? {
                self.count(path, &mut length, &piece, self.limits.page)?;
                pass_on(input, &piece, number).await?;
            }
        }
        say(input, ToBridge::End, number).await
    }

    /// Fetches a package that no tool asked for itself.
    pub(crate) async fn fetch(&self, origin: usize, path: &str) -> Result<Fetched, RelayError> {
        let (_place, mut answer) = self.ask(origin, path, "*/*").await?;
        if answer.status != 200 {
            return Err(RelayError::Status(answer.status));
        }
        let mut package = self.begin(path).await?;
        while let Some(piece) = answer.next().await? {
            self.count(path, &mut package.bytes, &piece, self.limits.file)?;
            package.write(&piece).await?;
        }
        Ok(package.end().await?)
    }

    async fn ask(
        &self,
        origin: usize,
        path: &str,
        accept: &str,
    ) -> Result<(Option<tokio::sync::SemaphorePermit<'_>>, Answer), RelayError> {
        if self.requests.fetch_add(1, Ordering::Relaxed) >= self.limits.requests {
            return Err(
                TooLarge::new("what is asked of the index", format!("{} requests", self.limits.requests)).into()
            );
        }
        // It is never closed, so there is one for everybody in time.
        let place = self.at_once.acquire().await.ok();
        Ok((place, self.upstream.get(&self.index, origin, path, accept).await?))
    }

    /// Which origin a path of the tool's belongs to, and its path there.
    fn origin_of<'a>(&self, path: &'a str) -> (usize, &'a str) {
        let other = path.strip_prefix(ORIGIN).and_then(|rest| {
            let slash = rest.find('/')?;
            let number = rest.get(..slash)?.parse().ok()?;
            Some((number, rest.get(slash..)?))
        });
        other.unwrap_or((0, path))
    }

    /// A page as the tool is to see it. One is held at a time: pip asks for one after the other.
    async fn page(&self, path: &str, mut answer: Answer) -> Result<Vec<u8>, RelayError> {
        let mut page = Vec::new();
        let mut length = 0;
        while let Some(piece) = answer.next().await? {
            self.count(path, &mut length, &piece, self.limits.page)?;
            page.extend_from_slice(&piece);
        }
        Ok(self.rewritten(page))
    }

    /// The page with the addresses of the index's origins leading here.
    fn rewritten(&self, mut page: Vec<u8>) -> Vec<u8> {
        for (number, origin) in self.index.origins.iter().enumerate() {
            let address = format!("{}/", origin.address);
            let here = if number == 0 { "/".to_owned() } else { format!("{ORIGIN}{number}/") };
            let mut rewritten = Vec::with_capacity(page.len());
            let mut at = 0;
            for found in memchr::memmem::find_iter(&page, address.as_bytes()) {
                rewritten.extend_from_slice(page.get(at..found).unwrap_or_default());
                rewritten.extend_from_slice(here.as_bytes());
                at = found + address.len();
            }
            rewritten.extend_from_slice(page.get(at..).unwrap_or_default());
            page = rewritten;
        }
        page
    }

    fn count(&self, path: &str, length: &mut u64, piece: &Bytes, most: faas_types::ByteSize) -> Result<(), TooLarge> {
        let count = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        *length = length.saturating_add(count);
        if *length > most.as_bytes() {
            return Err(TooLarge::new(path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path), most));
        }
        let before = self.bytes.fetch_add(count, Ordering::Relaxed);
        if before.saturating_add(count) > self.limits.fetched.as_bytes() {
            return Err(TooLarge::new("what is fetched for the dependencies", self.limits.fetched));
        }
        Ok(())
    }

    async fn begin(&self, path: &str) -> io::Result<Package> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let place = self.spool.join(number.to_string());
        let file = path.rsplit('/').next().unwrap_or(path);
        self.log.say_of(Phase::Fetching, &format!("fetching {file}"));
        let file = File::create_new(&place).await?;
        Ok(Package { place, file, bytes: 0, sha256: Sha256::new(), sha512: Sha512::new() })
    }
}

/// Whether a path is that of a wheel or, where nothing has one, of a source.
fn is_package(path: &str) -> bool {
    let file = path.split(['?', '#']).next().unwrap_or(path);
    [".whl", ".tar.gz", ".zip"].into_iter().any(|ending| file.ends_with(ending))
}

async fn pass_on(input: &InputSink, bytes: &[u8], number: u32) -> Result<(), RelayError> {
    for piece in bytes.chunks(LONGEST) {
        say(input, ToBridge::Body(piece), number).await?;
    }
    Ok(())
}

async fn say(input: &InputSink, what: ToBridge<'_>, number: u32) -> Result<(), RelayError> {
    input.send(InputItem::Stdin(what.encode(number))).await.map_err(|_| RelayError::Gone)
}

/// A package on its way.
struct Package {
    place: PathBuf,
    file: File,
    bytes: u64,
    sha256: Sha256,
    sha512: Sha512,
}

impl Package {
    async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.sha256.update(piece);
        self.sha512.update(piece);
        self.file.write_all(piece).await
    }

    async fn end(mut self) -> io::Result<Fetched> {
        self.file.flush().await?;
        Ok(Fetched { path: self.place, sha256: self.sha256.finalize().into(), sha512: self.sha512.finalize().into() })
    }
}

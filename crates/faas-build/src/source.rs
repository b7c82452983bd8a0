//! Packages that have no wheel: their source is fetched, and built offline.
//!
//! Three runs, each in a sandbox of its own: one fetches the source and reads what it is built with, one has
//! pip fetch the wheels of that, and the last, which has no relay, builds. The first two run no code of a
//! package, and the last has nothing of the host's and reaches nothing.
//!
//! Invariant: what a build leaves is one wheel with the name of the package that was asked for, and is
//! treated as a stranger's like every other.

use crate::dependency::Dependencies;
use crate::error::BuildError;
use crate::limits::TooLarge;
use crate::lock::{WheelName, source_name};
use crate::log::Phase;
use crate::relay::{Fetched, Relay};
use crate::run::{RunError, Tools};
use crate::tool;
use faas_executor_api::FileIn;
use faas_types::Language;
use serde_json::json;
use std::sync::Arc;

/// Fetches a source and reads what it is built with.
const FETCHER: &str = include_str!("source.py");
const SOURCES: &str = "/tmp/sources";
const NEEDED: &str = "/tmp/needed.json";
/// The most packages that are built for one list.
const MAX_SOURCES: usize = 32;

/// A wheel that was built here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FromSource {
    /// The digest of the wheel.
    pub(crate) wheel: [u8; 32],
    /// The file name of its source, and that one's digest.
    pub(crate) source: String,
    pub(crate) sha256: [u8; 32],
}

/// A source that was fetched, and what it is built with.
struct Source {
    key: String,
    file: String,
    sha256: [u8; 32],
    archive: Fetched,
    needed: Dependencies,
}

/// What was built for one list.
pub(crate) struct Sources<'a> {
    tools: &'a Tools<'a>,
    relay: &'a Arc<Relay>,
    built: Vec<FromSource>,
}

impl<'a> Sources<'a> {
    pub(crate) const fn new(tools: &'a Tools<'a>, relay: &'a Arc<Relay>) -> Self {
        Self { tools, relay, built: Vec::new() }
    }

    pub(crate) fn built(&self) -> &[FromSource] {
        &self.built
    }

    /// Builds what fits the one entry of a list, and offers it to pip.
    pub(crate) async fn build(&mut self, wanted: &Dependencies) -> Result<(), BuildError> {
        if self.built.len() >= MAX_SOURCES {
            return Err(TooLarge::new("what has to be built from source", format!("{MAX_SOURCES} packages")).into());
        }
        let source = self.fetch(wanted).await?;
        if self.built.iter().any(|built| built.sha256 == source.sha256) {
            return Err(self.tools.failed(format!("what {} was built to does not fit this host", source.file)));
        }
        let Source { key, file, sha256, archive, needed } = source;
        let given = self.given(&file, &archive, &needed).await?;
        let (log, failed) = (self.tools.log, |reason: String| self.tools.failed(reason));
        log.begin(Phase::Building);
        log.say(&format!("building {file}"));
        let left = self.tools.run(building(&file, given), None).await.map_err(|error| match error {
            RunError::Tool => failed(format!("{file} could not be built: {}", last_error(log))),
            RunError::Other(error) => error,
        })?;
        let wheel = match left.files.as_slice() {
            [(wheel, _)] if WheelName::parse(wheel).is_some_and(|name| name.name == key) => wheel,
            _ => return Err(failed(format!("{file} was built to something else than one wheel of {key}"))),
        };
        let put = self.relay.put_built(wheel, &left.document).await;
        let wheel = put.map_err(|error| failed(format!("the wheel of {file} cannot be kept: {error}")))?;
        self.built.push(FromSource { wheel: wheel.sha256, source: file, sha256 });
        Ok(())
    }

    /// Fetches a source, and says what it is built with. No code of it runs.
    async fn fetch(&self, wanted: &Dependencies) -> Result<Source, BuildError> {
        let tools = self.tools;
        let [entry] = wanted.entries() else { return Err(tools.failed("pip misses no package, or several")) };
        tools.log.begin(Phase::Fetching);
        tools.log.say(&format!("{}{} has no wheel for this host: its source is built", entry.key, entry.versions));
        let index = format!("{{index}}{}/", self.relay.index().path);
        let plan = json!({
            "command": [tool::PYTHON, "-I", "source.py", index, entry.key, entry.versions, SOURCES, NEEDED],
            "environment": tool::python_environment(),
            "files": SOURCES,
            "document": NEEDED,
        });
        let left = tools.run(tool::files(&plan, [tool::file("source.py", FETCHER)]), Some(self.relay)).await;
        let left = left.map_err(|error| tools.explained(error))?;
        let [(file, sha256)] = left.files.as_slice() else { return Err(tools.failed("not one source was fetched")) };
        if source_name(file).is_none_or(|(name, _)| name != entry.key) {
            return Err(tools.failed(format!("{file:?} is not a source of {}", entry.key)));
        }
        let archive = self.relay.package(sha256);
        let archive = archive.ok_or_else(|| tools.failed(format!("{file:?} is not what the index gave")))?;
        let needed: Vec<String> = serde_json::from_slice(&left.document)
            .map_err(|error| tools.failed(format!("what {file} is built with is no list: {error}")))?;
        let needed = Dependencies::parse(Language::Python, &needed, false)
            .map_err(|error| tools.failed(format!("what {file} is built with is refused: {error}")))?;
        Ok(Source { key: entry.key.clone(), file: file.clone(), sha256: *sha256, archive, needed })
    }

    /// The files of a build: the source, and the wheels of what builds it.
    async fn given(&self, file: &str, archive: &Fetched, needed: &Dependencies) -> Result<Vec<FileIn>, BuildError> {
        let tools = self.tools;
        let mut given = vec![(format!("source/{file}"), archive.path.clone())];
        if !needed.is_empty() {
            tools.log.begin(Phase::Resolving);
            let left = tools.run(tool::resolving(needed, self.relay.index(), false), Some(self.relay)).await;
            let left = left.map_err(|error| tools.explained(error))?;
            for (wheel, sha256) in left.files {
                let fetched = self.relay.package(&sha256).filter(|_| WheelName::parse(&wheel).is_some());
                let fetched = fetched.ok_or_else(|| tools.failed(format!("{wheel:?} is not what the index gave")))?;
                given.push((format!("needed/{wheel}"), fetched.path));
            }
        }
        tool::given(&format!("{file} with what builds it"), given).await
    }
}

/// What pip needs to build a source without network, and what is given to it.
fn building(file: &str, given: Vec<FileIn>) -> Vec<FileIn> {
    let source = format!("./source/{file}");
    let plan = json!({
        "command": [
            tool::PYTHON, "-I", "-m", "pip", "--isolated", "wheel", "--no-input", "--disable-pip-version-check",
            "--no-cache-dir", "--no-color", "--progress-bar", "off", "--no-deps", "--use-pep517", "--no-index",
            "--find-links", "needed", "--wheel-dir", tool::WHEELS, "--", source,
        ],
        "environment": tool::python_environment(),
        "files": tool::WHEELS,
        "contents": true,
        "offline": true,
    });
    tool::files(&plan, given)
}

/// The last line that says what went wrong, which the package itself may have chosen.
fn last_error(log: &crate::log::Log) -> String {
    let is_error = |line: &str| {
        let line = line.trim_start();
        line.split_once(": ").is_some_and(|(kind, _)| kind.ends_with("Error") || kind.ends_with("Exit"))
    };
    let line = log.last(is_error).or_else(|| log.last(|line| !line.trim().is_empty()));
    line.map_or_else(|| "it said nothing".to_owned(), |line| line.trim().to_owned())
}

//! Install scripts of npm packages: found in what was fetched, and run offline where the function allows it.
//!
//! One run in a sandbox of its own, which has no relay: it is sent the archives, lays them out as they will be
//! installed, runs the scripts, and gives back what they left.
//!
//! Invariant: what the scripts leave is one archive of files in `node_modules`, and is treated as a stranger's
//! like every other; what is not theirs is unpacked from what the index gave.

use crate::dependency::Dependencies;
use crate::error::BuildError;
use crate::interpreter::Interpreter;
use crate::limits::Limits;
use crate::lock::Package;
use crate::log::{Log, Phase};
use crate::relay::Relay;
use crate::run::{RunError, Tools};
use crate::tool;
use crate::unpack::Manifests;
use faas_executor_api::FileIn;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::PathBuf;
use tokio::task::JoinHandle;

/// Lays packages out and runs their scripts.
const RUNNER: &str = include_str!("scripts.py");
const LEFT: &str = "/tmp/left.tar.gz";
/// How many packages a line names.
const NAMED: usize = 8;

/// Which packages have install scripts: the places of those packages by the place of the one whose archive they
/// are in.
pub(crate) type Scripts = BTreeMap<String, Vec<String>>;

/// Finds the install scripts of these packages, which are `built` where they have some. What is `held` is let go
/// once nothing looks at the archives any more, which may be long after this was dropped.
///
/// # Errors
/// There are some, and the function does not allow them.
pub(crate) async fn find(
    tools: &Tools<'_>,
    dependencies: &Dependencies,
    packages: &mut [Package],
    held: impl Send + 'static,
) -> Result<Scripts, BuildError> {
    let looking = look_beside(packages.to_vec(), tools.limits.clone(), held);
    let scripts = looking.await.map_err(|error| tools.failed(error.to_string()))??;
    if !scripts.is_empty() && !dependencies.allow_build() {
        return Err(BuildError::Scripts { packages: named(packages, &scripts) });
    }
    mark(packages, &scripts, tools.interpreter);
    Ok(scripts)
}

/// Says of the packages with install scripts for which interpreter those run: what they leave for another one
/// is something else.
fn mark(packages: &mut [Package], scripts: &Scripts, interpreter: &Interpreter) {
    for package in packages {
        let has_scripts = scripts.contains_key(&package.place);
        package.built = has_scripts.then(|| format!("by its install scripts for {interpreter}"));
    }
}

/// Looks at the archives on a thread of its own, which does not end when nobody waits for it any more.
fn look_beside(
    packages: Vec<Package>,
    limits: Limits,
    held: impl Send + 'static,
) -> JoinHandle<Result<Scripts, BuildError>> {
    tokio::task::spawn_blocking(move || {
        let scripts = look(&packages, &limits);
        drop(held);
        scripts
    })
}

fn look(packages: &[Package], limits: &Limits) -> Result<Scripts, BuildError> {
    let (mut manifests, mut scripts) = (Manifests::new(limits), Scripts::new());
    for Package { name, version, place, archive, .. } in packages {
        let package = format!("{name} {version}");
        let file = File::open(archive).map_err(|source| BuildError::Io { path: archive.clone(), source })?;
        let found = manifests.with_scripts(&package, file, place);
        let found = found.map_err(|error| BuildError::of_archive(package, archive, error))?;
        if !found.is_empty() {
            scripts.insert(place.clone(), found);
        }
    }
    Ok(scripts)
}

/// Runs install scripts, where there are some, and gives the archive of what they left: that, and not its own
/// archive, is what is installed of a package that is `built` by them.
pub(crate) async fn run(
    tools: &Tools<'_>,
    packages: &[Package],
    scripts: &Scripts,
    relay: &Relay,
) -> Result<Option<PathBuf>, BuildError> {
    if scripts.is_empty() {
        return Ok(None);
    }
    let files = files(packages, scripts).await?;
    tools.log.begin(Phase::Building);
    tools.log.say(&format!("running the install scripts of {}", named(packages, scripts)));
    let left = tools.run(files, None).await.map_err(|error| match error {
        RunError::Tool => tools.failed(format!("the install scripts failed: {}", last_error(tools.log))),
        RunError::Other(error) => error,
    })?;
    let put = relay.put_built("left.tar.gz", &left.document).await;
    let left = put.map_err(|error| tools.failed(format!("what the install scripts left cannot be kept: {error}")))?;
    Ok(Some(left.path))
}

/// What the sandbox is sent: each archive once, and where it goes.
async fn files(packages: &[Package], scripts: &Scripts) -> Result<Vec<FileIn>, BuildError> {
    let (mut once, mut archives) = (HashMap::new(), Vec::new());
    let mut tree = Vec::with_capacity(packages.len());
    for Package { sha256, place, archive, .. } in packages {
        let next = format!("archives/{}.tgz", once.len());
        let file: &String = once.entry(*sha256).or_insert_with(|| {
            archives.push((next.clone(), archive.clone()));
            next
        });
        let scripts = scripts.get(place).map(Vec::as_slice).unwrap_or_default();
        tree.push(json!({"archive": file, "place": place, "scripts": scripts}));
    }
    let plan = json!({
        "command": [tool::PYTHON, "-I", "scripts.py", "tree.json", LEFT],
        "environment": {"PATH": "/usr/bin:/bin", "HOME": "/tmp/home", "LANG": "C.UTF-8"},
        "document": LEFT,
        "offline": true,
    });
    let mut given = tool::given("the packages with install scripts and all others", archives).await?;
    given.extend([tool::file("scripts.py", RUNNER), tool::file("tree.json", Value::from(tree).to_string())]);
    Ok(tool::files(&plan, given))
}

/// The packages with install scripts, in a line.
fn named(packages: &[Package], scripts: &Scripts) -> String {
    let having = packages.iter().filter(|package| scripts.contains_key(&package.place));
    let mut names: Vec<String> = having.map(|Package { name, version, .. }| format!("{name}@{version}")).collect();
    let others = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if others == 0 { String::new() } else { format!(" and {others} more") };
    names.join(", ") + &more
}

/// The runner's own last words, else those of a script.
fn last_error(log: &Log) -> String {
    let said = log.last(|line| line.starts_with("ERROR: ")).or_else(|| log.last(|line| !line.trim().is_empty()));
    said.map_or_else(|| "they said nothing".to_owned(), |line| line.trim_start_matches("ERROR: ").to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Scripts, files, look_beside, mark, named};
    use crate::Limits;
    use crate::interpreter::Interpreter;
    use crate::lock::{self, Package};
    use faas_types::Language;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::path::{Path, PathBuf};
    use std::time::Duration;
    use tokio::sync::oneshot;

    fn package(name: &str, place: &str, digest: u8, archive: PathBuf) -> Package {
        let (name, version, place) = (name.to_owned(), "1.0.0".to_owned(), place.to_owned());
        Package { name, version, sha256: [digest; 32], place, built: None, archive }
    }

    #[test]
    fn a_line_names_so_many_packages_and_counts_the_others() {
        let package = |number: u8| package(&format!("a{number}"), &format!("a{number}"), number, PathBuf::new());
        let packages: Vec<Package> = (0..12).map(package).collect();
        let having = |count: usize| -> Scripts {
            packages[..count].iter().map(|package| (package.place.clone(), vec![package.place.clone()])).collect()
        };
        assert_eq!(named(&packages, &having(2)), "a0@1.0.0, a1@1.0.0");
        assert!(named(&packages, &having(8)).ends_with(", a7@1.0.0"));
        assert!(named(&packages, &having(10)).ends_with(", a7@1.0.0 and 2 more"));
    }

    #[tokio::test]
    async fn what_is_held_is_held_until_nothing_looks_at_an_archive() {
        let spool = tempfile::tempdir().expect("a directory");
        // Who opens it waits until somebody writes.
        let archive = spool.path().join("archive");
        mknodat(CWD, &archive, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made");
        let (held, mut let_go) = oneshot::channel::<()>();
        drop(look_beside(vec![package("a", "a", 1, archive.clone())], Limits::default(), held));
        assert_eq!(let_go.try_recv(), Err(oneshot::error::TryRecvError::Empty), "its build is over, and it looks");
        tokio::task::spawn_blocking(move || std::fs::File::options().write(true).open(archive));
        let ended = tokio::time::timeout(Duration::from_secs(10), let_go).await;
        assert!(ended.expect("it has read to the end").is_err());
    }

    #[test]
    fn what_scripts_make_for_one_interpreter_is_not_had_for_another() {
        let scripts = Scripts::from([("a".to_owned(), vec!["a".to_owned()])]);
        let lock = |scripts: &Scripts, interpreter: &str| {
            let mut packages = [package("a", "a", 1, PathBuf::new())];
            mark(&mut packages, scripts, &Interpreter::at("node", Path::new(interpreter)));
            lock::text(Language::JavaScript, &mut packages)
        };
        let (one, other) = (lock(&scripts, "/bin/sh"), lock(&scripts, "/bin"));
        assert!(one.contains(" a built by its install scripts for node "), "{one}");
        assert_ne!(lock::digest(&one), lock::digest(&other));
        let none = Scripts::new();
        assert_eq!(lock(&none, "/bin/sh"), lock(&none, "/bin"), "what is only unpacked is the same for all");
    }

    #[tokio::test]
    async fn an_archive_that_is_installed_twice_is_sent_once_to_where_there_is_no_index() {
        let spool = tempfile::tempdir().expect("a directory");
        let package = |name: &str, place: &str, digest: u8| {
            let archive = spool.path().join(name);
            std::fs::write(&archive, name).expect("written");
            package(name, place, digest, archive)
        };
        let packages = [
            package("a", "node_modules/a", 1),
            package("b", "node_modules/b", 2),
            package("a", "node_modules/b/node_modules/a", 1),
        ];
        let scripts = Scripts::from([("node_modules/a".to_owned(), vec!["node_modules/a".to_owned()])]);
        let files = files(&packages, &scripts).await.expect("read");
        let archives: Vec<_> = files.iter().filter(|file| file.path.ends_with(".tgz")).collect();
        assert_eq!(archives.iter().map(|file| &file.content[..]).collect::<Vec<_>>(), [b"a", b"b"]);
        let json = |name: &str| -> serde_json::Value {
            let file = files.iter().find(|file| file.path == name).expect(name);
            serde_json::from_slice(&file.content).expect("JSON")
        };
        let (tree, plan) = (json("tree.json"), json("plan.json"));
        assert_eq!((&tree[0]["archive"], &tree[0]["scripts"][0]), (&tree[2]["archive"], &"node_modules/a".into()));
        assert_eq!((&tree[2]["scripts"], &plan["offline"]), (&serde_json::json!([]), &true.into()));
    }
}

//! From a list of dependencies to archives that can be unpacked.

use crate::dependency::Dependencies;
use crate::error::BuildError;
use crate::interpreter::Interpreter;
use crate::lock::{self, NpmPackage, Package, WheelName};
use crate::log::Phase;
use crate::relay::{Relay, RelayError};
use crate::run::{Left, Tools};
use crate::source::{FromSource, Sources};
use crate::tool;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// What pip resolved. Where it may be built, what has no wheel is, and pip resolves anew with that.
pub(crate) async fn python(
    tools: &Tools<'_>,
    dependencies: &Dependencies,
    relay: &Arc<Relay>,
) -> Result<Vec<Package>, BuildError> {
    let mut sources = Sources::new(tools, relay);
    loop {
        tools.log.begin(Phase::Resolving);
        let files = tool::resolving(dependencies, relay.index(), !sources.built().is_empty());
        let error = match tools.run(files, Some(relay)).await {
            Ok(left) => {
                return wheels(&left, relay, sources.built(), tools.interpreter, |reason| tools.failed(reason));
            }
            Err(error) => tools.explained(error),
        };
        match &error {
            BuildError::NotFound { said, .. } if dependencies.allow_build() => match tool::without_wheel(said) {
                Some(wanted) => sources.build(&wanted).await?,
                None => return Err(error),
            },
            _ => return Err(error),
        }
    }
}

/// What pip downloaded: each file must be one that the index gave, or that was built here.
fn wheels(
    left: &Left,
    relay: &Relay,
    built: &[FromSource],
    interpreter: &Interpreter,
    failed: impl Fn(String) -> BuildError,
) -> Result<Vec<Package>, BuildError> {
    let wheel = |(file, sha256): &(String, [u8; 32])| {
        let refused = |reason: &str| failed(format!("{file:?} {reason}"));
        let WheelName { name, version } = WheelName::parse(file).ok_or_else(|| refused("is not a wheel"))?;
        let fetched = relay.package(sha256).ok_or_else(|| refused("is not what the index gave"))?;
        let package =
            Package { name, version, sha256: *sha256, place: file.clone(), built: None, archive: fetched.path };
        Ok(match built.iter().find(|built| built.wheel == *sha256) {
            None => package,
            Some(FromSource { source, sha256, .. }) => {
                // Of what it looked for when it was built, the wheel's own name says little or nothing.
                let built = Some(format!("from {source} for {interpreter}"));
                Package { sha256: *sha256, built, ..package }
            }
        })
    };
    left.files.iter().map(wheel).collect()
}

/// What npm resolved, fetched from where it says, and compared with the registry's digest.
pub(crate) async fn javascript(
    tools: &Tools<'_>,
    dependencies: &Dependencies,
    relay: &Arc<Relay>,
) -> Result<Vec<Package>, BuildError> {
    let failed = |reason: String| tools.failed(reason);
    tools.log.begin(Phase::Resolving);
    let left = tools.run(tool::resolving(dependencies, relay.index(), false), Some(relay)).await;
    let left = left.map_err(|error| tools.explained(error))?;
    let resolved = lock::read_npm(&left.document, relay.index()).map_err(failed)?;
    let mut once: HashMap<[u8; 64], (usize, String)> = HashMap::new();
    for NpmPackage { origin, path, sha512, .. } in &resolved {
        once.entry(*sha512).or_insert_with(|| (*origin, path.clone()));
    }
    let mut fetches = JoinSet::new();
    for (sha512, (origin, path)) in once {
        let relay = Arc::clone(relay);
        fetches.spawn(async move { (sha512, path.clone(), relay.fetch(origin, &path).await) });
    }
    let mut fetched = HashMap::new();
    while let Some(ended) = fetches.join_next().await {
        let (sha512, path, result) = ended.map_err(|error| failed(error.to_string()))?;
        let archive = result.map_err(|error| match error {
            RelayError::TooLarge(exceeded) => exceeded.into(),
            other => failed(format!("{path}: {other}")),
        })?;
        if archive.sha512 != sha512 {
            return Err(failed(format!("{path}: it is not what the registry gives the SHA-512 of")));
        }
        fetched.insert(sha512, archive);
    }
    let package = |NpmPackage { name, version, place, sha512, .. }| {
        let archive = fetched.get(&sha512)?;
        Some(Package { name, version, sha256: archive.sha256, place, built: None, archive: archive.path.clone() })
    };
    Ok(resolved.into_iter().filter_map(package).collect())
}

#[cfg(test)]
mod tests {
    use super::wheels;
    use crate::interpreter::Interpreter;
    use crate::lock;
    use crate::log::Log;
    use crate::relay::Relay;
    use crate::run::Left;
    use crate::source::FromSource;
    use crate::upstream::Upstream;
    use crate::{BuildError, Index, Limits};
    use faas_types::Language;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    fn relay(spool: &tempfile::TempDir) -> Relay {
        let log = Arc::new(Log::new(Arc::new(|_, _: &str| {}), 1000));
        let upstream = Arc::new(Upstream::new(Duration::from_secs(1)).expect("certificates"));
        let index = Index::new("http://127.0.0.1:9", &[]).expect("an index");
        Relay::new(upstream, index, true, Limits::default(), spool.path(), log)
    }

    fn interpreter(path: &str) -> Interpreter {
        Interpreter::at("python", Path::new(path))
    }

    fn failed(reason: String) -> BuildError {
        BuildError::Failed { reason, log: String::new() }
    }

    #[test]
    fn what_the_sandbox_says_of_packages_that_nobody_fetched_is_not_believed() {
        let spool = tempfile::tempdir().expect("a directory");
        let relay = relay(&spool);
        for (file, why) in [("evil-1-py3-none-any.whl", "not what the index gave"), ("../../etc/passwd", "not a wheel")]
        {
            let left = Left { files: vec![(file.to_owned(), [7; 32])], document: Vec::new() };
            match wheels(&left, &relay, &[], &interpreter("/bin"), failed) {
                Err(BuildError::Failed { reason, .. }) => assert!(reason.contains(why), "{reason}"),
                other => panic!("{file}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_package_that_was_built_is_locked_by_its_source() {
        let spool = tempfile::tempdir().expect("a directory");
        let relay = relay(&spool);
        let wheel = relay.put_built("a-1-py3-none-any.whl", b"PK").await.expect("kept");
        let built = FromSource { wheel: wheel.sha256, source: "a-1.tar.gz".to_owned(), sha256: [9; 32] };
        let left = Left { files: vec![("a-1-py3-none-any.whl".to_owned(), wheel.sha256)], document: Vec::new() };
        let wheels = |path: &str| {
            wheels(&left, &relay, std::slice::from_ref(&built), &interpreter(path), failed).expect("found")
        };
        let mut packages = wheels("/bin");
        let [package] = packages.as_slice() else { panic!("{packages:?}") };
        assert_eq!(package.sha256, [9; 32]);
        assert_eq!(package.place, "a-1-py3-none-any.whl");
        let how = package.built.as_deref();
        assert!(how.is_some_and(|how| how.starts_with("from a-1.tar.gz for python ")), "{how:?}");
        assert_eq!(std::fs::read(&package.archive).expect("there"), b"PK");
        let lock = |packages: &mut [lock::Package]| lock::digest(&lock::text(Language::Python, packages));
        assert_ne!(lock(&mut packages), lock(&mut wheels("/bin/sh")), "for another one it is built anew");
    }
}

//! What the server decides for the launcher, as its arguments.

use std::path::PathBuf;

/// Settings of one launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    /// Where slots are kept; only its owner may write there.
    pub(crate) runtime_dir: PathBuf,
    /// How many sandboxes may live at once.
    pub(crate) max_sandboxes: u32,
    /// The directory of all installed packages.
    pub(crate) packages: Option<PathBuf>,
}

impl Args {
    /// From `faas-launcher RUNTIME_DIR MAX_SANDBOXES [PACKAGES_DIR]`.
    pub(crate) fn parse(mut words: impl Iterator<Item = std::ffi::OsString>) -> Option<Self> {
        let runtime_dir = PathBuf::from(words.nth(1)?);
        let max_sandboxes = words.next()?.to_str()?.parse().ok()?;
        let packages = words.next().map(PathBuf::from);
        let valid = runtime_dir.is_absolute()
            && packages.as_ref().is_none_or(|packages| packages.is_absolute())
            && max_sandboxes > 0
            && max_sandboxes <= faas_sandbox_linux::slot::MOST_SANDBOXES
            && words.next().is_none();
        valid.then_some(Self { runtime_dir, max_sandboxes, packages })
    }
}

#[cfg(test)]
mod tests {
    use super::Args;
    use std::path::PathBuf;

    fn parse(words: &[&str]) -> Option<Args> {
        Args::parse(words.iter().map(|word| std::ffi::OsString::from(*word)))
    }

    #[test]
    fn only_the_exact_form_is_taken() {
        let expected = |packages| Args { runtime_dir: PathBuf::from("/run/faas"), max_sandboxes: 64, packages };
        assert_eq!(parse(&["faas-launcher", "/run/faas", "64"]), Some(expected(None)));
        let packages = Some(PathBuf::from("/data/packages"));
        assert_eq!(parse(&["faas-launcher", "/run/faas", "64", "/data/packages"]), Some(expected(packages)));
        for wrong in [
            &["faas-launcher"][..],
            &["faas-launcher", "/run/faas"],
            &["faas-launcher", "run/faas", "64"],
            &["faas-launcher", "/run/faas", "0"],
            &["faas-launcher", "/run/faas", "8192"],
            &["faas-launcher", "/run/faas", "64", "more"],
            &["faas-launcher", "/run/faas", "64", "/data/packages", "more"],
        ] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}

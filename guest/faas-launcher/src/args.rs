//! What the server decides for the launcher, as its arguments.

use std::path::PathBuf;

/// Settings of one launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    /// Where slots are kept; only its owner may write there.
    pub(crate) runtime_dir: PathBuf,
    /// How many sandboxes may live at once.
    pub(crate) max_sandboxes: u32,
}

impl Args {
    /// From `faas-launcher RUNTIME_DIR MAX_SANDBOXES`.
    pub(crate) fn parse(mut words: impl Iterator<Item = std::ffi::OsString>) -> Option<Self> {
        let runtime_dir = PathBuf::from(words.nth(1)?);
        let max_sandboxes = words.next()?.to_str()?.parse().ok()?;
        let valid = runtime_dir.is_absolute()
            && max_sandboxes > 0
            && max_sandboxes < faas_sandbox_linux::slot::UIDS_PER_SLOT
            && words.next().is_none();
        valid.then_some(Self { runtime_dir, max_sandboxes })
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
        let expected = Args { runtime_dir: PathBuf::from("/run/faas"), max_sandboxes: 64 };
        assert_eq!(parse(&["faas-launcher", "/run/faas", "64"]), Some(expected));
        for wrong in [
            &["faas-launcher"][..],
            &["faas-launcher", "/run/faas"],
            &["faas-launcher", "run/faas", "64"],
            &["faas-launcher", "/run/faas", "0"],
            &["faas-launcher", "/run/faas", "1024"],
            &["faas-launcher", "/run/faas", "64", "more"],
        ] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}

//! The command line of `cargo xtask verify`.

use anyhow::bail;

/// Which steps run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Print the names and run nothing.
    pub(super) list: bool,
    only: Vec<String>,
    skip: Vec<String>,
}

impl Options {
    /// Whether a step runs; `None` when it is not even mentioned.
    pub(super) fn wants(&self, name: &str) -> Option<bool> {
        if !self.only.is_empty() && !self.only.iter().any(|only| only == name) {
            return None;
        }
        Some(!self.skip.iter().any(|skip| skip == name))
    }
}

/// Refuses names that no step has: a misspelt `--only` would otherwise pass by running nothing.
pub(super) fn parse(arguments: &[String], names: &[&str]) -> anyhow::Result<Options> {
    let mut options = Options::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let list = match argument.as_str() {
            "--list" => {
                options.list = true;
                continue;
            }
            "--only" => &mut options.only,
            "--skip" => &mut options.skip,
            unknown => bail!("verify: unknown argument {unknown:?}; accepted: --list, --only NAME, --skip NAME"),
        };
        match rest.next() {
            Some(name) if names.contains(&name.as_str()) => list.push(name.clone()),
            other => bail!("verify: {argument} needs the name of a step, got {other:?}; steps: {}", names.join(", ")),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn arguments(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn chooses_steps() {
        let names = ["fmt", "clippy", "tests"];
        let wants = |text: &str| {
            let options = parse(&arguments(text), &names).expect(text);
            names.map(|name| options.wants(name))
        };
        assert_eq!(wants(""), [Some(true), Some(true), Some(true)]);
        assert_eq!(wants("--skip clippy"), [Some(true), Some(false), Some(true)]);
        assert_eq!(wants("--only fmt --only tests"), [Some(true), None, Some(true)]);
        assert!(parse(&arguments("--list"), &names).expect("a listing").list);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for text in ["--only", "--only format", "--skip --list", "fmt", "--all"] {
            assert!(parse(&arguments(text), &["fmt"]).is_err(), "{text}");
        }
    }
}

//! The arguments of `vm-test`.

use anyhow::{Context, Result, bail};
use std::time::Duration;

pub(super) const USAGE: &str = "\
cargo xtask vm-test [OPTIONS] [-- ARGUMENTS]    run the suites on cgroup v2, in a small virtual machine
  --probes-only          only report what the kernel offers; builds nothing
  --suite NAME           run only this suite (repeatable): probes, conformance, conformance-ordinary,
                         hostile, hostile-copies
  --env NAME=VALUE       set a variable for the suites (repeatable)
  --deadline SECONDS     end the machine after this long (default 2700)
  --memory MIB           memory of the machine (default 4096)
  --release              build the binaries under test with the release profile
  ARGUMENTS              for the suites' test binaries, such as the name of one test";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Empty means all.
    pub(super) suites: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) deadline: Duration,
    pub(super) memory_mib: u32,
    pub(super) release: bool,
    /// For the suites' test binaries.
    pub(super) arguments: Vec<String>,
}

/// `None` when help was asked for.
pub(super) fn parse(args: &[String]) -> Result<Option<Options>> {
    let mut options = Options {
        suites: Vec::new(),
        environment: Vec::new(),
        deadline: Duration::from_secs(2700),
        memory_mib: 4096,
        release: false,
        arguments: Vec::new(),
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "-h" | "--help" => return Ok(None),
            "--probes-only" => options.suites.push("probes".to_owned()),
            "--suite" => options.suites.push(value()?.clone()),
            "--env" => {
                let pair = value()?;
                let (name, content) =
                    pair.split_once('=').with_context(|| format!("--env {pair}: expected NAME=VALUE"))?;
                options.environment.push((name.to_owned(), content.to_owned()));
            }
            "--deadline" => options.deadline = Duration::from_secs(number(arg, value()?)?.into()),
            "--memory" => options.memory_mib = number(arg, value()?)?,
            "--release" => options.release = true,
            "--" => options.arguments = args.by_ref().cloned().collect(),
            _ => bail!("unknown argument {arg}\n{USAGE}"),
        }
    }
    Ok(Some(options))
}

fn number(name: &str, text: &str) -> Result<u32> {
    match text.parse() {
        Ok(0) | Err(_) => bail!("{name} {text}: expected a whole number above 0"),
        Ok(value) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Options>> {
        parse(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn reads_each_option() {
        let options =
            parsed(&["--suite", "a", "--suite", "b", "--env", "K=V=W", "--deadline", "9", "--release", "--", "-x"]);
        let options = options.unwrap().unwrap();
        assert_eq!(options.suites, ["a", "b"]);
        assert_eq!(options.environment, [("K".to_owned(), "V=W".to_owned())]);
        assert_eq!((options.deadline, options.release), (Duration::from_secs(9), true));
        assert_eq!(options.arguments, ["-x"]);
        assert!(parsed(&["--help"]).unwrap().is_none());
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for args in [&["--nope"][..], &["--suite"], &["--env", "x"], &["--deadline", "0"], &["--memory", "-1"]] {
            assert!(parsed(args).is_err(), "{args:?}");
        }
    }
}

//! Options of a server under the names that another platform's document prints. Each is a way to say what an
//! option or a command of ours says; read by [`super::serve`].

use crate::diagnostic::CliError;
use faas_config::{Flags, Key};
use faas_types::ErrorCode;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What `--create-config` writes.
const SAMPLE: &str = include_str!("sample.yaml");
/// Where it does, where `-c` says nothing else.
const SAMPLE_PATH: &str = "faas_config.yaml";
/// Where the server listens when only one half is said.
const HOST: &str = "127.0.0.1";
const PORT: &str = "8080";

/// Options under the names of another platform.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of other platforms' servers")]
pub(crate) struct FamiliarOptions {
    /// The same as --config
    #[arg(short = 'c', value_name = "PATH", conflicts_with = "config")]
    config_file: Option<PathBuf>,

    /// Check this host as `faas doctor --check-system` does, and start nothing
    #[arg(long, conflicts_with = "create_config")]
    pub(super) check_system: bool,

    /// Write a commented sample to faas_config.yaml, or where -c says, and start nothing
    #[arg(long)]
    pub(super) create_config: bool,

    /// The same as --log-level debug
    #[arg(long, conflicts_with = "log_level")]
    debug: bool,

    /// Address to listen on, with --port or 8080
    #[arg(long, value_name = "ADDRESS", conflicts_with = "listen")]
    host: Option<String>,

    /// Port to listen on, at --host or 127.0.0.1
    #[arg(long, value_name = "PORT", conflicts_with = "listen", allow_hyphen_values = true)]
    port: Option<String>,
}

impl FamiliarOptions {
    /// The values that belong to the configuration.
    pub(super) fn flags(&self, flags: Flags) -> Flags {
        let listen = (self.host.is_some() || self.port.is_some()).then(|| {
            let (host, port) = (self.host.as_deref().unwrap_or(HOST), self.port.as_deref().unwrap_or(PORT));
            if host.contains(':') && !host.starts_with('[') {
                format!("[{host}]:{port}")
            } else {
                format!("{host}:{port}")
            }
        });
        flags.with(Key::Listen, listen.as_deref()).with(Key::LogLevel, self.debug.then_some("debug"))
    }

    /// The configuration file, where it is named.
    pub(super) fn config_file<'a>(&'a self, config: Option<&'a Path>) -> Option<&'a Path> {
        self.config_file.as_deref().or(config)
    }
}

/// Writes the sample; says where.
pub(super) fn create_sample(path: Option<&Path>) -> Result<String, CliError> {
    let path = path.unwrap_or(Path::new(SAMPLE_PATH));
    let refused = |error: &io::Error| {
        let next = match error.kind() {
            io::ErrorKind::AlreadyExists => {
                "it is there already and is not overwritten; move it, or name another with -c"
            }
            _ => "name another with -c",
        };
        CliError::new(ErrorCode::ConfigInvalid, format!("{} cannot be made: {error}; {next}", path.display()))
    };
    // It may come to hold secrets.
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(|error| refused(&error))?;
    file.write_all(SAMPLE.as_bytes()).map_err(|error| refused(&error))?;
    Ok(format!("{} is written; start a server with: faas serve -c {}\n", path.display(), path.display()))
}

#[cfg(test)]
mod tests {
    use super::{FamiliarOptions, SAMPLE};
    use clap::Parser;
    use faas_config::{Config, ConfigFile, Flags, Key};
    use std::collections::BTreeMap;

    #[derive(Debug, Parser)]
    struct Server {
        #[arg(long)]
        listen: Option<String>,
        #[arg(long)]
        log_level: Option<String>,
        #[arg(long)]
        config: Option<String>,
        #[command(flatten)]
        familiar: FamiliarOptions,
    }

    fn config(arguments: &[&str]) -> Config {
        let parsed = Server::try_parse_from([&["server"], arguments].concat()).unwrap();
        Config::resolve(None, &BTreeMap::new(), &parsed.familiar.flags(Flags::default())).unwrap()
    }

    #[test]
    fn host_and_port_say_where_to_listen() {
        for (arguments, address) in [
            (["--host", "0.0.0.0", "--port", "81"].as_slice(), "0.0.0.0:81"),
            (&["--host", "0.0.0.0"], "0.0.0.0:8080"),
            (&["--port", "81"], "127.0.0.1:81"),
            (&["--host", "localhost"], "127.0.0.1:8080"),
            (&["--host", "::1", "--port", "81"], "[::1]:81"),
            (&["--host", "[::1]"], "[::1]:8080"),
            (&["--debug"], "127.0.0.1:8080"),
        ] {
            assert_eq!(config(arguments).server.listen.value, [address.parse().unwrap()], "{arguments:?}");
        }
        assert_eq!(config(&["--debug"]).server.log_level.value, "debug");
    }

    #[test]
    fn what_says_the_same_twice_is_refused() {
        for arguments in [
            ["--port=1", "--listen=:2"],
            ["--host=::1", "--listen=:2"],
            ["--debug", "--log-level=info"],
            ["-ca.yaml", "--config=b.yaml"],
            ["--check-system", "--create-config"],
        ] {
            Server::try_parse_from([["server"].as_slice(), &arguments].concat()).expect_err(arguments[0]);
        }
    }

    #[test]
    fn the_sample_holds_and_so_does_everything_that_it_comments_out() {
        let read = |text: &str| {
            let file = ConfigFile { path: "faas_config.yaml".to_owned(), text: text.to_owned() };
            Config::resolve(Some(&file), &BTreeMap::new(), &Flags::default())
        };
        let plain = read(SAMPLE).unwrap();
        let defaults = Config::resolve(None, &BTreeMap::new(), &Flags::default()).unwrap();
        let values = |config: &Config| config.entries().into_iter().map(|entry| entry.value).collect::<Vec<_>>();
        assert_eq!(values(&plain), values(&defaults), "what it sets is what holds anyway");
        assert_eq!(plain.functions.all.len(), 1);
        // `#key` is a key, `# text` is a comment.
        let all = SAMPLE.lines().map(|line| match line.trim_start().strip_prefix('#') {
            Some(key) if !key.starts_with(' ') && !key.is_empty() => line.replacen('#', "", 1),
            _ => line.to_owned(),
        });
        let whole = read(&all.collect::<Vec<_>>().join("\n")).unwrap();
        assert!(whole.entries().iter().any(|entry| entry.key == Key::CompatPorts));
        assert_eq!((whole.functions.all.len(), whole.functions.storage.is_some()), (2, true));
    }
}

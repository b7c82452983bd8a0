//! The configuration read from where it lies: the file, the environment, the flags.

use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use faas_config::{Config, ConfigError, ConfigFile, Flags, is_own_variable};
use faas_types::ErrorCode;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Variables that say which server to talk to; they are no part of the configuration of one.
const CLIENT_VARIABLES: [&str; 2] = ["FAAS_SERVER", "FAAS_API_KEY"];

/// Loads the configuration of a server, which minds its whole environment.
pub(crate) fn load(global: &GlobalOptions, flags: &Flags) -> Result<Config, CliError> {
    load_file(global.config.as_deref(), flags)
}

/// The same from this file, where one is named.
pub(crate) fn load_file(path: Option<&Path>, flags: &Flags) -> Result<Config, CliError> {
    resolve(path, flags, &environment(|_| true))
}

/// Loads the configuration of what runs in this process. Variables that other programs read, too, are
/// not for it.
pub(crate) fn load_own(global: &GlobalOptions, flags: &Flags) -> Result<Config, CliError> {
    resolve(global.config.as_deref(), flags, &environment(|name| is_own_variable(name) || name == "HOME"))
}

fn environment(wanted: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
    // What is not UTF-8 is none of ours.
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| wanted(name) && !CLIENT_VARIABLES.contains(&name.as_str()))
        .collect()
}

fn resolve(path: Option<&Path>, flags: &Flags, env: &BTreeMap<String, String>) -> Result<Config, CliError> {
    let file = read_file(path, env)?;
    Ok(Config::resolve(file.as_ref(), env, flags)?)
}

fn read_file(path: Option<&Path>, env: &BTreeMap<String, String>) -> Result<Option<ConfigFile>, CliError> {
    let named = path.map(Path::to_path_buf).or_else(|| env.get("FAAS_CONFIG_FILE").map(PathBuf::from));
    let must_exist = named.is_some();
    let default = || env.get("HOME").map(|home| Path::new(home).join(".config/faas/config.toml"));
    let Some(path) = named.or_else(default) else { return Ok(None) };
    match read_bounded(&path) {
        Ok(Some(text)) => Ok(Some(ConfigFile { path: path.display().to_string(), text })),
        Ok(None) => Err(ConfigError::TooLarge { path: path.display().to_string() }.into()),
        Err(error) if !must_exist && is_absent(&error) => Ok(None),
        Err(error) => Err(CliError::new(
            ErrorCode::ConfigInvalid,
            format!(
                "configuration file {} cannot be read: {error}; correct --config or FAAS_CONFIG_FILE",
                path.display()
            ),
        )),
    }
}

/// The text of a file, or nothing of one that is too large.
fn read_bounded(path: &Path) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(ConfigFile::MAX_BYTES).unwrap_or(u64::MAX);
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > ConfigFile::MAX_BYTES {
        return Ok(None);
    }
    String::from_utf8(bytes).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn is_absent(error: &io::Error) -> bool {
    // A home that this user may not look into holds no file of theirs.
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied)
}

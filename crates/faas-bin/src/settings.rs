//! The configuration read from where it lies: the file, the environment, the flags.

use crate::cli::GlobalOptions;
use crate::diagnostic::CliError;
use faas_config::{Config, ConfigFile, Flags};
use faas_types::ErrorCode;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Loads the configuration.
pub(crate) fn load(global: &GlobalOptions, flags: &Flags) -> Result<Config, CliError> {
    // What is not UTF-8 is none of ours.
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let file = read_file(global.config.as_deref(), &env)?;
    Ok(Config::resolve(file.as_ref(), &env, flags)?)
}

fn read_file(path: Option<&Path>, env: &BTreeMap<String, String>) -> Result<Option<ConfigFile>, CliError> {
    let named = path.map(Path::to_path_buf).or_else(|| env.get("FAAS_CONFIG_FILE").map(PathBuf::from));
    let must_exist = named.is_some();
    let default = || env.get("HOME").map(|home| Path::new(home).join(".config/faas/config.toml"));
    let Some(path) = named.or_else(default) else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(ConfigFile { path: path.display().to_string(), text })),
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

fn is_absent(error: &io::Error) -> bool {
    // A home that this user may not look into holds no file of theirs.
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied)
}

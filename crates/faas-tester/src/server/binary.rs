//! Which binary is tested.

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// What was built by this process: a test starts a server many times, and all have to be the same.
static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);

/// The server under test: `FAAS_SERVER_BIN`, else the one that cargo builds.
///
/// # Errors
/// Cargo cannot build it.
pub fn built_server() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("FAAS_SERVER_BIN") {
        return Ok(path.into());
    }
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &*built {
        return Ok(path.clone());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(["build", "--quiet", "-p", "faas-bin", "--bin", "faas-server"]).status()?;
    ensure!(status.success(), "cargo could not build faas-server");
    // Tests are in target/PROFILE/deps; cargo build without a profile makes target/debug.
    let test = std::env::current_exe()?;
    let target = test.ancestors().nth(3).with_context(|| format!("{} is not in a target directory", test.display()))?;
    Ok(built.insert(target.join("debug/faas-server")).clone())
}

//! Builds the guest workspace, so that a plain `cargo build` embeds init and the launcher.
//!
//! Init and the CGI runner first, because the launcher embeds them. Static, for musl where that target is installed and
//! else for gnu; always optimised, because init is started for every sandbox. The result is kept
//! beside the profiles' directories and shared by them.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

const GNU: &str = "x86_64-unknown-linux-gnu";
const MUSL: &str = "x86_64-unknown-linux-musl";

fn main() -> Result<(), Box<dyn Error>> {
    let crate_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let workspace = crate_dir.ancestors().nth(2).ok_or("no workspace above this crate")?;
    for input in ["guest", "runtimes", "crates/faas-protocol", "crates/faas-sandbox-linux"] {
        println!("cargo:rerun-if-changed={}", workspace.join(input).display());
    }
    // OUT_DIR is TARGET/PROFILE/build/CRATE-HASH/out.
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let target_dir = out_dir.ancestors().nth(4).ok_or("no target directory above OUT_DIR")?.join("guest");
    let target = if installed(MUSL) { MUSL } else { GNU };

    let init = build(workspace, &target_dir, target, "faas-guest-agent", &[])?;
    let cgi = build(workspace, &target_dir, target, "faas-cgi-runner", &[])?;
    let embedded = [("FAAS_INIT", init.as_path()), ("FAAS_CGI_RUNNER", cgi.as_path())];
    let launcher = build(workspace, &target_dir, target, "faas-launcher", &embedded)?;
    println!("cargo:rustc-env=FAAS_LAUNCHER={}", launcher.display());
    Ok(())
}

/// Whether the toolchain has a target's standard library.
fn installed(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Command::new(rustc)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .is_some_and(|dir| Path::new(dir.trim()).is_dir())
}

fn build(
    workspace: &Path,
    target_dir: &Path,
    target: &str,
    package: &str,
    embedded: &[(&str, &Path)],
) -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("build").args(["--release", "--locked", "--package", package, "--target", target]);
    cargo.arg("--manifest-path").arg(workspace.join("guest/Cargo.toml"));
    cargo.arg("--target-dir").arg(target_dir);
    // The outer build's flags and wrappers (clippy, coverage) are not for the guest.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let outer = text.starts_with("CARGO_") && !KEPT.contains(&&*text);
        if outer || text.starts_with("RUSTC") || text == "RUSTFLAGS" {
            cargo.env_remove(&name);
        }
    }
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static");
    cargo.envs(embedded.iter().copied());
    let output = cargo.output()?;
    if !output.status.success() {
        return Err(format!("building {package} failed:\n{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(target_dir.join(target).join("release").join(package))
}

/// Variables of cargo that say where it works, not how it builds this crate.
const KEPT: [&str; 4] = ["CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_HTTP_CAINFO", "CARGO_NET_GIT_FETCH_WITH_CLI"];

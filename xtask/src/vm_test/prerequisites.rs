//! Gets QEMU, the kernel and a static busybox through `scripts/install-vm-deps`.

use super::Place;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the machine is made with.
pub(super) struct Tools {
    pub(super) kernel: PathBuf,
    /// The kernel's modules that are to be loaded, in order.
    pub(super) modules: Vec<PathBuf>,
    pub(super) busybox: PathBuf,
}

pub(super) enum Readiness {
    Ready(Tools),
    /// Why not, for the SKIP line.
    Unavailable(String),
}

/// The suites need overlayfs where the backend stacks directories, and loop devices to be looked for.
const MODULES: [&str; 2] = ["overlay.ko", "loop.ko"];

pub(super) fn ready(place: &Place) -> Result<Readiness> {
    let script = place.root.join("scripts/install-vm-deps");
    let output = Command::new(&script).output().with_context(|| format!("run {}", script.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Ok(Readiness::Unavailable(last.to_owned()));
    }
    let kernel_tree = place.work.join("kernel");
    let kernel = find(&kernel_tree.join("boot"), &|name| name.starts_with("vmlinuz-"))?;
    let busybox = Some(place.work.join("busybox/bin/busybox")).filter(|path| path.exists());
    let (Some(kernel), Some(busybox)) = (kernel, busybox) else {
        return Ok(Readiness::Unavailable(format!("{} holds no kernel or no busybox", place.work.display())));
    };
    let mut modules = Vec::new();
    for wanted in MODULES {
        modules.extend(find(&kernel_tree.join("lib/modules"), &|name| name == wanted)?);
    }
    Ok(Readiness::Ready(Tools { kernel, modules, busybox }))
}

/// The first file below `directory` with such a name.
fn find(directory: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Option<PathBuf>> {
    if !directory.is_dir() {
        return Ok(None);
    }
    for entry in std::fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if let Some(found) = find(&entry.path(), wanted)? {
                return Ok(Some(found));
            }
        } else if entry.file_name().to_str().is_some_and(wanted) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

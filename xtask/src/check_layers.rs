//! `cargo xtask check-layers`: the rules of the house that a compiler does not check.
//!
//! Reads `cargo metadata` of both workspaces and the sources of every crate; prints each broken rule
//! with the way to mend it and fails when there is one.

mod edges;
mod files;
mod layers;
mod source;

use crate::root;
use anyhow::{Context, bail, ensure};
use edges::Graph;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Folders with Rust sources of ours. `guest` is the nested workspace.
const SOURCE_ROOTS: [&str; 6] = ["crates", "guest", "xtask", "fuzz", "tests", "benches"];

/// Runs the check.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    if let Some(unexpected) = arguments.first() {
        bail!("check-layers takes no arguments, got {unexpected:?}");
    }
    let root = root();
    let graph = graph(&root)?;
    let mut broken: Vec<String> =
        graph.edges.iter().filter_map(|edge| layers::refusal(&edge.from, edge.to.as_deref())).collect();
    let explained = fs::read_to_string(root.join("docs/DEPENDENCIES.md")).context("reading docs/DEPENDENCIES.md")?;
    broken.extend(edges::unexplained(&graph.foreign, &explained));

    let mut sources = Vec::new();
    for folder in SOURCE_ROOTS {
        collect(&root.join(folder), &mut sources)?;
    }
    sources.sort();
    ensure!(!sources.is_empty(), "no Rust source found under {}", root.display());
    for path in &sources {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let relative = path.strip_prefix(&root).unwrap_or(path).to_string_lossy().into_owned();
        broken.extend(files::refusals(&relative, &text));
    }
    report(&graph, sources.len(), &broken)
}

fn report(graph: &Graph, files: usize, broken: &[String]) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    for line in broken {
        writeln!(out, "{line}")?;
    }
    let dependencies = graph.edges.iter().filter(|edge| edge.to.is_some()).count();
    let crates = graph.edges.len() - dependencies;
    writeln!(out, "check-layers: {crates} crates, {dependencies} edges, {files} files, {} rules broken", broken.len())?;
    Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The dependencies of both workspaces.
fn graph(root: &Path) -> anyhow::Result<Graph> {
    let mut graph = Graph::default();
    for manifest in ["Cargo.toml", "guest/Cargo.toml"] {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(root.join(manifest))
            .output()
            .context("starting cargo metadata")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata of {manifest} failed: {complaint}");
        graph.add(&output.stdout).with_context(|| format!("metadata of {manifest}"))?;
    }
    Ok(graph)
}

/// Every `.rs` file under a folder, build output left out.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && entry.file_name() != "target" {
            collect(&path, into)?;
        } else if kind.is_file() && path.extension() == Some(OsStr::new("rs")) {
            into.push(path);
        }
    }
    Ok(())
}

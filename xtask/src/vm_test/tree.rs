//! The files of the machine before they become an archive: a map from path to content, in which a
//! file of this machine keeps its path and every symlink on the way to it.

use super::cpio::Archive;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

enum Node {
    Directory {
        permissions: u32,
    },
    Symlink {
        target: PathBuf,
    },
    /// A file of this machine, read when the archive is written.
    Copied {
        from: PathBuf,
    },
    Made {
        permissions: u32,
        content: Vec<u8>,
    },
    CharacterDevice {
        permissions: u32,
        device: (u32, u32),
    },
}

/// Absolute paths to what is there. The order of the map puts a directory before what is in it.
#[derive(Default)]
pub(super) struct Tree {
    nodes: BTreeMap<PathBuf, Node>,
}

impl Tree {
    pub(super) fn directory(&mut self, path: &str, permissions: u32) {
        self.insert(Path::new(path), Node::Directory { permissions });
    }

    pub(super) fn made(&mut self, path: &str, permissions: u32, content: impl Into<Vec<u8>>) {
        self.insert(Path::new(path), Node::Made { permissions, content: content.into() });
    }

    pub(super) fn character_device(&mut self, path: &str, permissions: u32, device: (u32, u32)) {
        self.insert(Path::new(path), Node::CharacterDevice { permissions, device });
    }

    /// A file of this machine under another name.
    pub(super) fn copied_to(&mut self, path: &str, from: &Path) {
        self.insert(Path::new(path), Node::Copied { from: from.to_owned() });
    }

    /// A file of this machine under another name, or a directory with the files and directories in it.
    pub(super) fn copied_with_all_below(&mut self, path: &str, from: &Path) -> Result<()> {
        if !from.is_dir() {
            self.copied_to(path, from);
            return Ok(());
        }
        self.directory(path, 0o755);
        for entry in std::fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().with_context(|| format!("{} is not UTF-8", entry.path().display()))?;
            self.copied_with_all_below(&format!("{path}/{name}"), &entry.path())?;
        }
        Ok(())
    }

    /// A file or directory of this machine under its own name. A directory comes with all below it for
    /// whose name `keep` answers yes.
    pub(super) fn host(&mut self, path: &Path, keep: &dyn Fn(&str) -> bool) -> Result<()> {
        let (path, metadata) = self.resolve(path)?;
        if !metadata.is_dir() {
            self.insert(&path, Node::Copied { from: path.clone() });
            return Ok(());
        }
        self.insert(&path, Node::Directory { permissions: metadata.permissions().mode() & 0o7777 });
        for entry in std::fs::read_dir(&path).with_context(|| format!("list {}", path.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let dangling = kind.is_symlink() && !entry.path().exists();
            if entry.file_name().to_str().is_some_and(keep)
                && (kind.is_dir() || kind.is_file() || kind.is_symlink())
                && !dangling
            {
                self.host(&entry.path(), keep)?;
            }
        }
        Ok(())
    }

    /// The regular files of this machine that are in it.
    pub(super) fn copied_files(&self) -> Vec<PathBuf> {
        self.nodes
            .values()
            .filter_map(|node| match node {
                Node::Copied { from } => Some(from.clone()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn write<W: Write>(&self, archive: &mut Archive<W>) -> Result<()> {
        for (path, node) in &self.nodes {
            let name = text(path)?.trim_start_matches('/');
            if name.is_empty() {
                continue;
            }
            match node {
                Node::Directory { permissions } => archive.directory(name, *permissions)?,
                Node::Symlink { target } => archive.symlink(name, text(target)?)?,
                Node::Made { permissions, content } => archive.file(name, *permissions, 0, content)?,
                Node::CharacterDevice { permissions, device } => {
                    archive.character_device(name, *permissions, *device)?;
                }
                Node::Copied { from } => {
                    let content = std::fs::read(from).with_context(|| format!("read {}", from.display()))?;
                    let metadata = from.metadata()?;
                    let modified = u32::try_from(metadata.mtime()).unwrap_or(0);
                    archive.file(name, metadata.permissions().mode() & 0o7777, modified, &content)?;
                }
            }
        }
        Ok(())
    }

    /// Walks to a file of this machine, taking the symlinks on the way along; answers where it really is.
    fn resolve(&mut self, path: &Path) -> Result<(PathBuf, Metadata)> {
        let mut real = PathBuf::from("/");
        let mut rest: Vec<OsString> = parts(path);
        let mut links = 0;
        while let Some(name) = rest.pop() {
            let next = if name == ".." { real.parent().unwrap_or(&real).to_owned() } else { real.join(&name) };
            let metadata = next.symlink_metadata().with_context(|| format!("look at {}", next.display()))?;
            if !metadata.is_symlink() {
                real = next;
                continue;
            }
            links += 1;
            if links > 40 {
                bail!("{} has too many symlinks", path.display());
            }
            let target = std::fs::read_link(&next)?;
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            rest.extend(parts(&target));
            self.insert(&next, Node::Symlink { target });
        }
        let metadata = real.metadata().with_context(|| format!("look at {}", real.display()))?;
        Ok((real, metadata))
    }

    /// Puts a node in, with the directories above it.
    fn insert(&mut self, path: &Path, node: Node) {
        for above in path.ancestors().skip(1) {
            self.nodes.entry(above.to_owned()).or_insert(Node::Directory { permissions: 0o755 });
        }
        self.nodes.insert(path.to_owned(), node);
    }
}

/// The parts of a path, last first.
fn parts(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    });
    let mut parts: Vec<OsString> = named.collect();
    parts.reverse();
    parts
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_file_comes_with_its_symlinks_and_directories() {
        let base = std::env::temp_dir().canonicalize().unwrap().join(format!("faas-xtask-tree-{}", std::process::id()));
        std::fs::create_dir_all(base.join("real/skip")).unwrap();
        std::fs::write(base.join("real/file"), "content").unwrap();
        std::fs::write(base.join("real/skip/inside"), "no").unwrap();
        std::os::unix::fs::symlink("real", base.join("link")).unwrap();
        std::os::unix::fs::symlink("../nowhere", base.join("real/dangling")).unwrap();

        let mut tree = Tree::default();
        tree.host(&base.join("link"), &|name| name != "skip").unwrap();
        let mut archive = Archive::new(Vec::new());
        tree.write(&mut archive).unwrap();
        let bytes = String::from_utf8(archive.finish().unwrap()).unwrap();
        std::fs::remove_dir_all(&base).unwrap();

        assert_eq!(tree.copied_files(), [base.join("real/file")]);
        assert!(
            matches!(tree.nodes.get(&base.join("link")), Some(Node::Symlink { target }) if target == Path::new("real"))
        );
        assert!(bytes.contains("content") && !bytes.contains("inside") && !bytes.contains("dangling"));
        assert!(bytes.find("real\0") < bytes.find("real/file\0"));
    }
}

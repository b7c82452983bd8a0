//! Which npm packages would run code of theirs when they are installed: read from the archives, for what a
//! registry says of them may be something else.
//!
//! Invariant: what is read counts towards the limits as what is unpacked does.

use super::archive;
use crate::limits::Limits;
use crate::lock::is_npm_place;
use faas_archive::{ArchiveError, Content, Entry, Format, Relative, TooLarge};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;

/// The most bytes of a manifest.
const MAX_MANIFEST: usize = 1 << 20;

/// Looks through archives, and knows what they have taken of the limits.
pub(crate) struct Manifests<'a> {
    limits: &'a Limits,
    entries: u32,
    bytes: u64,
}

/// What decides whether a package has an install script.
#[derive(Debug, Default)]
struct Found {
    manifest: Vec<u8>,
    /// Whether it has something that node-gyp builds where it does not say how to install it.
    has_gyp: bool,
}

impl<'a> Manifests<'a> {
    pub(crate) const fn new(limits: &'a Limits) -> Self {
        Self { limits, entries: 0, bytes: 0 }
    }

    /// The places of the packages in a tarball that have install scripts: of the one that goes to `place`, and
    /// of those that it brings along. `name` is what errors call it.
    pub(crate) fn with_scripts(&mut self, name: &str, file: File, place: &str) -> Result<Vec<String>, ArchiveError> {
        let mut packages: BTreeMap<String, Found> = BTreeMap::new();
        archive(self.limits, Format::TarGz, name, &file)?.read(file, |entry| {
            let Entry { path, is_directory, content, .. } = entry;
            self.count(&content)?;
            let inner = Relative::parse(path)?;
            let Some((_, inner)) = inner.as_str().split_once('/').filter(|_| !is_directory) else { return Ok(()) };
            let (directory, file) = inner.rsplit_once('/').unwrap_or(("", inner));
            if !directory.is_empty() && !is_npm_place(directory) {
                return Ok(());
            }
            let place = if directory.is_empty() { place.to_owned() } else { format!("{place}/{directory}") };
            match file {
                // Of two, the last is the one that is installed.
                "package.json" => packages.entry(place).or_default().manifest = text(content)?,
                "binding.gyp" => packages.entry(place).or_default().has_gyp = true,
                _ => {}
            }
            Ok::<(), ArchiveError>(())
        })?;
        Ok(packages.into_iter().filter(|(_, found)| found.has_script()).map(|(place, _)| place).collect())
    }

    fn count(&mut self, content: &Content<'_>) -> Result<(), TooLarge> {
        let Limits { entries, unpacked, .. } = self.limits;
        let what = "what the dependencies unpack to";
        self.entries += 1;
        if self.entries > *entries {
            return Err(TooLarge::new(what, format!("{entries} files and directories")));
        }
        self.bytes = self.bytes.saturating_add(content.size());
        if self.bytes > unpacked.as_bytes() { Err(TooLarge::new(what, unpacked)) } else { Ok(()) }
    }
}

impl Found {
    /// As npm judges it. Of what is no manifest nothing is ever run.
    fn has_script(&self) -> bool {
        let manifest = self.manifest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.manifest);
        let Ok(manifest) = serde_json::from_slice::<Value>(manifest) else { return false };
        let has = |event: &str| {
            let script = manifest.get("scripts").and_then(|scripts| scripts.get(event)).and_then(Value::as_str);
            script.is_some_and(|script| !script.is_empty())
        };
        let is_built = self.has_gyp && manifest.get("gypfile") != Some(&Value::Bool(false));
        has("preinstall") || has("install") || has("postinstall") || is_built
    }
}

fn text(mut content: Content<'_>) -> Result<Vec<u8>, ArchiveError> {
    let refused = || ArchiveError::Refused("its package.json is larger than 1Mi".to_owned());
    let length = usize::try_from(content.size()).ok().filter(|length| *length <= MAX_MANIFEST).ok_or_else(refused)?;
    let mut text = Vec::with_capacity(length);
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = content.read(&mut buffer)?;
        if count == 0 {
            return Ok(text);
        }
        text.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
}

//! What was resolved, as text: the same packages have the same text, and its digest is their name.

mod npm;
mod wheel;

pub(crate) use npm::{NpmPackage, is_place as is_npm_place, read as read_npm};
pub(crate) use wheel::{WheelName, source_name};

use faas_types::{Language, PackagesId};
use std::fmt::Write as _;
use std::path::PathBuf;

/// The version of the text, and of the layout it leads to.
const VERSION: u32 = 1;

/// One resolved package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Of what the index gave: of the source, where it was built from one, for each build makes other bytes.
    pub(crate) sha256: [u8; 32],
    /// The file name of a wheel, or the directory of an npm package.
    pub(crate) place: String,
    /// How its own code made what is installed, where it did.
    pub(crate) built: Option<String>,
    /// The archive to unpack.
    pub(crate) archive: PathBuf,
}

/// The lock of these packages, which are put in the order of their places.
pub(crate) fn text(language: Language, packages: &mut [Package]) -> String {
    packages.sort_by(|one, other| one.place.cmp(&other.place));
    let mut text = format!("# faas.lock {VERSION} {language}\n");
    let between = if language == Language::Python { "==" } else { "@" };
    for Package { name, version, sha256, place, built, .. } in packages {
        // Both are 32 bytes, and have one text.
        let digest = PackagesId::from_bytes(*sha256);
        // Writing to a text cannot fail.
        let _ = write!(text, "{name}{between}{version} sha256:{digest} {place}");
        if let Some(how) = built {
            let _ = write!(text, " built {how}");
        }
        text.push('\n');
    }
    text
}

/// The name of what a lock describes.
pub(crate) fn digest(lock: &str) -> PackagesId {
    PackagesId::from_bytes(*blake3::hash(lock.as_bytes()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{Package, digest, text};
    use faas_types::Language;
    use std::path::PathBuf;

    #[test]
    fn the_order_of_fetching_does_not_show() {
        let package = |name: &str| Package {
            name: name.to_owned(),
            version: "1".to_owned(),
            sha256: [0xab; 32],
            place: format!("node_modules/{name}"),
            built: None,
            archive: PathBuf::from("elsewhere"),
        };
        let one = text(Language::JavaScript, &mut [package("b"), package("a")]);
        assert_eq!(digest(&one), digest(&text(Language::JavaScript, &mut [package("a"), package("b")])));
        let digits = "ab".repeat(32);
        let lines = format!("a@1 sha256:{digits} node_modules/a\nb@1 sha256:{digits} node_modules/b\n");
        assert_eq!(one, format!("# faas.lock 1 javascript\n{lines}"));
        assert_ne!(digest(&one), digest(&text(Language::JavaScript, &mut [package("a")])));
        let built = Package { built: Some("by its install scripts".to_owned()), ..package("a") };
        let built = text(Language::JavaScript, &mut [built, package("b")]);
        let line = "node_modules/a built by its install scripts\n";
        assert!(built.contains(line) && built.replace(line, "node_modules/a\n") == one, "{built}");
    }
}

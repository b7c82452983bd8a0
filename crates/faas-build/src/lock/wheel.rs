//! Names of wheels: `NAME-VERSION(-BUILD)-PYTHON-ABI-PLATFORM.whl`.

use crate::dependency::normalised;

/// What a wheel's file name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WheelName {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl WheelName {
    /// `None` for what is not such a name.
    pub(crate) fn parse(file: &str) -> Option<Self> {
        let stem = file.strip_suffix(".whl").filter(|stem| is_harmless(stem))?;
        let parts: Vec<&str> = stem.split('-').collect();
        let [name, version, ..] = parts.as_slice() else { return None };
        let whole = matches!(parts.len(), 5 | 6) && parts.iter().all(|part| !part.is_empty());
        whole.then(|| Self { name: normalised(name), version: (*version).to_owned() })
    }
}

/// The name of the package that a source's file name says, and its version: `NAME-VERSION.tar.gz`, or `.zip`.
pub(crate) fn source_name(file: &str) -> Option<(String, String)> {
    let stem = file.strip_suffix(".tar.gz").or_else(|| file.strip_suffix(".zip")).filter(|stem| is_harmless(stem))?;
    let (name, version) = stem.rsplit_once('-')?;
    let whole = name.starts_with(|letter: char| letter.is_ascii_alphanumeric()) && !version.is_empty();
    whole.then(|| (normalised(name), version.to_owned()))
}

fn is_harmless(stem: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'!');
    stem.len() < 250 && stem.bytes().all(harmless)
}

#[cfg(test)]
mod tests {
    use super::{WheelName, source_name};

    #[test]
    fn only_names_of_sources_are_taken() {
        let pair = |name: &str, version: &str| Some((name.to_owned(), version.to_owned()));
        assert_eq!(source_name("Zope.interface_x-6.0.tar.gz"), pair("zope-interface-x", "6.0"));
        assert_eq!(source_name("a-b-1.zip"), pair("a-b", "1"));
        for wrong in ["a.tar.gz", "a-.zip", "-r-1.zip", "../a-1.tar.gz", "a-1.tar.xz", "a-1/b.zip", "a-1\n.zip"] {
            assert_eq!(source_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_names_of_wheels_are_taken() {
        let parsed = WheelName::parse("Zope.interface_x-6.0-1-cp311-cp311-manylinux_2_17_x86_64.whl").expect("a name");
        assert_eq!((parsed.name.as_str(), parsed.version.as_str()), ("zope-interface-x", "6.0"));
        for wrong in [
            "a-1-py3-none-any.zip",
            "a-1.whl",
            "../a-1-py3-none-any.whl",
            "a-1-py3--any.whl",
            "a b-1-py3-none-any.whl",
            ".whl",
        ] {
            assert_eq!(WheelName::parse(wrong), None, "{wrong}");
        }
    }
}

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
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'!');
        let stem = file.strip_suffix(".whl").filter(|stem| stem.len() < 250 && stem.bytes().all(harmless))?;
        let parts: Vec<&str> = stem.split('-').collect();
        let [name, version, ..] = parts.as_slice() else { return None };
        let whole = matches!(parts.len(), 5 | 6) && parts.iter().all(|part| !part.is_empty());
        whole.then(|| Self { name: normalised(name), version: (*version).to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::WheelName;

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

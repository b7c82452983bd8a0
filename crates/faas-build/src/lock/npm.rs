//! npm's own lock, which says what goes where. It comes out of the sandbox, so every field is checked.

use crate::dependency::is_npm_name;
use crate::index::Index;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The most packages of one lock.
const MAX_PACKAGES: usize = 10_000;
/// The most bytes of a place: nested deeper, paths would not fit anyway.
const MAX_PLACE_BYTES: usize = 512;

/// One package of npm's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NpmPackage {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The directory it goes to: `node_modules/a/node_modules/b`.
    pub(crate) place: String,
    /// Which of the index's origins has it, and its path there.
    pub(crate) origin: usize,
    pub(crate) path: String,
    pub(crate) sha512: [u8; 64],
}

/// Reads npm's lock.
///
/// # Errors
/// What is wrong with it, in a line.
pub(crate) fn read(document: &[u8], index: &Index) -> Result<Vec<NpmPackage>, String> {
    let document: Value =
        serde_json::from_slice(document).map_err(|error| format!("npm's lock is not JSON: {error}"))?;
    let packages = document.get("packages").and_then(Value::as_object).ok_or("npm's lock lists no packages")?;
    if packages.len() > MAX_PACKAGES {
        return Err(format!("npm's lock lists more than {MAX_PACKAGES} packages"));
    }
    let mut read = Vec::new();
    for (place, package) in packages {
        let is = |field: &str| package.get(field).and_then(Value::as_bool).unwrap_or(false);
        // The first is the function itself; a bundled one lies in the archive of another.
        if place.is_empty() || is("inBundle") || (is("optional") && !fits(package)) {
            continue;
        }
        let refused = |why: &str| format!("{}: {why}", place.chars().take(100).collect::<String>());
        let name = name_of(place).ok_or_else(|| refused("it is not a place of a package"))?;
        let text = |field: &str| package.get(field).and_then(Value::as_str);
        let version =
            text("version").filter(|version| is_version(version)).ok_or_else(|| refused("it has no version"))?;
        let resolved = text("resolved").ok_or_else(|| refused("it does not come from the registry"))?;
        let (origin, path) = index
            .origins
            .iter()
            .enumerate()
            .find_map(|(number, origin)| Some((number, resolved.strip_prefix(&origin.address)?)))
            .filter(|(_, path)| path.starts_with('/'))
            .ok_or_else(|| refused("it does not come from the registry"))?;
        let integrity = text("integrity").unwrap_or_default();
        read.push(NpmPackage {
            name,
            version: version.to_owned(),
            place: place.clone(),
            origin,
            path: path.to_owned(),
            sha512: sha512(integrity).ok_or_else(|| refused("the registry gives no SHA-512 of it"))?,
        });
    }
    Ok(read)
}

/// Whether packages can lie there: `node_modules/a/node_modules/b`.
pub(crate) fn is_place(text: &str) -> bool {
    name_of(text).is_some()
}

/// The name of the package that lies in a place.
fn name_of(place: &str) -> Option<String> {
    let rest = place.strip_prefix("node_modules/").filter(|_| place.len() <= MAX_PLACE_BYTES)?;
    let parts: Vec<&str> = rest.split("/node_modules/").collect();
    let last = parts.last()?;
    parts.iter().all(|part| is_npm_name(part)).then(|| (*last).to_owned())
}

fn is_version(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'))
}

fn sha512(integrity: &str) -> Option<[u8; 64]> {
    let digest = integrity.split(' ').find_map(|one| one.strip_prefix("sha512-"))?;
    STANDARD.decode(digest).ok()?.try_into().ok()
}

/// Whether an optional package says that it is for this host.
fn fits(package: &Value) -> bool {
    let cpu = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    [("os", "linux"), ("cpu", cpu), ("libc", "glibc")].into_iter().all(|(field, ours)| {
        let Some(listed) = package.get(field).and_then(Value::as_array) else { return true };
        let listed: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
        let excluded = listed.iter().any(|one| one.strip_prefix('!') == Some(ours));
        let wanted = listed.iter().any(|one| !one.starts_with('!'));
        !excluded && (!wanted || listed.contains(&ours))
    })
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::Index;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    fn package() -> Value {
        let integrity = format!("sha512-{}", STANDARD.encode([7; 64]));
        json!({"version": "1.2.3-a.1+b", "resolved": "https://registry.example/a/-/a.tgz", "integrity": integrity})
    }

    fn with(field: &str, value: Value) -> Value {
        let mut package = package();
        package[field] = value;
        package
    }

    fn read_one(place: &str, package: &Value) -> Result<Vec<super::NpmPackage>, String> {
        let index = Index::new("https://registry.example", &[]).expect("an index");
        read(json!({"packages": {"": {}, place: package}}).to_string().as_bytes(), &index)
    }

    #[test]
    fn a_package_has_its_place_its_origin_and_its_digest() {
        let read = read_one("node_modules/@s/a/node_modules/b", &package()).expect("read");
        let [package] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!((package.name.as_str(), package.origin, package.path.as_str()), ("b", 0, "/a/-/a.tgz"));
        assert_eq!(package.sha512, [7; 64]);
    }

    #[test]
    fn places_outside_and_packages_from_elsewhere_are_refused() {
        for place in [
            "../a",
            "/etc/a",
            "node_modules/../a",
            "node_modules/a/b",
            "node_modules/",
            "a",
            "node_modules/a/node_modules/..",
        ] {
            assert!(read_one(place, &package()).is_err(), "{place}");
        }
        for (field, value) in [
            ("resolved", json!("https://elsewhere.example/a.tgz")),
            ("resolved", json!("https://registry.example.elsewhere.example/a.tgz")),
            ("resolved", json!("https://registry.example@elsewhere.example/a.tgz")),
            ("resolved", json!("file:../../etc/passwd")),
            ("resolved", json!("git+ssh://git@host/a")),
            ("resolved", Value::Null),
            ("integrity", json!("sha1-AAAA")),
            ("integrity", json!("sha512-AAAA")),
            ("version", json!("1\n2 sha256:0")),
            ("version", json!("")),
        ] {
            assert!(read_one("node_modules/a", &with(field, value.clone())).is_err(), "{field} {value}");
        }
        assert!(super::read(b"[]", &Index::new("https://x", &[]).expect("an index")).is_err());
        assert!(super::read(b"{", &Index::new("https://x", &[]).expect("an index")).is_err());
    }

    #[test]
    fn what_is_for_other_hosts_or_lies_in_another_archive_is_left_out() {
        let mut other = with("os", json!(["darwin"]));
        assert_eq!(read_one("node_modules/a", &other).map(|read| read.len()), Ok(1), "it is not optional");
        other["optional"] = json!(true);
        assert_eq!(read_one("node_modules/a", &other).map(|read| read.len()), Ok(0));
        other["os"] = json!(["!win32"]);
        assert_eq!(read_one("node_modules/a", &other).map(|read| read.len()), Ok(1));
        assert_eq!(read_one("node_modules/a", &json!({"inBundle": true})).map(|read| read.len()), Ok(0));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_as_a_place_stays_below(place in "[a@./n-]{0,10}|node_modules/[a@./-]{0,10}") {
            if let Some(name) = super::name_of(&place) {
                proptest::prop_assert!(place.starts_with("node_modules/") && !place.contains("..") && place.ends_with(&name));
            }
        }
    }
}

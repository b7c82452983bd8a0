//! Names of Python distributions with extras and version specifiers, as PEP 508 writes them, without
//! its addresses and markers.

use super::Entry;

pub(super) const ACCEPTED: &str =
    "a name with extras and versions, such as requests==2.28.0 or uvicorn[standard]>=0.30,<1";

const OPERATORS: [&str; 7] = ["~=", "==", "!=", "<=", ">=", "<", ">"];

pub(super) fn parse(text: &str) -> Result<Entry, String> {
    if text.contains(';') {
        return Err("markers after a semicolon are not accepted; list what this host's interpreter needs".to_owned());
    }
    if text.contains('@') {
        return Err("addresses are not accepted; name a package of the index".to_owned());
    }
    let mut rest = text.trim_matches(' ');
    let name = take_name(&mut rest)?;
    let mut extras = Vec::new();
    if let Some(inner) = rest.strip_prefix('[') {
        let (inner, after) = inner.split_once(']').ok_or("its list of extras does not end; close it with ]")?;
        for extra in inner.split(',') {
            let mut extra = extra.trim_matches(' ');
            extras.push(take_name(&mut extra)?.to_lowercase());
            if !extra.is_empty() {
                return Err(format!("{extra:?} is not part of an extra's name; remove it"));
            }
        }
        extras.sort();
        extras.dedup();
        rest = after.trim_start_matches(' ');
    }
    let versions = if rest.is_empty() { String::new() } else { specifiers(rest)? };
    let key = normalised(name);
    let name = if extras.is_empty() { key.clone() } else { format!("{key}[{}]", extras.join(",")) };
    Ok(Entry { key, name, versions })
}

/// The name of a distribution as indexes compare it.
pub(crate) fn normalised(name: &str) -> String {
    let mut normalised = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !normalised.is_empty() {
            normalised.push('-');
        }
        normalised.push_str(&part.to_ascii_lowercase());
    }
    normalised
}

/// Takes a name and the spaces behind it off the front.
fn take_name<'a>(rest: &mut &'a str) -> Result<&'a str, String> {
    let end = rest
        .find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_' | '.'))
        .unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let bounded = |name: &str| {
        name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
            && name.ends_with(|letter: char| letter.is_ascii_alphanumeric())
    };
    if !bounded(name) {
        return Err("a name begins and ends with a letter or digit and has letters, digits, '.', '-' and '_' between; spell it as the index does".to_owned());
    }
    *rest = after.trim_start_matches(' ');
    Ok(name)
}

fn specifiers(text: &str) -> Result<String, String> {
    let mut all = Vec::new();
    for specifier in text.split(',') {
        let specifier = specifier.trim_matches(' ');
        let operator = OPERATORS
            .into_iter()
            .find(|operator| specifier.starts_with(operator))
            .ok_or_else(|| format!("{specifier:?} does not begin with one of {}; begin it so", OPERATORS.join(" ")))?;
        let version = specifier.get(operator.len()..).unwrap_or_default().trim_start_matches(' ');
        if !is_version(version, operator) {
            return Err(format!(
                "{version:?} is not a version that {operator} compares with; write one such as 2.28.0"
            ));
        }
        all.push(format!("{operator}{version}"));
    }
    all.sort();
    Ok(all.join(","))
}

fn is_version(version: &str, operator: &str) -> bool {
    let plain = match version.strip_suffix(".*") {
        Some(prefix) if matches!(operator, "==" | "!=") => prefix,
        _ => version,
    };
    plain.starts_with(|letter: char| letter.is_ascii_digit())
        && plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'!' | b'-' | b'_'))
}

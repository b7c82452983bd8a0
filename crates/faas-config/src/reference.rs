//! The description of every key, for the documentation and the command line.

use crate::Key;

/// Every key as Markdown that reads well as plain text too.
#[must_use]
pub fn reference() -> String {
    Key::ALL.iter().map(|key| section(*key)).collect::<Vec<_>>().join("\n")
}

fn section(key: Key) -> String {
    let info = key.info();
    let mut out = format!("### {}\n\n{}\n\n", info.name, info.about);
    out.push_str(&format!("- default: {}\n- accepted: {}\n", info.default, info.accepted));
    out.push_str(&format!("- variable: `{}`; option: `{}`\n", info.env, info.flag));
    if !info.also.is_empty() {
        let names: Vec<String> = info.also.iter().map(|name| format!("`{name}`")).collect();
        out.push_str(&format!("- also read: {}\n", names.join(", ")));
    }
    out
}

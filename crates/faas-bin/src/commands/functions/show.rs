//! Functions as tables.

use crate::printed::Table;
use faas_client::model::{AliasesAnswer, FunctionAnswer, VersionAnswer};
use serde_json::{Map, Value};

/// One line per function.
pub(super) fn table(functions: &[FunctionAnswer]) -> Table {
    let mut table = Table::new(&["NAME", "LIVE", "NEWEST", "RUNTIME", "CONTRACT", "ROUTES", "CHANGED"]);
    for function in functions {
        table.row(&[
            function.name.as_str(),
            &function.live.to_string(),
            &function.newest.to_string(),
            &text(&function.definition, "runtime"),
            &text(&function.definition, "contract"),
            &text(&function.definition, "routes"),
            &function.updated_at.to_string(),
        ]);
    }
    table
}

/// One line per version.
pub(super) fn versions(versions: &[VersionAnswer]) -> Table {
    let mut table = Table::new(&["VERSION", "LIVE", "ALIASES", "RUNTIME", "DEPLOYED"]);
    for version in versions {
        let aliases: Vec<_> = version.aliases.iter().map(faas_types::AliasName::as_str).collect();
        table.row(&[
            &version.version.to_string(),
            if version.live { "*" } else { "" },
            &aliases.join(", "),
            &text(&version.definition, "runtime"),
            &version.deployed_at.to_string(),
        ]);
    }
    table
}

/// One line per alias.
pub(super) fn aliases(answer: &AliasesAnswer) -> Table {
    let mut table = Table::new(&["ALIAS", "VERSION"]);
    for (alias, version) in &answer.aliases {
        table.row(&[alias.as_str(), &version.to_string()]);
    }
    table
}

/// One line per thing to be said about a function. Values of variables are for `--json`.
pub(super) fn details(function: &FunctionAnswer) -> Table {
    let mut table = Table::new(&["FIELD", "VALUE"]);
    let mut row = |name: &str, value: &str| table.row(&[name, value]);
    row("name", function.name.as_str());
    row("id", &function.id.to_string());
    row("version", &function.version.to_string());
    row("live", &function.live.to_string());
    row("newest", &function.newest.to_string());
    for (alias, version) in &function.aliases {
        row(&format!("alias {alias}"), &version.to_string());
    }
    for (name, value) in &function.definition {
        match (name.as_str(), value) {
            ("code", Value::String(code)) => row("code", &format!("{} bytes", code.len())),
            ("files", Value::Object(files)) => {
                files.keys().for_each(|path| row("file", path));
            }
            ("env", Value::Object(variables)) => {
                variables.keys().for_each(|variable| row("env", variable));
            }
            (name, Value::Object(members)) => {
                members.keys().for_each(|member| row(&format!("{name}.{member}"), &text(members, member)));
            }
            (name, _) => row(name, &text(&function.definition, name)),
        }
    }
    row("created", &function.created_at.to_string());
    row("changed", &function.updated_at.to_string());
    row("deployed", &function.deployed_at.to_string());
    table
}

/// A member as it is read: texts without quotes, lists with commas.
fn text(members: &Map<String, Value>, name: &str) -> String {
    match members.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let item = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
            items.iter().map(item).collect::<Vec<_>>().join(", ")
        }
        Some(value) => value.to_string(),
    }
}

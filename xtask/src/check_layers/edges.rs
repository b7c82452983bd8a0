//! Who depends on what, out of `cargo metadata --no-deps`.

use anyhow::Context;
use serde_json::Value;
use std::collections::BTreeSet;

/// The dependencies of one or more workspaces.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Graph {
    /// Between crates of ours.
    pub(super) edges: Vec<Edge>,
    /// Direct dependencies that are not ours.
    pub(super) foreign: BTreeSet<String>,
}

/// One crate, or one of its dependencies on a crate of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edge {
    /// The crate.
    pub(super) from: String,
    /// What it depends on; `None` for the crate itself, so that one without edges is known too.
    pub(super) to: Option<String>,
}

impl Graph {
    /// Dependencies by path are ours; those of every kind count, for tests and builds too.
    pub(super) fn add(&mut self, metadata: &[u8]) -> anyhow::Result<()> {
        let metadata: Value = serde_json::from_slice(metadata).context("not JSON")?;
        for package in metadata["packages"].as_array().context("no packages")? {
            let from = package["name"].as_str().context("a package without name")?;
            self.edges.push(Edge { from: from.to_owned(), to: None });
            for dependency in package["dependencies"].as_array().context("a package without dependencies")? {
                let to = dependency["name"].as_str().context("a dependency without name")?.to_owned();
                if dependency["path"].is_string() {
                    self.edges.push(Edge { from: from.to_owned(), to: Some(to) });
                } else {
                    self.foreign.insert(to);
                }
            }
        }
        Ok(())
    }
}

/// Which of them have no row in `docs/DEPENDENCIES.md`.
pub(super) fn unexplained(foreign: &BTreeSet<String>, document: &str) -> Vec<String> {
    let has_row = |name: &str| document.lines().any(|line| line.starts_with(&format!("| {name} |")));
    let unexplained = foreign.iter().filter(|name| !has_row(name));
    unexplained
        .map(|name| format!("docs/DEPENDENCIES.md: no row for {name}; say what it is for and why this one"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Edge, Graph, unexplained};

    #[test]
    fn dependencies_by_path_are_edges_and_the_rest_is_foreign() {
        let json = r#"{"packages":[
            {"name":"a","dependencies":[{"name":"serde","kind":null},{"name":"b","path":"/b","kind":"dev"}]},
            {"name":"b","dependencies":[]}]}"#;
        let edge = |from: &str, to: Option<&str>| Edge { from: from.to_owned(), to: to.map(str::to_owned) };
        let mut graph = Graph::default();
        graph.add(json.as_bytes()).expect("good metadata");
        assert_eq!(graph.edges, [edge("a", None), edge("a", Some("b")), edge("b", None)]);
        assert_eq!(graph.foreign, ["serde".to_owned()].into());
    }

    #[test]
    fn another_shape_is_an_error() {
        for json in ["", "{}", r#"{"packages":[{"name":"a"}]}"#] {
            assert!(Graph::default().add(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn a_foreign_crate_needs_its_own_row() {
        let foreign = ["serde".to_owned(), "serde_json".to_owned()].into();
        let missing = unexplained(&foreign, "| serde_json | JSON | the standard |\nserde is good\n");
        assert_eq!(missing.len(), 1);
        assert!(missing[0].contains("no row for serde;"), "{}", missing[0]);
    }
}

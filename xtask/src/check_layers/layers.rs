//! The layers of `docs/ARCHITECTURE.md`: a crate depends on lower layers only.

/// Where a crate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the main workspace, at this height.
    Layer(u8),
    /// In the guest workspace: small programs over contracts and mechanisms.
    Guest,
    /// Beside the product: its own checks.
    Apart,
}

const LAYERS: [(&str, Place); 33] = [
    ("faas-types", Place::Layer(0)),
    ("faas-config", Place::Layer(1)),
    ("faas-telemetry", Place::Layer(1)),
    ("faas-protocol", Place::Layer(1)),
    ("faas-executor-api", Place::Layer(1)),
    ("faas-store-api", Place::Layer(1)),
    ("faas-api-model", Place::Layer(1)),
    ("faas-archive", Place::Layer(1)),
    ("faas-scheduler", Place::Layer(1)),
    ("faas-sandbox-linux", Place::Layer(2)),
    ("faas-snapshot", Place::Layer(2)),
    ("faas-net", Place::Layer(2)),
    ("faas-build", Place::Layer(2)),
    ("faas-routes", Place::Layer(2)),
    ("faas-executor-process", Place::Layer(BACKEND)),
    ("faas-executor-wasm", Place::Layer(BACKEND)),
    ("faas-executor-docker", Place::Layer(BACKEND)),
    ("faas-executor-microvm", Place::Layer(BACKEND)),
    ("faas-store-sqlite", Place::Layer(BACKEND)),
    ("faas-store-postgres", Place::Layer(BACKEND)),
    ("faas-routes-file", Place::Layer(BACKEND)),
    ("faas-usage-tracker", Place::Layer(4)),
    ("faas-orchestrator", Place::Layer(4)),
    ("faas-gateway", Place::Layer(5)),
    ("faas-tangle", Place::Layer(5)),
    ("faas-client", Place::Layer(5)),
    ("faas-lib", Place::Layer(6)),
    ("faas-bin", Place::Layer(6)),
    ("faas-tester", Place::Layer(6)),
    ("faas-cgi-runner", Place::Guest),
    ("faas-guest-agent", Place::Guest),
    ("faas-launcher", Place::Guest),
    ("xtask", Place::Apart),
];

/// Edges within one layer that are wanted, with the reason.
const WITHIN_A_LAYER: [(&str, &str, &str); 3] = [
    ("faas-bin", "faas-lib", "the programs are a thin shell over the composition root"),
    ("faas-tester", "faas-lib", "end-to-end tests embed the platform"),
    ("faas-tester", "faas-bin", "end-to-end tests run the built programs"),
];

/// The layer of executors, stores and the routes file.
const BACKEND: u8 = 3;

/// Who may name a concrete executor or store: the composition root, and the tests of the whole.
const SEES_BACKENDS: [&str; 2] = ["faas-lib", "faas-tester"];

fn place(name: &str) -> Option<Place> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, place)| *place)
}

/// Why a crate, or its dependency on another of ours, is not allowed; `None` when it is.
pub(super) fn refusal(from: &str, to: Option<&str>) -> Option<String> {
    let Some(from_place) = place(from) else {
        return Some(format!(
            "{from}: not in the layer table; add it to xtask/src/check_layers/layers.rs and to docs/ARCHITECTURE.md"
        ));
    };
    // A crate's own tests may name it, to switch its test features on.
    let to = to.filter(|to| *to != from)?;
    let Some(to_place) = place(to) else {
        return Some(format!("{from} -> {to}: {to} is not in the layer table"));
    };
    let refused = match (from_place, to_place) {
        (Place::Layer(high), Place::Layer(low)) if high < low => {
            Some(format!("layer {high} may not depend on layer {low} above it"))
        }
        (Place::Layer(high), Place::Layer(low)) if high == low && !excepted(from, to) => {
            Some(format!("both are layer {high}, and the edge is not a written exception"))
        }
        (Place::Layer(_), Place::Layer(BACKEND)) if !SEES_BACKENDS.contains(&from) => {
            Some(format!("only {} may see a concrete backend", SEES_BACKENDS.join(" and ")))
        }
        (Place::Layer(_), Place::Layer(_)) => None,
        (Place::Guest, Place::Layer(low)) if low > 2 => {
            Some("guest programs see contracts and mechanisms only (layers 0 to 2)".to_owned())
        }
        (Place::Guest, Place::Layer(_) | Place::Guest) => None,
        (Place::Layer(_), Place::Guest) => Some("guest programs are embedded as built files, never linked".to_owned()),
        (Place::Apart, _) | (_, Place::Apart) => {
            Some("xtask stands apart: it runs the product's programs, never links them".to_owned())
        }
    };
    refused.map(|reason| format!("{from} -> {to}: {reason}"))
}

fn excepted(from: &str, to: &str) -> bool {
    WITHIN_A_LAYER.iter().any(|(source, target, _)| *source == from && *target == to)
}

#[cfg(test)]
mod tests {
    use super::{LAYERS, WITHIN_A_LAYER, place, refusal};
    use std::collections::BTreeSet;

    #[test]
    fn downward_edges_and_written_exceptions_are_allowed() {
        let allowed = [
            ("faas-executor-process", "faas-sandbox-linux"),
            ("faas-executor-api", "faas-types"),
            ("faas-executor-process", "faas-scheduler"),
            ("faas-sandbox-linux", "faas-protocol"),
            ("faas-lib", "faas-executor-process"),
            ("faas-bin", "faas-lib"),
            ("faas-tester", "faas-bin"),
            ("faas-tester", "faas-executor-process"),
            ("faas-launcher", "faas-sandbox-linux"),
            ("faas-guest-agent", "faas-protocol"),
        ];
        for (from, to) in allowed {
            assert_eq!(refusal(from, Some(to)), None);
        }
    }

    #[test]
    fn every_other_direction_is_refused() {
        let refused = [
            ("faas-types", "faas-config"),
            ("faas-protocol", "faas-executor-api"),
            ("faas-executor-process", "faas-executor-wasm"),
            ("faas-executor-api", "faas-executor-process"),
            ("faas-lib", "faas-bin"),
            ("faas-bin", "faas-tester"),
            ("faas-bin", "faas-executor-process"),
            ("faas-orchestrator", "faas-executor-process"),
            ("faas-gateway", "faas-store-sqlite"),
            ("faas-launcher", "faas-executor-process"),
            ("faas-executor-process", "faas-launcher"),
            ("xtask", "faas-types"),
            ("faas-lib", "xtask"),
            ("faas-types", "stranger"),
        ];
        for (from, to) in refused {
            let reason = refusal(from, Some(to)).unwrap_or_else(|| panic!("{from} -> {to} was allowed"));
            assert!(reason.starts_with(&format!("{from} -> {to}: ")), "{reason}");
        }
    }

    #[test]
    fn an_unknown_crate_is_refused_even_without_edges() {
        assert!(refusal("faas-new", None).is_some_and(|reason| reason.contains("not in the layer table")));
        assert_eq!(refusal("faas-types", None), None);
    }

    #[test]
    fn the_table_names_each_crate_once_and_exceptions_lie_within_a_layer() {
        let names: BTreeSet<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), LAYERS.len());
        for (from, to, reason) in WITHIN_A_LAYER {
            assert_eq!(place(from), place(to), "{from} -> {to}");
            assert!(!reason.is_empty());
        }
    }
}

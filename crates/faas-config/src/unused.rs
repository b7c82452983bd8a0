//! Variables that other documents name and that have no effect here, each with the reason.
//!
//! Whoever sets one may count on it, so it is named wherever the configuration is shown or used. Only
//! what would change where or how programs run is refused instead ([`crate::ConfigError::NotBuilt`]).

use std::borrow::Cow;
use std::collections::BTreeMap;

const NO_ACCOUNTS: &str = "there are no accounts yet, and only this machine reaches the server";
const NO_MICROVMS: &str = "no executor here makes virtual machines";
const ON_DEMAND: &str = "sandboxes are made when they are needed; max_sandboxes is their bound";
const NO_SERVER: &str = "there is no database server; `database` says where the database is";
const ANOTHER_PROGRAM: &str = "it is for a program beside the server, which is not needed";

const ALL: [(&str, &str); 18] = [
    ("FAAS_DISABLE_CONTAINER", "no executor here makes containers, so none is used either way"),
    ("FC_BINARY_PATH", NO_MICROVMS),
    ("FC_KERNEL_PATH", NO_MICROVMS),
    ("FC_ROOTFS_PATH", NO_MICROVMS),
    ("JWT_SECRET", NO_ACCOUNTS),
    ("CONSUMER_KEY", NO_ACCOUNTS),
    ("NETWORK_NAME", "programs have no network yet"),
    ("API_BASE_URL", "there are no stored objects yet that programs could ask for"),
    ("MIN_WORKERS", ON_DEMAND),
    ("MAX_WORKERS", ON_DEMAND),
    ("SCALE_UP_THRESHOLD", ON_DEMAND),
    ("SCALE_DOWN_THRESHOLD", ON_DEMAND),
    ("CHECK_INTERVAL", ON_DEMAND),
    ("COOLDOWN_PERIOD", ON_DEMAND),
    ("POSTGRES_DB", NO_SERVER),
    ("POSTGRES_PASSWORD", NO_SERVER),
    ("NGINX_PORT", ANOTHER_PROGRAM),
    ("DOCKER_GID", ANOTHER_PROGRAM),
];

/// A variable, or a key of another platform's file, that is set and has no effect. Its value may be a
/// secret and is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Why it has none.
    pub why: &'static str,
}

impl Unused {
    /// Those of an environment. An empty one counts as unset.
    pub(crate) fn find(env: &BTreeMap<String, String>) -> Vec<Self> {
        let is_set = |name: &str| env.get(name).is_some_and(|value| !value.is_empty());
        ALL.into_iter().filter(|(name, _)| is_set(name)).map(|(name, why)| Self { name: name.into(), why }).collect()
    }

    /// Every name.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|(name, _)| *name)
    }

    /// Every one with its reason, as Markdown.
    #[must_use]
    pub fn reference() -> String {
        let rows: Vec<_> = ALL.iter().map(|(name, why)| format!("| `{name}` | {why} |\n")).collect();
        format!("| variable | no effect, because |\n|---|---|\n{}", rows.concat())
    }
}

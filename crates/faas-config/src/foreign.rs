//! The sections `system` and `functions` of another platform's YAML file, key by key.

use crate::Key;

/// What a key below `system` means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The same as a key of ours.
    Key(Key),
    /// Nothing, and why.
    Nothing(&'static str),
}

const NO_CONTAINERS: &str = "no executor here makes containers";
const NO_FUNCTIONS: &str = "there are no functions yet";

/// Every key below `system`.
pub(crate) const SYSTEM: [(&str, Meaning); 10] = [
    ("system.default_mode", Meaning::Key(Key::Executor)),
    ("system.max_concurrent_functions", Meaning::Key(Key::MaxSandboxes)),
    ("system.cold_start_timeout", Meaning::Nothing("the start of a program is part of the time it may take")),
    ("system.warm_instance_ttl", Meaning::Key(Key::WarmTtl)),
    ("system.api_gateway_port", Meaning::Key(Key::Listen)),
    ("system.function_storage_path", Meaning::Nothing(NO_FUNCTIONS)),
    ("system.container_runtime", Meaning::Nothing(NO_CONTAINERS)),
    ("system.base_image", Meaning::Nothing(NO_CONTAINERS)),
    ("system.process_isolation_level", Meaning::Key(Key::Isolation)),
    ("system.logging_level", Meaning::Key(Key::LogLevel)),
];

/// The name of a function of the section `functions`, with what becomes of it. `None` for what is no name.
pub(crate) fn function(name: &str) -> Option<(String, &'static str)> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    let fits = !name.is_empty() && name.len() <= 64 && name.chars().all(is_name);
    fits.then(|| (format!("functions.{name}"), NO_FUNCTIONS))
}

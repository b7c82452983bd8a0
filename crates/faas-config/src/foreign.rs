//! The section `system` of another platform's YAML file, key by key.

use crate::Key;

/// What a key below `system` means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The same as a key of ours.
    Key(Key),
    /// Where functions without code have theirs.
    FunctionStorage,
    /// Nothing, and why.
    Nothing(&'static str),
}

const NO_CONTAINERS: &str = "no executor here makes containers";

/// Every key below `system`.
pub(crate) const SYSTEM: [(&str, Meaning); 10] = [
    ("system.default_mode", Meaning::Key(Key::Executor)),
    ("system.max_concurrent_functions", Meaning::Key(Key::MaxSandboxes)),
    ("system.cold_start_timeout", Meaning::Key(Key::ColdStartTimeout)),
    ("system.warm_instance_ttl", Meaning::Key(Key::WarmTtl)),
    ("system.api_gateway_port", Meaning::Key(Key::Listen)),
    ("system.function_storage_path", Meaning::FunctionStorage),
    ("system.container_runtime", Meaning::Nothing(NO_CONTAINERS)),
    ("system.base_image", Meaning::Nothing(NO_CONTAINERS)),
    ("system.process_isolation_level", Meaning::Key(Key::Isolation)),
    ("system.logging_level", Meaning::Key(Key::LogLevel)),
];

//! Which variables a program reads only while it starts: a runner that waits for its call cannot be given them.
//!
//! Called by the plan of a call. What is not named here is read when it is used, by the interpreter, by the C library
//! or by children, and is as good when it is set before user code runs.

/// Whole names; Node looks for modules beneath `HOME`.
const NAMES: [&str; 7] = ["LANG", "LANGUAGE", "TZ", "TZDIR", "GLIBC_TUNABLES", "GCONV_PATH", "HOME"];
/// How names begin: of the loader and the C library, of V8's host and of certificates it reads once.
const PREFIXES: [&str; 8] = ["LD_", "LC_", "MALLOC_", "NODE_", "UV_", "ICU_", "SSL_", "OPENSSL_"];

/// Whether a variable must be there when the process starts.
pub(super) fn acts_at_start(name: &str) -> bool {
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::acts_at_start;

    #[test]
    fn names_of_the_loader_the_locale_and_node_act_at_start() {
        for name in
            ["LD_PRELOAD", "LC_ALL", "LANG", "TZ", "NODE_OPTIONS", "HOME", "UV_THREADPOOL_SIZE", "MALLOC_ARENA_MAX"]
        {
            assert!(acts_at_start(name), "{name}");
        }
        for name in ["PATH", "HOMES", "LANGUAGES", "NODE", "A", "", "ld_preload", "API_KEY"] {
            assert!(!acts_at_start(name), "{name}");
        }
    }
}

//! How many descriptors the server may have, and how many connections these are enough for.
//!
//! Out of descriptors a server cannot write its logs or its database either; so there are never more
//! connections than leave the rest what it needs.

use crate::console;
use crate::diagnostic::CliError;
use faas_config::Config;
use faas_types::ErrorCode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;

/// A connection has its socket and, while it streams, the execution's log.
const PER_CONNECTION: u64 = 2;
/// A sandbox has two channels, two pipes, and while a call runs its input and its log. One that waits has four.
const PER_SANDBOX: u64 = 6;
/// What the server has anyway: the store's files and readers, listeners, callers that are told that it is
/// full.
const RESERVE: u64 = 256;

/// Raises the limit to what the system allows; returns how many connections there may be, which is fewer
/// than configured where that is not enough, and said.
pub(super) fn connections(config: &Config) -> Result<u32, CliError> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised)
        .map_err(|errno| CliError::io("the limit of open files cannot be raised", &io::Error::from(errno)))?;
    // No maximum is no limit.
    let descriptors = limit.maximum.unwrap_or(u64::MAX);
    let wanted = config.server.http.connections.value;
    let max_sandboxes = config.max_sandboxes.value;
    let sandboxes = max_sandboxes.saturating_add(config.server.spares.value);
    let Some(possible) = enough_for(descriptors, sandboxes) else {
        return Err(CliError::new(
            ErrorCode::ConfigInvalid,
            format!(
                "max_sandboxes {max_sandboxes} leaves no descriptor for connections: the limit of open files is \
                 {descriptors}; raise it with `ulimit -Hn`, or lower max_sandboxes"
            ),
        ));
    };
    if possible < wanted {
        let message = format!(
            "http.connections is {possible} instead of {wanted}: the limit of open files is {descriptors}, and \
             {wanted} connections need {}; raise it with `ulimit -Hn`",
            needed(sandboxes).saturating_add(PER_CONNECTION * u64::from(wanted))
        );
        console::complain("warning", None, &message);
    }
    Ok(wanted.min(possible))
}

/// How many connections so many descriptors are enough for; `None` when for not a single one.
fn enough_for(descriptors: u64, sandboxes: u32) -> Option<u32> {
    let possible = descriptors.saturating_sub(needed(sandboxes)) / PER_CONNECTION;
    (possible > 0).then(|| u32::try_from(possible).unwrap_or(u32::MAX))
}

/// What all but connections need.
fn needed(sandboxes: u32) -> u64 {
    RESERVE.saturating_add(PER_SANDBOX.saturating_mul(u64::from(sandboxes)))
}

#[cfg(test)]
mod tests {
    use super::enough_for;

    #[test]
    fn connections_leave_the_rest_what_it_needs() {
        assert_eq!(enough_for(1024, 64), Some(192));
        assert_eq!(enough_for(256 + 6 + 2, 1), Some(1));
        assert_eq!(enough_for(256 + 6 + 1, 1), None);
        assert_eq!(enough_for(0, u32::MAX), None);
        assert_eq!(enough_for(u64::MAX, 64), Some(u32::MAX));
    }
}

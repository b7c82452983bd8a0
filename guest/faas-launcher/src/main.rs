//! The launcher: the only privileged process.
//!
//! Started by the server before it has a thread. Takes a slot, ends what dead launchers left,
//! moves into the minimal root, gives up every privilege it does not need, and then assembles
//! sandboxes one after another on the server's typed requests. It has one thread, reads no byte a
//! tenant wrote, and ends with the server, taking every sandbox along.

mod args;
mod compiled;
mod create;
mod descriptors;
mod fork;
mod host;
mod identity;
mod live;
mod serve;
mod zygotes;

use std::process::ExitCode;

fn main() -> ExitCode {
    match host::start() {
        Ok(host) => serve::run(host),
        // The reason was sent to the server, which tells the user.
        Err(host::Refused) => ExitCode::from(125),
    }
}

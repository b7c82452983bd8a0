//! One program: its pipes, its call socket, its start.
//!
//! Called by [`crate::agent`]. A failure at any step leaves nothing behind: descriptors close as
//! they go out of scope, and a child that could not execute is reaped like any orphan.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use faas_protocol::control::Spawn;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;

use crate::search::candidates;
use crate::sys::{Plan, start};

/// A program that runs.
pub(crate) struct Started {
    /// Its pid.
    pub(crate) pid: Pid,
    /// The host's ends: stdin, stdout, stderr, and the call socket of a runner.
    pub(crate) host_ends: Vec<OwnedFd>,
}

/// Starts what the host asked for.
///
/// # Errors
/// `INVAL` for a request that cannot be one (no program, a NUL byte, a relative working directory),
/// else the kernel's answer to the step that failed.
pub(crate) fn launch(spawn: &Spawn) -> Result<Started, Errno> {
    let name = spawn.argv.first().ok_or(Errno::INVAL)?;
    if !spawn.cwd.starts_with(b"/") {
        return Err(Errno::INVAL);
    }
    let candidates = terminated(&candidates(name, &spawn.env))?;
    let argv = terminated(&spawn.argv)?;
    let env = terminated(&spawn.env)?;
    let cwd = CString::new(spawn.cwd.as_slice()).map_err(|_| Errno::INVAL)?;

    let (stdin, stdin_host) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stdout_host, stdout) = pipe_with(PipeFlags::CLOEXEC)?;
    let (stderr_host, stderr) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut inside = vec![stdin, stdout, stderr];
    let mut host_ends = vec![stdin_host, stdout_host, stderr_host];
    if spawn.runner {
        let (call, call_host) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        inside.push(call);
        host_ends.push(call_host);
    }
    let plan = Plan { candidates: &candidates, argv: &argv, env: &env, cwd: &cwd, descriptors: &inside };
    Ok(Started { pid: start(&plan)?, host_ends })
}

fn terminated(strings: &[Vec<u8>]) -> Result<Vec<CString>, Errno> {
    strings.iter().map(|string| CString::new(string.as_slice()).map_err(|_| Errno::INVAL)).collect()
}

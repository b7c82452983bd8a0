//! The Python runner's sources as the host's interpreter compiled them: to compile them takes a third of a cold
//! start, to read the result a tenth of that.
//!
//! Called once, before any sandbox exists. The result is kept in the runtime directory for the launchers to come.
//!
//! Invariants: what is compiled is our own text, by the interpreter that sandboxes run and without rights; what was
//! kept counts only for the same interpreter and the same text. Whatever goes wrong, there is nothing compiled, and
//! each sandbox compiles for itself.

use crate::host::PYTHON_INTERPRETER;
use faas_sandbox_linux::root::{RUNNERS, RunnerFile};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Reads every source from its standard input; writes, for each, how long it is and then what the interpreter
/// has in a compiled file: its magic number and the code.
const COMPILE: &str = "\
import marshal, sys
from _frozen_importlib_external import MAGIC_NUMBER
sources = [(path, sys.stdin.buffer.read(int(length))) for path, length in zip(sys.argv[1::2], sys.argv[2::2])]
for path, text in sources:
    code = MAGIC_NUMBER + marshal.dumps(compile(text, path, 'exec', dont_inherit=True))
    sys.stdout.buffer.write(len(code).to_bytes(4, 'little') + code)
";

/// How long it may take: hundredths of a second, unless the host hardly runs at all.
const DEADLINE: Duration = Duration::from_secs(5);
/// The most that is read of what the interpreter gives.
const MOST: u64 = 4 << 20;
/// Who has no rights and owns nothing.
const NOBODY: u32 = 65534;
/// The bytes of a length.
const LENGTH: usize = 4;
const KEPT: &str = "runners.bin";

/// Each source compiled, in their order; `None` where that is not possible.
pub(crate) fn compiled(sources: &[RunnerFile<'_>], runtime_dir: &Path, is_root: bool) -> Option<Vec<Vec<u8>>> {
    let key = key(sources)?;
    let file = runtime_dir.join(KEPT);
    let kept = fs::read(&file).ok().and_then(|kept| pieces(kept.strip_prefix(&key)?, sources.len()));
    if kept.is_some() {
        return kept;
    }
    let fresh = compile(sources, is_root).ok()?;
    let compiled = pieces(&fresh, sources.len())?;
    // Whoever cannot keep it compiles it again next time. Another launcher may be doing the same.
    let begun = runtime_dir.join(format!("{KEPT}.{}", std::process::id()));
    if fs::write(&begun, [key.as_slice(), &fresh].concat()).and_then(|()| fs::rename(&begun, &file)).is_err() {
        let _ = fs::remove_file(&begun);
    }
    Some(compiled)
}

/// What tells one interpreter and one set of sources from another.
fn key(sources: &[RunnerFile<'_>]) -> Option<[u8; 8]> {
    let metadata = fs::metadata(PYTHON_INTERPRETER).ok()?;
    let mut hasher = DefaultHasher::new();
    (metadata.dev(), metadata.ino(), metadata.size()).hash(&mut hasher);
    (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()).hash(&mut hasher);
    COMPILE.hash(&mut hasher);
    for source in sources {
        (source.name, source.content).hash(&mut hasher);
    }
    Some(hasher.finish().to_le_bytes())
}

/// So many pieces, each behind its length, and nothing else.
fn pieces(mut bytes: &[u8], count: usize) -> Option<Vec<Vec<u8>>> {
    let mut pieces = Vec::new();
    for _ in 0..count {
        let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
        let (piece, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        pieces.push(piece.to_vec());
        bytes = rest;
    }
    bytes.is_empty().then_some(pieces)
}

fn compile(sources: &[RunnerFile<'_>], is_root: bool) -> std::io::Result<Vec<u8>> {
    let mut command = Command::new(PYTHON_INTERPRETER);
    command.args(["-I", "-S", "-X", "utf8", "-c", COMPILE]);
    for source in sources {
        command.arg(format!("{RUNNERS}/{}", source.name)).arg(source.content.len().to_string());
    }
    command.env_clear().current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut child = command.spawn()?;
    let read = converse(&mut child, sources);
    // It has ended, or is late and of no use any more.
    let _ = child.kill();
    child.wait()?;
    read
}

/// Gives it the sources, all of which it reads first, and reads what it gives until its end.
fn converse(child: &mut Child, sources: &[RunnerFile<'_>]) -> std::io::Result<Vec<u8>> {
    if let Some(mut stdin) = child.stdin.take() {
        for source in sources {
            stdin.write_all(source.content)?;
        }
    }
    let mut stdout = child.stdout.take().ok_or(Errno::IO)?;
    let until = Instant::now() + DEADLINE;
    let mut read = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).map_err(|_| Errno::INVAL)?;
        if poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&left))? == 0 {
            return Err(Errno::TIMEDOUT.into());
        }
        match stdout.read(&mut piece)? {
            0 => return Ok(read),
            length => read.extend_from_slice(piece.get(..length).unwrap_or_default()),
        }
        if read.len() as u64 > MOST {
            return Err(Errno::FBIG.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn what_was_kept_is_taken_whole_or_not_at_all() {
        let kept = [&2_u32.to_le_bytes()[..], b"ab", &0_u32.to_le_bytes()].concat();
        assert_eq!(pieces(&kept, 2), Some(vec![b"ab".to_vec(), Vec::new()]));
        assert_eq!(pieces(&kept, 1), None, "there is more of it");
        assert_eq!(pieces(&kept, 3), None, "there is less of it");
        for length in 0..kept.len() {
            assert_eq!(pieces(&kept[..length], 2), None);
        }
        assert_eq!(pieces(&u32::MAX.to_le_bytes(), 1), None);
    }
}

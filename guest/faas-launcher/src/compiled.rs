//! The Python runner's sources as the host's interpreter compiled them: to compile them takes a third of a cold
//! start, to read the result a tenth of that.
//!
//! Called once, before any sandbox exists. The result is kept in the runtime directory for the launchers to come.
//!
//! Invariants: what is compiled is our own text, by the interpreter that sandboxes run, under root as a user that
//! nobody else is; what was kept counts only whole, for the same interpreter and the same text. Whatever goes wrong,
//! there is nothing compiled, and each sandbox compiles for itself.

use crate::host::PYTHON_INTERPRETER;
use faas_sandbox_linux::root::{RUNNERS, RunnerFile};
use faas_sandbox_linux::sealed::sealed_file;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io::Read as _;
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
for path, length in zip(sys.argv[1::2], sys.argv[2::2]):
    text = sys.stdin.buffer.read(int(length))
    code = MAGIC_NUMBER + marshal.dumps(compile(text, path, 'exec', dont_inherit=True))
    sys.stdout.buffer.write(len(code).to_bytes(4, 'little') + code)
";

/// How long it may take: hundredths of a second, unless the host hardly runs at all.
const DEADLINE: Duration = Duration::from_secs(5);
/// The most that is read of what the interpreter gives.
const MOST: u64 = 4 << 20;
/// The bytes of a length.
const LENGTH: usize = 4;
const KEPT: &str = "runners.bin";
const BEGUN: &str = "runners.new";

/// Each source compiled, in their order and by this user where one is given; `None` where that is not possible.
pub(crate) fn compiled(sources: &[RunnerFile<'_>], runtime_dir: &Path, user: Option<u32>) -> Option<Vec<Vec<u8>>> {
    let key = key(sources)?;
    let (file, begun) = (runtime_dir.join(KEPT), runtime_dir.join(BEGUN));
    let whole = |kept: &[u8]| {
        let (sum, compiled) = kept.strip_prefix(&key)?.split_first_chunk()?;
        (*sum == digest(&compiled)).then(|| pieces(compiled, sources.len()))?
    };
    if let Some(kept) = fs::read(&file).ok().and_then(|kept| whole(&kept)) {
        return Some(kept);
    }
    let fresh = compile(sources, user).ok()?;
    // Whoever cannot keep it compiles it again next time. Another launcher may be doing the same in the same file,
    // which is then not whole.
    let kept = [&key, &digest(&fresh.as_slice()), fresh.as_slice()].concat();
    let _ = fs::write(&begun, kept).and_then(|()| fs::rename(&begun, &file));
    pieces(&fresh, sources.len())
}

/// What tells one interpreter and one set of sources from another.
fn key(sources: &[RunnerFile<'_>]) -> Option<[u8; 8]> {
    let metadata = fs::metadata(PYTHON_INTERPRETER).ok()?;
    let file = (metadata.dev(), metadata.ino(), metadata.size());
    let times = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
    let texts: Vec<_> = sources.iter().map(|source| (source.name, source.content)).collect();
    Some(digest(&(file, times, COMPILE, texts)))
}

/// Tells what is damaged or of another version; whoever could forge it owns the file.
fn digest(of: &impl Hash) -> [u8; 8] {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish().to_le_bytes()
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

fn compile(sources: &[RunnerFile<'_>], user: Option<u32>) -> std::io::Result<Vec<u8>> {
    let mut command = Command::new(PYTHON_INTERPRETER);
    command.args(["-I", "-S", "-X", "utf8", "-c", COMPILE]);
    for source in sources {
        command.arg(format!("{RUNNERS}/{}", source.name)).arg(source.content.len().to_string());
    }
    let texts: Vec<u8> = sources.iter().flat_map(|source| source.content.iter().copied()).collect();
    let texts = sealed_file("faas-runners", &texts)?;
    rustix::fs::seek(&texts, SeekFrom::Start(0))?;
    command.env_clear().current_dir("/").stdin(texts).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let mut child = command.spawn()?;
    let read = read(&mut child);
    // It has ended, or is late and of no use any more.
    let _ = child.kill();
    child.wait()?;
    read
}

/// Reads what it gives until its end.
fn read(child: &mut Child) -> std::io::Result<Vec<u8>> {
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

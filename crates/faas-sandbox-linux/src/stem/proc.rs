//! What the kernel shows of a process that is to be copied (proc(5)).
//!
//! Every name and every number of lines in there may be a hostile program's choice.

use super::hatch::HatchError;
use faas_protocol::launcher::Unfit;
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};

/// The most that is read of a list of mappings; a program with every package there is has a tenth of it.
const LONGEST_MAPS: u64 = 4 << 20;
/// How many mappings may be looked at one by one.
const MOST_SHARED: usize = 16;
/// The descriptors that a copy is given.
const GIVEN: [&str; 4] = ["0", "1", "2", "3"];

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn read(path: &str) -> Result<String, Errno> {
    fs::read_to_string(path).map_err(|error| errno(&error))
}

fn names(path: &str) -> Result<Vec<String>, Errno> {
    let entries = fs::read_dir(path).map_err(|error| errno(&error))?;
    entries
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).map_err(|error| errno(&error)))
        .collect()
}

/// A number from what it shows as `status`.
fn field(pid: i32, name: &str) -> Result<i32, Errno> {
    read(&format!("/proc/{pid}/status"))?
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
        .ok_or(Errno::IO)
}

/// How many threads it has.
pub(super) fn threads(pid: i32) -> Result<i32, Errno> {
    field(pid, "Threads:")
}

/// Whether it has been stopped, by itself or by another process.
pub(super) fn is_stopped(pid: i32) -> Result<bool, Errno> {
    // The state follows the program's name, which may have any character in it.
    let stat = read(&format!("/proc/{pid}/stat"))?;
    Ok(stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
}

/// The children of all its threads.
fn children(pid: i32) -> Result<Vec<i32>, Errno> {
    let mut children = Vec::new();
    for thread in names(&format!("/proc/{pid}/task"))? {
        let listed = read(&format!("/proc/{pid}/task/{thread}/children"))?;
        children.extend(listed.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
    }
    Ok(children)
}

/// Refuses a program that is not alone in its sandbox but for init. Whatever a program leaves is its child or, once its
/// own parent has ended, init's.
pub(super) fn is_alone(pid: i32) -> Result<(), HatchError> {
    if threads(pid)? != 1 {
        return Err(HatchError::Unfit(Unfit::Threads));
    }
    let init = field(pid, "PPid:")?;
    if !children(pid)?.is_empty() || children(init)? != [pid] {
        return Err(HatchError::Unfit(Unfit::Processes));
    }
    Ok(())
}

/// Refuses a program with descriptors that its copies would not have.
pub(super) fn has_its_descriptors_only(pid: i32) -> Result<(), HatchError> {
    let is_given = |name: &String| GIVEN.contains(&name.as_str());
    if names(&format!("/proc/{pid}/fd"))?.iter().all(is_given) {
        Ok(())
    } else {
        Err(HatchError::Unfit(Unfit::Descriptors))
    }
}

/// Opens its list of mappings, as whoever may see it.
pub(super) fn open_maps(pid: i32) -> Result<File, Errno> {
    File::open(format!("/proc/{pid}/maps")).map_err(|error| errno(&error))
}

/// Where memory is shared with others that it cannot write to now: (address, bytes).
pub(super) fn shared_mappings(maps: File) -> Result<Vec<(u64, u64)>, HatchError> {
    let mut lines = BufReader::new(maps.take(LONGEST_MAPS));
    let (mut found, mut read, mut line) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        // A file's name need not be text; newlines in it are written in another way.
        match lines.read_until(b'\n', &mut line).map_err(|error| errno(&error))? {
            0 if read < LONGEST_MAPS => return Ok(found),
            0 => return Err(Errno::TOOBIG.into()),
            length => read += length as u64,
        }
        let (range, is_shared, is_writable) = mapping(&line).ok_or(Errno::IO)?;
        if is_shared && (is_writable || found.len() >= MOST_SHARED) {
            return Err(HatchError::Unfit(Unfit::SharedMapping));
        }
        found.extend(is_shared.then_some(range));
    }
}

/// A line such as `7f0000000000-7f0000021000 rw-p 00000000 00:00 0 /a/name`.
fn mapping(line: &[u8]) -> Option<((u64, u64), bool, bool)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let (begin, end) = str::from_utf8(fields.next()?).ok()?.split_once('-')?;
    let (begin, end) = (u64::from_str_radix(begin, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let [_, write, _, kind] = fields.next()? else { return None };
    let is_shared = match kind {
        b'p' => false,
        b's' => true,
        _ => return None,
    };
    Some(((begin, end.checked_sub(begin)?), is_shared, *write == b'w'))
}

#[cfg(test)]
mod tests {
    use super::mapping;

    #[test]
    fn lines_are_read_whatever_the_files_name_is() {
        let line = b"7f0000000000-7f0000021000 rw-s 00000000 00:01 7 /dev/shm/\xff -p\n";
        assert_eq!(mapping(line), Some(((0x7f00_0000_0000, 0x2_1000), true, true)));
        assert_eq!(mapping(b"1000-2000 r--p 00000000 00:00 0\n"), Some(((0x1000, 0x1000), false, false)));
        assert_eq!(mapping(b"1000-2000 r--s 00000000 00:00 0\n"), Some(((0x1000, 0x1000), true, false)));
        for broken in [&b""[..], b"1000 r--p\n", b"2000-1000 r--p 0\n", b"1000-2000 r--\n", b"x-y r--p\n"] {
            assert_eq!(mapping(broken), None);
        }
    }
}

//! Reading and writing the small files of a cgroup directory.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Writes a value to a control file.
pub(super) fn write(dir: impl AsFd, file: &str, value: &str) -> Result<(), Errno> {
    let file = rustix::fs::openat(dir, file, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    let written = rustix::io::write(&file, value.as_bytes())?;
    if written == value.len() { Ok(()) } else { Err(Errno::IO) }
}

/// Reads a control file, at most 64 KiB of it.
pub(super) fn read(dir: impl AsFd, file: &str) -> Result<String, Errno> {
    let file = rustix::fs::openat(dir, file, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    let mut text = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        match rustix::io::read(&file, &mut buffer) {
            Ok(0) => break,
            Ok(length) => text.extend_from_slice(buffer.get(..length).unwrap_or_default()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        if text.len() > 64 * 1024 {
            break;
        }
    }
    String::from_utf8(text).map_err(|_| Errno::ILSEQ)
}

/// Reads a control file that holds one number.
pub(super) fn read_number(dir: impl AsFd, file: &str) -> Option<u64> {
    read(dir, file).ok()?.trim().parse().ok()
}

/// Opens a control file for reading.
pub(super) fn open_to_read(dir: impl AsFd, file: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(dir, file, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
}

/// Opens a control file for reading and writing.
pub(super) fn open_both_ways(dir: impl AsFd, file: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(dir, file, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
}

/// Reads an open control file that holds one number, from its beginning.
pub(super) fn read_number_again(file: impl AsFd) -> Option<u64> {
    let mut buffer = [0_u8; 32];
    let length = rustix::io::pread(file, &mut buffer, 0).ok()?;
    std::str::from_utf8(buffer.get(..length)?).ok()?.trim().parse().ok()
}

/// The number behind `key` in a control file of `key number` lines.
pub(super) fn read_keyed(dir: impl AsFd, file: &str, key: &str) -> Option<u64> {
    keyed(&read(dir, file).ok()?, key)
}

pub(super) fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Opens a directory.
pub(super) fn open(path: impl AsRef<std::path::Path>) -> Result<OwnedFd, Errno> {
    rustix::fs::open(path.as_ref(), OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens a directory below another.
pub(super) fn open_dir(dir: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(
        dir,
        name,
        OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    )
}

/// Makes a directory unless it is there, and opens it.
pub(super) fn make_dir(dir: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdirat(&dir, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => open_dir(dir, name),
        Err(errno) => Err(errno),
    }
}

/// Names of the directories in a directory.
pub(super) fn subdirectories(dir: impl AsFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type() == rustix::fs::FileType::Directory && name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::keyed;

    #[test]
    fn keyed_finds_whole_keys_only() {
        let text = "oom 3\noom_kill 2\nmax 9\n";
        assert_eq!(keyed(text, "oom"), Some(3));
        assert_eq!(keyed(text, "oom_kill"), Some(2));
        assert_eq!(keyed(text, "oom_group_kill"), None);
        assert_eq!(keyed("max x\n", "max"), None);
    }
}

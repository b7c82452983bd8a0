//! What one launcher owns on this host, and what dead ones left.
//!
//! A slot is a number: it names the launcher's cgroup directories and its range of host uids. It is
//! held by a lock on a file, which the kernel releases when the launcher dies, however it dies. The
//! slot's journal lists the sandboxes that live; whoever takes the slot next ends them first.
//!
//! Invariant: a pid from a journal is killed only while its start time is the recorded one.

use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::BTreeMap;

/// After how many lines a journal begins afresh.
const LONG_JOURNAL: u32 = 4096;

/// How many launchers can run at once on a host.
const SLOTS: u32 = 4096;
/// Host uids of one slot: the first is the server's, the last the zygotes', the others are for sandboxes.
pub const UIDS_PER_SLOT: u32 = MOST_SANDBOXES + 2;
/// How many sandboxes one launcher can have.
pub const MOST_SANDBOXES: u32 = 8191;
/// Where the slots' uids begin: above what distributions and directory services hand out, below
/// 2^31, where some programs stop counting; and above those of [`EARLIER_UIDS`].
const FIRST_UID: u32 = EARLIER_UIDS.end;
/// The host uids of all slots: servers' and sandboxes'.
pub const SLOT_UIDS: std::ops::Range<u32> = FIRST_UID..FIRST_UID + SLOTS * UIDS_PER_SLOT;

/// The uids of slots when they had [`EARLIER_PER_SLOT`] each. A launcher of that time may still run on this host, and
/// what its server kept may change hands to one of now: no uid is a sandbox's in one layout and a server's in the other.
const EARLIER_UIDS: std::ops::Range<u32> = 1_610_612_736..1_610_612_736 + SLOTS * EARLIER_PER_SLOT;
const EARLIER_PER_SLOT: u32 = 1024;

/// Whether a server of real root becomes, or once became, this user in some slot.
#[must_use]
pub fn is_server_uid(uid: u32) -> bool {
    [(SLOT_UIDS, UIDS_PER_SLOT), (EARLIER_UIDS, EARLIER_PER_SLOT)]
        .into_iter()
        .any(|(uids, per_slot)| uids.contains(&uid) && (uid - uids.start).is_multiple_of(per_slot))
}

/// A launcher's slot. Dropping it gives it up.
#[derive(Debug)]
pub struct Slot {
    index: u32,
    dir: OwnedFd,
    journal: OwnedFd,
    live: BTreeMap<u64, Entry>,
    lines: u32,
    cgroups: OwnedFd,
    _lock: OwnedFd,
}

/// What a dead launcher left in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftovers {
    /// How many of its sandboxes were still alive, and were ended.
    pub ended: u32,
    /// Paths on the host of its cgroup directories, still to be removed.
    pub cgroups: Vec<String>,
}

/// A sandbox found in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    pid: i32,
    started: u64,
}

impl Slot {
    /// Takes the lowest free slot from `first` on in `dir`, a directory that only this user can
    /// write, and ends the sandboxes its last owner left.
    ///
    /// # Errors
    /// The kernel's answer; `EUSERS` when every slot is taken.
    pub fn take(dir: &OwnedFd, first: u32) -> Result<(Self, Leftovers), Errno> {
        for index in first..SLOTS {
            let Some(lock) = lock(dir, index)? else { continue };
            let (journal, cgroups) = open_records(dir, index)?;
            let leftovers = end_leftovers(&journal, &cgroups)?;
            let dir = rustix::io::fcntl_dupfd_cloexec(dir, 0)?;
            return Ok((
                Self { index, dir, journal, live: BTreeMap::new(), lines: 0, cgroups, _lock: lock },
                leftovers,
            ));
        }
        Err(Errno::USERS)
    }

    /// Its number.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Records the paths of this launcher's cgroup directories for the slot's next owner.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn record_cgroups(&self, paths: &[String]) -> Result<(), Errno> {
        rustix::fs::ftruncate(&self.cgroups, 0)?;
        append(&self.cgroups, &paths.iter().map(|path| format!("{path}\n")).collect::<String>())
    }

    /// Ends the sandboxes of every other slot whose launcher is dead, and has `clean` remove what
    /// else it left. A slot cannot be taken while that happens, and one at a time is held. Returns
    /// how many sandboxes were ended.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn reap_dead(&self, mut clean: impl FnMut(&Leftovers)) -> Result<u32, Errno> {
        let mut ended = 0;
        for entry in rustix::fs::Dir::read_from(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // Without a list of cgroups a slot was left in order.
            let Some(index) = name.strip_suffix(".cgroups").and_then(|number| number.parse().ok()) else { continue };
            if index == self.index {
                continue;
            }
            if let Some(_lock) = lock(&self.dir, index)? {
                let (journal, cgroups) = open_records(&self.dir, index)?;
                let leftovers = end_leftovers(&journal, &cgroups)?;
                clean(&leftovers);
                ended += leftovers.ended;
                remove_records(&self.dir, index);
            }
        }
        Ok(ended)
    }

    /// Leaves the slot in order: nothing of its launcher lives any more.
    pub fn leave(self) {
        remove_records(&self.dir, self.index);
    }

    /// The name of the slot's cgroup directories.
    #[must_use]
    pub fn directory_name(&self) -> String {
        directory_name(self.index)
    }

    /// The uid a server of real root becomes.
    #[must_use]
    pub fn server_uid(&self) -> u32 {
        FIRST_UID + self.index * UIDS_PER_SLOT
    }

    /// The uid of every zygote, which owns the sandboxes' user namespaces.
    #[must_use]
    pub fn zygote_uid(&self) -> u32 {
        self.server_uid() + UIDS_PER_SLOT - 1
    }

    /// The uid of the sandbox with this number, from 1 to [`MOST_SANDBOXES`].
    #[must_use]
    pub fn sandbox_uid(&self, number: u32) -> u32 {
        self.server_uid() + number
    }

    /// Records that a sandbox lives.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn record_start(&mut self, sequence: u64, pid: i32) -> Result<(), Errno> {
        let entry = Entry { pid, started: start_time(pid).ok_or(Errno::SRCH)? };
        self.live.insert(sequence, entry);
        self.record(&entry.line(sequence))
    }

    /// Records that a sandbox is gone.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn record_end(&mut self, sequence: u64) -> Result<(), Errno> {
        self.live.remove(&sequence);
        self.record(&format!("- {sequence}\n"))
    }

    /// Appends a line, or begins the journal afresh with what lives when nothing does or it has grown
    /// long. A crash in between loses lines only of sandboxes that the cgroups list too.
    fn record(&mut self, line: &str) -> Result<(), Errno> {
        self.lines += 1;
        if self.lines < LONG_JOURNAL && !self.live.is_empty() {
            return append(&self.journal, line);
        }
        self.lines = 0;
        rustix::fs::ftruncate(&self.journal, 0)?;
        if self.live.is_empty() {
            return Ok(());
        }
        append(&self.journal, &self.live.iter().map(|(sequence, entry)| entry.line(*sequence)).collect::<String>())
    }
}

fn directory_name(index: u32) -> String {
    format!("faas-{index}")
}

/// The slot's lock, `None` while somebody holds it.
fn lock(dir: &OwnedFd, index: u32) -> Result<Option<OwnedFd>, Errno> {
    let file = open_file(dir, &format!("{index}.lock"), OFlags::RDWR)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// A slot's journal and the list of its cgroup directories.
fn open_records(dir: &OwnedFd, index: u32) -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = OFlags::RDWR | OFlags::APPEND;
    Ok((open_file(dir, &format!("{index}.journal"), flags)?, open_file(dir, &format!("{index}.cgroups"), flags)?))
}

/// Removes a slot's journal and list; its lock stays, because somebody may be about to take it. Who
/// holds the lock is the only one who uses them, so they can go.
fn remove_records(dir: &OwnedFd, index: u32) {
    for kind in ["journal", "cgroups"] {
        // One that stays is read again, which does no harm.
        let _ = rustix::fs::unlinkat(dir, format!("{index}.{kind}"), rustix::fs::AtFlags::empty());
    }
}

fn open_file(dir: &OwnedFd, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(
        dir,
        name,
        flags | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::from_raw_mode(0o600),
    )
}

fn append(journal: &OwnedFd, line: &str) -> Result<(), Errno> {
    if rustix::io::write(journal, line.as_bytes())? == line.len() { Ok(()) } else { Err(Errno::IO) }
}

/// Kills the sandboxes a journal says live and empties it. The list of cgroups stays until the
/// slot's next owner writes its own: removing twice does no harm.
fn end_leftovers(journal: &OwnedFd, cgroups: &OwnedFd) -> Result<Leftovers, Errno> {
    let mut ended = 0;
    for entry in parse(&read_all(journal)?).into_values() {
        if kill_if_same(entry) {
            ended += 1;
        }
    }
    rustix::fs::ftruncate(journal, 0)?;
    Ok(Leftovers { ended, cgroups: read_all(cgroups)?.lines().map(str::to_owned).collect() })
}

fn read_all(file: &OwnedFd) -> Result<String, Errno> {
    let mut text = String::new();
    let mut buffer = [0_u8; 4096];
    let mut at = 0;
    loop {
        let length = rustix::io::pread(file, &mut buffer, at)?;
        if length == 0 {
            return Ok(text);
        }
        at += length as u64;
        text.push_str(&String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()));
    }
}

impl Entry {
    /// Its line in a journal.
    fn line(self, sequence: u64) -> String {
        format!("+ {sequence} {} {}\n", self.pid, self.started)
    }
}

/// What lives according to a journal. A line cut short by a crash counts for nothing.
fn parse(text: &str) -> BTreeMap<u64, Entry> {
    let mut live = BTreeMap::new();
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let mut words = line.split(' ');
        let (kind, sequence) = (words.next(), words.next().and_then(|word| word.parse::<u64>().ok()));
        let Some(sequence) = sequence else { continue };
        match kind {
            Some("+") => {
                let pid = words.next().and_then(|word| word.parse().ok());
                let started = words.next().and_then(|word| word.parse().ok());
                if let (Some(pid), Some(started)) = (pid, started) {
                    live.insert(sequence, Entry { pid, started });
                }
            }
            Some("-") => {
                live.remove(&sequence);
            }
            _ => {}
        }
    }
    live
}

fn kill_if_same(entry: Entry) -> bool {
    let Some(pid) = Pid::from_raw(entry.pid) else { return false };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    // The descriptor holds the process; what is checked now is what the signal reaches.
    start_time(entry.pid) == Some(entry.started) && pidfd_send_signal(&pidfd, Signal::KILL).is_ok()
}

/// When a process started, in clock ticks since boot: field 22 of `/proc/PID/stat` (proc(5)).
fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields count from its end.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Entry, FIRST_UID, Leftovers, SLOT_UIDS, Slot, UIDS_PER_SLOT, is_server_uid, parse};
    use rustix::fs::{Mode, OFlags};

    #[test]
    fn uids_of_servers_are_none_of_sandboxes() {
        const { assert!(SLOT_UIDS.end < 1 << 31) };
        for (uid, is_servers) in [
            (FIRST_UID, true),
            (FIRST_UID + 1, false),
            (FIRST_UID + 1024, false),
            (FIRST_UID + 7 * UIDS_PER_SLOT, true),
            (SLOT_UIDS.end, false),
            // Slots 0, 7 and the last one when they were smaller, and sandboxes of theirs.
            (1_610_612_736, true),
            (1_610_612_736 + 7 * 1024, true),
            (FIRST_UID - 1024, true),
            (1_610_612_736 + 7 * 1024 + 1, false),
            (FIRST_UID - 1, false),
            (1_610_612_735, false),
        ] {
            assert_eq!(is_server_uid(uid), is_servers, "{uid}");
        }
    }

    #[test]
    fn journal_keeps_what_lives() {
        let live = parse("+ 1 10 100\n+ 2 20 200\n- 1\n+ 3 30 3");
        assert_eq!(live.into_iter().collect::<Vec<_>>(), [(2, Entry { pid: 20, started: 200 })]);
        assert!(parse("garbage\n+\n+ x y z\n- q\n").is_empty());
    }

    #[test]
    fn slots_are_exclusive_and_leftovers_end() {
        let dir = std::env::temp_dir().join(format!("faas-slot-{}", std::process::id()));
        std::fs::create_dir(&dir).expect("directory");
        let fd =
            rustix::fs::open(&dir, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).expect("open");
        let mut sleeper = std::process::Command::new("/bin/sleep").arg("1000").spawn().expect("sleep");
        let pid = i32::try_from(sleeper.id()).expect("pid");

        let (first, left) = Slot::take(&fd, 0).expect("slot");
        assert_eq!((first.index, left), (0, Leftovers { ended: 0, cgroups: Vec::new() }));
        let (mut second, _) = Slot::take(&fd, 0).expect("slot");
        assert_eq!(second.index, 1);
        second.record_start(7, pid).expect("record");
        // However many come and go, the journal stays short and keeps who lives.
        for sequence in 100..100 + u64::from(super::LONG_JOURNAL) {
            second.record_start(sequence, pid).expect("record");
            second.record_end(sequence).expect("record");
        }
        assert!(std::fs::metadata(dir.join("1.journal")).expect("a journal").len() < 200_000);
        second.record_cgroups(&["/old".to_owned()]).expect("record");
        second.record_cgroups(&["/a/faas-1".to_owned(), "/b/faas-1".to_owned()]).expect("record");
        // A recycled pid: same number, other start time.
        super::append(&second.journal, &format!("+ 8 {} 1\n", std::process::id())).expect("append");
        drop(second);

        let mut left = Vec::new();
        let ended = first.reap_dead(|leftovers| {
            left.extend(leftovers.cgroups.clone());
            let (third, _) = Slot::take(&fd, 0).expect("slot");
            assert_eq!(third.index, 2, "a dead slot is held while it is cleaned up");
        });
        assert_eq!((ended, left), (Ok(1), vec!["/a/faas-1".to_owned(), "/b/faas-1".to_owned()]));
        assert!(!dir.join("1.cgroups").exists() && !dir.join("1.journal").exists());
        first.leave();
        assert!(!dir.join("0.cgroups").exists() && dir.join("0.lock").exists());
        assert!(!sleeper.wait().expect("wait").success());
        std::fs::remove_dir_all(&dir).expect("clean up");
    }
}

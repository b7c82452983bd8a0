//! Processes of this host as `/proc` shows them: who descends from whom, who listens where, what they hold.
//!
//! What is read was written by the kernel, but names in it were chosen by programs; the parsing is pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::Duration;

/// The state of a socket that listens, as the kernel numbers it.
const LISTENS: &str = "0A";

/// The process and everything that descends from it.
pub(super) fn tree(root: u32) -> BTreeSet<u32> {
    let parents = processes().filter_map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parent(&stat)?))
    });
    descendants(root, &parents.collect())
}

/// What these processes hold, in bytes, each shared page divided between those that share it.
pub(super) fn proportional_set(pids: &BTreeSet<u32>) -> io::Result<u64> {
    let mut sum: u64 = 0;
    for pid in pids {
        match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
            Ok(text) => sum = sum.saturating_add(kibibytes(&text, "Pss:").unwrap_or(0).saturating_mul(1024)),
            // It ended in between, or has no memory of its own any more.
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum)
}

/// Memory that programs could still be given, in bytes.
pub(super) fn memory_available() -> io::Result<u64> {
    let kibibytes = kibibytes(&fs::read_to_string("/proc/meminfo")?, "MemAvailable:");
    kibibytes
        .map(|kibibytes| kibibytes.saturating_mul(1024))
        .ok_or_else(|| io::Error::other("/proc/meminfo has no MemAvailable"))
}

/// How long the processors of this host have worked since it was booted.
pub(super) fn busy_time() -> Option<Duration> {
    busy(&fs::read_to_string("/proc/stat").ok()?, rustix::param::clock_ticks_per_second())
}

/// The process that listens on this port of this host, where one does that we may look at.
pub(super) fn listener(port: u16) -> Option<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets: BTreeSet<String> =
        tables.iter().flat_map(|table| inodes(table, port)).map(|inode| format!("socket:[{inode}]")).collect();
    processes().find(|pid| {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        descriptors
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|link| link.to_str().is_some_and(|link| sockets.contains(link)))
    })
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn is_gone(error: &io::Error) -> bool {
    let gone = rustix::io::Errno::SRCH.raw_os_error();
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(gone)
}

/// The parent in a `stat` line. The name before it may hold anything, a parenthesis too.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn descendants(root: u32, parents: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let mut found = BTreeSet::from([root]);
    loop {
        let before = found.len();
        found.extend(
            parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(pid, _)| *pid).collect::<Vec<_>>(),
        );
        if found.len() == before {
            return found;
        }
    }
}

/// What the first line counts as work; guests are counted in user time already.
fn busy(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().take(8);
    let fields: Vec<u64> = fields.map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, _idle, _waiting, interrupts, soft, _stolen]: [u64; 8] = fields.try_into().ok()?;
    let ticks = [user, nice, system, interrupts, soft].iter().sum::<u64>();
    Some(Duration::from_millis(ticks.checked_mul(1000)?.checked_div(ticks_per_second)?))
}

/// The value behind this name, of those that the kernel gives in kibibytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The inodes of sockets that listen on this port, from a table of `/proc/net`.
fn inodes(table: &str, port: u16) -> Vec<u64> {
    let lines = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let listens = fields.get(3) == Some(&LISTENS) && u16::from_str_radix(local, 16) == Ok(port);
        listens.then(|| fields.get(9)?.parse().ok())?
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::{busy, descendants, inodes, kibibytes, listener, parent, proportional_set, tree};
    use std::collections::{BTreeMap, BTreeSet};
    use std::net::TcpListener;
    use std::time::Duration;

    #[test]
    fn a_name_cannot_forge_a_parent() {
        assert_eq!(parent("12 (python3) S 7 12 12 0"), Some(7));
        assert_eq!(parent("12 (x) S 1 (y) S 7 12 12 0"), Some(7));
        assert_eq!(parent("12 (x"), None);
    }

    #[test]
    fn descendants_are_found_in_any_order_and_circles_end() {
        let parents = BTreeMap::from([(2, 9), (9, 5), (5, 1), (7, 1), (8, 8)]);
        assert_eq!(descendants(5, &parents), BTreeSet::from([5, 9, 2]));
        assert_eq!(descendants(8, &parents), BTreeSet::from([8]));
    }

    #[test]
    fn values_and_sockets_are_read_by_their_place() {
        assert_eq!(kibibytes("Rss:  9 kB\nPss:                 123 kB\nPss_Dirty: 7 kB", "Pss:"), Some(123));
        assert_eq!(kibibytes("Pss: many kB", "Pss:"), None);
        let stat = "cpu  100 20 30 9000 50 3 7 11 0 0\ncpu0 1 1 1\n";
        assert_eq!(busy(stat, 100), Some(Duration::from_millis(1600)));
        assert_eq!((busy("cpu  1 2", 100), busy(stat, 0), busy("", 100)), (None, None, None));
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1\n\
                     1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 4712 1\n\
                     2: 0100007F:1F91 00000000:0000 0A";
        assert_eq!(inodes(table, 8080), [4711]);
        assert_eq!(inodes(table, 8081), Vec::<u64>::new());
    }

    #[test]
    fn this_process_is_found_by_where_it_listens_and_holds_memory() {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("an address").port();
        assert_eq!(listener(port), Some(std::process::id()));
        assert!(tree(std::process::id()).contains(&std::process::id()));
        assert!(proportional_set(&BTreeSet::from([std::process::id()])).expect("ours") > 0);
    }
}

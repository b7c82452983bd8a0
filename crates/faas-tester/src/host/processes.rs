//! The process table.

use std::collections::BTreeSet;
use std::fs;
use std::io;

/// A process, told from a later one with the same pid by its start time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// Its parent's pid.
    pub parent: u32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
    /// The name the kernel has for it, at most 15 bytes.
    pub name: String,
    /// Its arguments, each followed by a space; empty for a zombie.
    pub command_line: String,
    /// Whether it is dead and waits for its parent.
    pub zombie: bool,
}

impl Process {
    /// Whether its name, or the one it was started by, begins so. What runs from sealed memory has a name
    /// of its own only where it sets it.
    #[must_use]
    pub fn is_named(&self, beginning: &str) -> bool {
        self.name.starts_with(beginning) || self.command_line.starts_with(beginning)
    }
}

/// Every process. One that ends meanwhile is left out.
///
/// # Errors
/// `/proc` cannot be listed.
pub fn processes() -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            found.extend(read(pid));
        }
    }
    Ok(found)
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let mut process = parse(&String::from_utf8_lossy(&stat))?;
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    process.command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
    Some(process)
}

/// Reads `/proc/PID/stat`: `PID (NAME) STATE PARENT …`, the start time in the 22nd field.
fn parse(stat: &str) -> Option<Process> {
    // The name may hold spaces and parentheses; what follows it may not.
    let (before, after) = stat.rsplit_once(')')?;
    let (pid, name) = before.split_once(" (")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    Some(Process {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        name: name.to_owned(),
        command_line: String::new(),
        zombie: *fields.first()? == "Z",
    })
}

/// The children of `ancestor`, their children, and so on, in no order.
#[must_use]
pub fn descendants(ancestor: u32, table: &[Process]) -> Vec<Process> {
    let mut family = BTreeSet::from([ancestor]);
    let mut found: Vec<Process> = Vec::new();
    loop {
        let before = found.len();
        for process in table {
            if family.contains(&process.parent) && family.insert(process.pid) {
                found.push(process.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn names_may_hold_anything() {
        let fields = "S 7 ".to_owned() + &"0 ".repeat(17) + "4242 0 0";
        let process = parse(&format!("12 (a) b ( c) {fields}")).unwrap();
        assert_eq!((process.pid, process.parent, process.started), (12, 7, 4242));
        assert_eq!((process.name.as_str(), process.zombie), ("a) b ( c", false));
        assert!(parse("12 (cut").is_none());
        assert!(parse("12 (cut) S 7").is_none());
    }

    #[test]
    fn a_child_is_found_below_its_parent() {
        let mut child = Command::new("/bin/cat").arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let found = descendants(std::process::id(), &processes().unwrap());
        drop(child.stdin.take());
        child.wait().unwrap();
        let process = found.iter().find(|process| process.pid == child.id()).unwrap();
        assert_eq!((process.parent, process.zombie), (std::process::id(), false));
        assert!(descendants(child.id(), &processes().unwrap()).is_empty());
    }
}

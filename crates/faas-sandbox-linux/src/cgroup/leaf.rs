//! One sandbox's cgroup.

use super::files::{self, read_keyed, read_number};
use super::meters::Meters;
use super::tree::{Controller, Tree, Version};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;

/// What a sandbox may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, swap included.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u32,
    /// Thousandths of a core.
    pub cpu_milli: u32,
}

/// What the kernel counted. `None` where it cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeafCounters {
    /// Processor time in microseconds.
    pub cpu_us: Option<u64>,
    /// Highest memory in bytes.
    pub memory_peak_bytes: Option<u64>,
    /// Processes killed because the memory limit was reached.
    pub oom_kills: Option<u64>,
    /// Forks refused because the process limit was reached.
    pub pids_refused: Option<u64>,
}

/// The period over which a processor share is measured. Within one a sandbox may use its share at once
/// and on every processor, and neighbours wait for that long, which is why it is shorter than the
/// kernel's default of 100 ms.
const CPU_PERIOD_US: u64 = 10_000;
/// The kernel's shortest time per period and longest period.
const LEAST_QUOTA_US: u64 = 1_000;
const LONGEST_PERIOD_US: u64 = 1_000_000;

/// Time per period, and the period, in microseconds. The period is longer for a share so small that
/// its time would be less than the kernel accepts.
fn quota(cpu_milli: u32) -> (u64, u64) {
    let milli = u64::from(cpu_milli.max(1));
    let period = (LEAST_QUOTA_US * 1000).div_ceil(milli).clamp(CPU_PERIOD_US, LONGEST_PERIOD_US);
    (milli * period / 1000, period)
}

/// Where the kernel shows the highest memory.
const PEAK_VERSION_ONE: &str = "memory.max_usage_in_bytes";
const PEAK_VERSION_TWO: &str = "memory.peak";

#[derive(Debug)]
struct Twig {
    version: Version,
    controllers: Vec<Controller>,
    dir: OwnedFd,
    peak: Peak,
}

/// Where the highest memory is read.
#[derive(Debug)]
enum Peak {
    /// The group's own, since it was made or since it was last written (v1).
    Group,
    /// Since it was last written, through this descriptor (v2).
    Descriptor(OwnedFd),
    /// It was to begin again, and the kernel cannot (v2 before Linux 6.12).
    Unknown,
}

impl Twig {
    fn has(&self, controller: Controller) -> bool {
        self.controllers.contains(&controller)
    }

    fn peak_bytes(&self, file: &str) -> Option<u64> {
        match &self.peak {
            Peak::Group => read_number(&self.dir, file),
            Peak::Descriptor(file) => files::read_number_again(file),
            Peak::Unknown => None,
        }
    }
}

/// Any write makes what is read through the descriptor count from here.
fn restarted(file: OwnedFd) -> Peak {
    match rustix::io::write(&file, b"0") {
        Ok(_) => Peak::Descriptor(file),
        Err(_) => Peak::Unknown,
    }
}

/// One sandbox's directory in each hierarchy.
#[derive(Debug)]
pub struct Leaf {
    name: String,
    twigs: Vec<Twig>,
}

impl Leaf {
    pub(super) fn create(tree: &Tree, name: &str, limits: &Limits) -> Result<Self, Errno> {
        let mut leaf = Self { name: name.to_owned(), twigs: Vec::with_capacity(tree.branches.len()) };
        for branch in &tree.branches {
            let made = files::make_dir(&branch.own, name).and_then(|dir| {
                let controllers = branch.controllers.clone();
                let twig = Twig { version: branch.version, controllers, dir, peak: Peak::Group };
                write_limits(&twig, limits)?;
                Ok(twig)
            });
            match made {
                Ok(twig) => leaf.twigs.push(twig),
                Err(errno) => {
                    // Nothing was ever in them, so nothing keeps them busy.
                    let _ = tree.remove_leaf(&leaf);
                    return Err(errno);
                }
            }
        }
        Ok(leaf)
    }

    /// The directory's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory a child can be born in, where every controller is on v2.
    #[must_use]
    pub fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        match self.twigs.as_slice() {
            [twig] if twig.version == Version::Two => Some(twig.dir.as_fd()),
            _ => None,
        }
    }

    /// Moves a process in, in each hierarchy it was not born in.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn place(&self, pid: i32) -> Result<(), Errno> {
        if self.birthplace().is_some() { Ok(()) } else { self.adopt(pid) }
    }

    /// Moves a process in that was born elsewhere.
    ///
    /// # Errors
    /// The kernel's answer.
    pub fn adopt(&self, pid: i32) -> Result<(), Errno> {
        let pid = pid.to_string();
        self.twigs.iter().try_for_each(|twig| files::write(&twig.dir, "cgroup.procs", &pid))
    }

    /// Kills everything in it at once, where the kernel can (v2).
    pub fn kill(&self) {
        for twig in self.twigs.iter().filter(|twig| twig.version == Version::Two) {
            // Killing init through its descriptor, which follows, has the same effect.
            let _ = files::write(&twig.dir, "cgroup.kill", "1");
        }
    }

    /// From here on the highest memory counts anew. Where the kernel cannot, it is not known any more.
    pub fn restart_peak(&mut self) {
        for twig in self.twigs.iter_mut().filter(|twig| twig.has(Controller::Memory)) {
            twig.peak = match (twig.version, std::mem::replace(&mut twig.peak, Peak::Unknown)) {
                (Version::One, _) => match files::write(&twig.dir, PEAK_VERSION_ONE, "0") {
                    Ok(()) => Peak::Group,
                    Err(_) => Peak::Unknown,
                },
                (Version::Two, Peak::Group) => {
                    files::open_both_ways(&twig.dir, PEAK_VERSION_TWO).map_or(Peak::Unknown, restarted)
                }
                (Version::Two, Peak::Descriptor(file)) => restarted(file),
                (Version::Two, Peak::Unknown) => Peak::Unknown,
            };
        }
    }

    /// Bytes that are charged to it now; `None` where that is not counted.
    #[must_use]
    pub fn charged_bytes(&self) -> Option<u64> {
        let twig = self.twigs.iter().find(|twig| twig.has(Controller::Memory))?;
        match twig.version {
            Version::One => read_number(&twig.dir, "memory.usage_in_bytes"),
            Version::Two => read_number(&twig.dir, "memory.current"),
        }
    }

    /// Where that is read, once [`Self::restart_peak`] was called; `None` where the kernel has no such files.
    #[must_use]
    pub fn meters(&self) -> Option<Meters> {
        let cpu = self.twigs.iter().find_map(|twig| match twig.version {
            Version::One if twig.has(Controller::CpuAccounting) => files::open_to_read(&twig.dir, "cpuacct.usage").ok(),
            Version::One => None,
            Version::Two => files::open_to_read(&twig.dir, "cpu.stat").ok(),
        });
        let memory = self.twigs.iter().find(|twig| twig.has(Controller::Memory))?;
        let peak = match (memory.version, &memory.peak) {
            (Version::One, Peak::Group) => files::open_both_ways(&memory.dir, PEAK_VERSION_ONE).ok(),
            // The same open file: what begins anew through one of its descriptors does so through the other.
            (Version::Two, Peak::Descriptor(file)) => file.try_clone().ok(),
            (_, Peak::Unknown | Peak::Descriptor(_)) | (Version::Two, Peak::Group) => None,
        };
        Some(Meters::new(cpu?, peak?))
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> LeafCounters {
        let mut counters = LeafCounters::default();
        for twig in &self.twigs {
            match twig.version {
                Version::One => read_version_one(twig, &mut counters),
                Version::Two => read_version_two(twig, &mut counters),
            }
        }
        counters
    }
}

fn write_limits(twig: &Twig, limits: &Limits) -> Result<(), Errno> {
    let (quota, period) = quota(limits.cpu_milli);
    let memory = limits.memory_bytes.to_string();
    let pids = limits.pids.to_string();
    match twig.version {
        Version::One => {
            if twig.has(Controller::Memory) {
                files::write(&twig.dir, "memory.limit_in_bytes", &memory)?;
                // Swap, which is not limited where the kernel does not count it, and the buffers of
                // network sockets, which are not counted until they are limited.
                for file in ["memory.memsw.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes"] {
                    match files::write(&twig.dir, file, &memory) {
                        Ok(()) | Err(Errno::NOENT) => {}
                        Err(errno) => return Err(errno),
                    }
                }
            }
            if twig.has(Controller::Pids) {
                files::write(&twig.dir, "pids.max", &pids)?;
            }
            if twig.has(Controller::Cpu) {
                files::write(&twig.dir, "cpu.cfs_period_us", &period.to_string())?;
                files::write(&twig.dir, "cpu.cfs_quota_us", &quota.to_string())?;
            }
        }
        Version::Two => {
            if twig.has(Controller::Memory) {
                files::write(&twig.dir, "memory.max", &memory)?;
                match files::write(&twig.dir, "memory.swap.max", "0") {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            if twig.has(Controller::Pids) {
                files::write(&twig.dir, "pids.max", &pids)?;
            }
            if twig.has(Controller::Cpu) {
                files::write(&twig.dir, "cpu.max", &format!("{quota} {period}"))?;
            }
        }
    }
    Ok(())
}

fn read_version_one(twig: &Twig, counters: &mut LeafCounters) {
    if twig.has(Controller::Memory) {
        counters.memory_peak_bytes = twig.peak_bytes(PEAK_VERSION_ONE);
        counters.oom_kills = read_keyed(&twig.dir, "memory.oom_control", "oom_kill");
    }
    if twig.has(Controller::Pids) {
        counters.pids_refused = read_keyed(&twig.dir, "pids.events", "max");
    }
    if twig.has(Controller::CpuAccounting) {
        counters.cpu_us = read_number(&twig.dir, "cpuacct.usage").map(|nanoseconds| nanoseconds / 1000);
    }
}

fn read_version_two(twig: &Twig, counters: &mut LeafCounters) {
    if twig.has(Controller::Memory) {
        counters.memory_peak_bytes = twig.peak_bytes(PEAK_VERSION_TWO);
        counters.oom_kills = read_keyed(&twig.dir, "memory.events", "oom_kill");
    }
    if twig.has(Controller::Pids) {
        counters.pids_refused = read_keyed(&twig.dir, "pids.events", "max");
    }
    counters.cpu_us = read_keyed(&twig.dir, "cpu.stat", "usage_usec");
}

#[cfg(test)]
mod tests {
    use super::quota;

    #[test]
    fn every_share_is_exact_and_accepted() {
        for milli in [1, 2, 10, 99, 100, 101, 500, 1000, 1500, 64_000] {
            let (quota, period) = quota(milli);
            assert!(quota >= 1000 && (1000..=1_000_000).contains(&period), "{milli}: {quota} of {period}");
            let share = quota * 1000 / period;
            assert!(u64::from(milli).abs_diff(share) <= u64::from(milli).div_ceil(100), "{milli}: {quota} of {period}");
        }
    }
}

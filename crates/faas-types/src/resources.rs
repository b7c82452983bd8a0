//! What one sandbox may use.

use crate::{ByteSize, CpuAmount};
use serde::{Deserialize, Serialize};

/// The limits of one sandbox. Every field is enforced or the sandbox is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Processor share: 1000 milli is one core.
    pub cpu: CpuAmount,
    /// Memory of the whole sandbox, page cache and writable areas included.
    pub memory: ByteSize,
    /// Bytes of all writable areas together. They live in memory, so at most half of `memory`.
    pub disk: ByteSize,
    /// Processes and threads of the whole sandbox, init included.
    pub pids: u32,
}

impl Resources {
    /// The default memory limit: 256 MiB.
    pub const DEFAULT_MEMORY: ByteSize = ByteSize::mib(256);
    /// The default size of the writable areas: 128 MiB, or half of a smaller memory limit.
    pub const DEFAULT_DISK: ByteSize = ByteSize::mib(128);
    /// The default processor share: one core.
    pub const DEFAULT_CPU: CpuAmount = CpuAmount::from_milli(1000);
    /// The default number of processes and threads.
    pub const DEFAULT_PIDS: u32 = 64;
    /// The smallest memory limit an interpreter's sandbox can be assembled in.
    pub const MIN_MEMORY: ByteSize = ByteSize::mib(8);
    /// The smallest writable areas. Zero would mean "no limit" to the kernel's tmpfs.
    pub const MIN_DISK: ByteSize = ByteSize::from_bytes(64 * 1024);
    /// The smallest useful number of processes: init and the program.
    pub const MIN_PIDS: u32 = 4;
    /// The kernel's own ceiling for process ids.
    pub const MAX_PIDS: u32 = 4_194_304;

    /// The writable areas' size that goes with a memory limit when none is asked for.
    #[must_use]
    pub fn default_disk_for(memory: ByteSize) -> ByteSize {
        Self::DEFAULT_DISK.min(ByteSize::from_bytes(memory.as_bytes() / 2))
    }

    /// Inodes that go with a number of bytes: one for each 4 KiB page, at least 1024.
    #[must_use]
    pub fn inodes(&self) -> u64 {
        (self.disk.as_bytes() / 4096).max(1024)
    }

    /// Checks what can be checked without knowing the host.
    ///
    /// # Errors
    /// Names the field and the accepted range.
    pub fn check(&self) -> Result<(), ResourcesError> {
        if !(CpuAmount::MIN..=CpuAmount::MAX).contains(&self.cpu) {
            return Err(ResourcesError::OutOfRange {
                field: "cpu",
                given: self.cpu.to_string(),
                accepted: "1m to 1024 cores",
            });
        }
        if self.memory < Self::MIN_MEMORY {
            return Err(ResourcesError::OutOfRange {
                field: "memory",
                given: self.memory.to_string(),
                accepted: "at least 8Mi",
            });
        }
        if self.pids < Self::MIN_PIDS || self.pids > Self::MAX_PIDS {
            return Err(ResourcesError::OutOfRange {
                field: "pids",
                given: self.pids.to_string(),
                accepted: "4 to 4194304",
            });
        }
        if self.disk < Self::MIN_DISK {
            return Err(ResourcesError::OutOfRange {
                field: "disk",
                given: self.disk.to_string(),
                accepted: "at least 64Ki",
            });
        }
        if self.disk.as_bytes() > self.memory.as_bytes() / 2 {
            return Err(ResourcesError::DiskAboveMemory { disk: self.disk, memory: self.memory });
        }
        Ok(())
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            cpu: Self::DEFAULT_CPU,
            memory: Self::DEFAULT_MEMORY,
            disk: Self::DEFAULT_DISK,
            pids: Self::DEFAULT_PIDS,
        }
    }
}

/// Why a set of limits is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourcesError {
    /// A value outside its range.
    #[error("{field} {given} is out of range; accepted: {accepted}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// The writable areas live in memory and would crowd the program out.
    #[error(
        "disk {disk} is above half of memory {memory}: the writable areas live in memory; raise memory to at least twice the disk or lower disk"
    )]
    DiskAboveMemory {
        /// What was asked for the writable areas.
        disk: ByteSize,
        /// The memory limit.
        memory: ByteSize,
    },
}

/// What happens when output passes its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnOutputLimit {
    /// The rest is discarded and flagged; the program goes on.
    #[default]
    Discard,
    /// The program is killed.
    Kill,
}

/// How much output a run may produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputLimits {
    /// Bytes of stdout and stderr together.
    pub bytes: ByteSize,
    /// What happens past it.
    pub on_limit: OnOutputLimit,
}

impl Default for OutputLimits {
    fn default() -> Self {
        Self { bytes: ByteSize::mib(64), on_limit: OnOutputLimit::Discard }
    }
}

#[cfg(test)]
mod tests {
    use super::{OnOutputLimit, OutputLimits, Resources, ResourcesError};
    use crate::{ByteSize, CpuAmount};

    fn refused_field(resources: Resources) -> &'static str {
        match resources.check() {
            Err(ResourcesError::OutOfRange { field, .. }) => field,
            other => panic!("expected a value out of range, got {other:?}"),
        }
    }

    #[test]
    fn the_defaults_and_both_ends_of_every_range_pass() {
        let smallest = Resources {
            cpu: CpuAmount::MIN,
            memory: Resources::MIN_MEMORY,
            disk: Resources::MIN_DISK,
            pids: Resources::MIN_PIDS,
        };
        let largest = Resources {
            cpu: CpuAmount::MAX,
            memory: ByteSize::from_bytes(u64::MAX),
            disk: ByteSize::from_bytes(u64::MAX / 2),
            pids: Resources::MAX_PIDS,
        };
        for resources in [Resources::default(), smallest, largest] {
            assert_eq!(resources.check(), Ok(()), "{resources:?}");
        }
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        let good = Resources::default();
        assert_eq!(refused_field(Resources { cpu: CpuAmount::from_milli(0), ..good }), "cpu");
        assert_eq!(refused_field(Resources { cpu: CpuAmount::from_milli(1_024_001), ..good }), "cpu");
        assert_eq!(refused_field(Resources { memory: ByteSize::from_bytes((8 << 20) - 1), ..good }), "memory");
        assert_eq!(refused_field(Resources { disk: ByteSize::from_bytes(0), ..good }), "disk");
        assert_eq!(refused_field(Resources { pids: 0, ..good }), "pids");
        assert_eq!(refused_field(Resources { pids: 3, ..good }), "pids");
        assert_eq!(refused_field(Resources { pids: 4_194_305, ..good }), "pids");
    }

    #[test]
    fn disk_above_half_of_memory_is_refused_with_the_way_out() {
        let resources = Resources { disk: ByteSize::from_bytes((128 << 20) + 1), ..Resources::default() };
        let refusal = resources.check().expect_err("disk crowds memory out");
        assert!(matches!(refusal, ResourcesError::DiskAboveMemory { .. }));
        assert!(refusal.to_string().contains("raise memory to at least twice the disk"), "{refusal}");
    }

    #[test]
    fn the_default_disk_fits_every_accepted_memory() {
        for memory in [8, 64, 256, 4096].map(ByteSize::mib) {
            let resources = Resources { memory, disk: Resources::default_disk_for(memory), ..Resources::default() };
            assert_eq!(resources.check(), Ok(()), "{memory}");
        }
        assert_eq!(Resources::default_disk_for(ByteSize::mib(64)), ByteSize::mib(32));
        assert_eq!(Resources::default_disk_for(ByteSize::mib(4096)), Resources::DEFAULT_DISK);
    }

    #[test]
    fn inodes_follow_bytes_with_a_floor() {
        assert_eq!(Resources { disk: ByteSize::mib(128), ..Resources::default() }.inodes(), 32_768);
        assert_eq!(Resources { disk: ByteSize::from_bytes(65_536), ..Resources::default() }.inodes(), 1024);
    }

    #[test]
    fn output_is_bounded_and_discarded_past_the_bound_by_default() {
        let limits = OutputLimits::default();
        assert_eq!((limits.bytes, limits.on_limit), (ByteSize::mib(64), OnOutputLimit::Discard));
    }
}

//! What the copies of a zygote call until the program runs.

use super::STEM;
use super::park::{Thread, call_of};
use super::shell::Fault;
use super::step::StartStep;
use super::walker::{CALL_BYTES, Call, DATA_BYTES, END, MASK_BYTES, ROOM_BYTES, SCRIPT_BYTES, Walker};
use crate::assemble::{INNER_ID, StandIn};
use crate::landlock::RawRules;
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CpuSet};

/// Descriptors as they arrive (`park::receiving`): 0, 1 and 2 are in their places.
const LAST_DESCRIPTOR: u64 = 4;
const INIT: u64 = 5;
const SOCKET: u64 = 6;
/// The first number that is free when landlock's ruleset is made.
const RULESET: u64 = 4;

/// Every namespace of the shell, the user namespace included, which gives the rights to the others.
const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// `_LINUX_CAPABILITY_VERSION_3` (`include/uapi/linux/capability.h`).
const CAPABILITIES_VERSION: u64 = 0x2008_0522;
/// `LANDLOCK_RULE_PATH_BENEATH` (`include/uapi/linux/landlock.h`).
const PATH_BENEATH: u64 = 1;
/// `RLIMIT_NPROC` and `RLIMIT_DATA` (`include/uapi/asm-generic/resource.h`).
const NPROC: u64 = 6;
const DATA: u64 = 2;
/// What a stem shares with its program.
const SHARING: i32 = libc::CLONE_VM | libc::CLONE_SIGHAND;
/// A signal stack that is not used (`SS_DISABLE`).
const NO_SIGNAL_STACK: u64 = 2;

/// Calls with the steps they belong to, and what they point to.
#[derive(Debug)]
pub(super) struct Script {
    walker: Walker,
    calls: Vec<(StartStep, Call)>,
    data: Vec<u8>,
}

/// What a script depends on.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) thread: &'a Thread,
    pub(super) landlock: Option<&'a RawRules>,
    pub(super) stand_in: StandIn,
    /// Whether what is copied is to be kept, as a stem.
    pub(super) stem: bool,
    /// From [`known_capabilities`].
    pub(super) capabilities: &'a [u64],
    /// The processors that the program may use.
    pub(super) processors: &'a CpuSet,
    pub(super) fault: Option<Fault>,
}

impl Script {
    /// The whole of it. What was copied makes X where it is to be a stem, and is X otherwise. X goes on to [`StartStep::Father`], Y to [`StartStep::Program`], P to the end.
    pub(super) fn write(walker: Walker, setting: &Setting<'_>) -> Self {
        let mut script = Self { walker, calls: Vec::with_capacity(128), data: Vec::new() };
        if setting.stem {
            script.call(StartStep::Stem, libc::SYS_clone, [flags(SHARING | libc::CLONE_PARENT), 0, 0, 0, 0, 0]);
        }
        script.join();
        if let Some(rules) = setting.landlock {
            script.landlock(rules);
        }
        script.become_inner_user(setting.capabilities);
        script.limits(setting.stand_in);
        script.clones(setting);
        script.program(setting);
        if setting.stem {
            script.rest();
        }
        if let Some(fault) = setting.fault {
            script.spoil(fault);
        }
        script
    }

    /// What walks it.
    pub(super) fn walker(&self) -> Walker {
        self.walker
    }

    /// As it is sent: what the calls point to, then the calls.
    ///
    /// # Errors
    /// `E2BIG` when it does not fit.
    pub(super) fn message(&self) -> Result<Vec<u8>, Errno> {
        let data_bytes = usize::try_from(DATA_BYTES).map_err(|_| Errno::TOOBIG)?;
        if self.data.len() > data_bytes || self.calls.len() as u64 * CALL_BYTES > SCRIPT_BYTES {
            return Err(Errno::TOOBIG);
        }
        let mut message = self.data.clone();
        message.resize(data_bytes, 0);
        message.extend(self.calls.iter().flat_map(|(_, call)| *call).flat_map(u64::to_le_bytes));
        Ok(message)
    }

    /// Which step the call before this address belongs to; that of receiving the script when it is none of
    /// its calls.
    pub(super) fn step_before(&self, behind: u64) -> StartStep {
        let index = behind.checked_sub(self.walker.script() + CALL_BYTES).map(|bytes| bytes / CALL_BYTES);
        index
            .and_then(|index| self.calls.get(usize::try_from(index).ok()?))
            .map_or(StartStep::Receive, |(step, _)| *step)
    }

    fn call(&mut self, step: StartStep, number: libc::c_long, arguments: [u64; 6]) {
        self.calls.push((step, call_of(number, arguments)));
    }

    /// The address of words that arrive with the script.
    fn words(&mut self, words: &[u64]) -> u64 {
        let address = self.walker.data() + self.data.len() as u64;
        self.data.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        address
    }

    fn text(&mut self, text: &str) -> u64 {
        let address = self.walker.data() + self.data.len() as u64;
        self.data.extend(text.bytes());
        // Ends with a zero, and the next one begins at a whole word.
        self.data.resize((self.data.len() + 1).next_multiple_of(8), 0);
        address
    }

    fn join(&mut self) {
        self.call(StartStep::Join, libc::SYS_setns, [INIT, flags(NAMESPACES), 0, 0, 0, 0]);
        self.call(StartStep::Descriptors, libc::SYS_dup3, [LAST_DESCRIPTOR, 3, 0, 0, 0, 0]);
        self.close_from(StartStep::Descriptors, 4);
    }

    fn close_from(&mut self, step: StartStep, first: u64) {
        self.call(step, libc::SYS_close_range, [first, u32::MAX.into(), 0, 0, 0, 0]);
    }

    /// Paths are opened one after the other, which gives them the numbers that follow the ruleset's.
    fn landlock(&mut self, rules: &RawRules) {
        const STEP: StartStep = StartStep::Landlock;
        let handled = self.words(&rules.handled);
        let size = rules.handled.len() as u64 * 8;
        self.call(STEP, libc::SYS_landlock_create_ruleset, [handled, size, 0, 0, 0, 0]);
        for (fd, (path, access)) in (RULESET + 1..).zip(&rules.allowed) {
            let path = self.text(path);
            let here = i64::from(libc::AT_FDCWD).cast_unsigned();
            self.call(STEP, libc::SYS_openat, [here, path, flags(libc::O_PATH | libc::O_CLOEXEC), 0, 0, 0]);
            // `struct landlock_path_beneath_attr` is packed: the access, then a descriptor of half a word.
            let rule = self.words(&[*access, fd]);
            self.call(STEP, libc::SYS_landlock_add_rule, [RULESET, PATH_BENEATH, rule, 0, 0, 0]);
        }
        self.call(STEP, libc::SYS_landlock_restrict_self, [RULESET, 0, 0, 0, 0, 0]);
        self.close_from(STEP, RULESET);
    }

    fn become_inner_user(&mut self, capabilities: &[u64]) {
        let id = u64::from(INNER_ID);
        self.call(StartStep::Ids, libc::SYS_setresgid, [id, id, id, 0, 0, 0]);
        self.call(StartStep::Ids, libc::SYS_setresuid, [id, id, id, 0, 0, 0]);
        // Changing ids took its own files in /proc from it, and its memory from us.
        self.call(StartStep::Ids, libc::SYS_prctl, [flags(libc::PR_SET_DUMPABLE), 1, 0, 0, 0, 0]);
        // Joining a user namespace gave it every capability of that one, and the whole bounding set.
        for &capability in capabilities {
            self.call(StartStep::Bounds, libc::SYS_prctl, [flags(libc::PR_CAPBSET_DROP), capability, 0, 0, 0, 0]);
        }
    }

    fn limits(&mut self, stand_in: StandIn) {
        let limits = [(NPROC, stand_in.pids), (DATA, stand_in.memory_bytes)];
        for (resource, limit) in limits {
            let Some(limit) = limit else { continue };
            let limit = self.words(&[limit, limit]);
            self.call(StartStep::Limits, libc::SYS_prlimit64, [0, resource, limit, 0, 0, 0]);
        }
    }

    /// X makes Y as its sibling, so that the launcher collects it. Y makes P, and P's number is written
    /// where the C library keeps its thread's, as a start does.
    fn clones(&mut self, setting: &Setting<'_>) {
        // A stem has what the program has done with its signals.
        let sharing = if setting.stem { SHARING } else { libc::CLONE_VM };
        self.call(StartStep::Father, libc::SYS_clone, [flags(sharing | libc::CLONE_PARENT), 0, 0, 0, 0, 0]);
        let numbers = libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
        let program = flags(sharing | numbers | libc::SIGCHLD);
        // It is also written where nobody else's memory is, for us.
        let (ours, its) = (self.walker.answers(), setting.thread.number);
        self.call(StartStep::Program, libc::SYS_clone, [program, 0, ours, its, 0, 0]);
    }

    /// What the stem calls, from [`Script::rest_at`] on.
    fn rest(&mut self) {
        let socket = u64::from(STEM.unsigned_abs());
        self.call(StartStep::Rest, libc::SYS_dup3, [SOCKET, socket, 0, 0, 0, 0]);
        self.call(StartStep::Rest, libc::SYS_close_range, [0, socket - 1, 0, 0, 0, 0]);
        self.close_from(StartStep::Rest, socket + 1);
        self.calls.push((StartStep::Rest, END));
    }

    /// Where a stem goes on.
    pub(super) fn rest_at(&self) -> u64 {
        let before = self.calls.iter().take_while(|(step, _)| *step != StartStep::Rest).count();
        self.walker.script() + before as u64 * CALL_BYTES
    }

    /// Where a stem stands still.
    pub(super) fn end(&self) -> u64 {
        self.walker.script() + self.calls.len() as u64 * CALL_BYTES
    }

    fn program(&mut self, setting: &Setting<'_>) {
        let thread = setting.thread;
        self.call(StartStep::Session, libc::SYS_setsid, [0; 6]);
        let [head, size] = thread.robust;
        if head != 0 {
            self.call(StartStep::Thread, libc::SYS_set_robust_list, [head, size, 0, 0, 0, 0]);
        }
        if thread.signal_stack[1] & NO_SIGNAL_STACK == 0 {
            let stack = self.words(&thread.signal_stack);
            self.call(StartStep::Thread, libc::SYS_sigaltstack, [stack, 0, 0, 0, 0, 0]);
        }
        let mask = self.words(&mask_of(setting.processors));
        self.call(StartStep::Processors, libc::SYS_sched_setaffinity, [0, MASK_BYTES, mask, 0, 0, 0]);
        let header = self.words(&[CAPABILITIES_VERSION]);
        let none = self.words(&[0; 3]);
        self.call(StartStep::Caps, libc::SYS_capset, [header, none, 0, 0, 0, 0]);
        self.call(StartStep::Unmap, libc::SYS_munmap, [self.walker.base(), ROOM_BYTES, 0, 0, 0, 0]);
    }

    /// The first call of the step goes wrong.
    fn spoil(&mut self, fault: Fault) {
        if let Some((_, call)) = self.calls.iter_mut().find(|(step, _)| *step == fault.step()) {
            *call = wrong_call(fault);
        }
    }
}

/// A call that fails, never ends, or ends the process.
pub(super) fn wrong_call(fault: Fault) -> Call {
    match fault {
        Fault::Fails(_) => END,
        Fault::Hangs(_) => call_of(libc::SYS_pause, [0; 6]),
        Fault::Dies(_) => call_of(libc::SYS_exit_group, [1, 0, 0, 0, 0, 0]),
    }
}

fn flags(bits: libc::c_int) -> u64 {
    bits.cast_unsigned().into()
}

/// A mask of processors in the kernel's form.
pub(super) fn mask_of(processors: &CpuSet) -> [u64; 16] {
    let mut mask = [0_u64; 16];
    for (index, word) in mask.iter_mut().enumerate() {
        for bit in 0..64 {
            *word |= u64::from(processors.is_set(index * 64 + bit)) << bit;
        }
    }
    mask
}

/// Capabilities that this kernel has; the list may be newer.
pub(super) fn known_capabilities() -> Vec<u64> {
    CapabilitySet::all()
        .iter()
        .filter(|capability| rustix::thread::capability_is_in_bounding_set(*capability).is_ok())
        .map(|capability| capability.bits().trailing_zeros().into())
        .collect()
}

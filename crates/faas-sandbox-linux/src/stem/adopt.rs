//! Stems, and how the program beside one becomes a zygote.
//!
//! ```text
//! T, the stem ──one instruction──▶ Z, with memory of its own   T and P are ended
//!   beside P since its start          goes on as P would
//! ```
//!
//! P is hostile, and so is every byte of the memory that T shares with it. Therefore:
//! - what is written to Z, and what decides about it, comes from the kernel or from us, never from that memory;
//! - T executes one instruction, the system call by which P parked, and is ended in the middle of it. The room that
//!   copies walk in is made in Z, which nobody shares;
//! - P is held by us from before the first look at it, so that what was seen stays true.

use super::hatch::HatchError;
use super::park::{self, GET_TID_ADDRESS, Thread, call_of, write};
use super::start::Parked;
use super::tracee::Tracee;
use super::{Waiter, proc, single};
use crate::caps::as_user;
use crate::cgroup::Leaf;
use crate::sys::{self, Change};
use faas_protocol::launcher::Unfit;
use libc::user_regs_struct;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// A stop of a whole process, in a wait status (`include/uapi/linux/ptrace.h`).
const EVENT_STOP: i32 = 128;
/// How far below its stack a program is given answers: what is there belongs to nobody (the red zone is 128 bytes).
const BELOW_STACK: u64 = 1024;
/// What the kernel never answers, and the size of the head of a list of robust locks, which it always does.
const NO_ANSWER: u64 = u64::MAX;
const ROBUST_HEAD: u64 = 24;

/// A process that shares the memory of a program since its start, and stands still. Dropping it ends it; the program
/// goes on.
#[derive(Debug)]
pub struct Stem {
    process: Tracee,
    socket: OwnedFd,
    program: ProgramProcess,
}

/// The program beside a stem: a child of its sandbox's init, and not ours.
#[derive(Debug)]
pub(super) struct ProgramProcess {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    /// Its number in its sandbox.
    pub(super) number: u32,
}

/// Where a program becomes a zygote.
#[derive(Debug)]
pub struct Nest<'a> {
    /// The zygote's cgroup.
    pub leaf: &'a Leaf,
    /// The zygotes' user.
    pub uid: u32,
    /// How long it may take.
    pub bound: Duration,
    /// A step that is to fail, for tests.
    pub fault: Option<AdoptStep>,
}

/// A step of making a zygote of a program, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdoptStep {
    /// The program is held where it stopped.
    Hold,
    /// Both are in the zygote's cgroup, where nothing of it is slowed down.
    Place,
    /// It is looked at.
    Look,
    /// What belongs to its thread is learnt.
    Thread,
    /// The stem is copied.
    Copy,
    /// The copy has what belongs to the thread.
    State,
    /// The copy has room for what its own copies walk.
    Room,
}

impl AdoptStep {
    /// Every step, in order.
    pub const ALL: [Self; 7] = [Self::Hold, Self::Place, Self::Look, Self::Thread, Self::Copy, Self::State, Self::Room];
}

/// What a thread has besides its memory.
struct State {
    registers: user_regs_struct,
    extended: Vec<u8>,
    signal_mask: u64,
    thread: Thread,
}

impl Stem {
    pub(super) fn new(process: Tracee, socket: OwnedFd, program: ProgramProcess) -> Self {
        Self { process, socket, program }
    }

    /// Whether its program has been stopped by now. The kernel tells nobody but its parent, so it is to be asked now and
    /// then.
    ///
    /// # Errors
    /// It never will be.
    pub fn is_program_stopped(&mut self) -> Result<bool, HatchError> {
        match self.process.look()? {
            None => {}
            Some(Change::Killed { signal }) => return Err(HatchError::Killed { signal }),
            Some(Change::Exited { .. } | Change::Stopped { .. }) => return Err(Errno::FAULT.into()),
        }
        let stopped = proc::is_stopped(self.program.pid);
        // While it lives, its number is its own.
        self.program.is_alive()?;
        Ok(stopped?)
    }

    /// Has the stem killed, without waiting until it is gone.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Whether it is gone, which it never is before it was killed.
    pub fn is_gone(&mut self) -> bool {
        !matches!(self.process.look(), Ok(None | Some(Change::Stopped { .. })))
    }

    /// Makes a zygote of the program, which has been stopped. Whatever comes of it, the program and the stem are gone
    /// afterwards, and [`Waiter::descriptor`] may be readable without a cause.
    ///
    /// # Errors
    /// Why there is none.
    pub fn adopt(self, waiter: &Waiter, nest: &Nest<'_>) -> Result<Parked, HatchError> {
        let adopted = self.become_zygote(waiter, nest);
        // Without it a change of another child could go unheard; there is no reason for it to fail.
        let _ = waiter.disturb();
        adopted
    }

    fn become_zygote(mut self, waiter: &Waiter, nest: &Nest<'_>) -> Result<Parked, HatchError> {
        let deadline = Instant::now() + nest.bound;
        nest.check(AdoptStep::Hold)?;
        let mut program = self.program.hold(nest.uid)?;
        nest.check(AdoptStep::Place)?;
        let place = |pid| nest.leaf.adopt(pid).map_err(at(AdoptStep::Place));
        place(self.process.pid())?;
        place(program.pid())?;

        nest.check(AdoptStep::Look)?;
        proc::is_alone(program.pid())?;
        proc::has_its_descriptors_only(program.pid())?;
        // The program's, whose user namespace the zygotes' user owns; that the stem's are the same is seen below.
        let maps = as_user(nest.uid, || proc::open_maps(program.pid())).map_err(at(AdoptStep::Look))?;
        let shared = proc::shared_mappings(maps)?;

        nest.check(AdoptStep::Thread)?;
        let state = self.learn(&mut program, waiter, deadline)?;

        nest.check(AdoptStep::Copy)?;
        let flags = (libc::CLONE_PARENT | libc::SIGCHLD).cast_unsigned().into();
        let copying = call_of(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]);
        let copy = single::clone(&mut self.process, waiter, deadline, &state.registers, copying);
        let mut copy = copy.map_err(at(AdoptStep::Copy))?;
        let Self { process, socket, .. } = self;
        drop((process, program));

        nest.check(AdoptStep::State)?;
        state.give(&copy).map_err(at(AdoptStep::State))?;
        let State { registers, thread, .. } = state;
        refuse_writable(&mut copy, waiter, deadline, &registers, &shared)?;
        nest.check(AdoptStep::Room)?;
        let walker = park::make_room(&mut copy, waiter, deadline, &registers)
            .and_then(|walker| park::furnish(copy.pid(), walker).map(|()| walker))
            .map_err(at(AdoptStep::Room))?;
        Ok(Parked::new(copy, socket, walker, registers, thread))
    }

    /// Has the program ask for what only itself can. The answers are read from the stem: as nothing that the program
    /// can write to is shared with another memory, the two have one.
    fn learn(&self, program: &mut Tracee, waiter: &Waiter, deadline: Instant) -> Result<State, HatchError> {
        let (pid, stem) = (program.pid(), self.process.pid());
        let registers = single::parked_registers(pid)?;
        let to_step = at(AdoptStep::Thread);
        let extended = sys::extended_state(pid).map_err(to_step)?;
        let signal_mask = sys::signal_mask(pid).map_err(to_step)?;
        let restartable = sys::restartable_area(pid);
        let answers = registers.rsp.wrapping_sub(BELOW_STACK) & !7;
        let answer = |index: u64| answers.wrapping_add(index * 8);
        write(stem, answers, [NO_ANSWER; 6]).map_err(|_| HatchError::Unfit(Unfit::Memory))?;
        let questions = [
            call_of(libc::SYS_prctl, [GET_TID_ADDRESS, answer(0), 0, 0, 0, 0]),
            call_of(libc::SYS_get_robust_list, [0, answer(1), answer(2), 0, 0, 0]),
            call_of(libc::SYS_sigaltstack, [0, answer(3), 0, 0, 0, 0]),
        ];
        for question in questions {
            single::call(program, waiter, deadline, &registers, question).map_err(to_step)?;
        }
        let word = |index| sys::read_word(stem, answer(index)).map_err(to_step);
        let robust = [word(1)?, word(2)?];
        if robust[1] != ROBUST_HEAD {
            return Err(HatchError::Unfit(Unfit::Memory));
        }
        let thread = Thread { number: word(0)?, robust, signal_stack: [word(3)?, word(4)?, word(5)?], restartable };
        let number = sys::read_word(stem, thread.number).map_err(|_| HatchError::Unfit(Unfit::Library))?;
        if number & 0xffff_ffff != u64::from(self.program.number) {
            return Err(HatchError::Unfit(Unfit::Library));
        }
        Ok(State { registers, extended, signal_mask, thread })
    }
}

impl ProgramProcess {
    fn is_alive(&self) -> Result<(), HatchError> {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let ended = PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN);
        match rustix::event::poll(&mut [ended], Some(&at_once))? {
            0 => Ok(()),
            _ => Err(HatchError::Unfit(Unfit::Gone)),
        }
    }

    /// Holds it where it has stopped itself. The owner of its user namespace may.
    fn hold(&self, uid: u32) -> Result<Tracee, HatchError> {
        self.is_alive()?;
        match as_user(uid, || sys::seize(self.pid)) {
            Ok(()) => {}
            Err(Errno::SRCH) => return Err(HatchError::Unfit(Unfit::Gone)),
            Err(errno) => return Err(at(AdoptStep::Hold)(errno)),
        }
        let mut held = Tracee::new(self.pid);
        // What has stopped is held by the time that the call returns.
        match held.look()? {
            Some(Change::Stopped { signal: libc::SIGSTOP, event: EVENT_STOP }) => Ok(held),
            Some(Change::Exited { .. } | Change::Killed { .. }) => Err(HatchError::Unfit(Unfit::Gone)),
            Some(Change::Stopped { .. }) | None => Err(HatchError::Unfit(Unfit::Elsewhere)),
        }
    }
}

impl Nest<'_> {
    /// The failure that a test asked for at this step.
    fn check(&self, step: AdoptStep) -> Result<(), HatchError> {
        if self.fault == Some(step) { Err(at(step)(Errno::IO)) } else { Ok(()) }
    }
}

impl State {
    fn give(&self, to: &Tracee) -> Result<(), Errno> {
        sys::write_registers(to.pid(), &self.registers)?;
        sys::set_extended_state(to.pid(), &self.extended)?;
        sys::set_signal_mask(to.pid(), self.signal_mask)
    }
}

/// Refuses shared memory that could be made writable, through which copies would reach each other. The kernel denies it
/// for files that were opened for reading.
fn refuse_writable(
    copy: &mut Tracee,
    waiter: &Waiter,
    deadline: Instant,
    parked: &user_regs_struct,
    shared: &[(u64, u64)],
) -> Result<(), HatchError> {
    let writable = (libc::PROT_READ | libc::PROT_WRITE).cast_unsigned().into();
    for (address, bytes) in shared {
        let protect = call_of(libc::SYS_mprotect, [*address, *bytes, writable, 0, 0, 0]);
        match single::call(copy, waiter, deadline, parked, protect) {
            Err(Errno::ACCESS) => {}
            Err(errno @ (Errno::CHILD | Errno::TIMEDOUT)) => return Err(at(AdoptStep::State)(errno)),
            Ok(_) | Err(_) => return Err(HatchError::Unfit(Unfit::SharedMapping)),
        }
    }
    Ok(())
}

fn at(step: AdoptStep) -> impl Fn(Errno) -> HatchError + Copy {
    move |errno| HatchError::Adoption { step, errno }
}

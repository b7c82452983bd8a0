//! Starting a program from a zygote.

use super::adopt::{ProgramProcess, Stem};
use super::park::{Thread, call_of, receiving_at, write};
use super::pinned::Pinned;
use super::script::{Script, Setting, known_capabilities, mask_of, wrong_call};
use super::shell::{Fault, Shell};
use super::step::{StartError, StartStep};
use super::tracee::{Stop, Tracee};
use super::walk::{Failure, check, child, halted, number, sockets};
use super::walker::{END_ERRNO, Halt, Walker};
use super::{Waiter, letter, single};
use crate::sys;
use libc::user_regs_struct;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};
use rustix::thread::CpuSet;
use std::time::{Duration, Instant};

/// How much longer a zygote may take than the start to come to rest.
const REST: Duration = Duration::from_secs(1);

/// A parked zygote. Dropping it ends it.
#[derive(Debug)]
pub struct Parked {
    process: Tracee,
    stem: OwnedFd,
    walker: Walker,
    /// With these it goes on where it parked.
    registers: user_regs_struct,
    thread: Thread,
    /// What the bounding set is emptied of.
    capabilities: Vec<u64>,
    /// The processor that its mask names.
    processor: Option<usize>,
    state: State,
}

/// What the zygote does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It stands still, and can be made to walk.
    Still,
    /// It walks to the end of its table.
    Walking,
    /// It cannot be used any more.
    Lost,
}

/// A program that runs in a shell.
#[derive(Debug)]
pub struct Started {
    /// Its pid there, 3 in a new one.
    pub number: u32,
    /// What stands beside it, where that was asked for.
    pub stem: Option<Stem>,
}

impl Parked {
    pub(super) fn new(
        process: Tracee,
        stem: OwnedFd,
        walker: Walker,
        registers: user_regs_struct,
        thread: Thread,
    ) -> Self {
        let capabilities = known_capabilities();
        Self { process, stem, walker, registers, thread, capabilities, processor: None, state: State::Still }
    }

    /// Whether it can still be copied.
    pub fn is_alive(&mut self) -> bool {
        // A parked process changes only by being killed.
        if self.state == State::Still && !matches!(self.process.look(), Ok(None)) {
            self.state = State::Lost;
        }
        self.state == State::Still
    }

    /// Starts a program in a shell: a copy of the zygote, which goes on where it parked, as a child of the
    /// shell's init. Its descriptors 0 to 3 are those of the shell.
    /// Afterwards [`Waiter::descriptor`] may be readable without a cause.
    ///
    /// # Errors
    /// Names the step that failed.
    pub fn start(&mut self, waiter: &Waiter, shell: &Shell<'_>) -> Result<Started, StartError> {
        let deadline = Instant::now() + shell.bound;
        let started = Pinned::here().map_err(|errno| (StartStep::Copy, errno)).and_then(|pinned| {
            let started = self.copy_into(waiter, shell, deadline, &pinned);
            self.come_to_rest(waiter, deadline + REST);
            started
        });
        // Without it a change of another child could go unheard; there is no reason for it to fail.
        let _ = waiter.disturb();
        started.map_err(|(step, errno)| StartError { step, errno, zygote_lost: self.state == State::Lost })
    }

    fn copy_into(
        &mut self,
        waiter: &Waiter,
        shell: &Shell<'_>,
        deadline: Instant,
        pinned: &Pinned,
    ) -> Result<Started, Failure> {
        let walker = self.walker;
        let rules = shell.landlock.map(crate::landlock::Rules::raw);
        let setting = Setting {
            thread: &self.thread,
            landlock: rules.as_ref(),
            stand_in: shell.stand_in,
            stem: shell.stem,
            capabilities: &self.capabilities,
            processors: &pinned.before,
            fault: shell.fault,
        };
        let script = Script::write(walker, &setting);
        let message = script.message().map_err(|errno| (StartStep::Send, errno))?;
        let at = |step| move |errno| (step, errno);
        let due = |step| check(shell.fault, step);

        due(StartStep::Copy)?;
        let mut copy = self.copy(waiter, deadline, pinned.processor).map_err(at(StartStep::Copy))?;
        self.prepare(&copy, shell.fault).map_err(at(StartStep::Copy))?;
        due(StartStep::Send)?;
        let sockets = if shell.stem { Some(sockets().map_err(at(StartStep::Send))?) } else { None };
        let theirs = sockets.as_ref().map(|(_, theirs)| theirs.as_fd());
        letter::send(&self.stem, &message, shell.descriptors, shell.init, theirs).map_err(at(StartStep::Send))?;
        self.receive(&mut copy, &script, waiter, deadline)?;
        let (mut copy, kept) = match sockets {
            Some((ours, _)) => {
                let entering = self.set_apart(&mut copy, &script, waiter, deadline)?;
                (entering, Some((copy, ours)))
            }
            None => (copy, None),
        };
        let mut father = child(&mut copy, StartStep::Father, &script, waiter, deadline)?;
        copy.kill();
        let mut program = child(&mut father, StartStep::Program, &script, waiter, deadline)?;
        father.kill();
        let number = number(&program, walker).map_err(at(StartStep::Program))?;
        match program.walk_on(waiter, deadline, walker).map_err(at(StartStep::Unmap))? {
            Stop::Halted(Halt::Unmapped) => {}
            stop => return Err(halted(stop, &script)),
        }
        due(StartStep::Restartable)?;
        self.register_area(&mut program, waiter, deadline).map_err(at(StartStep::Restartable))?;
        due(StartStep::Collect)?;
        drop((copy, father));
        due(StartStep::Place)?;
        // Memory is charged to the group of the process that owns it, which is the stem, or P now that it is
        // alone. Nothing of the start is charged to, or slowed down by, the sandbox.
        if let Some((stem, _)) = &kept {
            shell.leaf.adopt(stem.pid()).map_err(at(StartStep::Place))?;
        }
        shell.leaf.adopt(program.pid()).map_err(at(StartStep::Place))?;
        due(StartStep::Release)?;
        let stem = self.release(program, number, kept).map_err(at(StartStep::Release))?;
        Ok(Started { number, stem })
    }

    /// Has a copy, which is to be a stem, make X beside it, and come to rest.
    fn set_apart(
        &self,
        copy: &mut Tracee,
        script: &Script,
        waiter: &Waiter,
        deadline: Instant,
    ) -> Result<Tracee, Failure> {
        let entering = child(copy, StartStep::Stem, script, waiter, deadline)?;
        let at_rest = |errno| (StartStep::Rest, errno);
        let registers = self.walker.registers(&self.registers, script.rest_at());
        sys::write_registers(copy.pid(), &registers).map_err(at_rest)?;
        match copy.walk_on(waiter, deadline, self.walker).map_err(at_rest)? {
            Stop::Halted(Halt::Failed { behind, errno: END_ERRNO }) if behind == script.end() => Ok(entering),
            stop => Err(halted(stop, script)),
        }
    }

    /// By the instruction at which the zygote parked, as nothing else of ours is left in the program.
    fn register_area(&self, program: &mut Tracee, waiter: &Waiter, deadline: Instant) -> Result<(), Errno> {
        let area = self.thread.restartable;
        if area.address == 0 {
            return Ok(());
        }
        let (size, signature) = (area.size.into(), area.signature.into());
        let register = call_of(libc::SYS_rseq, [area.address, size, 0, signature, 0, 0]);
        single::call(program, waiter, deadline, &self.registers, register).map(drop)
    }

    /// Has the zygote make a copy of itself, which stands still.
    fn copy(&mut self, waiter: &Waiter, deadline: Instant, processor: usize) -> Result<Tracee, Errno> {
        if self.state != State::Still {
            return Err(Errno::CHILD);
        }
        self.state = State::Lost;
        let pid = self.process.pid();
        if self.processor != Some(processor) {
            let mut mask = CpuSet::new();
            mask.set(processor);
            write(pid, self.walker.mask(), mask_of(&mask))?;
            self.processor = Some(processor);
        }
        sys::write_registers(pid, &self.walker.registers(&self.registers, self.walker.table()))?;
        match self.process.walk_on(waiter, deadline, self.walker)? {
            Stop::Cloned(copy) => {
                // It comes to rest while the copy works.
                sys::go_on(pid, 0)?;
                self.state = State::Walking;
                Tracee::born(copy, waiter, deadline)
            }
            Stop::Halted(Halt::Failed { errno, .. }) => {
                self.state = State::Still;
                Err(sys::error_of(errno))
            }
            Stop::Halted(_) | Stop::Asks => Err(Errno::FAULT),
        }
    }

    /// Makes a copy begin where it receives its script.
    fn prepare(&self, copy: &Tracee, fault: Option<Fault>) -> Result<(), Errno> {
        let begin = receiving_at(self.walker);
        if let Some(fault) = fault
            && fault.step() == StartStep::Receive
        {
            write(copy.pid(), begin, wrong_call(fault))?;
        }
        sys::write_registers(copy.pid(), &self.walker.registers(&self.registers, begin))
    }

    /// Until the copy has its script, and asks to join the shell. What it has not taken from the socket
    /// would be found by the next copy, so the zygote is lost when it does not come so far.
    fn receive(
        &mut self,
        copy: &mut Tracee,
        script: &Script,
        waiter: &Waiter,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let state = std::mem::replace(&mut self.state, State::Lost);
        match copy.walk(waiter, deadline, self.walker) {
            Ok(Stop::Asks) => {
                self.state = state;
                Ok(())
            }
            Ok(stop) => {
                let (step, errno) = halted(stop, script);
                if step != StartStep::Receive {
                    self.state = state;
                }
                Err((step, errno))
            }
            Err(errno) => Err((StartStep::Receive, errno)),
        }
    }

    /// Lets the program go on where the zygote parked.
    fn release(&self, program: Tracee, number: u32, kept: Option<(Tracee, OwnedFd)>) -> Result<Option<Stem>, Errno> {
        let pid = program.pid();
        let stem = match kept {
            Some((process, socket)) => {
                let opened = Pid::from_raw(pid).ok_or(Errno::SRCH)?;
                let pidfd = rustix::process::pidfd_open(opened, PidfdFlags::empty())?;
                Some(Stem::new(process, socket, ProgramProcess { pid, pidfd, number }))
            }
            None => None,
        };
        sys::write_registers(pid, &self.registers)?;
        program.let_go()?;
        Ok(stem)
    }

    /// Waits until the zygote stands still again; where it does not, it is lost.
    fn come_to_rest(&mut self, waiter: &Waiter, deadline: Instant) {
        if self.state == State::Walking {
            self.state = match self.process.stops(waiter, deadline, self.walker) {
                Ok(Stop::Halted(Halt::Failed { errno: END_ERRNO, .. })) => State::Still,
                _ => State::Lost,
            };
        }
        if self.state == State::Lost {
            self.process.end();
        }
    }
}

//! Starts that go wrong: nothing is left of them, and the next one works.

use crate::Test;
use crate::world::{PATIENCE, TestShell, World, ZYGOTE, patiently, relatives};
use faas_sandbox_linux::assemble::StandIn;
use faas_sandbox_linux::stem::{Fault, Parked, StartError, StartStep};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, pidfd_send_signal};
use std::time::{Duration, Instant};

pub(crate) const TESTS: &[Test] = &[
    ("every_step_can_fail_and_nothing_is_left", fails),
    ("a_process_that_ends_in_a_step_fails_the_start", dies),
    ("a_process_that_hangs_in_a_step_fails_the_start", hangs),
    ("a_shell_without_init_fails_the_start_only", init_is_dead),
    ("a_zygote_that_was_killed_is_known_to_be", zygote_is_dead),
    ("a_zygote_whose_letter_is_unread_is_lost", unread),
];

/// Steps that are calls of a process, which can end or hang in them.
const CALLS: std::ops::RangeInclusive<usize> = 2..=17;

/// The last step of the process that takes this one, which is what is known of it when it ends.
fn last_of_its_process(step: StartStep) -> StartStep {
    match step {
        // Whether its script was read is not known before it asks to join the shell.
        StartStep::Receive | StartStep::Stem => StartStep::Receive,
        StartStep::Rest => StartStep::Rest,
        StartStep::Join
        | StartStep::Descriptors
        | StartStep::Landlock
        | StartStep::Ids
        | StartStep::Bounds
        | StartStep::Limits
        | StartStep::Father => StartStep::Father,
        StartStep::Program => StartStep::Program,
        _ => StartStep::Unmap,
    }
}

/// Waits until nobody is left but these.
fn alone(of: u32, expected: &[i32]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left: Vec<i32> = relatives(of).into_iter().map(|(pid, _)| pid).collect();
        if left == expected {
            return;
        }
        assert!(Instant::now() < deadline, "left: {left:?}, expected {expected:?}");
        std::thread::yield_now();
    }
}

fn fail(shell: &TestShell<'_>, zygote: &mut Parked, fault: Fault, bound: Duration) -> StartError {
    let ours = std::process::id();
    let before: Vec<i32> = relatives(ours).into_iter().map(|(pid, _)| pid).collect();
    let error = shell.try_start(zygote, Some(fault), bound).err().expect("a failure");
    assert_eq!(zygote.is_alive(), !error.zygote_lost, "{fault:?}");
    // A lost zygote is gone too.
    let expected = before.into_iter().filter(|pid| !error.zygote_lost || *pid == shell.pid).collect::<Vec<_>>();
    alone(ours, &expected);
    alone(shell.pid.unsigned_abs(), &[]);
    error
}

fn fails() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell();
    // So that each step is taken.
    shell.stem = true;
    shell.stand_in = StandIn { pids: Some(50), memory_bytes: Some(1 << 30) };
    for step in StartStep::ALL {
        let error = fail(&shell, &mut zygote, Fault::Fails(step), PATIENCE);
        assert_eq!((error.step, error.zygote_lost), (step, step == StartStep::Receive), "{error}");
        if error.zygote_lost {
            zygote = world.python(ZYGOTE);
        }
        assert_eq!(shell.run(&mut zygote, "print('works')"), "works", "after {step:?}");
    }
}

fn dies() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell();
    // So that each step is taken.
    shell.stem = true;
    shell.stand_in = StandIn { pids: Some(50), memory_bytes: Some(1 << 30) };
    for step in &StartStep::ALL[CALLS] {
        let error = fail(&shell, &mut zygote, Fault::Dies(*step), PATIENCE);
        assert_eq!((error.step, error.errno), (last_of_its_process(*step), Errno::CHILD), "{step:?}");
        if error.zygote_lost {
            zygote = world.python(ZYGOTE);
        }
        assert_eq!(shell.run(&mut zygote, "print('works')"), "works", "after {step:?}");
    }
}

fn hangs() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell();
    // So that each step is taken.
    shell.stem = true;
    shell.stand_in = StandIn { pids: Some(50), memory_bytes: Some(1 << 30) };
    for step in &StartStep::ALL[CALLS] {
        // On a busy machine the time may be over before the step is reached.
        let error = fail(&shell, &mut zygote, Fault::Hangs(*step), Duration::from_millis(100));
        assert_eq!(error.errno, Errno::TIMEDOUT, "{step:?}: {error}");
        assert!(error.step <= last_of_its_process(*step), "{step:?}: {error}");
        if error.zygote_lost {
            zygote = world.python(ZYGOTE);
        }
        assert_eq!(shell.run(&mut zygote, "print('works')"), "works", "after {step:?}");
    }
}

fn init_is_dead() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    pidfd_send_signal(&shell.init, Signal::KILL).expect("an init");
    patiently(shell.init.as_fd());
    let error = shell.try_start(&mut zygote, None, PATIENCE).err().expect("a failure");
    assert_eq!((error.step, error.zygote_lost), (StartStep::Join, false), "{error}");
    assert_eq!(world.shell().run(&mut zygote, "print('works')"), "works");
}

fn zygote_is_dead() {
    let world = World::enter();
    let shell = world.shell();
    for asked in [true, false] {
        let mut zygote = world.python(ZYGOTE);
        assert!(zygote.is_alive());
        let pid = relatives(std::process::id()).into_iter().map(|(pid, _)| pid).find(|pid| *pid != shell.pid);
        let pid = pid.and_then(Pid::from_raw).expect("the zygote");
        rustix::process::kill_process(pid, Signal::KILL).expect("a zygote");
        alone_but_zombies(&shell);
        assert!(!asked || !zygote.is_alive());
        let error = shell.try_start(&mut zygote, None, PATIENCE).err().expect("a failure");
        assert!(error.step == StartStep::Copy && error.zygote_lost, "{error}");
        assert!(!zygote.is_alive());
    }
    assert_eq!(shell.run(&mut world.python(ZYGOTE), "print('works')"), "works");
}

fn alone_but_zombies(shell: &TestShell<'_>) {
    let deadline = Instant::now() + PATIENCE;
    while relatives(std::process::id()).iter().any(|(pid, zombie)| *pid != shell.pid && !zombie) {
        assert!(Instant::now() < deadline, "it is alive {PATIENCE:?} after it was killed");
        std::thread::yield_now();
    }
}

fn unread() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    let error = fail(&shell, &mut zygote, Fault::Dies(StartStep::Receive), PATIENCE);
    assert!(error.zygote_lost);
    let error = shell.try_start(&mut zygote, None, PATIENCE).err().expect("a failure");
    assert_eq!((error.step, error.errno, error.zygote_lost), (StartStep::Copy, Errno::CHILD, true));
}

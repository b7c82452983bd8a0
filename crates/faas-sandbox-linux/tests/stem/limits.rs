//! Limits of a started program.

use crate::Test;
use crate::world::{LIMITS, World, ZYGOTE};
use faas_sandbox_linux::assemble::StandIn;
use faas_sandbox_linux::cgroup::{Controller, Limits};

pub(crate) const TESTS: &[Test] = &[
    ("memory_is_charged_to_the_shells_cgroup_and_limited", memory),
    ("two_processes_are_enough_for_a_start_and_limited", processes),
    ("the_smallest_processor_share_is_enough_for_a_start", processor_share),
    ("limits_that_stand_in_hold", stand_in),
];

fn offers(world: &World, controller: Controller) -> bool {
    let offered = world.tree.offers(controller).is_some();
    if !offered {
        crate::skip(&format!("no cgroup with the {} controller", controller.as_str()));
    }
    offered
}

fn memory() {
    let world = World::enter();
    if !offers(&world, Controller::Memory) {
        return;
    }
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell_with(&Limits { memory_bytes: 128 << 20, ..LIMITS });
    let before = shell.leaf.charged_bytes().expect("a count");
    let said = shell.run(&mut zygote, "kept = bytearray(64 << 20); print(len(kept))");
    assert_eq!(said, format!("{}", 64 << 20));
    let peak = shell.leaf.counters().memory_peak_bytes.expect("a peak");
    assert!(peak >= before + (64 << 20), "{peak} after {before}");
    let said = shell.run(&mut zygote, "kept = bytearray(200 << 20); print('too much')");
    assert_eq!(said, "");
    assert!(shell.leaf.counters().oom_kills.is_some_and(|kills| kills > 0), "{:?}", shell.leaf.counters());
}

fn processes() {
    let world = World::enter();
    if !offers(&world, Controller::Pids) {
        return;
    }
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell_with(&Limits { pids: 2, ..LIMITS });
    let said = shell.run(&mut zygote, "try: os.fork()\nexcept OSError as error: print(errno.errorcode[error.errno])");
    assert_eq!(said, "EAGAIN");
    assert!(shell.leaf.counters().pids_refused.is_some_and(|refused| refused > 0));
}

fn processor_share() {
    let world = World::enter();
    if !offers(&world, Controller::Cpu) {
        return;
    }
    let mut zygote = world.python(ZYGOTE);
    // All of a start is the launcher's time; the program's begins when it is let go.
    let shell = world.shell_with(&Limits { cpu_milli: 1, ..LIMITS });
    assert_eq!(shell.start(&mut zygote).number, 3);
}

fn stand_in() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let mut shell = world.shell();
    shell.stand_in = StandIn { pids: Some(20), memory_bytes: Some(100 << 20) };
    let code = "import resource\nprint(resource.getrlimit(resource.RLIMIT_NPROC), resource.getrlimit(resource.RLIMIT_DATA),\n\
                resource.getrlimit(resource.RLIMIT_CORE)[1], resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 4096)\n\
                try: bytearray(200 << 20)\nexcept MemoryError: print('refused')";
    let said = shell.run(&mut zygote, code);
    let bytes = 100 << 20;
    assert_eq!(said, format!("(20, 20) ({bytes}, {bytes}) 1 True\nrefused"));
    // The next shell of the same zygote has its own.
    shell.stand_in = StandIn { pids: Some(30), memory_bytes: None };
    assert!(shell.run(&mut zygote, code).starts_with("(30, 30) (-1, -1) 1 True"));
}

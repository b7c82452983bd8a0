//! What a started program is, and has.

use crate::Test;
use crate::init::KILL;
use crate::world::{World, ZYGOTE};
use faas_sandbox_linux::packet;
use rustix::fd::AsFd;

pub(crate) const TESTS: &[Test] = &[("a_program_goes_on_where_its_zygote_parked", goes_on)];

fn goes_on() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let shell = world.shell();
    let program = shell.start(&mut zygote);
    assert_eq!(program.number, 3);
    let said = program.run("print(os.getpid(), os.getppid(), threading.get_native_id(), os.getsid(0), os.getpgid(0))");
    assert_eq!(said, "3 1 3 3 3");
    assert_eq!(shell.said(), "3 exited 0");
}

//! How long a start takes: `cargo test --release -p faas-sandbox-linux --test stem -- --speed`.

use crate::adopting::{self, PARK, TestNest};
use crate::world::{World, ZYGOTE, patiently};
use rustix::fd::AsFd;
use std::time::{Duration, Instant};

const ROUNDS: usize = 10;
const SHELLS: usize = 20;
/// What a program with packages has in memory.
const LOADED: &str = "kept = bytearray(b'x') * (64 << 20)\n";

/// Prints percentiles over shells that were assembled before: until a start has returned, and until the
/// program's first output arrives; then of making zygotes of programs.
pub(crate) fn measure() {
    let world = World::enter();
    let mut zygote = world.python(ZYGOTE);
    let (mut started, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let shells: Vec<_> = (0..SHELLS).map(|_| world.shell()).collect();
        for shell in &shells {
            let begin = Instant::now();
            let program = shell.start(&mut zygote);
            started.push(begin.elapsed());
            program.send("os.write(1, b'x')");
            drop(program.code);
            patiently(program.output.as_fd());
            answered.push(begin.elapsed());
        }
    }
    print("start", started);
    print("start and answer", answered);

    let (mut kept, mut adopted, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SHELLS {
        let nest = TestNest::new(&world);
        let (mut shell, other) = (world.shell(), world.shell());
        let begin = Instant::now();
        let (_program, mut stem) = adopting::begin(&mut shell, &mut zygote, &format!("{LOADED}{PARK}"));
        kept.push(begin.elapsed());
        adopting::stopped(&mut stem).expect("a program");
        let begin = Instant::now();
        let mut copied = nest.adopt(stem, None).expect("a zygote");
        adopted.push(begin.elapsed());
        let begin = Instant::now();
        other.start(&mut copied);
        again.push(begin.elapsed());
    }
    print("start with a stem", kept);
    print("adoption of 64 MiB", adopted);
    print("start from it", again);
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100].as_micros();
    let [least, tenth, half, most, nearly_all] = [0, 10, 50, 95, 99].map(at);
    // The least says what it takes by itself, on a machine that does other things too.
    println!("{name}: least {least} us, p10 {tenth}, p50 {half}, p95 {most}, p99 {nearly_all} us of {}", times.len());
}

//! How long a start takes: `cargo test --release -p faas-sandbox-linux --test stem -- --speed`.

use crate::world::{World, ZYGOTE, patiently};
use rustix::fd::AsFd;
use std::time::{Duration, Instant};

const ROUNDS: usize = 10;
const SHELLS: usize = 20;

/// Prints percentiles over shells that were assembled before: until a start has returned, and until the
/// program's first output arrives.
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
}

fn print(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100].as_micros();
    let [least, tenth, half, most, nearly_all] = [0, 10, 50, 95, 99].map(at);
    // The least says what it takes by itself, on a machine that does other things too.
    println!("{name}: least {least} us, p10 {tenth}, p50 {half}, p95 {most}, p99 {nearly_all} us of {}", times.len());
}

//! What the host may say, in which order, and what ends the sandbox.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(dead_code, unused_imports, reason = "each test file uses a part of the support module")]

mod support;

use faas_protocol::VERSION;
use faas_protocol::control::{FromInit, ToInit};
use support::{Init, read_all, spawn};

#[test]
fn everything_may_be_said_before_it_is_ready() {
    let mut init = Init::start_with("", "");
    init.say(&ToInit::Hello { version: VERSION });
    init.say(&ToInit::Spawn(spawn(9, &["/bin/echo"])));
    assert_eq!(init.hear(), FromInit::Ready { version: VERSION });
}

#[test]
fn the_end_of_the_socket_is_its_end() {
    assert_eq!(Init::start().hang_up().code(), Some(0));
}

#[test]
fn a_breach_of_the_protocol_is_its_end() {
    let hello = |version| ToInit::Hello { version }.encode().unwrap();
    let spawn = ToInit::Spawn(spawn(1, &["/bin/echo"])).encode().unwrap();
    let adopt = |pid| ToInit::Adopt { call: 1, pid }.encode().unwrap();
    let breaches: [(&str, Vec<Vec<u8>>); 9] = [
        ("another version", vec![hello(VERSION + 1)]),
        ("no greeting", vec![spawn]),
        ("greeted twice", vec![hello(VERSION), hello(VERSION)]),
        ("stock of no program", vec![hello(VERSION), ToInit::Keep.encode().unwrap()]),
        ("no program", vec![hello(VERSION), adopt(0)]),
        ("no pid as a program", vec![hello(VERSION), adopt(u32::MAX)]),
        ("noise", vec![hello(VERSION), vec![0xff; 40]]),
        ("a cut frame", vec![hello(VERSION)[..17].to_vec()]),
        ("a frame too long", vec![hello(VERSION), vec![0; 140 * 1024]]),
    ];
    for (what, frames) in breaches {
        let mut init = Init::start_with("", "");
        assert_eq!(init.hear(), FromInit::Ready { version: VERSION });
        for frame in frames {
            init.say_raw(&frame);
        }
        assert_eq!(init.wait().code(), Some(71), "{what}");
    }
}

#[test]
fn as_pid_1_its_end_is_the_end_of_everything() {
    let Some(mut init) = Init::start_isolated("as_pid_1_its_end_is_the_end_of_everything") else { return };
    let program = init.run(spawn(1, &["/bin/sh", "-c", "trap '' TERM HUP; sleep 1000 & sleep 1000"]));
    assert!(init.hang_up().success());
    // The pipe closes when its last holder is dead.
    assert_eq!(read_all(program.stdout), "");
}

#[test]
fn user_code_cannot_look_into_it() {
    let Some(mut init) = Init::start_isolated("user_code_cannot_look_into_it") else { return };
    let script = "cat /proc/1/environ 2>&1; cat /proc/1/maps 2>&1; cat /proc/1/mem 2>&1; true";
    let program = init.run(spawn(1, &["/bin/sh", "-c", script]));
    let output = read_all(program.stdout);
    assert_eq!(output.matches("Permission denied").count(), 3, "{output}");
}

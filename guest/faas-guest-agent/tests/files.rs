//! Files from the host: where they may go, what they must not follow, what they must not block on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(dead_code, unused_imports, reason = "each test file uses a part of the support module")]

mod support;

use faas_protocol::control::{FromInit, MAX_PIECE, ToInit};
use libc::{EEXIST, EISDIR, ELOOP, ENOENT, ENOSPC, ENOTDIR, ENXIO, EPERM};
use support::{Init, read_all, spawn};

fn failed(init: &mut Init, expected: &str, errno: i32) {
    let path = expected.as_bytes().to_vec();
    assert_eq!(init.hear(), FromInit::FileFailed { path, errno });
}

#[test]
fn pieces_become_files_and_parents_are_made() {
    let Some(mut init) = Init::start_isolated("pieces_become_files_and_parents_are_made") else { return };
    init.put("/workspace/a/b/c.txt", false, b"one ");
    init.put("/workspace/a/b/c.txt", true, b"two ");
    init.put("/workspace/a/b/c.txt", true, b"");
    init.put("/workspace/a/b/c.txt", true, b"three\n");
    let (path, content) = (b"/code/run.sh".to_vec(), b"#!/bin/sh\necho ran $1\n".to_vec());
    init.say(&ToInit::PutFile { path, executable: true, append: false, content });
    assert_eq!(init.shell(1, "cat /workspace/a/b/c.txt; /code/run.sh it"), "one two three\nran it\n");
    let modes = "cd /workspace; stat -c %a a a/b a/b/c.txt /code/run.sh";
    assert_eq!(init.shell(2, modes), "755\n755\n644\n755\n");

    // What an earlier call left is emptied, and gets its mode anew; it is the same file.
    let before = init.shell(3, "chmod 777 /workspace/a/b/c.txt; stat -c %i /workspace/a/b/c.txt");
    init.put("/workspace/a/b/c.txt", false, b"new");
    assert_eq!(init.shell(4, "cd /workspace/a/b; stat -c '%i' c.txt"), before);
    assert_eq!(init.shell(5, "cd /workspace/a/b; stat -c '%a' c.txt; cat c.txt"), "644\nnew");
}

#[test]
fn what_user_code_left_in_the_way_is_not_followed() {
    let Some(mut init) = Init::start_isolated("what_user_code_left_in_the_way_is_not_followed") else { return };
    let traps =
        "cd /workspace; echo safe > /tmp/outside; ln -s /tmp/outside file; ln -s /tmp dir; ln -s /nowhere dangling;
        ln -s . self; mkfifo fifo; mkdir real; ln -s /proc/self/fd magic; echo > plain";
    init.shell(1, traps);
    for (path, errno) in [
        ("/workspace/file", ELOOP),
        ("/workspace/dir/outside", ELOOP),
        ("/workspace/dir/new/file", ELOOP),
        ("/workspace/dangling", ELOOP),
        ("/workspace/self/new", ELOOP),
        ("/workspace/magic/1", ELOOP),
        ("/workspace/fifo", ENXIO),
        ("/workspace/real", EISDIR),
        ("/workspace/plain/new", ENOTDIR),
    ] {
        init.put(path, false, b"attack");
        failed(&mut init, path, errno);
        // The rest of the same file is dropped without another word, and no program starts.
        init.put(path, true, b"attack");
        assert_eq!(init.refused(spawn(2, &["true"])), errno, "{path}");
    }
    assert_eq!(init.shell(3, "cat /tmp/outside; ls -A /tmp; ls -A /workspace/real"), "safe\noutside\n");
}

#[test]
fn a_fifo_with_a_reader_is_no_file_either() {
    let Some(mut init) = Init::start_isolated("a_fifo_with_a_reader_is_no_file_either") else { return };
    let mut program =
        init.run(spawn(1, &["/bin/sh", "-c", "mkfifo /code/fifo; exec 4<>/code/fifo; echo open; read wait"]));
    std::io::Read::read_exact(&mut program.stdout, &mut [0; 5]).unwrap();
    init.put("/code/fifo", false, b"attack");
    failed(&mut init, "/code/fifo", EEXIST);
}

#[test]
fn the_first_failure_decides_and_a_new_start_forgets_it() {
    let Some(mut init) = Init::start_isolated("the_first_failure_decides_and_a_new_start_forgets_it") else { return };
    init.put("/etc/passwd", false, b"attack");
    failed(&mut init, "/etc/passwd", EPERM);
    // Refused too, and not said: one is enough.
    init.put("/code/never-begun", true, b"a later piece without a first");
    assert_eq!(init.refused(spawn(1, &["true"])), EPERM);
    assert_eq!(init.shell(2, "ls -A /etc /code"), "/code:\n\n/etc:\n");

    // A first piece after a failure tries again, and takes the failure back if it succeeds.
    init.put("/code/big", true, b"x");
    failed(&mut init, "/code/big", ENOENT);
    init.put("/code/big", false, b"small after all");
    assert_eq!(init.shell(3, "cat /code/big"), "small after all");
}

#[test]
fn a_full_area_is_said_once() {
    let Some(mut init) = Init::start_isolated("a_full_area_is_said_once") else { return };
    for piece in 0..8 {
        init.put("/workspace/large", piece > 0, &[b'x'; MAX_PIECE]);
    }
    failed(&mut init, "/workspace/large", ENOSPC);
    assert_eq!(init.refused(spawn(1, &["true"])), ENOSPC);
    assert_eq!(init.shell(2, "rm /workspace/large; echo freed"), "freed\n");
}

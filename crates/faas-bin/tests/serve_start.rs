//! What a server takes when it starts, and what it refuses to take.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod support;

use rustix::process::{Signal, geteuid};
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use support::server::{Place, Server};
use support::{assert_refused, faas, finish, run};

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn directory(place: &Place, name: &str, mode: u32) -> std::path::PathBuf {
    let path = place.path(name);
    fs::create_dir(&path).expect("made");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
    path
}

fn stop(server: Server, place: &Place) {
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code, Some(0), "{}", place.log());
}

/// Nothing of what is there has a permission for anybody but its owner.
fn assert_closed(path: &Path) {
    let metadata = fs::symlink_metadata(path).expect("there");
    assert_eq!(metadata.mode() & 0o077, 0, "{} {:o}", path.display(), metadata.mode());
    if metadata.is_dir() {
        for entry in fs::read_dir(path).expect("readable") {
            assert_closed(&entry.expect("an entry").path());
        }
    }
}

#[test]
fn nobody_else_reads_what_is_in_a_directory_that_was_open_to_all() {
    let place = Place::new();
    let (data, database) = (directory(&place, "data", 0o755), directory(&place, "database", 0o755));
    let server = place.serve(&["--database", &format!("sqlite:{}", text(&database))]);
    let (status, _) = server.request("POST", "/execute", r#"{"code": "print('hello')"}"#);
    assert_eq!(status, 200);
    assert_closed(&data);
    assert_closed(&database);
    let file = database.join("faas.db");
    assert!(file.is_file());
    if geteuid().is_root() {
        let mut stranger = Command::new("cat");
        stranger.arg(&file).uid(65534).gid(65534).stdout(Stdio::piped()).stderr(Stdio::piped());
        let finished = finish(stranger.spawn().expect("cat starts"));
        assert!(finished.code == Some(1) && finished.stdout.is_empty(), "{finished:?}");
    } else {
        println!("SKIP reading as somebody else: only root can become one");
    }
    stop(server, &place);
    // What is there by now is known to be a server's.
    stop(place.serve(&["--database", &format!("sqlite:{}", text(&database))]), &place);
}

#[test]
fn a_directory_of_other_things_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let home = directory(&place, "home", 0o755);
    fs::write(home.join("letter"), "x").expect("written");
    let empty = place.path("empty");
    let database = format!("sqlite:{}", text(&home));
    for arguments in [["--data-dir", text(&home)].as_slice(), &["--data-dir", text(&empty), "--database", &database]] {
        let finished = run(&[&["serve", "--listen", ":0"], arguments].concat());
        let option = arguments[arguments.len() - 2];
        assert_refused(&finished, "config_invalid", &[text(&home), "of user", option]);
        let left = fs::metadata(&home).expect("there");
        assert_eq!((left.uid(), left.mode() & 0o777), (geteuid().as_raw(), 0o755));
        assert_eq!(fs::read_dir(&home).expect("readable").count(), 1);
    }
}

#[test]
fn a_directory_that_the_server_has_no_way_to_is_refused_with_what_is_in_the_way() {
    if !geteuid().is_root() {
        println!("SKIP: only a server started by root becomes somebody else");
        return;
    }
    let place = Place::new();
    let closed = place.path("closed");
    DirBuilder::new().mode(0o700).create(&closed).expect("made");
    let data = closed.join("data");
    let finished = run(&["serve", "--listen", ":0", "--data-dir", text(&data)]);
    let help = format!("chmod o+x {}", text(&closed));
    assert_refused(&finished, "config_invalid", &[text(&data), &help, "--data-dir"]);
    // It is mended by doing what was said.
    fs::set_permissions(&closed, Permissions::from_mode(0o711)).expect("ours");
    stop(place.start(&mut faas(&["serve", "--listen", ":0", "--data-dir", text(&data)])), &place);
}

#[test]
fn a_variable_that_has_no_effect_is_named_and_its_value_is_not() {
    let place = Place::new();
    let data = place.path("data");
    let server =
        place.start(faas(&["serve", "--listen", ":0", "--data-dir", text(&data)]).env("JWT_SECRET", "hunter2"));
    let log = place.log();
    assert!(log.contains("warning: JWT_SECRET is set and has no effect: ") && !log.contains("hunter2"), "{log}");
    stop(server, &place);
}

#[test]
fn a_place_that_is_none_is_refused_by_name() {
    let place = Place::new();
    let file = place.path("file");
    fs::write(&file, "x").expect("written");
    for path in [file.clone(), file.join("data")] {
        let finished = run(&["serve", "--listen", ":0", "--data-dir", text(&path)]);
        assert_refused(&finished, "config_invalid", &[text(&path), "--data-dir"]);
    }
}

/// A server with this limit of open files.
fn limited(limit: &str, arguments: &[&str]) -> Command {
    let server = faas(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit} && exec \"$@\""), "sh"]).arg(server.get_program());
    command.args(["serve", "--listen", ":0", "--max-sandboxes", "4"]).args(arguments);
    command.env("HOME", "/nonexistent").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in server.get_envs().filter(|(_, value)| value.is_none()) {
        command.env_remove(name);
    }
    command
}

#[test]
fn there_are_never_more_connections_than_descriptors_for_them() {
    let place = Place::new();
    let data = place.path("data");
    let open_files = |server: &Server| {
        let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid().as_raw_nonzero())).expect("running");
        let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit").to_owned();
        line.split_whitespace().skip(3).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let connections = |server: &Server| server.request("GET", "/api/v1/limits", "").1["http"]["connections"].clone();

    let server = place.start(&mut limited("ulimit -Sn 200 && ulimit -Hn 1328", &["--data-dir", text(&data)]));
    assert_eq!(open_files(&server), ["1328", "1328"], "the soft limit was not raised");
    assert_eq!(connections(&server), 500);
    assert!(place.log().contains("http.connections is 500 instead of 4096: the limit of open files is 1328"));
    stop(server, &place);

    let few = ["--data-dir", text(&data), "--http-connections", "500"];
    let server = place.start(&mut limited("ulimit -n 1328", &few));
    assert_eq!(connections(&server), 500);
    assert_eq!(place.log().matches("http.connections").count(), 1, "nothing to warn of: {}", place.log());
    stop(server, &place);

    let refused = finish(limited("ulimit -n 325", &["--data-dir", text(&data)]).spawn().expect("starts"));
    assert_refused(&refused, "config_invalid", &["325", "max_sandboxes 4", "ulimit -Hn"]);

    // The launcher has too few sooner.
    let refused = finish(limited("ulimit -n 170", &["--data-dir", text(&data)]).spawn().expect("starts"));
    assert_refused(&refused, "isolation_unavailable", &["170", "max_sandboxes", "ulimit -Hn"]);
}

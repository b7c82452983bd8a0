use super::{find, take};
use faas_lib::{SLOT_UIDS, UIDS_PER_SLOT};
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use rustix::process::geteuid;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const FIRST: u32 = SLOT_UIDS.start + 7 * UIDS_PER_SLOT;
const SECOND: u32 = FIRST + UIDS_PER_SLOT;

struct Place {
    place: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { place: TempDir::new().unwrap() }
    }

    /// A directory that is there already, with these files.
    fn directory(&self, name: &str, mode: u32, files: &[&str]) -> PathBuf {
        let path = self.place.path().join(name);
        fs::create_dir(&path).unwrap();
        for file in files {
            fs::write(path.join(file), b"x").unwrap();
        }
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn owner(path: &Path) -> u32 {
    fs::metadata(path).unwrap().uid()
}

fn refusal(path: &Path, user: u32) -> String {
    take(path, "--data-dir", user).unwrap_err().to_string()
}

fn is_root(what: &str) -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        println!("SKIP {what}: only root can give files away");
    }
    is_root
}

#[test]
fn the_directory_is_the_servers_alone_and_the_way_to_it_is_open() {
    let place = Place::new();
    let path = place.place.path().join("deep/data");
    let taken = take(&path, "--data-dir", 0).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_ne!(mode(path.parent().unwrap()) & 0o100, 0);
    let second = refusal(&path, 0);
    assert!(second.contains("another server") && second.contains("deep/data"), "{second}");
    drop(taken);
    take(&path, "--data-dir", 0).unwrap();
}

#[test]
fn a_directory_that_is_there_is_closed_when_it_is_empty_or_a_servers() {
    let place = Place::new();
    for (name, files) in [("empty", [].as_slice()), ("node", &["node", "other"]), ("lock", &["lock"])] {
        let path = place.directory(name, 0o755, files);
        take(&path, "--data-dir", 0).unwrap();
        assert_eq!(mode(&path), 0o700, "{name}");
    }
    let fresh = place.directory("fresh", 0o1777, &[]);
    fs::create_dir(fresh.join("lost+found")).unwrap();
    take(&fresh, "--data-dir", 0).unwrap();
    assert_eq!(mode(&fresh), 0o700);
}

#[test]
fn a_directory_of_other_things_is_refused_by_name_and_left_as_it_is() {
    let place = Place::new();
    for (name, mode_before, files) in [("letters", 0o755, ["letter"]), ("shared", 0o1777, ["lock"])] {
        let path = place.directory(name, mode_before, &files);
        let said = refusal(&path, 0);
        let owner = format!("of user {}", geteuid().as_raw());
        for part in ["config_invalid", name, &owner, "--data-dir"] {
            assert!(said.contains(part), "{part} is missing in {said}");
        }
        assert_eq!(mode(&path), mode_before, "{name}");
    }
    let path = place.directory("linked", 0o755, &[]);
    symlink("/etc/passwd", path.join("lock")).unwrap();
    assert!(refusal(&path, 0).contains("linked"));
}

#[test]
fn nothing_of_another_user_is_taken() {
    if !is_root("directories of other users") {
        return;
    }
    let place = Place::new();
    // A sandbox's user is no server either.
    for (name, user) in [("alice", 1000), ("sandbox", FIRST + 1), ("after", SLOT_UIDS.end)] {
        let path = place.directory(name, 0o700, &[]);
        chown(&path, Some(user), None).unwrap();
        let said = refusal(&path, FIRST);
        assert!(said.contains(name) && said.contains(&format!("of user {user}")), "{said}");
        assert_eq!(owner(&path), user);
    }
    let path = place.directory("marked", 0o777, &["lock", "letter"]);
    chown(path.join("lock"), Some(1000), None).unwrap();
    assert!(refusal(&path, FIRST).contains("config_invalid"));
    assert_eq!((owner(&path), owner(&path.join("letter"))), (0, 0));
}

#[test]
fn what_is_inside_changes_hands_and_links_and_things_of_others_do_not() {
    if !is_root("a hand-over") {
        return;
    }
    let place = Place::new();
    let data = place.directory("data", 0o755, &["lock", "faas.db", "alices"]);
    fs::create_dir(data.join("logs")).unwrap();
    fs::write(data.join("logs/1"), b"x").unwrap();
    chown(data.join("alices"), Some(1000), None).unwrap();
    let outside = place.directory("outside", 0o755, &["file", "linked"]);
    symlink(outside.join("file"), data.join("symbolic")).unwrap();
    symlink(&outside, data.join("directory")).unwrap();
    fs::hard_link(outside.join("linked"), data.join("hard")).unwrap();
    for user in [FIRST, SECOND] {
        drop(take(&data, "--data-dir", user).unwrap());
        for path in ["", "lock", "faas.db", "logs", "logs/1"] {
            assert_eq!(owner(&data.join(path)), user, "{path}");
        }
        for path in [&outside, &outside.join("file"), &outside.join("linked")] {
            assert_eq!(owner(path), 0, "{}", path.display());
        }
        assert_eq!(owner(&data.join("alices")), 1000);
    }
}

#[test]
fn a_hand_over_that_was_cut_short_is_done_again() {
    if !is_root("a hand-over") {
        return;
    }
    let place = Place::new();
    let data = place.directory("data", 0o700, &["lock", "faas.db"]);
    chown(data.join("lock"), Some(FIRST), None).unwrap();
    take(&data, "--data-dir", FIRST).unwrap();
    assert_eq!((owner(&data), owner(&data.join("faas.db"))), (FIRST, FIRST));
}

#[test]
fn a_hand_over_that_was_cut_short_is_done_again_for_the_user_before() {
    if !is_root("a hand-over") {
        return;
    }
    let place = Place::new();
    let data = place.directory("data", 0o700, &["lock", "faas.db", "node"]);
    take(&data, "--data-dir", FIRST).unwrap();
    // Whatever order the files come in, one of them stops it.
    let stays = File::open(data.join("faas.db")).unwrap();
    let flags = ioctl_getflags(&stays);
    if flags.is_err() || ioctl_setflags(&stays, flags.unwrap() | IFlags::IMMUTABLE).is_err() {
        println!("SKIP a_hand_over_that_was_cut_short_is_done_again_for_the_user_before: no such flag here");
        return;
    }
    let cut_short = take(&data, "--data-dir", SECOND).map(drop);
    ioctl_setflags(&stays, flags.unwrap()).unwrap();
    cut_short.unwrap_err();
    take(&data, "--data-dir", FIRST).unwrap();
    for path in ["", "lock", "faas.db", "node"] {
        assert_eq!(owner(&data.join(path)), FIRST, "{path}");
    }
}

#[test]
fn packages_are_made_in_what_can_be_taken_and_change_hands_with_it() {
    let place = Place::new();
    let other = place.directory("other", 0o700, &["thesis"]);
    let refused = find(&other, "--data-dir").unwrap().packages().unwrap_err().to_string();
    assert!(refused.contains("other things"), "{refused}");
    assert!(!other.join("packages").exists());

    let data = place.directory("data", 0o700, &[]);
    let found = find(&data, "--data-dir").unwrap();
    assert_eq!(found.packages().unwrap(), data.canonicalize().unwrap().join("packages"));
    // A start that ended here is repeated by the next.
    drop(found);
    let found = find(&data, "--data-dir").unwrap();
    let packages = found.packages().unwrap();
    assert_eq!(mode(&packages), 0o700);
    drop(found.give(0).unwrap());

    // Somebody else's packages are no server's.
    let monorepo = place.directory("monorepo", 0o755, &[]);
    fs::create_dir_all(monorepo.join("packages/app")).unwrap();
    assert!(refusal(&monorepo, 0).contains("other things"));
    if !is_root("packages change hands") {
        return;
    }
    fs::write(data.join("node"), b"x").unwrap();
    let deep = packages.join("a/b").join("d/".repeat(64));
    fs::create_dir_all(&deep).unwrap();
    for user in [FIRST, SECOND] {
        let found = find(&data, "--data-dir").unwrap();
        found.packages().unwrap();
        drop(found.give(user).unwrap());
        assert_eq!((owner(&packages), owner(&deep)), (user, user));
    }
    // One that is new in a directory that stays whose it is.
    fs::remove_dir_all(&packages).unwrap();
    let found = find(&data, "--data-dir").unwrap();
    found.packages().unwrap();
    assert_eq!(owner(&packages), SECOND);
}

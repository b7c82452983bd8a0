//! Where a program's name is looked for, as the C library's `execvpe` does it.
//!
//! Pure; [`crate::program`] prepares the list before the child exists, [`crate::sys`] walks it.

use rustix::io::Errno;

/// Where to look when the environment has no `PATH`.
const DEFAULT_PATH: &[u8] = b"/usr/bin:/bin";

/// The files to try, in order. A name with a slash is the file itself; an empty entry of `PATH` is
/// the working directory; an empty name is nowhere.
pub(crate) fn candidates(name: &[u8], env: &[Vec<u8>]) -> Vec<Vec<u8>> {
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains(&b'/') {
        return vec![name.to_vec()];
    }
    let path = env.iter().find_map(|variable| variable.strip_prefix(b"PATH=")).unwrap_or(DEFAULT_PATH);
    path.split(|byte| *byte == b':')
        .map(|directory| match directory {
            b"" => name.to_vec(),
            directory => [directory, b"/", name].concat(),
        })
        .collect()
}

/// Whether an error of `execve` means "try the next directory". Any other one is the answer, except
/// `ACCESS`, which is remembered while the search goes on.
pub(crate) fn is_elsewhere(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::NODEV | Errno::TIMEDOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(name: &str, env: &[&str]) -> Vec<String> {
        let env: Vec<Vec<u8>> = env.iter().map(|variable| variable.as_bytes().to_vec()).collect();
        candidates(name.as_bytes(), &env)
            .into_iter()
            .map(|candidate| String::from_utf8_lossy(&candidate).into_owned())
            .collect()
    }

    #[test]
    fn a_name_is_searched_in_the_order_of_path() {
        assert_eq!(search("cat", &["HOME=/", "PATH=/b:/a", "PATH=/c"]), ["/b/cat", "/a/cat"]);
        assert_eq!(search("cat", &["XPATH=/b"]), ["/usr/bin/cat", "/bin/cat"]);
    }

    #[test]
    fn an_empty_entry_is_the_working_directory() {
        assert_eq!(search("cat", &["PATH=:/a:"]), ["cat", "/a/cat", "cat"]);
        assert_eq!(search("cat", &["PATH="]), ["cat"]);
    }

    #[test]
    fn a_slash_means_no_search() {
        assert_eq!(search("./cat", &["PATH=/a"]), ["./cat"]);
        assert_eq!(search("/opt/cat", &[]), ["/opt/cat"]);
    }

    #[test]
    fn an_empty_name_is_nowhere() {
        assert!(search("", &["PATH=/a"]).is_empty());
    }
}

//! Which paths the host may write: beneath the two writable areas, and spelled in one way only.
//!
//! Pure; [`crate::files`] calls it before it touches the file system.

use rustix::io::Errno;

/// The areas, without a slash at the end.
const AREAS: [&str; 2] = ["/workspace", "/code"];

/// A path in an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The area's own path.
    pub(crate) root: &'static str,
    /// The path beneath it: at least one name; no empty name, `.` or `..`.
    pub(crate) beneath: &'a [u8],
}

/// Finds the area of a path.
///
/// # Errors
/// `INVAL` for a path that is not spelled plainly, `PERM` for one outside the areas.
pub(crate) fn locate(path: &[u8]) -> Result<Place<'_>, Errno> {
    let names = path.strip_prefix(b"/").ok_or(Errno::INVAL)?;
    if path.contains(&0) || names.split(|byte| *byte == b'/').any(|name| matches!(name, b"" | b"." | b"..")) {
        return Err(Errno::INVAL);
    }
    AREAS
        .into_iter()
        .find_map(|root| {
            let beneath = path.strip_prefix(root.as_bytes())?.strip_prefix(b"/")?;
            Some(Place { root, beneath })
        })
        .ok_or(Errno::PERM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_beneath_an_area_are_found() {
        assert_eq!(locate(b"/workspace/a"), Ok(Place { root: "/workspace", beneath: b"a" }));
        assert_eq!(locate(b"/code/a/b.py"), Ok(Place { root: "/code", beneath: b"a/b.py" }));
        assert_eq!(locate(b"/workspace/...\xff"), Ok(Place { root: "/workspace", beneath: b"...\xff" }));
    }

    #[test]
    fn everything_outside_is_refused() {
        for path in [&b"/etc/passwd"[..], b"/workspace", b"/code", b"/workspaces/a", b"/codes/a", b"/a", b"/proc/1/mem"]
        {
            assert_eq!(locate(path), Err(Errno::PERM), "{}", String::from_utf8_lossy(path));
        }
    }

    #[test]
    fn crooked_spellings_are_refused() {
        for path in [
            &b""[..],
            b"/",
            b"a",
            b"workspace/a",
            b"//workspace/a",
            b"/workspace/",
            b"/workspace//a",
            b"/workspace/a/",
            b"/workspace/./a",
            b"/workspace/..",
            b"/workspace/../etc/passwd",
            b"/workspace/a/../../etc/passwd",
            b"/workspace/a\0b",
        ] {
            assert_eq!(locate(path), Err(Errno::INVAL), "{}", String::from_utf8_lossy(path));
        }
    }
}

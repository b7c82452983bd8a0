//! Where the database is.

use crate::path;
use crate::pick::Refused;
use std::path::PathBuf;

/// The database's file inside its directory.
const FILE: &str = "faas.db";

/// The directory of `sqlite:PATH` and `sqlite://PATH`.
///
/// The store keeps several files side by side, so a file of another name is refused rather than
/// kept under a name of ours beside it.
pub(crate) fn directory(text: &str) -> Result<PathBuf, Refused> {
    let Some((scheme, rest)) = text.split_once(':') else { return Err(Refused::Malformed) };
    match scheme {
        "sqlite" => sqlite_directory(rest.strip_prefix("//").unwrap_or(rest)).ok_or(Refused::Malformed),
        "postgres" | "postgresql" | "mysql" | "mariadb" => Err(Refused::NotBuilt { available: "sqlite" }),
        _ => Err(Refused::Malformed),
    }
}

fn sqlite_directory(text: &str) -> Option<PathBuf> {
    // Options after a question mark would be ignored.
    let path = path::absolute(text).filter(|_| !text.contains('?'))?;
    match path.file_name().and_then(|name| name.to_str()) {
        Some(FILE) => path.parent().map(PathBuf::from),
        Some(name) if [".db", ".sqlite", ".sqlite3"].iter().any(|ending| name.ends_with(ending)) => None,
        _ => Some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::directory;
    use crate::pick::Refused;
    use std::path::PathBuf;

    #[test]
    fn a_directory_or_the_database_in_it_is_taken() {
        for text in ["sqlite:/srv/faas", "sqlite:///srv/faas", "sqlite:/srv/faas/faas.db", "sqlite:///srv/faas/faas.db"]
        {
            assert_eq!(directory(text), Ok(PathBuf::from("/srv/faas")), "{text}");
        }
    }

    #[test]
    fn what_could_not_be_honoured_is_refused() {
        for text in
            ["", "/srv", "sqlite:", "sqlite::memory:", "sqlite:faas.db", "sqlite:/srv/other.db", "sqlite:/a?mode=ro"]
        {
            assert_eq!(directory(text), Err(Refused::Malformed), "{text}");
        }
        for text in ["postgres://db/faas", "postgresql://u:p@h/d", "mysql://h/d"] {
            assert_eq!(directory(text), Err(Refused::NotBuilt { available: "sqlite" }), "{text}");
        }
    }
}

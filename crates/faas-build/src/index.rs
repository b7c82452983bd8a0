//! Which package indexes the host uses. What a tenant asks for has no say in it.
//!
//! Invariant: credentials leave this process towards the origin they are for and nowhere else, and no
//! text made here shows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faas_types::Language;
use hyper::Uri;
use hyper::header::HeaderValue;
use std::fmt;

/// Where the common index of Python keeps its pages and its files.
const PYTHON: (&str, &str) = ("https://pypi.org/simple", "https://files.pythonhosted.org");
/// The common registry of npm.
const JAVASCRIPT: &str = "https://registry.npmjs.org";

/// Why an index's address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is refused: {reason}; accepted: http or https, a host, a path, without query")]
pub struct IndexError {
    /// What said so.
    pub field: String,
    /// What is wrong with it; never the address, which may hold a password.
    pub reason: &'static str,
}

/// One origin, and what proves to it who asks.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Scheme and authority, without credentials and without a slash at the end.
    pub(crate) address: String,
    pub(crate) authorization: Option<HeaderValue>,
}

/// A package index: its origin, and the origins of the files that its pages name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The index's own origin first.
    pub(crate) origins: Vec<Origin>,
    /// The path of the index, beginning with a slash and not ending with one.
    pub(crate) path: String,
}

impl Index {
    /// An index at `address`, whose files may be at the other origins, too. A user and a password in an
    /// address are sent to its origin alone.
    ///
    /// # Errors
    /// An address is not one.
    pub fn new(address: &str, files: &[&str]) -> Result<Self, IndexError> {
        let (origin, path) = parse("the index's address", address)?;
        let mut origins = vec![origin];
        for file in files {
            origins.push(parse("a file host's address", file)?.0);
        }
        Ok(Self { origins, path })
    }

    /// The same with a header that is sent to the index's own origin, such as `Bearer …`.
    ///
    /// # Errors
    /// The value is none that a header can have.
    pub fn with_authorization(mut self, value: &str) -> Result<Self, IndexError> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| refused("the index's authorization", "it is not the value of a header"))?;
        value.set_sensitive(true);
        if let Some(origin) = self.origins.first_mut() {
            origin.authorization = Some(value);
        }
        Ok(self)
    }
}

/// The indexes of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexes {
    /// Python's.
    pub python: Index,
    /// npm's.
    pub javascript: Index,
}

impl Indexes {
    /// As this host is configured: `PIP_INDEX_URL` and `NPM_CONFIG_REGISTRY`, else `index-url` of
    /// `/etc/pip.conf` and `registry` of `/etc/npmrc`, else the common ones. Nothing else of these files
    /// counts. A token of `/etc/npmrc` goes with its registry.
    ///
    /// # Errors
    /// An address is not one.
    pub fn of_host() -> Result<Self, IndexError> {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        let variable =
            |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        let (pip, npm) = (text("/etc/pip.conf"), text("/etc/npmrc"));
        let python = variable(&["PIP_INDEX_URL"]).or_else(|| setting(&pip, "index-url").map(str::to_owned));
        let python = match python {
            Some(address) if address.trim_end_matches('/') != PYTHON.0 => Index::new(&address, &[])?,
            _ => Index::new(PYTHON.0, &[PYTHON.1])?,
        };
        let javascript = variable(&["NPM_CONFIG_REGISTRY", "npm_config_registry"]);
        let javascript = javascript.or_else(|| setting(&npm, "registry").map(str::to_owned));
        let address = javascript.unwrap_or_else(|| JAVASCRIPT.to_owned());
        let mut javascript = Index::new(&address, &[])?;
        if let Some((_, rest)) = address.split_once(':')
            && let Some(token) = setting(&npm, &format!("{}/:_authToken", rest.trim_end_matches('/')))
        {
            javascript = javascript.with_authorization(&format!("Bearer {token}"))?;
        }
        Ok(Self { python, javascript })
    }

    /// The index of a language; `None` where it has none.
    pub(crate) const fn of(&self, language: Language) -> Option<&Index> {
        match language {
            Language::Python => Some(&self.python),
            Language::JavaScript => Some(&self.javascript),
            Language::Bash | Language::Php => None,
        }
    }
}

/// The value of `name = value` in a configuration file.
fn setting<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == name).then(|| value.trim()).filter(|value| !value.is_empty())
    })
}

fn refused(field: &str, reason: &'static str) -> IndexError {
    IndexError { field: field.to_owned(), reason }
}

fn parse(field: &str, address: &str) -> Result<(Origin, String), IndexError> {
    let uri: Uri = address.parse().map_err(|_| refused(field, "it is not an address"))?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
    let scheme = scheme.ok_or_else(|| refused(field, "its scheme is neither http nor https"))?;
    let authority = uri.authority().ok_or_else(|| refused(field, "it has no host"))?.as_str();
    if uri.query().is_some() {
        return Err(refused(field, "it has a query"));
    }
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let authorization = match user {
        None => None,
        Some(user) => {
            let user = decoded(user).ok_or_else(|| refused(field, "its user or password is badly escaped"))?;
            let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(user)))
                .map_err(|_| refused(field, "its user or password cannot be sent"))?;
            value.set_sensitive(true);
            Some(value)
        }
    };
    let path = uri.path().trim_end_matches('/').to_owned();
    Ok((Origin { address: format!("{scheme}://{}", host.to_ascii_lowercase()), authorization }, path))
}

/// Without percent signs.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (bytes.next()?, bytes.next()?);
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            decoded.push(digit(high)? << 4 | digit(low)?);
        } else {
            decoded.push(byte);
        }
    }
    Some(decoded)
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.authorization.is_some() { " with credentials" } else { "" };
        write!(f, "{}{with}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, setting};

    #[test]
    fn credentials_are_taken_out_of_an_address_and_never_shown() {
        let index = Index::new("https://me:s%40cret@Index.example:8443/a/simple/", &["http://files.example/x"])
            .expect("an index");
        let [own, files] = index.origins.as_slice() else { panic!("{index:?}") };
        assert_eq!((own.address.as_str(), index.path.as_str()), ("https://index.example:8443", "/a/simple"));
        assert_eq!(own.authorization.as_ref().expect("sent").to_str().expect("text"), "Basic bWU6c0BjcmV0");
        assert!(files.authorization.is_none() && files.address == "http://files.example");
        assert!(!format!("{index:?}").contains("cret"));
        for wrong in ["ftp://host/", "host", "https:///x", "http://a:%zz@host/", "http://host/?token=s3cret", ""] {
            let error = Index::new(wrong, &[]).expect_err(wrong);
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert!(Index::new("http://host", &[]).expect("an index").with_authorization("a\nb").is_err());
    }

    #[test]
    fn only_the_named_setting_of_a_file_counts() {
        let text = "[global]\n# index-url = no\nextra-index-url = no\nindex-url = https://host/simple\n";
        assert_eq!(setting(text, "index-url"), Some("https://host/simple"));
        assert_eq!(setting(text, "proxy"), None);
    }
}

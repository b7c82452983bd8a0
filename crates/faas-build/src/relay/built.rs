//! What was built here: wheels are offered to pip as if they were an index's.
//!
//! Invariant: such a file is what a package's own code made; it is a package like any other that came from
//! outside, and nobody but its own tenant's build sees it.

use super::{Fetched, Relay, RelayError, pass_on, say};
use crate::frame::ToBridge;
use faas_executor_api::InputSink;
use faas_types::PackagesId;
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt::Write as _;
use std::io;
use std::sync::PoisonError;

/// Where pip finds them.
pub(crate) const BUILT: &str = "/.faas-built/";

impl Relay {
    /// Offers a file under this name, which is a package by its digest from now on.
    pub(crate) async fn put_built(&self, file: &str, content: &[u8]) -> io::Result<Fetched> {
        let place = self.spool.join(file);
        tokio::fs::write(&place, content).await?;
        let sha256 = Sha256::digest(content).into();
        let fetched = Fetched { path: place, sha256, sha512: Sha512::digest(content).into() };
        self.packages.lock().unwrap_or_else(PoisonError::into_inner).insert(sha256, fetched.clone());
        self.built.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), fetched.clone());
        Ok(fetched)
    }

    /// Answers pip with the list of them, or with one.
    pub(super) async fn give_built(&self, number: u32, file: &str, input: &InputSink) -> Result<(), RelayError> {
        let (status, content_type, body) = if file.is_empty() {
            (200, "text/html", self.page_of_built().into_bytes())
        } else {
            let found = self.built.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned();
            match found {
                Some(wheel) => (200, "application/octet-stream", tokio::fs::read(&wheel.path).await?),
                None => (404, "text/plain", Vec::new()),
            }
        };
        say(input, ToBridge::Head { status, content_type }, number).await?;
        pass_on(input, &body, number).await?;
        say(input, ToBridge::End, number).await
    }

    fn page_of_built(&self) -> String {
        let mut page = "<!DOCTYPE html>\n".to_owned();
        for (file, Fetched { sha256, .. }) in self.built.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // The name of a wheel has no character that a page or an address gives a meaning to, but `+` and `!`,
            // which mean themselves in a path. Writing to a text cannot fail.
            let digest = PackagesId::from_bytes(*sha256);
            let _ = writeln!(page, "<a href=\"{file}#sha256={digest}\">{file}</a><br>");
        }
        page
    }
}

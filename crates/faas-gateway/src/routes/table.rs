//! The list of all routes.

use super::{Endpoint, cancel, create, documents, events, functions, list, logs, platform, read, streams};
use crate::compat;

/// Every route, in the order the document lists them.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    endpoints.extend(create::endpoints());
    endpoints.extend(list::endpoints());
    endpoints.extend(read::endpoints());
    endpoints.extend(cancel::endpoints());
    endpoints.extend(logs::endpoints());
    endpoints.extend(functions::endpoints());
    endpoints.extend(streams::endpoints());
    endpoints.extend(platform::endpoints());
    endpoints.extend(events::endpoints());
    endpoints.extend(documents::endpoints());
    endpoints.extend(compat::endpoints());
    endpoints
}

//! The OpenAPI 3.1 document, built from the same list of endpoints as the router.

mod document;
mod operation;

pub(crate) use document::document;
pub(crate) use operation::{Operation, Parameter};

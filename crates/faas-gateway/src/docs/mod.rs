//! A page that shows the OpenAPI document: plain HTML made at the start, without scripts, loading
//! nothing.

mod page;

pub(crate) use page::page;

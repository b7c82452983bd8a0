//! Functions as a user has them: a folder with `faas.yaml` and source files, an archive of one, or one source file.
//!
//! [`Source`] reads them, [`deploy`] makes the server's function equal to them, [`Following`] shows what
//! calls of a function write.

mod archive;
mod change;
mod deployment;
mod folder;
mod following;
mod ignored;
mod lines;
mod manifest;
mod source;

pub(crate) use deployment::deploy;
pub(crate) use folder::Stamp;
pub(crate) use following::Following;
pub(crate) use manifest::MANIFEST;
pub(crate) use source::Source;

//! Routes as the seeds print them, beside the canonical ones: one file for each seed. Nothing can be
//! done only here.

mod seed_001;
mod seed_002;
mod table;

pub(crate) use table::endpoints;

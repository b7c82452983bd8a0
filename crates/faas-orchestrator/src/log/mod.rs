//! What programs write: one append-only file of frames per execution.
//!
//! The driver of an execution is its only writer and any number of readers follow it. A reader never
//! holds the writer up. A frame is whole in the file before its length is made known, so a reader that
//! stays below that length sees whole frames only; after a crash the last frame may be torn, and is
//! then not there. How much is written is bounded by the output limit of the execution, how much is kept
//! afterwards by [`Logs`].

mod frame;
mod logs;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use frame::StreamName;
pub(crate) use logs::LogFile;
pub use logs::Logs;
pub(crate) use reader::LogReader;
pub(crate) use writer::LogWriter;

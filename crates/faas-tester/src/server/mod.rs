//! A server as its users meet it: the built binary, started for a test, spoken to over TCP, observed
//! from outside and ended.
//!
//! The client here is small on purpose: it tells apart whether a request was never taken, was answered,
//! or was cut off, retries nothing, and reads as slowly as a test wants.

mod api;
mod binary;
mod detached;
mod events;
mod http;
mod load;
mod patience;
mod place;
mod process;
mod random;
mod socket;
mod usage;

pub use api::{EXECUTIONS, ask, done, every_record, get, is_terminal, record, shell, text, token};
pub use binary::built_server;
pub use detached::{accept, running, terminal, try_accept};
pub use events::{Event, EventStream};
pub use http::{Answer, CallError, Connection, Head};
pub use load::{Client, Outcome, Socket};
pub use patience::{number, until};
pub use place::{DataDirectory, files_below};
pub use process::{Options, Server, Starting};
pub use random::Random;
pub use socket::{Frame, Frames, open_socket, text_frame};
pub use usage::{Usage, peak_memory_of};

//! Layer 5: the typed client of API v1, over TCP or over a pipe in this process.
//!
//! [`Client`] makes the calls. A call that may be repeated without harm is repeated where the server
//! asks for patience; everything else is tried once. What a server answers is read up to a bound and
//! never trusted to be what was asked for. The command line is its first user.

mod address;
mod answer;
mod asked;
mod calls;
mod change;
mod client;
mod connect;
mod error;
mod event;
mod follow;
mod functions;
mod interactive;
mod list;
mod logs;
mod retry;
mod sse;
mod transport;

pub use address::{Address, AddressError};
pub use asked::{Question, Response};
pub use client::{Client, Timeouts};
pub use connect::Connect;
pub use error::ClientError;
pub use event::Event;
pub use faas_api_model as model;
pub use follow::EventStream;
pub use functions::Functions;
pub use interactive::{Input, Interactive};
pub use list::ListFilter;
pub use logs::Logs;
pub use retry::RetryPolicy;

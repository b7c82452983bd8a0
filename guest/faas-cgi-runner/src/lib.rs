//! The runner of the `cgi` contract: it is asked over the call socket as every runner is
//! ([`faas_protocol::call`]) and lets a CGI program answer, or PHP through php-cgi.
//!
//! Init starts it inside the sandbox with the call socket as descriptor 3. The arguments say what it
//! runs: `fastcgi /usr/bin/php-cgi`, or `program INTERPRETER` for everything else.
//!
//! Invariants:
//! - One thread, which never waits for one side only: whoever can go on is heard.
//! - It holds at most the body of the request and one piece of the answer.
//! - What user code can do wrong is a `Failed` for that request, never the end of the runner; only a
//!   host that breaks the protocol ends it.
//! - `unsafe` lives in [`sys`] alone.

mod answer;
mod exchange;
mod executable;
pub mod fastcgi;
pub mod header;
mod host;
mod outgoing;
mod peer;
mod php;
mod place;
mod run;
mod sys;
pub mod variables;

pub use run::run;

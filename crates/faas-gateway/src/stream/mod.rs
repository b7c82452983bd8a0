//! Streams: what an execution says, as it says it.
//!
//! Nothing buffers: a reader is given what the log has, a piece at a time, and holds two pieces at
//! most. A reader that stays behind is told so with a code and closed; the program never notices.

mod change;
mod deliver;
mod frame;
mod meter;
mod pace;
mod platform;
mod socket;
mod source;
mod upgrade;
mod watchers;

pub(crate) use change::Told;
pub(crate) use meter::Meter;
pub(crate) use platform::{draining, follow_events, platform_event};
pub(crate) use socket::{MAX_INPUT, SILENCE, Session, close_with, first_text};
pub(crate) use source::{Output, events, patience, plain, refusal_of};
pub(crate) use upgrade::Upgrade;
pub(crate) use watchers::{MAX_WATCHERS, Seat, Watchers};

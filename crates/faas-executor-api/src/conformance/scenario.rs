//! The scenarios, one file for each family.

mod cgi;
mod command;
mod ending;
mod files;
mod handler;
mod input;
mod interrupt;
mod invoke;
mod lifecycle;
mod limits;
mod output;
mod output_limit;
mod recycle;
mod share;
mod share_end;
mod spec;
mod stay;
mod verbs;

pub use cgi::*;
pub use command::*;
pub use ending::*;
pub use files::*;
pub use handler::*;
pub use input::*;
pub use interrupt::*;
pub use invoke::*;
pub use lifecycle::*;
pub use limits::*;
pub use output::*;
pub use output_limit::*;
pub use recycle::*;
pub use share::*;
pub use share_end::*;
pub use spec::*;
pub use stay::*;
pub use verbs::*;

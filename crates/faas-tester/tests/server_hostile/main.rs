//! Hostile inputs to functions and routes, one test for each, named by what it tries: on the built server, which
//! refuses them with their cause or ends them with their kind, and goes on.
//!
//! Numbers are those of the project's list of hostile inputs.

mod code;
mod handlers;
mod leftovers;
mod loading;
mod paths;
mod rows;
mod site;

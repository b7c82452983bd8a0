//! The conformance suite: what every store must do, as scenarios over the contract alone.
//!
//! A store's test provides a [`StoreFactory`] and writes one line:
//!
//! ```text
//! faas_store_api::store_conformance_suite!(Factory::new(); flavor = "multi_thread");
//! ```
//!
//! Scenarios that end one life of a node and begin the next drop a durable store and open its place
//! again; a store in memory goes on being used. Every wait is bounded; a scenario fails by panicking
//! with its name.

mod factory;
mod scenario;
mod suite;
mod trial;

pub use factory::StoreFactory;
pub use scenario::*;

//! The routes of all seeds.

use super::seed_002;
use crate::routes::Endpoint;

/// The routes of all seeds.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    seed_002::endpoints()
}

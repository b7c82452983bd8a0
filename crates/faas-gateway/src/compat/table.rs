//! The routes of all seeds.

use super::{seed_001, seed_002};
use crate::routes::Endpoint;

/// The routes of all seeds.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    [seed_001::endpoints(), seed_002::endpoints()].into_iter().flatten().collect()
}

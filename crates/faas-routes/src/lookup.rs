//! What a lookup finds.

use crate::decode::decode;
use crate::route::MOST_PARAMETERS;
use crate::{MethodSet, Route, Segment};
use std::borrow::Cow;

/// What a request leads to.
#[derive(Debug)]
pub enum Lookup<'t, 'p, T> {
    /// A route.
    Found(Match<'t, 'p, T>),
    /// The path is known, for these methods only: 405 with `Allow`.
    OtherMethods(MethodSet),
    /// No route matches the path.
    Unknown,
}

/// A route that was found.
#[derive(Debug)]
pub struct Match<'t, 'p, T> {
    /// What it leads to.
    pub value: &'t T,
    /// The route.
    pub route: &'t Route,
    /// What the request's path put in the places of its parameters.
    pub parameters: Parameters<'t, 'p>,
}

/// Parameters of a route with their values. They are decoded when they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<'t, 'p> {
    route: &'t Route,
    values: [&'p str; MOST_PARAMETERS],
    count: usize,
}

impl<'t, 'p> Parameters<'t, 'p> {
    pub(crate) const fn new(route: &'t Route, values: [&'p str; MOST_PARAMETERS], count: usize) -> Self {
        Self { route, values, count }
    }

    /// Names and values, in the order of the path.
    pub fn iter(&self) -> impl Iterator<Item = (&'t str, Cow<'p, str>)> {
        let names = self.route.segments().filter_map(Segment::name);
        let values = self.values.into_iter().take(self.count);
        names.zip(values.map(decode))
    }

    /// The value of one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'p, str>> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

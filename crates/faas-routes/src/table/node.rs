//! One node of the tree: what may follow, and the routes that end here.

use super::children::Children;
use crate::decode::decode;
use crate::route::MOST_PARAMETERS;
use crate::{Method, MethodPattern, MethodSet, Route, Segment};

/// A route and what it leads to.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) route: Route,
    pub(super) value: T,
}

#[derive(Debug)]
pub(super) struct Node<T> {
    literals: Children<T>,
    parameter: Option<Box<Node<T>>>,
    /// Routes whose wildcard takes what is left here.
    wildcards: Vec<Entry<T>>,
    /// Routes that end here, one for each method or `ANY`.
    entries: Vec<Entry<T>>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: Children::default(), parameter: None, wildcards: Vec::new(), entries: Vec::new() }
    }
}

/// A lookup on its way through the tree.
pub(super) struct Search<'p> {
    pub(super) method: Method,
    /// What the routes take that match the path and not the method.
    pub(super) others: MethodSet,
    pub(super) captured: [&'p str; MOST_PARAMETERS],
    pub(super) count: usize,
}

impl<'p> Search<'p> {
    /// The entry that takes the method.
    fn pick<'t, T>(&mut self, entries: &'t [Entry<T>]) -> Option<&'t Entry<T>> {
        let of = |pattern| entries.iter().find(|entry| entry.route.method() == pattern);
        let found = of(MethodPattern::One(self.method))
            .or_else(|| of(MethodPattern::One(Method::Get)).filter(|_| self.method == Method::Head))
            .or_else(|| of(MethodPattern::Any));
        if found.is_none() {
            for entry in entries {
                self.others.take(entry.route.method());
            }
        }
        found
    }

    /// Keeps what a parameter matched. A route has no more parameters than there are places.
    fn capture(&mut self, text: &'p str) {
        if let Some(place) = self.captured.get_mut(self.count) {
            *place = text;
        }
        self.count += 1;
    }
}

impl<T> Node<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.parameter.is_none() && self.wildcards.is_empty() && self.entries.is_empty()
    }

    /// The most exact entry for what is left of a path, `None` at its end. A node is visited at most once.
    pub(super) fn find<'t, 'p>(&'t self, rest: Option<&'p str>, search: &mut Search<'p>) -> Option<&'t Entry<T>> {
        let Some(rest) = rest else { return search.pick(&self.entries) };
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        if let Some(child) = self.literals.get(&decode(segment))
            && let Some(entry) = child.find(after, search)
        {
            return Some(entry);
        }
        if let Some(parameter) = self.parameter.as_deref().filter(|_| !segment.is_empty()) {
            let before = search.count;
            search.capture(segment);
            if let Some(entry) = parameter.find(after, search) {
                return Some(entry);
            }
            search.count = before;
        }
        if rest.is_empty() {
            return None;
        }
        let entry = search.pick(&self.wildcards)?;
        search.capture(rest);
        Some(entry)
    }

    /// The entries among which a route of this shape stands.
    pub(super) fn entries(&self, route: &Route) -> Option<&[Entry<T>]> {
        let mut node = self;
        for segment in route.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.get(text)?,
                Segment::Parameter(_) => node.parameter.as_deref()?,
                Segment::Wildcard(_) => return Some(&node.wildcards),
            };
        }
        Some(&node.entries)
    }

    pub(super) fn insert(&mut self, route: Route, value: T) {
        let mut node = self;
        let mut wild = false;
        for segment in route.segments() {
            node = match segment {
                Segment::Literal(text) => node.literals.make(text),
                Segment::Parameter(_) => node.parameter.get_or_insert_default(),
                Segment::Wildcard(_) => {
                    wild = true;
                    node
                }
            };
        }
        let entries = if wild { &mut node.wildcards } else { &mut node.entries };
        // Mostly there is one, and there are many nodes.
        entries.reserve_exact(1);
        entries.push(Entry { route, value });
    }

    /// Takes a route out, and the nodes that led to nothing else.
    pub(super) fn remove<'r>(&mut self, route: &Route, rest: &mut impl Iterator<Item = Segment<'r>>) -> Option<T> {
        match rest.next() {
            None => take(&mut self.entries, route),
            Some(Segment::Wildcard(_)) => take(&mut self.wildcards, route),
            Some(Segment::Parameter(_)) => {
                let child = self.parameter.as_deref_mut()?;
                let value = child.remove(route, rest)?;
                if child.is_empty() {
                    self.parameter = None;
                }
                Some(value)
            }
            Some(Segment::Literal(text)) => {
                let child = self.literals.get_mut(text)?;
                let value = child.remove(route, rest)?;
                if child.is_empty() {
                    self.literals.remove(text);
                }
                Some(value)
            }
        }
    }
}

fn take<T>(entries: &mut Vec<Entry<T>>, route: &Route) -> Option<T> {
    let index = entries.iter().position(|entry| entry.route == *route)?;
    let entry = entries.swap_remove(index);
    entries.shrink_to_fit();
    Some(entry.value)
}

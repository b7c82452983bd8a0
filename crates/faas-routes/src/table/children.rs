//! The nodes behind a node, by their text: a few in a row, many in a map.

use super::node::Node;
use std::collections::HashMap;

/// Above this a map is faster than looking at each.
const FEW: usize = 8;

/// The map is std's, whose keyed hash nobody outside can make collide.
#[derive(Debug)]
pub(super) enum Children<T> {
    Few(Vec<(Box<str>, Node<T>)>),
    Many(HashMap<Box<str>, Box<Node<T>>>),
}

impl<T> Default for Children<T> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<T> Children<T> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(few) => few.is_empty(),
            Self::Many(many) => many.is_empty(),
        }
    }

    pub(super) fn get(&self, text: &str) -> Option<&Node<T>> {
        match self {
            Self::Few(few) => few.iter().find(|(known, _)| **known == *text).map(|(_, node)| node),
            Self::Many(many) => many.get(text).map(Box::as_ref),
        }
    }

    pub(super) fn get_mut(&mut self, text: &str) -> Option<&mut Node<T>> {
        match self {
            Self::Few(few) => few.iter_mut().find(|(known, _)| **known == *text).map(|(_, node)| node),
            Self::Many(many) => many.get_mut(text).map(Box::as_mut),
        }
    }

    /// The node behind this text, made when it is not there.
    pub(super) fn make(&mut self, text: &str) -> &mut Node<T> {
        if let Self::Few(few) = self
            && few.len() >= FEW
            && !few.iter().any(|(known, _)| **known == *text)
        {
            *self = Self::Many(few.drain(..).map(|(text, node)| (text, Box::new(node))).collect());
        }
        match self {
            Self::Few(few) => {
                let index = few.iter().position(|(known, _)| **known == *text).unwrap_or_else(|| {
                    few.reserve_exact(1);
                    few.push((text.into(), Node::default()));
                    few.len() - 1
                });
                &mut few[index].1
            }
            Self::Many(many) => many.entry(text.into()).or_default(),
        }
    }

    /// Takes a node out. A map that has become small goes back to a row, at half the size at which it
    /// became one, so that one route put in and taken out does not move the others each time.
    pub(super) fn remove(&mut self, text: &str) {
        match self {
            Self::Few(few) => {
                if let Some(index) = few.iter().position(|(known, _)| **known == *text) {
                    few.swap_remove(index);
                    few.shrink_to_fit();
                }
            }
            Self::Many(many) => {
                many.remove(text);
                if many.len() <= FEW / 2 {
                    *self = Self::Few(many.drain().map(|(text, node)| (text, *node)).collect());
                }
            }
        }
    }
}

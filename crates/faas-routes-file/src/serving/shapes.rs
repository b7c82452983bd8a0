//! Routes with parameters by their shapes: only such can collide without being the same.

use faas_routes::Route;
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Shapes(HashMap<String, Vec<Route>>);

impl Shapes {
    pub(super) fn add(&mut self, route: &Route) {
        if let Some(shape) = shape(route) {
            self.0.entry(shape).or_default().push(route.clone());
        }
    }

    pub(super) fn remove(&mut self, route: &Route) {
        let Some(shape) = shape(route) else { return };
        if let Some(routes) = self.0.get_mut(&shape) {
            routes.retain(|there| there != route);
            if routes.is_empty() {
                self.0.remove(&shape);
            }
        }
    }

    pub(super) fn collision(&self, route: &Route) -> Option<&Route> {
        self.0.get(&shape(route)?)?.iter().find(|there| there.collides(route))
    }
}

fn shape(route: &Route) -> Option<String> {
    route.path().contains(['{', '*']).then(|| route.shape())
}

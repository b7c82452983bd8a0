//! The whole document.

use crate::routes::Endpoint;
use faas_api_model::schema;
use serde_json::{Map, Value, json};

/// The document of these endpoints.
pub(crate) fn document(endpoints: &[Endpoint]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let path = paths.entry(endpoint.template()).or_insert_with(|| json!({}));
        path[endpoint.method.as_str().to_ascii_lowercase()] = endpoint.operation.to_json();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "FaaS platform",
            "version": "1",
            "description": "Runs code in fresh sandboxes. Errors are problem details whose code is stable; \
                429 and 503 say when to try again. Requests are strict: an unknown field is refused by name.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "schemas": schema::components(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::document;
    use crate::routes::endpoints;
    use std::collections::HashSet;

    #[test]
    fn every_endpoint_is_described_once_under_its_own_id() {
        let endpoints = endpoints();
        let mut ids = HashSet::new();
        let mut places = HashSet::new();
        for endpoint in &endpoints {
            assert!(ids.insert(endpoint.operation.id()), "{}", endpoint.path);
            assert!(places.insert((endpoint.path, endpoint.method.clone())), "{}", endpoint.path);
        }
        let document = document(&endpoints);
        let described: usize = document["paths"]
            .as_object()
            .expect("paths")
            .values()
            .map(|path| path.as_object().map_or(0, |map| map.len()))
            .sum();
        assert_eq!(described, endpoints.len());
        for endpoint in &endpoints {
            let operation = &document["paths"][endpoint.template()][endpoint.method.as_str().to_ascii_lowercase()];
            let named: Vec<&str> = operation["parameters"]
                .as_array()
                .expect("parameters")
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            let template = endpoint.template();
            let templated: Vec<&str> = template
                .split('/')
                .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')))
                .collect();
            assert_eq!(named, templated, "{}", endpoint.path);
            let succeeds = endpoint.operation.statuses().iter().any(|status| *status < 300);
            assert!(succeeds || endpoint.operation.answers_as_it_is_answered(), "{}", endpoint.path);
        }
    }
}

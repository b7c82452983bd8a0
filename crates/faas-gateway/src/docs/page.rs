//! The page, from the document.

use serde_json::Value;
use std::fmt::Write as _;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
h2{margin:2.5rem 0 .5rem;border-bottom:1px solid #ccc}section{margin:1.5rem 0}h3{margin:.25rem 0;font-size:1rem}\
code,pre{font-family:ui-monospace,monospace}pre{background:#f4f4f4;padding:.75rem;overflow:auto;max-height:24rem}\
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ddd;padding:.25rem .5rem;text-align:left;vertical-align:top}\
.method{display:inline-block;min-width:3.5rem;font-weight:700}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}\
pre{background:#222}td,th{border-color:#444}h2{border-color:#444}a{color:#8ab4f8}}";

/// The page.
pub(crate) fn page(document: &Value) -> String {
    let mut html = String::with_capacity(64 * 1024);
    let title = escape(document["info"]["title"].as_str().unwrap_or("API"));
    html.push_str("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    let description = escape(document["info"]["description"].as_str().unwrap_or(""));
    // Writing to a String never fails.
    let _ = write!(
        html,
        "<title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{description} \
         The same as JSON: <a href=\"/api/v1/openapi.json\">openapi.json</a>.</p>\
         <pre>curl -X POST localhost:8080/execute -H 'content-type: application/json' \\\n  \
         -d '{{\"code\": \"print(\\\"hello\\\")\", \"language\": \"python\"}}'</pre><h2 id=\"routes\">Routes</h2>"
    );
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            route(&mut html, path, method, operation);
        }
    }
    html.push_str("<h2 id=\"schemas\">Bodies</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let name = escape(name);
        let schema = escape(&format!("{schema:#}"));
        let _ = write!(html, "<section id=\"{name}\"><h3>{name}</h3><pre>{schema}</pre></section>");
    }
    html.push_str("</main></body></html>");
    html
}

fn route(html: &mut String, path: &str, method: &str, operation: &Value) {
    let id = escape(operation["operationId"].as_str().unwrap_or(""));
    let summary = escape(operation["summary"].as_str().unwrap_or(""));
    let (method, path) = (escape(&method.to_ascii_uppercase()), escape(path));
    let _ = write!(
        html,
        "<section id=\"{id}\"><h3><span class=\"method\">{method}</span> <code>{path}</code></h3><p>{summary}.</p>"
    );
    if let Some(body) = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str() {
        let name = escape(body.rsplit('/').next().unwrap_or(body));
        let _ = write!(html, "<p>Body: <a href=\"#{name}\">{name}</a></p>");
    }
    html.push_str("<table>");
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let text = |field: &str| escape(parameter[field].as_str().unwrap_or(""));
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            text("name"),
            text("in"),
            text("description")
        );
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let description = escape(response["description"].as_str().unwrap_or(""));
        let _ = write!(html, "<tr><td>{}</td><td>answer</td><td>{description}</td></tr>", escape(status));
    }
    html.push_str("</table></section>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::page;
    use serde_json::json;

    #[test]
    fn a_page_escapes_and_loads_nothing() {
        let html = page(&json!({
            "info": {"title": "<script>alert(1)</script>", "description": "\"'&"},
            "paths": {"/a/{b}": {"get": {"operationId": "x", "summary": "<b>", "responses": {"200": {"description": "<i>"}}}}},
            "components": {"schemas": {"S": {"description": "</pre><img>"}}},
        }));
        for tag in ["<script", "<img", "<b>", "<i>", "@import", "url(", "http:", "https:"] {
            assert!(!html.contains(tag), "{tag}");
        }
        assert!(html.contains("&lt;script&gt;"));
    }
}

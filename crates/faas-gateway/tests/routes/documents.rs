//! The document and its page.

use crate::harness::House;

#[tokio::test]
async fn the_document_lists_every_route_and_every_route_answers() {
    let house = House::new().await;
    assert_eq!(house.document["openapi"], "3.1.0");
    for (path, methods) in house.document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let path = path.replace("{id}", "exe_00000000000000000000000000000000");
            let request = axum::http::Request::builder()
                .method(method.to_ascii_uppercase().as_str())
                .uri(&path)
                .body(axum::body::Body::empty())
                .expect("a request");
            let status = house.ask(request).await.status;
            assert!(status != 405 && status.as_u16() < 500, "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn the_page_shows_every_route_and_loads_nothing() {
    let house = House::new().await;
    let answer = house.get("/docs").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
    let html = answer.text();
    for path in house.document["paths"].as_object().expect("paths").keys() {
        assert!(html.contains(path), "{path}");
    }
    for loading in ["<script", "<link", "<img", "<iframe", "src=", "@import", "url("] {
        assert!(!html.contains(loading), "{loading}");
    }
}

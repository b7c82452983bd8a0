//! Functions behind routes of their own.

use crate::harness::House;
use axum::body::Body;
use axum::http::Request;
use faas_orchestrator::{FunctionSpec, RowTarget};
use faas_types::{Language, TenantId};
use serde_json::{Value, json};

const FUNCTIONS: &str = "/api/v1/functions";

async fn create(house: &House, name: &str, code: &str, routes: Value) -> crate::harness::Answer {
    house.post(FUNCTIONS, &json!({"name": name, "code": code, "routes": routes})).await
}

async fn ask(house: &House, method: &str, path: &str, body: &'static str) -> (u16, String) {
    let request = Request::builder().method(method).uri(path).body(Body::from(body)).expect("a request");
    let response = house.send(request).await;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test]
async fn a_route_leads_to_the_live_version_as_soon_as_it_is_answered() {
    let house = House::new().await;
    assert_eq!(ask(&house, "POST", "/api/hello", "x").await.0, 404);
    assert_eq!(create(&house, "a", "answer-echo\n", json!(["POST:/api/hello", "ANY:/files/*rest"])).await.status, 201);
    assert_eq!(ask(&house, "POST", "/api/hello", "x").await, (201, "x".to_owned()));
    assert_eq!(ask(&house, "DELETE", "/files/a/b", "y").await, (201, "y".to_owned()));
    let request = Request::get("/api/hello").body(Body::empty()).expect("a request");
    let refused = house.send(request).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &"POST".parse().expect("a value")));
    assert_eq!(ask(&house, "PROPFIND", "/api/hello", "").await.0, 404);
    house.put(&format!("{FUNCTIONS}/a"), &json!({"routes": ["POST:/there"]})).await;
    assert_eq!(ask(&house, "POST", "/api/hello", "x").await.0, 404);
    assert_eq!(ask(&house, "POST", "/there", "z").await, (201, "z".to_owned()));
    house.post(&format!("{FUNCTIONS}/a/rollback"), &json!({})).await;
    assert_eq!((ask(&house, "POST", "/there", "").await.0, ask(&house, "POST", "/api/hello", "").await.0), (404, 201));
    assert_eq!(house.get("/api/v1/stats").await.json()["routes"], json!({"deployed": 2, "file": 0}));
    house.delete(&format!("{FUNCTIONS}/a")).await;
    assert_eq!(ask(&house, "POST", "/api/hello", "").await.0, 404);
}

/// Rows 76 and 78: a route of the system cannot be taken, in no spelling.
#[tokio::test]
async fn row_78_a_route_of_the_system_is_refused_by_name() {
    let house = House::new().await;
    for route in [
        "POST:/api/v1/execute",
        "GET:/health",
        "POST:/auth/login",
        "ANY:/",
        "GET:/API/v1/x",
        "ANY:/*all",
        "GET:/functions/{id}",
    ] {
        let refused = create(&house, "thief", "answer-echo\n", json!([route])).await;
        let (status, code) = refused.problem();
        assert!(
            matches!((status, code.as_str()), (409, "route_taken") | (400, "invalid_field")),
            "{route}: {status} {code}"
        );
        assert_eq!(refused.json()["field"], "routes", "{route}");
    }
    for route in ["POST:/a/../b", "POST://a", "POST:/a%2fb", "POST:/a;b", "post:/a", "POST:a", "/a", "POST:/a/{x", ""] {
        let refused = create(&house, "thief", "answer-echo\n", json!([route])).await;
        assert_eq!(refused.problem(), (400, "invalid_field".to_owned()), "{route}");
    }
    assert_eq!(house.get("/health").await.json()["status"], "ok");
}

#[tokio::test]
async fn two_functions_never_have_routes_that_collide() {
    let house = House::new().await;
    assert_eq!(create(&house, "a", "answer-echo\n", json!(["GET:/users/{id}"])).await.status, 201);
    let refused = create(&house, "b", "answer-echo\n", json!(["ANY:/users/{name}"])).await;
    assert_eq!(refused.problem(), (409, "route_taken".to_owned()));
    let detail = refused.json()["detail"].as_str().expect("a reason").to_owned();
    for named in ["ANY:/users/{name}", "GET:/users/{id}", "leads to a"] {
        assert!(detail.contains(named), "{detail}");
    }
    assert_eq!(house.get(&format!("{FUNCTIONS}/b")).await.status, 404, "nothing was made");
    assert_eq!(create(&house, "b", "answer-echo\n", json!(["GET:/users/me"])).await.status, 201, "more exact");
    let taken = house.put(&format!("{FUNCTIONS}/b"), &json!({"routes": ["GET:/users/{x}"]})).await;
    assert_eq!(taken.problem(), (409, "route_taken".to_owned()));
    house.put(&format!("{FUNCTIONS}/a"), &json!({"routes": []})).await;
    assert_eq!(house.put(&format!("{FUNCTIONS}/b"), &json!({"routes": ["GET:/users/{x}"]})).await.status, 200);
    let back = house.post(&format!("{FUNCTIONS}/a/rollback"), &json!({"version": 1})).await;
    assert_eq!(back.problem(), (409, "route_taken".to_owned()), "another function has it by now");
    let itself = house.put(&format!("{FUNCTIONS}/b"), &json!({"timeout": 1})).await;
    assert_eq!(itself.status, 200, "{}", itself.text());
}

#[tokio::test]
async fn of_two_that_take_one_route_at_once_one_wins() {
    let house = House::new().await;
    let make = |name: &'static str| {
        let house = &house;
        async move { create(house, name, "answer-echo\n", json!(["GET:/one"])).await.status.as_u16() }
    };
    let (one, other, third) = tokio::join!(make("a"), make("b"), make("c"));
    let mut statuses = [one, other, third];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409]);
}

#[tokio::test]
async fn a_path_of_both_kinds_of_routes_is_allowed_the_methods_of_both() {
    let house = House::new().await;
    assert_eq!(create(&house, "a", "answer-echo\n", json!(["POST:/both"])).await.status, 201);
    let functions = house.orchestrator.functions();
    let spec = FunctionSpec::new(Language::Python, "answer-echo\n");
    let row = functions.unstored(TenantId::LOCAL, "row".parse().expect("a name"), spec).expect("a version");
    let target = RowTarget::Version(TenantId::LOCAL, row);
    functions.set_row("DELETE:/both".parse().expect("a route"), Some(target)).expect("no other row");
    let request = Request::put("/both").body(Body::empty()).expect("a request");
    let refused = house.send(request).await;
    let allowed = "POST, DELETE".parse().expect("a value");
    assert_eq!((refused.status().as_u16(), &refused.headers()["allow"]), (405, &allowed));
    assert_eq!((ask(&house, "POST", "/both", "x").await.0, ask(&house, "DELETE", "/both", "").await.0), (201, 201));
}

//! The routes of seed 001.

use crate::harness::House;
use serde_json::{Value, json};

#[tokio::test]
async fn a_function_lives_its_life_under_the_seeds_names() {
    let house = House::new().await;
    let config = json!({
        "execution_mode": "auto", "timeout": 30, "memory": "256Mi", "cpu_limit": "100m", "dependencies": [],
        "environment": {"API_KEY": "secret"}, "min_instances": 0, "max_instances": 10,
    });
    let body = json!({"name": "my-function", "code": "answer-echo\n", "config": config});
    let made = house.post("/functions", &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!((&made.json()["timeout_ms"], &made.json()["env"]["API_KEY"]), (&json!(30_000), &json!("secret")));
    let page = house.get("/functions").await.json();
    assert_eq!((&page["functions"][0]["name"], &page["items"]), (&json!("my-function"), &page["functions"]));
    let patch = json!({"code": "answer-flood 9\n", "config": {"timeout": 60}});
    let changed = house.put("/functions/my-function", &patch).await.json();
    assert_eq!(
        (&changed["version"], &changed["timeout_ms"], &changed["env"]["API_KEY"]),
        (&json!(2), &json!(60_000), &json!("secret")),
        "what is not sent stays"
    );
    let answer = house.post("/invoke/my-function", &json!({"input": "data"})).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 9));
    let stats = house.get("/stats/functions/my-function").await.json();
    assert_eq!((&stats["ended"]["succeeded"], &stats["cold_starts"]), (&json!(1), &json!(1)));
    assert_eq!(house.get("/stats").await.json()["ended"]["succeeded"], 1);
    assert_eq!(house.delete("/functions/my-function").await.status, 204);
    for (method, path) in
        [("GET", "/functions/my-function"), ("POST", "/invoke/my-function"), ("GET", "/stats/functions/my-function")]
    {
        let gone = house.send_json(method, path, &[], &Value::Null).await;
        assert_eq!(gone.problem(), (404, "function_not_found".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_seeds_field() {
    let house = House::new().await;
    for (member, value, code, field) in [
        ("memory", json!("-1"), "invalid_field", "config.memory"),
        ("timeout", json!(0), "invalid_field", "config.timeout"),
        ("execution_mode", json!("container"), "field_unsupported", "config.execution_mode"),
        ("runtime", json!("cobol"), "unknown_language", "config.runtime"),
        ("gpu", json!(1), "unknown_field", "config.gpu"),
        ("max_instances", json!("many"), "invalid_field", "config.max_instances"),
    ] {
        let body = json!({"name": "a", "code": "answer-echo\n", "config": {member: value}});
        let refused = house.post("/functions", &body).await;
        assert_eq!((refused.problem().1.as_str(), &refused.json()["field"]), (code, &json!(field)), "{member}");
    }
}

#[tokio::test]
async fn warm_instances_are_shown_and_ended() {
    let house = House::new().await;
    house.post("/functions", &json!({"name": "a", "code": "answer-echo\n"})).await;
    assert_eq!(house.get("/instances").await.json()["instances"], json!([]));
    house.post("/invoke/a", &json!({})).await;
    let shown = crate::harness::within("a warm instance", async {
        loop {
            let shown = house.get("/instances").await.json();
            if shown["items"][0].is_object() {
                return shown["items"][0].clone();
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((&shown["function"], &shown["version"], &shown["kind"]), (&json!("a"), &json!(1), &json!("worker")));
    let path = format!("/instances/{}", shown["id"].as_str().expect("an id"));
    assert_eq!(house.delete(&path).await.status, 204);
    assert_eq!(house.delete(&path).await.problem(), (404, "instance_not_found".to_owned()));
    assert_eq!(house.delete("/instances/x").await.problem(), (404, "instance_not_found".to_owned()));
}

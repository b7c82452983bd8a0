//! Lists: pages, filters, and cursors that nobody made up (row 95).

use crate::harness::{House, printing};
use faas_types::ExecutionState;
use serde_json::json;

const EXECUTIONS: &str = "/api/v1/executions";

#[tokio::test]
async fn pages_follow_one_another_newest_first() {
    let house = House::new().await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        let answer = house.post(EXECUTIONS, &json!({"code": printing(b"x", b"", 0)})).await;
        ids.push(answer.json()["id"].as_str().expect("an id").to_owned());
    }
    ids.reverse();
    let mut listed = Vec::new();
    let mut path = format!("{EXECUTIONS}?limit=3");
    loop {
        let page = house.get(&path).await.json();
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 3);
        assert!(items.iter().all(|item| item["stdout"] == ""), "a list has no output");
        listed.extend(items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{EXECUTIONS}?limit=3&cursor={cursor}");
    }
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn filters_hold() {
    let house = House::new().await;
    for (team, exit) in [("a", 0), ("a", 1), ("b", 0)] {
        house.post(EXECUTIONS, &json!({"code": printing(b"", b"", exit), "labels": {"team": team}})).await;
    }
    let count = async |query: &str| {
        house.get(&format!("{EXECUTIONS}?{query}")).await.json()["items"].as_array().expect("items").len()
    };
    assert_eq!(count("label=team%3Da").await, 2);
    assert_eq!(count("label=team=a&status=failed").await, 1);
    assert_eq!(count("status=succeeded").await, 2);
    assert_eq!(count("status=queued").await, 0);
    assert_eq!(count("function=resize").await, 0);
    assert_eq!(count("label=team%3D.*").await, 0);
    let waiting = house.detach("sleep").await;
    house.reaches(&waiting, |state| state == ExecutionState::Running).await;
    assert_eq!(count("status=running").await, 1);
}

/// Row 95.
#[tokio::test]
async fn hostile_lists_are_400() {
    let house = House::new().await;
    for _ in 0..2 {
        house.post(EXECUTIONS, &json!({"code": printing(b"", b"", 0)})).await;
    }
    let page = house.get(&format!("{EXECUTIONS}?limit=1")).await.json();
    let cursor = page["next_cursor"].as_str().expect("a second page").to_owned();
    let mut forged = cursor.clone();
    forged.replace_range(0..1, if cursor.starts_with('f') { "e" } else { "f" });
    let bomb = format!("label={}", "(a*)*".repeat(1000));
    let refused = [
        "limit=0",
        "limit=201",
        "limit=1000000000",
        "limit=-1",
        "limit=%2B5",
        "limit=1e3",
        "limit=",
        "cursor=",
        "cursor=x",
        &format!("cursor={forged}"),
        &format!("cursor={}", "0".repeat(64)),
        "status=done",
        "status=",
        "label=novalue",
        "label==x",
        &bomb,
        "function=",
    ];
    for query in refused {
        assert_eq!(
            house.get(&format!("{EXECUTIONS}?{query}")).await.problem(),
            (400, "invalid_field".to_owned()),
            "{query:.60}"
        );
    }
    let limit = house.get(&format!("{EXECUTIONS}?limit=1000000000")).await.json();
    assert_eq!(limit["limit"], 200);
    assert_eq!(house.get(&format!("{EXECUTIONS}?limit=200")).await.status, 200);
}

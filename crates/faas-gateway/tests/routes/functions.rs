//! Functions that are made, changed, listed, rolled back, deleted and called.

use crate::harness::House;
use faas_types::TenantId;
use serde_json::{Value, json};
use std::collections::HashSet;

const FUNCTIONS: &str = "/api/v1/functions";

fn at(function: &str) -> String {
    format!("{FUNCTIONS}/{function}")
}

async fn create(house: &House, name: &str, code: &str) -> Value {
    let answer = house.post(FUNCTIONS, &json!({"name": name, "runtime": "python", "code": code})).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("location"), at(name));
    let made = answer.json();
    assert_eq!(answer.header("etag"), quoted(&made));
    made
}

/// The etag of a function as it was shown, as headers have it.
fn quoted(shown: &Value) -> String {
    format!("\"{}\"", shown["etag"].as_str().expect("an etag"))
}

async fn invoke(house: &House, function: &str) -> Value {
    let answer = house.post(&format!("{}/invoke", at(function)), &json!({"input": {"a": 1}})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn a_function_is_made_shown_changed_and_deleted() {
    let house = House::new().await;
    let made = create(&house, "hello", "answer-echo\n").await;
    assert_eq!(
        (&made["version"], &made["live"], &made["runtime"], &made["contract"], &made["mode"], &made["code"]),
        (&json!(1), &json!(1), &json!("python"), &json!("handler"), &json!("cached"), &json!("answer-echo\n"))
    );
    assert_eq!(made["scaling"], json!({"min": 0, "max": 10, "concurrency": 1}));
    assert_eq!(made["resources"], json!({"cpu_cores": 1, "memory_mb": 256, "disk_mb": 128, "pids": 64}));
    for path in [at("hello"), at(made["id"].as_str().expect("an id")), at("hello@1"), at("hello@live")] {
        assert_eq!(house.get(&path).await.json(), made, "{path}");
    }
    let patch = json!({"timeout": 5, "env": {"A": "1"}, "resources": {"memory": "512Mi"}});
    let changed = house.put(&at("hello"), &patch).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let etag = changed.header("etag").to_owned();
    let changed = changed.json();
    assert!(etag == quoted(&changed) && etag != quoted(&made), "{etag}");
    assert_eq!(
        (&changed["version"], &changed["timeout_ms"], &changed["env"], &changed["code"]),
        (&json!(2), &json!(5000), &json!({"A": "1"}), &made["code"]),
        "what the patch does not name stays"
    );
    assert_eq!(changed["resources"]["memory_mb"], 512);
    assert_eq!(house.get(&at("hello@1")).await.json()["timeout_ms"], made["timeout_ms"], "versions never change");
    let removed = house.put(&at("hello"), &json!({"env": null})).await.json();
    assert_eq!((removed["env"].is_null(), &removed["version"]), (true, &json!(3)));
    assert_eq!(house.delete(&at("hello")).await.status, 204);
    assert_eq!(house.get(&at("hello")).await.problem(), (404, "function_not_found".to_owned()));
    assert_eq!(house.delete(&at("hello")).await.problem(), (404, "function_not_found".to_owned()));
}

#[tokio::test]
async fn calls_that_share_an_instance_are_asked_for_by_name() {
    let house = House::new().await;
    let body = json!({"name": "many", "code": "together\n", "runtime": "python", "scaling": {"concurrency": 20}});
    let made = house.post(FUNCTIONS, &body).await.json();
    assert_eq!(made["scaling"], json!({"min": 0, "max": 10, "concurrency": 20}));
    assert_eq!(invoke(&house, "many").await["result"], json!("1"));
    for (scaling, field) in [(json!(101), "scaling"), (json!(49), "scaling.concurrency")] {
        let refused = house.put(&at("many"), &json!({"scaling": {"concurrency": scaling}})).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["field"]), (400, &json!(field)), "{}", refused.text());
    }
    let refused = house.put(&at("many"), &json!({"contract": "argv-json"})).await;
    assert_eq!(refused.json()["field"], json!("scaling.concurrency"), "{}", refused.text());
}

#[tokio::test]
async fn what_is_shown_can_be_sent_back_as_it_is() {
    let house = House::new().await;
    let files = json!({"main.py": "answer-echo\n", "lib/data": {"base64": "/w=="}});
    let body = json!({"name": "a", "files": files, "handler": "entry", "routes": ["POST:/a"], "auth": "public", "timeout": "1500ms"});
    let made = house.post(FUNCTIONS, &body).await.json();
    let answers_only =
        ["id", "version", "version_id", "live", "newest", "etag", "aliases", "created_at", "updated_at", "deployed_at"];
    let mut again = made.clone();
    answers_only.iter().for_each(|name| drop(again.as_object_mut().expect("an object").remove(*name)));
    let changed = house.put(&at("a"), &again).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let mut changed = changed.json();
    answers_only.iter().for_each(|name| drop(changed.as_object_mut().expect("an object").remove(*name)));
    assert_eq!(changed, again);
}

#[tokio::test]
async fn names_that_are_taken_reserved_or_no_names_are_refused() {
    let house = House::new().await;
    create(&house, "hello", "answer-echo\n").await;
    let again = house.post(FUNCTIONS, &json!({"name": "hello", "code": "raise\n"})).await;
    assert_eq!(again.problem(), (409, "function_exists".to_owned()));
    for name in [json!("live"), json!("../x"), json!(""), json!("a b"), json!("fn_a"), json!(7), Value::Null] {
        let refused = house.post(FUNCTIONS, &json!({"name": name, "code": "raise\n"})).await;
        assert_eq!(refused.problem(), (400, "invalid_field".to_owned()), "{name}");
        assert_eq!(refused.json()["field"], "name");
    }
    let renamed = house.put(&at("hello"), &json!({"name": "other"})).await;
    assert_eq!((renamed.problem().0, &renamed.json()["field"]), (400, &json!("name")));
    for path in [at("a%20b"), at("hello@0"), at("hello@"), at("fn_x")] {
        assert_eq!(house.get(&path).await.problem(), (404, "function_not_found".to_owned()), "{path}");
    }
    assert_eq!(house.get(&at("hello@9")).await.problem(), (404, "version_not_found".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_a_function_is_refused_by_its_field() {
    let house = House::new().await;
    for (member, value, code, field) in [
        ("code", json!(""), "code_empty", "code"),
        ("code", json!("a\u{0}b"), "not_text", "code"),
        ("runtime", json!("cobol"), "unknown_language", "runtime"),
        ("runtime", json!("python2.7"), "runtime_missing", "runtime"),
        ("timeout", json!(0), "invalid_field", "timeout"),
        ("contract", json!("wasi-http"), "field_unsupported", "contract"),
        ("executor", json!("docker"), "field_unsupported", "executor"),
        ("module", json!("a.py"), "invalid_field", "module"),
        ("image", json!("alpine"), "field_unsupported", "image"),
        ("dependencies", json!(["requests"]), "field_unsupported", "dependencies"),
        ("nobody_knows", json!(1), "unknown_field", "nobody_knows"),
        ("scaling", json!({"max": 0}), "invalid_field", "scaling"),
        ("scaling", json!({"min": 9}), "invalid_field", "scaling.min"),
        ("handler", json!("a.b()"), "invalid_field", "handler"),
        ("env", json!({"A=": "b"}), "invalid_field", "env"),
    ] {
        let mut body = json!({"name": "wrong", "code": "answer-echo\n"});
        body[member] = value;
        let refused = house.post(FUNCTIONS, &body).await;
        assert_eq!(refused.problem().1, code, "{member}");
        assert_eq!(refused.json()["field"], field, "{member}");
    }
    let refused = house.post(FUNCTIONS, &json!({"name": "wrong"})).await;
    assert_eq!((refused.problem().0, &refused.json()["field"]), (400, &json!("code")));
    let refused = house.post(FUNCTIONS, &json!({"name": "wrong", "files": {"lib.py": "x"}})).await;
    assert_eq!((refused.problem().0, &refused.json()["field"]), (400, &json!("main")));
    assert_eq!(house.get(FUNCTIONS).await.json()["items"], json!([]), "nothing was made");
}

#[tokio::test]
async fn only_packages_of_languages_that_have_some_are_built() {
    let house = House::new().await;
    let made = house.post(FUNCTIONS, &json!({"name": "a", "code": "answer-echo\n", "allow_build": true})).await;
    assert_eq!((made.status.as_u16(), &made.json()["allow_build"]), (201, &json!(true)), "{}", made.text());
    let changed = house.put(&at("a"), &json!({"allow_build": null})).await.json();
    assert_eq!((&changed["version"], changed.get("allow_build")), (&json!(2), None));
    for runtime in ["bash", "php"] {
        let body = json!({"name": "b", "runtime": runtime, "code": "x", "allow_build": true});
        let refused = house.post(FUNCTIONS, &body).await;
        assert_eq!(refused.problem(), (422, "field_unsupported".to_owned()), "{runtime}");
        assert_eq!(refused.json()["field"], "allow_build");
    }
}

#[tokio::test]
async fn a_change_can_be_heard_while_it_is_made() {
    let house = House::new().await;
    let heard = |method: &'static str, path: String, body: Value| {
        let house = &house;
        async move { house.send_json(method, &path, &[("accept", "application/json, Text/Event-Stream;q=1")], &body).await }
    };
    let made = heard("POST", FUNCTIONS.to_owned(), json!({"name": "hello", "code": "answer-echo\n"})).await;
    assert_eq!((made.status.as_u16(), made.header("content-type")), (200, "text/event-stream"));
    let text = made.text();
    let function = text.strip_prefix("event: function\ndata: ").expect("the function is all that is said");
    let function: Value = serde_json::from_str(function.trim()).expect("JSON");
    assert_eq!(function, house.get(&at("hello")).await.json());
    let changed = heard("PUT", at("hello"), json!({"timeout": 5})).await;
    assert!(changed.text().contains("\"version\":2"), "{}", changed.text());
    // What is refused at once has its own status.
    let again = heard("POST", FUNCTIONS.to_owned(), json!({"name": "hello", "code": "answer-echo\n"})).await;
    assert_eq!(again.problem(), (409, "function_exists".to_owned()));
    assert_eq!(heard("PUT", at("nobody"), json!({})).await.problem(), (404, "function_not_found".to_owned()));
}

#[tokio::test]
async fn a_change_of_what_its_caller_has_not_seen_is_refused() {
    let house = House::new().await;
    let made = quoted(&create(&house, "hello", "answer-echo\n").await);
    let patch = json!({"timeout": 5});
    let put = |tag: String| {
        let (house, patch) = (&house, &patch);
        async move { house.send_json("PUT", &at("hello"), &[("if-match", &tag)], patch).await }
    };
    let second = put(made.clone()).await;
    assert_eq!(second.status, 200);
    let second = quoted(&second.json());
    assert_eq!(put(made.clone()).await.problem(), (412, "function_changed".to_owned()));
    let third = quoted(&put("*".to_owned()).await.json());
    for wrong in ["3", "\"3\"", third.trim_matches('"')] {
        assert_eq!(put(wrong.to_owned()).await.problem(), (400, "invalid_field".to_owned()), "{wrong}");
    }
    let delete = |tag: String| {
        let house = &house;
        async move { house.send_json("DELETE", &at("hello"), &[("if-match", &tag)], &Value::Null).await }
    };
    assert_eq!(delete(second).await.problem(), (412, "function_changed".to_owned()));
    let known = house.send_json("GET", &at("hello"), &[("if-none-match", &third)], &Value::Null).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    assert_eq!(delete(third).await.status, 204);
    let anew = quoted(&create(&house, "hello", "answer-echo\n").await);
    for of_the_deleted in [put(made.clone()).await, delete(made.clone()).await] {
        assert_eq!(of_the_deleted.problem(), (412, "function_changed".to_owned()));
    }
    let other = house.send_json("GET", &at("hello"), &[("if-none-match", &made)], &Value::Null).await;
    assert_eq!((other.status.as_u16(), other.header("etag")), (200, &*anew));
}

#[tokio::test]
async fn changes_at_once_are_all_made() {
    let house = House::new().await;
    create(&house, "hello", "answer-echo\n").await;
    let put = |name: &'static str| {
        let house = &house;
        async move { house.put(&at("hello"), &json!({"env": {name: "1"}})).await.status.as_u16() }
    };
    assert_eq!(tokio::join!(put("A"), put("B"), put("C"), put("D")), (200, 200, 200, 200));
    let shown = house.get(&at("hello")).await.json();
    assert_eq!((&shown["version"], &shown["env"]), (&json!(5), &json!({"A": "1", "B": "1", "C": "1", "D": "1"})));
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_without_source() {
    let house = House::new().await;
    for name in ["c", "a", "e", "b", "d"] {
        create(&house, name, "answer-echo\n").await;
    }
    let mut names = Vec::new();
    let mut path = format!("{FUNCTIONS}?limit=2");
    loop {
        let page = house.get(&path).await.json();
        for item in page["items"].as_array().expect("items") {
            assert!(item["code"].is_null() && item["runtime"] == "python");
            names.push(item["name"].as_str().expect("a name").to_owned());
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{FUNCTIONS}?limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["d", "b", "e", "a", "c"]);
    let refused = house.get(&format!("{FUNCTIONS}?cursor=00")).await;
    assert_eq!(refused.problem(), (400, "invalid_field".to_owned()));
    for timeout in 1..4 {
        house.put(&at("a"), &json!({"timeout": timeout})).await;
    }
    let page = house.get(&format!("{}/versions?limit=3", at("a"))).await.json();
    let numbers: Vec<_> = page["items"].as_array().expect("items").iter().map(|item| item["version"].clone()).collect();
    assert_eq!((numbers, &page["items"][0]["live"]), (vec![json!(4), json!(3), json!(2)], &json!(true)));
    let cursor = page["next_cursor"].as_str().expect("more");
    let page = house.get(&format!("{}/versions?cursor={cursor}", at("a"))).await.json();
    assert_eq!((&page["items"][0]["version"], &page["next_cursor"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn a_rollback_and_aliases_choose_versions() {
    let house = House::new().await;
    create(&house, "hello", "answer-echo\n").await;
    let nothing_before = house.post(&format!("{}/rollback", at("hello")), &json!({})).await;
    assert_eq!(nothing_before.problem(), (422, "version_not_found".to_owned()));
    house.put(&at("hello"), &json!({"code": "raise\n"})).await;
    assert_eq!(invoke(&house, "hello").await["error_kind"], "user_error");
    let rolled = house.send_json("POST", &format!("{}/rollback", at("hello")), &[], &Value::Null).await;
    assert_eq!((rolled.status.as_u16(), &rolled.json()["live"]), (200, &json!(1)), "{}", rolled.text());
    assert_eq!(invoke(&house, "hello").await["status"], "succeeded");
    assert_eq!(invoke(&house, "hello@2").await["version"], "2");
    let path = format!("{}/aliases/next", at("hello"));
    assert_eq!(house.put(&path, &json!({"version": 2})).await.json(), json!({"aliases": {"next": 2}}));
    assert_eq!(invoke(&house, "hello@next").await["version"], "2");
    let forward = house.post(&format!("{}/rollback", at("hello")), &json!({"version": "next"})).await;
    assert_eq!(forward.json()["live"], 2);
    assert_eq!(house.put(&path, &json!({"version": 3})).await.problem(), (422, "version_not_found".to_owned()));
    assert_eq!(house.delete(&path).await.json(), json!({"aliases": {}}));
    let etag = house.get(&at("hello")).await.json()["etag"].clone();
    assert_eq!(house.delete(&path).await.problem(), (404, "version_not_found".to_owned()), "there is none any more");
    assert_eq!(house.get(&at("hello")).await.json()["etag"], etag, "nothing was changed");
    assert_eq!(house.get(&format!("{}/aliases", at("hello"))).await.json(), json!({"aliases": {}}));
    let number = house.put(&format!("{}/aliases/12", at("hello")), &json!({"version": 1})).await;
    assert_eq!(number.problem(), (400, "invalid_field".to_owned()));
}

#[tokio::test]
async fn a_call_is_an_execution_under_every_name_of_its_route() {
    let house = House::new().await;
    let made = create(&house, "hello", "answer-echo\n").await;
    let record = invoke(&house, "hello").await;
    assert_eq!(
        (&record["status"], &record["function"], &record["version"], &record["result"], &record["contract"]),
        (&json!("succeeded"), &json!("hello"), &json!("1"), &json!("{\"a\":1}"), &json!("handler"))
    );
    let body = json!({"function": "hello@1", "input": {"a": 2}, "labels": {"team": "a"}});
    let record = house.post("/api/v1/executions", &body).await.json();
    assert_eq!((&record["result"], &record["labels"]["team"]), (&json!("{\"a\":2}"), &json!("a")));
    let by_id = format!("{}/invoke", at(made["id"].as_str().expect("an id")));
    let bare = house.send_json("POST", &by_id, &[], &Value::Null).await;
    assert_eq!((bare.status.as_u16(), &bare.json()["result"]), (200, &json!("")), "{}", bare.text());
    let bytes = house.post(&by_id, &json!({"payload": [104, 105]})).await.json();
    assert_eq!(bytes["result"], "hi");
    let detached = house.post(&by_id, &json!({"wait": false, "input": 1})).await;
    assert_eq!(detached.status, 202);
    let ended = house.reaches(detached.json()["id"].as_str().expect("an id"), |state| state.is_terminal()).await;
    assert_eq!((&ended["result"], &ended["function"]), (&json!("1"), &json!("hello")));
    let listed = house.get("/api/v1/executions?function=hello").await.json();
    assert_eq!(listed["items"].as_array().expect("items").len(), 5);
}

#[tokio::test]
async fn a_call_brings_its_input_and_nothing_else() {
    let house = House::new().await;
    create(&house, "hello", "answer-echo\n").await;
    let path = format!("{}/invoke", at("hello"));
    for (member, value) in
        [("code", json!("x")), ("env", json!({"A": "b"})), ("timeout", json!(1)), ("function", json!("other"))]
    {
        let refused = house.post(&path, &json!({member: value})).await;
        assert_eq!(refused.problem(), (400, "invalid_field".to_owned()), "{member}");
        assert_eq!(refused.json()["field"], member);
    }
    let both = house.post(&path, &json!({"input": 1, "stdin": "x"})).await;
    assert_eq!((both.problem().0, &both.json()["field"]), (400, &json!("stdin")));
    let none = house.post(&format!("{}/invoke", at("nobody")), &json!({})).await;
    assert_eq!(none.problem(), (404, "function_not_found".to_owned()));
    let none = house.post("/api/v1/executions", &json!({"function": "nobody"})).await;
    assert_eq!((none.problem(), &none.json()["field"]), ((422, "function_not_found".to_owned()), &json!("function")));
    let text = house.post_with(&path, &[("content-type", "text/plain")], "{}").await;
    assert_eq!(text.problem(), (415, "unsupported_media_type".to_owned()));
}

#[tokio::test]
async fn a_key_makes_a_call_once() {
    let house = House::new().await;
    create(&house, "hello", "answer-echo\n").await;
    let path = format!("{}/invoke", at("hello"));
    let mut ids = HashSet::new();
    for _ in 0..3 {
        let answer = house.post_with(&path, &[("idempotency-key", "once")], "{\"input\":1}").await;
        assert_eq!(answer.status, 200);
        ids.insert(answer.json()["id"].to_string());
    }
    assert_eq!(ids.len(), 1);
    let other = house.post_with(&path, &[("idempotency-key", "once")], "{\"input\":2}").await;
    assert_eq!(other.problem(), (409, "idempotency_conflict".to_owned()));
}

#[tokio::test]
async fn a_key_makes_a_function_once_under_either_path() {
    let house = House::new().await;
    let key = [("idempotency-key", "once")];
    let body = json!({"name": "hello", "code": "answer-echo\n"}).to_string();
    let first = house.post_with(FUNCTIONS, &key, body.clone()).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let without = house.post_with(FUNCTIONS, &[], body.clone()).await;
    assert_eq!(without.problem(), (409, "function_exists".to_owned()));
    for path in [FUNCTIONS, "/functions"] {
        let again = house.post_with(path, &key, body.clone()).await;
        assert_eq!((again.status.as_u16(), again.json()), (201, first.json()), "{path}");
    }
    house.put(&at("hello"), &json!({"timeout": 5})).await;
    let again = house.post_with(FUNCTIONS, &key, body.clone()).await.json();
    assert_eq!((&again["id"], &again["version"]), (&first.json()["id"], &json!(1)), "the first answer's version");
    for other in [json!({"name": "hello", "code": "raise\n"}), json!({"name": "other", "code": "answer-echo\n"})] {
        let refused = house.post_with(FUNCTIONS, &key, other.to_string()).await;
        assert_eq!(refused.problem(), (409, "idempotency_conflict".to_owned()), "{other}");
    }
    let twins = || json!({"name": "twins", "code": "answer-echo\n"}).to_string();
    let key_of_twins = [("idempotency-key", "twice")];
    let (one, other) = tokio::join!(
        house.post_with(FUNCTIONS, &key_of_twins, twins()),
        house.post_with(FUNCTIONS, &key_of_twins, twins()),
    );
    assert_eq!((one.status.as_u16(), one.json()["id"].clone()), (201, other.json()["id"].clone()), "{}", other.text());
    house.delete(&at("hello")).await;
    let anew = house.post_with(FUNCTIONS, &key, body).await;
    assert!(anew.status == 201 && anew.json()["id"] != first.json()["id"], "a key goes with its function");
}

#[tokio::test]
async fn a_declared_function_without_source_is_listed_and_refused_until_it_is_made() {
    let house = House::new().await;
    let functions = house.orchestrator.functions();
    let declared = || "declared".parse().expect("a name");
    functions.note_sourceless(TenantId::LOCAL, declared(), "nothing is at /srv/declared.py").await.expect("noted");
    let entry = |page: Value| page["not_deployed"].as_array().expect("a list").clone();
    for path in [FUNCTIONS, "/functions"] {
        let listed = entry(house.get(path).await.json());
        assert_eq!(
            (listed.len(), &listed[0]["name"], &listed[0]["status"]),
            (1, &json!("declared"), &json!("no_source"))
        );
    }
    for path in
        [format!("{}/invoke", at("declared")), "/invoke/declared".to_owned(), format!("{}/http", at("declared"))]
    {
        let refused = house.post(&path, &json!({})).await;
        assert_eq!(refused.problem(), (409, "no_source".to_owned()), "{path}");
        assert!(refused.text().contains("/srv/declared.py"), "{}", refused.text());
    }
    let refused = house.post("/execute", &json!({"function": "declared"})).await;
    assert_eq!(refused.problem(), (409, "no_source".to_owned()));
    for method in ["GET", "PUT", "DELETE"] {
        let body = if method == "PUT" { json!({"timeout": 1}) } else { Value::Null };
        let refused = house.send_json(method, &at("declared"), &[], &body).await;
        assert_eq!(refused.problem(), (409, "no_source".to_owned()), "{method}");
    }
    create(&house, "declared", "answer-echo\n").await;
    assert_eq!(invoke(&house, "declared").await["status"], "succeeded");
    assert_eq!(entry(house.get(FUNCTIONS).await.json()), Vec::<Value>::new());
    functions.note_sourceless(TenantId::LOCAL, declared(), "nothing is there").await.expect("noted");
    assert_eq!(invoke(&house, "declared").await["status"], "succeeded", "what was deployed before is served");
    assert_eq!(entry(house.get(FUNCTIONS).await.json()), Vec::<Value>::new());
}

//! Rows 76 and 78: one spelling for each path, in requests and in routes, and no route over the system's.

use crate::site::{FUNCTIONS, on_server};
use anyhow::{Result, ensure};
use serde_json::json;

/// Second spellings of `/api/v1/stats`.
const SPELLINGS: [&str; 24] = [
    "//api/v1/stats",
    "/api//v1/stats",
    "/api/v1//stats",
    "/./api/v1/stats",
    "/api/./v1/stats",
    "/api/v1/../v1/stats",
    "/shop/../api/v1/stats",
    "/%2e%2e/api/v1/stats",
    "/api/v1/%2E%2E/v1/stats",
    "/api/v1/.%2e/v1/stats",
    "/api%2Fv1%2Fstats",
    "/api/v1%2fstats",
    "/api%5cv1/stats",
    "/api\\v1\\stats",
    "/api;a=b/v1/stats",
    "/api/v1/stats;a=b",
    "/api/v1/stats%3Ba=b",
    "/api/v1/stats.",
    "/api./v1/stats",
    "/API/v1/stats",
    "/%61pi/v1/stats",
    "/api/v1/st%61ts",
    "/api/v1/stats%00",
    "/api/v1/stats%0d%0a",
];

const ECHO: &str = "def handle(request):\n    return 'reached by ' + request.path\n";

#[test]
fn row_76_a_system_path_in_another_spelling() -> Result<()> {
    on_server(|site| async move {
        site.deploy(&json!({"name": "shop", "code": ECHO, "routes": ["ANY:/shop/*rest", "GET:/shop"]})).await?;
        ensure!(site.ask("GET", "/api/v1/stats", None).await?.0 == 200, "its one spelling");
        for path in SPELLINGS {
            for method in ["GET", "POST", "DELETE"] {
                site.refused(method, path, None, (400, "path_not_canonical")).await?;
            }
        }
        // Where case tells two paths apart, only one of them is the system's.
        for path in ["/api/V1/stats", "/api/v1/STATS", "/api/v1/stats/"] {
            site.refused("GET", path, None, (404, "not_found")).await?;
        }
        for target in ["*", "api/v1/stats", "http://127.0.0.1/api/v1/stats", "http://elsewhere.example/health"] {
            let (status, answer) = site.ask("GET", target, None).await?;
            ensure!(status == 400, "{target}: {status} {answer}");
        }
        ensure!(site.calls_of("shop").await? == 0, "a function was asked");
        Ok(())
    })
}

#[test]
fn row_76_a_path_of_a_function_in_another_spelling() -> Result<()> {
    on_server(|site| async move {
        site.deploy(&json!({"name": "shop", "code": ECHO, "routes": ["ANY:/shop/*rest", "GET:/shop/item"]})).await?;
        let through = format!("{FUNCTIONS}/shop/http");
        for path in [
            "//shop/item",
            "/shop//item",
            "/shop/./item",
            "/shop/../shop/item",
            "/shop/../health",
            "/shop/%2e%2e/health",
            "/shop%2Fitem",
            "/shop/a%2fb",
            "/shop/a%5cb",
            "/shop;a=b/item",
            "/shop/item;a=b",
            "/shop/item.",
            "/shop/%69tem",
            "/shop/item%00",
            "/shop/%ff",
        ] {
            site.refused("GET", path, None, (400, "path_not_canonical")).await?;
            let path = format!("{through}{path}");
            site.refused("GET", &path, None, (400, "path_not_canonical")).await?;
        }
        site.refused("GET", "/SHOP/item", None, (404, "not_found")).await?;
        ensure!(site.calls_of("shop").await? == 0, "it was asked");
        for (asked, seen) in
            [("/shop/item", "/shop/item"), ("/shop/ITEM?a=../b;c", "/shop/ITEM"), ("/shop/%C3%BC", "/shop/%C3%BC")]
        {
            let answer = site.answer("GET", asked, None).await?;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            ensure!(answer.status() == 200 && said == format!("reached by {seen}"), "{asked}: {said}");
        }
        Ok(())
    })
}

#[test]
fn row_76_a_route_in_another_spelling_of_a_system_path() -> Result<()> {
    on_server(|site| async move {
        site.deploy(&json!({"name": "thief", "code": ECHO})).await?;
        site.good_row().await?;
        let value = json!({"name": "thief", "runtime": "python", "module": "good.py"}).to_string();
        for path in SPELLINGS.into_iter().chain([
            "/api/V1/stats",
            "/api/v1/STATS",
            "/api/v1/stats/",
            "/{a}/v1/stats",
            "/api/*rest",
        ]) {
            let route = format!("GET:{path}");
            for (method, at) in [("POST", FUNCTIONS), ("PUT", "/api/v1/functions/thief")] {
                let name = if method == "POST" { "another" } else { "thief" };
                let body = json!({"name": name, "code": ECHO, "routes": [route]});
                let (status, problem) = site.ask(method, at, Some(&body)).await?;
                let code = problem["code"].as_str().unwrap_or_default();
                let is_refused = matches!((status, code), (409, "route_taken") | (400, "invalid_field"));
                ensure!(is_refused && problem["field"] == "routes", "{route}: {status} {problem}");
            }
            site.row(&route, &value)?;
            site.row_refused(&route, "").await?;
        }
        ensure!(site.ask("GET", "/api/v1/stats", None).await?.1["routes"]["deployed"] == 0, "one was taken");
        site.good_row_is_served().await
    })
}

/// What is tried, and which of the system's it would shadow.
const TAKEN: [(&str, &str); 9] = [
    ("POST:/api/v1/execute", "POST:/api/v1/execute"),
    ("GET:/health", "GET:/health"),
    ("PUT:/health", "GET:/health"),
    ("POST:/auth/login", "ANY:/auth/*rest"),
    ("ANY:/", "ANY:/"),
    ("ANY:/*rest", "of the system"),
    ("GET:/{page}", "of the system"),
    ("ANY:/api/v1/*rest", "of the system"),
    ("POST:/functions/{id}/invoke", "of the system"),
];

#[test]
fn row_78_a_function_that_takes_a_route_of_the_system() -> Result<()> {
    on_server(|site| async move {
        site.deploy(&json!({"name": "thief", "code": ECHO, "routes": ["GET:/mine"]})).await?;
        for (route, system) in TAKEN {
            for (method, at, name) in [("POST", FUNCTIONS, "another"), ("PUT", "/api/v1/functions/thief", "thief")] {
                let body = json!({"name": name, "code": ECHO, "routes": ["GET:/mine/too", route]});
                let problem = site.refused(method, at, Some(&body), (409, "route_taken")).await?;
                let named = problem["detail"].as_str().is_some_and(|it| it.contains(route) && it.contains(system));
                ensure!(named && problem["field"] == "routes", "{route}: {problem}");
            }
        }
        // Nothing of a refused deployment is there, and the system answers on its own paths.
        site.refused("GET", "/mine/too", None, (404, "not_found")).await?;
        ensure!(site.answer("GET", "/mine", None).await?.body == b"reached by /mine", "its own route");
        let ran = site.done("POST", "/api/v1/execute", &json!({"code": "print(1)"})).await?;
        ensure!(ran["stdout"] == "1\n", "{ran}");
        ensure!(site.ask("POST", "/auth/login", None).await?.0 != 200, "a login is answered");
        Ok(())
    })
}

#[test]
fn row_78_a_row_that_takes_a_route_of_the_system() -> Result<()> {
    on_server(|site| async move {
        site.good_row().await?;
        let value = json!({"name": "thief", "runtime": "python", "module": "good.py"}).to_string();
        for (route, system) in TAKEN {
            site.sql(&format!("INSERT INTO functions VALUES ('{route}', '{value}', 1)"))?;
            site.row_refused(route, system).await?;
        }
        let ran = site.done("POST", "/api/v1/execute", &json!({"code": "print(1)"})).await?;
        ensure!(ran["stdout"] == "1\n", "{ran}");
        ensure!(site.answer("GET", "/", None).await?.body != b"good", "a row answers for the system");
        ensure!(site.answer("POST", "/auth/login", None).await?.body != b"good", "a row answers for the system");
        site.good_row_is_served().await
    })
}

//! One platform in memory behind one router, and how tests ask it.

use crate::schema;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use faas_executor_api::fake::{FakeExecutor, FakeHost};
use faas_gateway::{Access, Defaults, Gateway, GatewayParts, HttpLimits, Modules};
use faas_orchestrator::{Logs, Orchestrator, Parts, Settings, WarmSettings};
use faas_store_api::{MemoryStore, Retention};
use faas_telemetry::Metrics;
use faas_types::{ExecutionState, NodeId};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;

/// How long anything may take.
const BOUND: Duration = Duration::from_secs(30);

/// Waits for something, with a bound.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.unwrap_or_else(|_| panic!("no {what} within {BOUND:?}"))
}

/// Bytes as the fake's programs write them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A program that prints and exits.
pub(crate) fn printing(stdout: &[u8], stderr: &[u8], exit: u8) -> String {
    format!("print {} {} {exit}", hex(stdout), hex(stderr))
}

/// A platform and its router.
pub(crate) struct House {
    pub(crate) orchestrator: Orchestrator,
    pub(crate) router: Router,
    pub(crate) document: Value,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// A problem's status and code.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{:?}",
            String::from_utf8_lossy(&self.body)
        );
        let body = self.json();
        assert_eq!(body["detail"], body["error"]);
        assert_eq!(body["request_id"], self.header("x-request-id"));
        if self.status == 503 {
            assert!(!self.header("retry-after").is_empty(), "503 without Retry-After");
        }
        (self.status.as_u16(), body["code"].as_str().expect("a code").to_owned())
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, HttpLimits::default(), FakeHost::default()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings), limits: HttpLimits, host: FakeHost) -> Self {
        Self::of(change, limits, host, None).await
    }

    /// One whose functions can be made of these modules.
    pub(crate) async fn with_modules(modules: Arc<dyn Modules>) -> Self {
        Self::of(|_| {}, HttpLimits::default(), FakeHost::default(), Some(modules)).await
    }

    async fn of(
        change: impl FnOnce(&mut Settings),
        limits: HttpLimits,
        host: FakeHost,
        modules: Option<Arc<dyn Modules>>,
    ) -> Self {
        let retention = Retention { rows: 10_000, bytes: 64 << 20 };
        let mut settings = Settings {
            node: NodeId::generate(),
            concurrency: 8,
            queue: 64,
            warm: WarmSettings::default(),
            cold_start_timeout: Settings::COLD_START_TIMEOUT,
            retention,
            log_retention_bytes: 64 << 20,
        };
        change(&mut settings);
        let parts = Parts {
            executor: Arc::new(FakeExecutor::new(host)),
            store: Arc::new(MemoryStore::new(retention)),
            builder: None,
            logs: Logs::memory(),
            settings,
        };
        let orchestrator = Orchestrator::start(parts).await.expect("starts");
        let gateway = Gateway::new(GatewayParts {
            orchestrator: orchestrator.clone(),
            access: Access::local(),
            limits,
            defaults: Defaults { timeout: BOUND / 2, ..Defaults::default() },
            metrics: Metrics::new(),
            modules,
        });
        let mut house = Self { orchestrator, router: gateway.router(), document: Value::Null };
        let document = house.get("/api/v1/openapi.json").await;
        house.document = document.json();
        house
    }

    /// Sends a request, not reading its answer.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> axum::response::Response {
        request.headers_mut().entry("host").or_insert_with(|| "localhost:8080".parse().expect("a host"));
        within("answer", self.router.clone().oneshot(request)).await.expect("routers answer")
    }

    /// Sends a request and holds its answer against the document.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.send(request).await;
        let (parts, body) = response.into_parts();
        let body = within("body", body.collect()).await.expect("a whole body").to_bytes().to_vec();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        assert!(!answer.header("x-request-id").is_empty());
        if !self.document.is_null() {
            schema::hold(&self.document, method.as_str(), &path, &answer);
        }
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body.to_string()).await
    }

    pub(crate) async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post(path);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(body.into()).expect("a request")).await
    }

    /// A request of any method, with a JSON body unless it is null.
    pub(crate) async fn send_json(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        };
        self.ask(request.expect("a request")).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send_json("PUT", path, &[], body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send_json("DELETE", path, &[], &Value::Null).await
    }

    /// Accepts a detached execution.
    pub(crate) async fn detach(&self, code: &str) -> String {
        let answer = self.post("/api/v1/executions", &json!({"code": code, "wait": false})).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until an execution stands somewhere.
    pub(crate) async fn reaches(&self, id: &str, wanted: impl Fn(ExecutionState) -> bool) -> Value {
        within("state of the execution", async {
            loop {
                let record = self.get(&format!("/api/v1/executions/{id}")).await.json();
                let state = record["status"].as_str().expect("a status").parse().expect("a known one");
                if wanted(state) {
                    return record;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

//! Row 57: a program that does not come to its end while it is loaded.

use crate::site::{FUNCTIONS, Site, on_server};
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(2);
/// How much longer than its time a call may take on a busy machine.
const SLACK: Duration = Duration::from_secs(8);

/// A call ends within its time, another function is not concerned, and the next version works at once.
async fn ends_and_is_mended(site: Site, runtime: &str, hangs: &str, works: &str) -> Result<()> {
    site.deploy(&json!({"name": "other", "runtime": runtime, "code": works})).await?;
    ensure!(site.invoke("other", "").await?["result"] == "awake", "the other one");
    let body = json!({"name": "hangs", "runtime": runtime, "code": hangs, "timeout_ms": TIMEOUT.as_millis()});
    site.deploy(&body).await?;
    let begun = Instant::now();
    let hanging = tokio::task::spawn_local({
        let site = site.clone();
        async move { site.answer("GET", &format!("{FUNCTIONS}/hangs/http"), None).await }
    });
    let mut meanwhile = 0;
    while !hanging.is_finished() {
        let called = site.invoke("other", "").await?;
        ensure!(called["result"] == "awake", "the other one meanwhile: {called}");
        meanwhile += 1;
    }
    let answer = hanging.await??;
    let took = begun.elapsed();
    ensure!(took < TIMEOUT + SLACK, "it took {took:?}");
    let kind = answer.head.header("x-faas-error-kind");
    ensure!((answer.status(), kind) == (504, Some("timeout")), "{answer:?}");
    ensure!(meanwhile > 0, "the other function waited for it");
    site.done("PUT", &format!("{FUNCTIONS}/hangs"), &json!({"code": works})).await?;
    let begun = Instant::now();
    let mended = site.invoke("hangs", "").await?;
    ensure!(mended["result"] == "awake" && begun.elapsed() < SLACK, "after {:?}: {mended}", begun.elapsed());
    Ok(())
}

#[test]
fn row_57_a_python_module_that_sleeps_while_it_is_imported() -> Result<()> {
    let works = "def handle(request):\n    return 'awake'\n";
    let hangs = format!("import time\ntime.sleep(600)\n{works}");
    on_server(|site| async move { ends_and_is_mended(site, "python", &hangs, works).await })
}

#[test]
fn row_57_a_javascript_module_that_never_ends_its_first_line() -> Result<()> {
    let works = "exports.handle = () => 'awake';\n";
    let hangs = format!("for (;;);\n{works}");
    on_server(|site| async move { ends_and_is_mended(site, "javascript", &hangs, works).await })
}

#[test]
fn row_57_a_javascript_module_that_waits_for_ever_at_its_top() -> Result<()> {
    let works = "export const handle = () => 'awake';\n";
    let hangs = format!("setInterval(() => {{}}, 1000);\nawait new Promise(() => {{}});\n{works}");
    on_server(|site| async move { ends_and_is_mended(site, "javascript", &hangs, works).await })
}

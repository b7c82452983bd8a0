//! Row 54, and what else is refused before anything runs: names, bytes that are no text, a file of ten megabytes.

use crate::site::{FUNCTIONS, SOON, Site, is_refusal, on_server, on_server_with};
use anyhow::{Context, Result, ensure};
use faas_tester::server::{DataDirectory, Options, until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

const EXECUTE: &str = "/execute";
/// A handler that answers, in each language that has one, with a byte that is no UTF-8 and its place.
const NOT_UTF8: [(&str, &str, &[u8], usize); 3] = [
    ("python", "main.py", b"def handle(request):\n    return '\xe9t\xe9'\n", 33),
    ("javascript", "main.js", b"exports.handle = () => '\xe9t\xe9';\n", 24),
    ("php", "main.php", b"<?php echo '\xe9t\xe9';\n", 12),
];

/// Demands that code is refused, alone and as a function's, and that no function was made.
async fn code_refused(site: &Site, code: &Value, expected: (u16, &str), cause: &str) -> Result<()> {
    let alone = site.refused("POST", EXECUTE, Some(&json!({"code": code})), expected).await?;
    let body = json!({"name": "refused", "code": code});
    let made = site.refused("POST", FUNCTIONS, Some(&body), expected).await?;
    for problem in [alone, made] {
        ensure!(problem["detail"].as_str().is_some_and(|detail| detail.contains(cause)), "{cause}: {problem}");
    }
    site.refused("GET", &format!("{FUNCTIONS}/refused"), None, (404, "function_not_found")).await?;
    Ok(())
}

#[test]
fn row_54_code_of_zero_length() -> Result<()> {
    on_server(|site| async move {
        code_refused(&site, &json!(""), (400, "code_empty"), "code").await?;
        let body = json!({"name": "refused", "files": {"main.py": ""}});
        site.refused("POST", FUNCTIONS, Some(&body), (400, "code_empty")).await?;
        let body = json!({"name": "refused", "files": {}});
        site.refused("POST", FUNCTIONS, Some(&body), (400, "invalid_field")).await?;
        Ok(())
    })
}

#[test]
fn row_54_code_of_fifty_megabytes() -> Result<()> {
    on_server(|site| async move {
        // Above what a body may have, and within that, above what code may have.
        for (bytes, code, limit) in
            [(50_000_000, "body_too_large", "33554432"), (17 << 20, "code_too_large", "16777216")]
        {
            let source = "#234567\\n".repeat(bytes / 8);
            for (path, name) in [(EXECUTE, ""), (FUNCTIONS, "\"name\":\"refused\",")] {
                let mut connection = site.post(path, &format!("{{{name}\"code\":\"{source}\"}}")).await?;
                let status = connection.head().await?.status;
                let mut answer = Vec::new();
                while let Some(piece) = connection.piece().await? {
                    answer.extend_from_slice(&piece);
                }
                let problem = serde_json::from_slice(&answer)?;
                is_refusal(status, &problem, (413, code)).with_context(|| format!("{path} {bytes}"))?;
                let said = problem["detail"].as_str().is_some_and(|said| said.contains(limit));
                ensure!(said, "the limit is not said: {problem}");
            }
        }
        site.refused("GET", &format!("{FUNCTIONS}/refused"), None, (404, "function_not_found")).await?;
        Ok(())
    })
}

#[test]
fn row_54_code_with_nul() -> Result<()> {
    on_server(|site| async move {
        code_refused(&site, &json!("print(1)\0print(2)\n"), (400, "not_text"), "NUL byte at byte 8").await
    })
}

#[test]
fn row_54_a_language_that_is_none() -> Result<()> {
    on_server(|site| async move {
        let languages = [
            "cobol",
            "../../bin/sh",
            "/bin/sh",
            "python3; id",
            "pyth\non",
            "python\0",
            "",
            "python/../bash",
            "Python ",
        ];
        for language in languages {
            let alone = json!({"code": "print(1)", "language": language});
            let made = json!({"name": "refused", "code": "print(1)", "runtime": language});
            for (path, body) in [(EXECUTE, alone), (FUNCTIONS, made)] {
                let (status, problem) = site.ask("POST", path, Some(&body)).await?;
                // A language that is known with something else behind it has a version that is none.
                let code = problem["code"].as_str().unwrap_or_default();
                let is_refused = matches!((status, code), (422, "unknown_language") | (400, "invalid_field"));
                let field = problem["field"].as_str().unwrap_or_default();
                ensure!(
                    is_refused && ["language", "runtime"].contains(&field),
                    "{path} {language:?}: {status} {problem}"
                );
            }
        }
        site.refused("GET", &format!("{FUNCTIONS}/refused"), None, (404, "function_not_found")).await?;
        Ok(())
    })
}

#[test]
fn a_reserved_name() -> Result<()> {
    on_server(|site| async move {
        let code = "def handle(request):\n    return 'mine'\n";
        for name in ["live", "latest", "LIVE", "Latest", "fn_01890000000070008000000000000000"] {
            for path in [FUNCTIONS, "/functions"] {
                let body = json!({"name": name, "code": code});
                let problem = site.refused("POST", path, Some(&body), (400, "invalid_field")).await?;
                ensure!(problem["field"] == "name", "{problem}");
            }
        }
        site.deploy(&json!({"name": "mine", "code": code})).await?;
        for alias in ["live", "latest"] {
            let path = format!("{FUNCTIONS}/mine/aliases/{alias}");
            site.refused("PUT", &path, Some(&json!({"version": 1})), (400, "invalid_field")).await?;
        }
        site.good_row().await?;
        site.row("GET:/latest", &json!({"name": "latest", "runtime": "python", "module": "good.py"}).to_string())?;
        site.row_refused("GET:/latest", "reserved").await?;
        ensure!(site.ask("GET", "/latest", None).await?.0 == 404, "it is served");
        ensure!(site.invoke("mine", "").await?["result"] == "mine", "the function that has a name of its own");
        Ok(())
    })?;
    ensure_refused_at_its_start(
        "functions:\n  latest:\n    code: 'x'\n",
        &["functions \"latest\"", "not live or latest"],
    )
}

#[test]
fn a_handler_file_that_is_not_utf8_by_the_api() -> Result<()> {
    on_server(|site| async move {
        for (runtime, main, source, place) in NOT_UTF8 {
            let good = json!({"name": runtime, "runtime": runtime, "code": good(runtime)?});
            site.deploy(&good).await?;
            let files = json!({ main: source });
            for (method, path) in [("POST", FUNCTIONS.to_owned()), ("PUT", format!("{FUNCTIONS}/{runtime}"))] {
                let name = if method == "POST" { "refused" } else { runtime };
                let body = json!({"name": name, "runtime": runtime, "files": files, "code": null});
                let problem = site.refused(method, &path, Some(&body), (400, "not_text")).await?;
                let cause = format!("UTF-8 at byte {place}");
                ensure!(problem["detail"].as_str().is_some_and(|it| it.contains(&cause)), "{cause}: {problem}");
                ensure!(problem["field"] == "code", "{problem}");
            }
            site.refused("GET", &format!("{FUNCTIONS}/refused"), None, (404, "function_not_found")).await?;
            let live = site.invoke(runtime, "").await?;
            ensure!(live["result"] == "good" && live["version"] == "1", "the live version: {live}");
        }
        // A file beside the handler may hold any bytes; what imports it as source meets them.
        let files = json!({"main.py": "def handle(request):\n    import lib\n", "lib.py": NOT_UTF8[0].2});
        site.deploy(&json!({"name": "library", "files": files})).await?;
        let failed = site.invoke("library", "").await?;
        let error = failed["error"].as_str().unwrap_or_default();
        ensure!(failed["error_kind"] == "user_error" && error.contains("SyntaxError"), "{failed}");
        Ok(())
    })
}

#[test]
fn a_handler_file_that_is_not_utf8_by_a_row() -> Result<()> {
    on_server(|site| async move {
        site.good_row().await?;
        for (runtime, main, source, place) in NOT_UTF8 {
            let key = format!("GET:/{runtime}");
            let value = json!({"name": runtime, "runtime": runtime, "module": main}).to_string();
            site.module(main, good(runtime)?)?;
            site.row(&key, &value)?;
            let path = format!("/{runtime}");
            let is_good = async || Ok((site.answer("GET", &path, None).await?.body == b"good").then_some(()));
            until(&format!("{key} is served"), SOON, is_good).await?;
            site.module(main, source)?;
            site.sql(&format!("UPDATE functions SET updated = updated + 1 WHERE k = '{key}'"))?;
            site.row_refused(&key, &format!("UTF-8 at byte {place}")).await?;
            ensure!(is_good().await?.is_some(), "{key}: the last good version is not served");
        }
        site.good_row_is_served().await
    })
}

#[test]
fn a_handler_file_that_is_not_utf8_by_the_configuration() -> Result<()> {
    let configured = |home: &std::path::Path| {
        let storage = home.join("storage");
        fs::create_dir(&storage)?;
        for (runtime, main, source, _) in NOT_UTF8 {
            let ending = main.trim_start_matches("main");
            fs::write(storage.join(format!("{runtime}{ending}")), source)?;
        }
        let declared: String = NOT_UTF8.iter().map(|(name, ..)| format!("  {name}: {{runtime: {name}}}\n")).collect();
        let good = "  good:\n    code: |\n      def handle(request):\n        return 'good'\n";
        let path = home.join("faas_config.yaml");
        let text = format!("system:\n  function_storage_path: {}\nfunctions:\n{good}{declared}", storage.display());
        fs::write(&path, text)?;
        Ok(vec![("--config", path.display().to_string())])
    };
    on_server_with(configured, |site| async move {
        for (name, _, _, place) in NOT_UTF8 {
            let what = format!("{name} is told");
            let said = until(&what, SOON, async || {
                let said = site.refusals("function_refused").await?;
                Ok(said.into_iter().find(|detail| detail.contains(&format!("functions.{name} "))))
            });
            let said = said.await?;
            ensure!(said.contains(&format!("UTF-8 at byte {place}")), "{said}");
            site.refused("GET", &format!("{FUNCTIONS}/{name}"), None, (404, "function_not_found")).await?;
        }
        ensure!(site.invoke("good", "").await?["result"] == "good", "the one that is good");
        Ok(())
    })
}

#[test]
fn a_configuration_of_ten_megabytes_of_yaml() -> Result<()> {
    ensure_refused_at_its_start(&"# ten megabytes\n".repeat(10_000_000 / 16), &["above the limit of 4194304 bytes"])
}

/// Just within the limit, and made to take long or much.
#[test]
fn a_configuration_of_four_megabytes_of_hostile_yaml() -> Result<()> {
    let fill = |piece: &str| piece.repeat(4_000_000 / piece.len());
    ensure_refused_at_its_start(&format!("functions: {}", fill("[")), &["line 1"])?;
    ensure_refused_at_its_start(&format!("a: &a [x]\nb: [{}*a]", fill("*a, ")), &["anchors"])?;
    ensure_refused_at_its_start(&format!("functions: {{a: {{code: \"{}", fill("x")), &["line"])?;
    ensure_refused_at_its_start(&fill("functions:\n"), &["\"functions\" stands there twice"])
}

/// Demands that no server starts with this configuration, soon, and that it says why.
fn ensure_refused_at_its_start(yaml: &str, causes: &[&str]) -> Result<()> {
    let data = DataDirectory::make()?;
    let path = data.path().parent().context("a data directory lies in another")?.join("faas_config.yaml");
    fs::write(&path, yaml)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    let begun = Instant::now();
    let started = Options::new(data.path()).flag("--config", &path.display().to_string()).start();
    let said = match started {
        Ok(_) => anyhow::bail!("it started with {} bytes", yaml.len()),
        Err(error) => format!("{error:#}"),
    };
    ensure!(said.contains("the server ended at its start"), "it did not end: {said}");
    for cause in causes.iter().chain(&["config_invalid"]) {
        ensure!(said.contains(cause), "{cause:?} is not said: {said}");
    }
    ensure!(begun.elapsed() < Duration::from_secs(30), "it took {:?} to refuse {causes:?}", begun.elapsed());
    Ok(())
}

/// A handler that answers `good`.
fn good(runtime: &str) -> Result<&'static str> {
    match runtime {
        "python" => Ok("def handle(request):\n    return 'good'\n"),
        "javascript" => Ok("exports.handle = () => 'good';\n"),
        "php" => Ok("<?php header('Content-Type: text/plain'); echo 'good';"),
        other => anyhow::bail!("no handler in {other}"),
    }
}

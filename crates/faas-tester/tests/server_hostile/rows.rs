//! Row 79: rows and files that are made to harm. Each is told, and what was served before is served on.

use crate::site::{SOON, Site, modules, on_server};
use anyhow::{Result, ensure};
use faas_tester::server::until;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// A row is told for this reason, is not served, and takes nothing away.
async fn refused(site: &Site, name: &str, value: &str, reason: &str) -> Result<()> {
    let key = format!("GET:/{name}");
    site.row(&key, value)?;
    site.row_refused(&key, reason).await?;
    ensure!(site.ask("GET", &format!("/{name}"), None).await?.0 == 404, "{key} is served");
    site.good_row_is_served().await
}

/// Waits until it is said that the file is not read, for one of these reasons.
async fn file_refused(site: &Site, reasons: &[&str]) -> Result<()> {
    let what = format!("{reasons:?} is told");
    let told = until(&what, SOON, async || {
        let said = site.refusals("route_refused").await?;
        Ok(said.into_iter().find(|said| reasons.iter().any(|reason| said.contains(reason))))
    });
    let told = told.await?;
    ensure!(told.ends_with("what it gave before is served"), "{told}");
    site.good_row_is_served().await
}

#[test]
fn row_79_a_row_with_broken_json() -> Result<()> {
    on_server(|site| async move {
        site.good_row().await?;
        let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
        let twice = r#"{"name":"a","name":"b","runtime":"php","module":"good.py"}"#;
        let unknown = r#"{"name":"a","runtime":"php","module":"good.py","colour":1}"#;
        for (name, value) in [
            ("cut", r#"{"name":"a""#),
            ("dots", r#"{"module":"/new/path.wasm",...}"#),
            ("empty", ""),
            ("list", "[]"),
            ("null", "null"),
            ("deep", &deep),
            ("twice", twice),
            ("unknown", unknown),
        ] {
            refused(&site, name, value, "v is not accepted").await?;
        }
        // The same in place of a row that is good: it stays as it was.
        site.row("GET:/good", "{")?;
        site.row_refused("GET:/good", "v is not accepted").await?;
        site.good_row_is_served().await
    })
}

#[test]
fn row_79_a_row_that_names_no_route() -> Result<()> {
    on_server(|site| async move {
        site.good_row().await?;
        let value = json!({"name": "a", "runtime": "python", "module": "good.py"}).to_string();
        for key in ["nonsense", "GET", "get:/x", "GET /x", "TRACE:/x", "/x", "GET:/x?a=b", "GET:/{x", "GET:/x\u{1b}[2J"]
        {
            site.row(key, &value)?;
            // What would command a terminal is told without that.
            site.row_refused(&key.replace('\u{1b}', "\u{fffd}"), "").await?;
        }
        site.good_row_is_served().await
    })
}

#[test]
fn row_79_a_row_whose_module_is_outside_the_function_roots() -> Result<()> {
    on_server(|site| async move {
        site.good_row().await?;
        let roots = modules(&site.home);
        fs::write(site.home.join("secret.py"), "def handle(request):\n    return 'secret'\n")?;
        symlink(site.home.join("secret.py"), roots.join("link.py"))?;
        symlink(&site.home, roots.join("up"))?;
        let above = format!("{}/../secret.py", roots.display());
        let beside = format!("{}x/secret.py", roots.display());
        for (name, module, reason) in [
            ("passwd", "/etc/passwd", "outside the function roots"),
            ("beside", &beside, "outside the function roots"),
            ("climbing", "../secret.py", "is not accepted"),
            ("above", &above, "is not accepted"),
            ("dots", "a/../../secret.py", "is not accepted"),
            ("link", "link.py", "symbolic link"),
            ("through", "up/secret.py", "symbolic link"),
            ("nowhere", "nowhere.py", "beneath none of the function roots"),
        ] {
            let value = json!({"name": name, "runtime": "python", "module": module}).to_string();
            refused(&site, name, &value, reason).await?;
        }
        Ok(())
    })
}

#[test]
fn row_79_a_row_of_the_runtime_sh() -> Result<()> {
    on_server(|site| async move {
        site.good_row().await?;
        site.module("a.sh", "echo ran > /tmp/ran\n")?;
        for (name, runtime) in [("sh", "sh"), ("bash", "bash"), ("path", "/bin/sh"), ("upper", "PHP"), ("none", "")] {
            let value = json!({"name": name, "runtime": runtime, "module": "a.sh"}).to_string();
            refused(&site, name, &value, &format!("runtime {runtime:?} is not accepted")).await?;
        }
        Ok(())
    })
}

#[test]
fn row_79_a_file_of_a_million_rows() -> Result<()> {
    on_server(|site| async move {
        site.good_row().await?;
        let (file, aside) = (site.routes_file(), site.home.join("aside.db"));
        fs::copy(&file, &aside)?;
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
                   INSERT INTO functions SELECT 'GET:/many/' || i, '{}', 1 FROM n";
        // SQLite without optimisation, as tests have it, takes long for so many.
        let inserted = Command::new("sqlite3").arg(&file).arg(sql).output()?;
        ensure!(inserted.status.success(), "{inserted:?}");
        // On a busy machine the time that a reading may take is over before the rows are counted.
        file_refused(&site, &["more than 200000 rows", "takes too long to read"]).await?;
        fs::rename(&aside, &file)?;
        site.row("GET:/again", &json!({"name": "again", "runtime": "python", "module": "good.py"}).to_string())?;
        until("the file is read again", SOON, async || {
            Ok((site.answer("GET", "/again", None).await?.body == b"good").then_some(()))
        })
        .await
    })
}

#[test]
fn row_79_a_file_with_triggers() -> Result<()> {
    on_server(|site| async move {
        site.good_row().await?;
        // They are their writer's own: whoever inserts deletes by them, and whoever reads does not meet them.
        site.sql(
            "CREATE TRIGGER gone AFTER INSERT ON functions BEGIN DELETE FROM functions WHERE k = 'GET:/ping'; END;
             CREATE TRIGGER huge BEFORE UPDATE ON functions BEGIN SELECT hex(zeroblob(100000000)); END;",
        )?;
        refused(&site, "bad", "{", "v is not accepted").await?;
        until("the row that was deleted is gone", SOON, async || {
            Ok((site.ask("GET", "/ping", None).await?.0 == 404).then_some(()))
        })
        .await?;
        site.good_row_is_served().await
    })
}

#[test]
fn row_79_a_file_with_a_view_for_its_table() -> Result<()> {
    on_server(|site| async move {
        site.good_row().await?;
        site.sql("CREATE VIEW other AS SELECT * FROM functions; ALTER TABLE functions RENAME TO kept")?;
        file_refused(&site, &["no table functions"]).await?;
        site.sql(
            "CREATE VIEW functions AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)
             SELECT 'GET:/' || x AS k, '{}' AS v, x AS updated FROM n",
        )?;
        file_refused(&site, &["a view"]).await?;
        site.sql("DROP VIEW functions; CREATE VIRTUAL TABLE functions USING fts5(k, v, updated)")?;
        file_refused(&site, &["a virtual table"]).await
    })
}

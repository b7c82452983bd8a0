//! Every command that `README.md` and the pages of `docs/` show runs, and prints what is shown below it.
//! (The pages of `docs/errors/` show refusals, each on the kind of host that has it.)
//!
//! A block of commands (` ```console ` or ` ```sh `) has a comment in the line above it, which says
//! what is done with it:
//!
//! - `<!-- runs -->`: it is run here. Each line that begins with `$ ` is a command, and `> ` continues
//!   it; the lines below are what it writes to standard output. In them `…` stands for any text in a
//!   line, and a line that is only `…` for any lines. All blocks of a page share one shell, in which
//!   `localhost:8080` is a server of the page's own.
//! - `<!-- does not run: REASON -->`: it is not.
//!
//! A block without either fails.

#[path = "seeds/curl.rs"]
mod curl;
#[path = "seeds/server.rs"]
mod server;

use anyhow::{Context, Result, bail, ensure};
use server::{Launch, Server, root};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Separates the outputs of a page's commands; nothing prints it by itself.
const MARK: &str = "-- 5f0c6d1e: end of output --";

/// One command and what is shown below it.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    line_number: usize,
    command: String,
    output: Vec<String>,
}

#[test]
fn every_shown_command_prints_what_is_shown() -> Result<()> {
    let mut failed = Vec::new();
    let mut commands = 0;
    for path in pages()? {
        let name = path.file_name().and_then(|name| name.to_str()).context("a name")?.to_owned();
        let shown = shown(&fs::read_to_string(&path)?).with_context(|| name.clone())?;
        if shown.is_empty() {
            continue;
        }
        commands += shown.len();
        let wrong = run(&shown).with_context(|| name.clone())?;
        println!("{} {name}: {} commands", if wrong.is_empty() { "ok    " } else { "FAILED" }, shown.len());
        failed.extend(wrong.into_iter().map(|why| format!("{name}:{why}")));
    }
    ensure!(commands > 10, "only {commands} commands are shown: the pages were not read");
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

fn pages() -> Result<Vec<PathBuf>> {
    let mut pages = vec![root().join("README.md")];
    for entry in fs::read_dir(root().join("docs"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}

/// The commands of a page that are to be run.
fn shown(text: &str) -> Result<Vec<Shown>> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut above = "";
    let mut inside = false;
    let mut runs = false;
    for (line, line_number) in text.lines().zip(1..) {
        match line.trim_start() {
            "```console" | "```sh" if !inside => {
                inside = true;
                runs = above == "<!-- runs -->";
                let excused = above.strip_prefix("<!-- does not run: ").is_some_and(|rest| rest.len() > " -->".len());
                ensure!(runs || excused, "line {line_number}: no comment above says whether this block runs");
            }
            "```" if inside => (inside, runs) = (false, false),
            _ if !runs => {}
            _ => match (line.strip_prefix("$ "), line.strip_prefix("> "), shown.last_mut()) {
                (Some(command), _, _) => {
                    shown.push(Shown { line_number, command: command.to_owned(), output: Vec::new() });
                }
                (None, Some(more), Some(last)) if last.output.is_empty() => {
                    last.command.push('\n');
                    last.command.push_str(more);
                }
                (None, _, Some(last)) => last.output.push(line.to_owned()),
                (None, _, None) => bail!("line {line_number}: output before any command"),
            },
        }
        above = line.trim();
    }
    Ok(shown)
}

/// Runs a page's commands in one shell; what went wrong.
fn run(shown: &[Shown]) -> Result<Vec<String>> {
    // Only pages that speak to a server get one.
    let server = shown.iter().any(|shown| shown.command.contains("localhost:8080"));
    let server = if server { Some(Launch::with(&[]).start()?) } else { None };
    let home = tempfile::tempdir()?;
    let address = server.as_ref().map(Server::address).transpose()?.map(|address| address.to_string());
    let mut script = String::new();
    for Shown { command, .. } in shown {
        let command = match &address {
            Some(address) => command.replace("localhost:8080", address),
            None => command.clone(),
        };
        // The status of a command is what `$?` says in the next one.
        script.push_str(&format!("{command}\nstatus=$?; printf '%s\\n' '{MARK}'; (exit $status)\n"));
    }
    let mut shell = match &server {
        Some(server) => curl::shell(server)?,
        None => {
            let mut shell = server::plain("sh");
            let path = std::env::var("PATH").unwrap_or_default();
            shell.env("PATH", format!("{}:{path}", server::programs()?.display())).env("HOME", home.path());
            shell
        }
    };
    let output = finish(shell.arg("-c").arg(&script))?;
    let mut outputs = output.0.split(&format!("{MARK}\n")).map(str::to_owned).collect::<Vec<_>>();
    outputs.pop();
    ensure!(outputs.len() == shown.len(), "the shell stopped early: {output:?}");
    let mut wrong = Vec::new();
    for (shown, got) in shown.iter().zip(outputs) {
        let got = match &address {
            Some(address) => got.replace(address.as_str(), "localhost:8080"),
            None => got,
        };
        let lines: Vec<&str> = got.lines().collect();
        if !matches_lines(&shown.output, &lines) {
            let expected = shown.output.join("\n");
            wrong.push(format!("{}: {}\nexpected:\n{expected}\ngot:\n{got}\n", shown.line_number, shown.command));
        }
    }
    if let (false, stderr) = (wrong.is_empty(), output.1) {
        wrong.push(format!(" on standard error: {stderr}"));
    }
    Ok(wrong)
}

/// Standard output and standard error.
fn finish(command: &mut Command) -> Result<(String, String)> {
    let output = command.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(&output.stdout), text(&output.stderr)))
}

/// Whether the lines are the ones shown; a line `…` there is any lines.
fn matches_lines(shown: &[String], got: &[&str]) -> bool {
    match shown.split_first() {
        None => got.is_empty(),
        Some((first, rest)) if first.trim() == "…" => {
            (0..=got.len()).any(|skipped| matches_lines(rest, &got[skipped..]))
        }
        Some((first, rest)) => {
            got.split_first().is_some_and(|(line, others)| matches_line(first, line) && matches_lines(rest, others))
        }
    }
}

/// Whether the line is the one shown; `…` there is any text.
fn matches_line(shown: &str, got: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| got.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn wildcards_stand_for_any_text_and_nothing_else() {
    for (shown, got, expected) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("…", "", true),
        ("a…", "abc", true),
        ("…c", "abc", true),
        ("a…c", "abd", false),
        (r#"{"id":"exe_…","status":"…",…}"#, r#"{"id":"exe_1","status":"queued","x":1}"#, true),
        (r#"{"id":"exe_…","status":"queued"}"#, r#"{"id":"1","status":"queued"}"#, false),
    ] {
        assert_eq!(matches_line(shown, got), expected, "{shown} {got}");
    }
    let shown = ["a", "…", "d"].map(str::to_owned);
    assert!(matches_lines(&shown, &["a", "b", "c", "d"]));
    assert!(matches_lines(&shown, &["a", "d"]));
    assert!(!matches_lines(&shown, &["a", "b", "c"]));
}

#[test]
fn a_block_says_whether_it_runs() {
    let page = "x\n<!-- runs -->\n```console\n$ a \\\n>   b\nout\n$ c\n```\n";
    let found = shown(page).expect("a page");
    let commands: Vec<&str> = found.iter().map(|shown| shown.command.as_str()).collect();
    assert_eq!(commands, ["a \\\n  b", "c"]);
    assert_eq!(found[0].output, ["out"]);
    assert_eq!(shown("<!-- does not run: a sketch -->\n```sh\nx\n```\n").expect("a page"), []);
    assert!(shown("```console\n$ a\n```\n").is_err());
    assert!(shown("<!-- runs -->\n```console\nout\n```\n").is_err());
}

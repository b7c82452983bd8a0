//! Every command line of `examples/README.md` runs and prints what is shown there, and no example
//! is left out.

mod support;

use std::fs;
use support::{Finished, root, run};

/// One command line and what is shown below it.
struct Shown {
    line: String,
    below: String,
}

/// The command lines of all console blocks, in order.
fn shown(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), shown.last_mut()) {
                (Some(command), _) => shown.push(Shown { line: command.to_owned(), below: String::new() }),
                (None, Some(last)) => last.below.push_str(&format!("{line}\n")),
                (None, None) => panic!("output before any command: {line}"),
            },
        }
    }
    shown
}

#[test]
fn every_command_line_prints_what_is_shown() {
    let examples = root().join("examples");
    let text = fs::read_to_string(examples.join("README.md")).expect("the examples' page");
    let mut last: Option<Finished> = None;
    for Shown { line, below } in shown(&text) {
        if line == "echo $?" {
            let code = last.as_ref().and_then(|finished| finished.code).expect("an exit code");
            assert_eq!(below, format!("{code}\n"), "{last:?}");
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words.first(), Some(&"faas"), "{line}");
        let finished = run(&words[1..]);
        assert_eq!(format!("{}{}", finished.stdout, finished.stderr), below, "{line}: {finished:?}");
        last = Some(finished);
    }
    for entry in fs::read_dir(&examples).expect("the examples") {
        let name = entry.expect("an example").file_name().into_string().expect("a text");
        assert!(name == "README.md" || text.contains(&format!("examples/{name}")), "{name} is shown nowhere");
    }
}

//! What the five seed documents print works as printed, or is refused as `tests/seeds/STATUS` says.
//!
//! Every item there that `works` or is `refused` has a proof here, which runs it against the built
//! programs: printed command lines through a shell and curl, printed bodies byte for byte.

mod seeds {
    pub(crate) mod curl;
    mod functions;
    pub(crate) mod items;
    mod lines;
    pub(crate) mod proofs;
    pub(crate) mod routes;
    pub(crate) mod server;
    mod socket;
}

use anyhow::{Context as _, Result, ensure};
use faas_types::ErrorCode;
use seeds::items::{self, State};
use seeds::proofs::{Outcome, PROOFS, Servers};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn every_printed_line_is_in_an_item_and_in_one_only() -> Result<()> {
    let mut covered = BTreeSet::new();
    for item in items::all()? {
        for line in items::range(&item.lines)? {
            ensure!(covered.insert((item.seed.clone(), line)), "{} line {line} is in two items", item.seed);
        }
    }
    for (seed, lines) in items::printed()? {
        for line in lines {
            ensure!(covered.contains(&(seed.clone(), line)), "{seed} line {line} is in no item of STATUS");
        }
    }
    Ok(())
}

/// With the documents at hand (`FAAS_SEEDS`, the directory they are in), also that no block was forgotten.
#[test]
fn no_block_of_the_documents_is_forgotten() -> Result<()> {
    let Some(directory) = std::env::var_os("FAAS_SEEDS") else {
        println!("SKIP no_block_of_the_documents_is_forgotten: FAAS_SEEDS does not name the documents' directory");
        return Ok(());
    };
    let printed = items::printed()?;
    let listed =
        |seed: &str, line: u32| printed.iter().any(|(name, lines)| name.as_str() == seed && lines.contains(&line));
    let mut documents = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a name")?.to_owned();
        let seed = name.get(..3).with_context(|| name.clone())?;
        let mut block = Vec::new();
        let mut inside = false;
        for (line, number) in fs::read_to_string(&path)?.lines().zip(1..) {
            if line.trim_start().starts_with("```") {
                inside = !inside;
                let whole = block.iter().all(|number| listed(seed, *number));
                let absent = !block.iter().any(|number| listed(seed, *number));
                ensure!(whole || absent, "{name}: lines {block:?} are listed in part");
                ensure!(whole || is_a_diagram(seed, &block), "{name}: lines {block:?} are not in PRINTED");
                block.clear();
            } else if inside {
                block.push(number);
            }
        }
        documents += 1;
    }
    ensure!(documents == 5, "{documents} documents");
    Ok(())
}

/// Blocks that print no request, program, SQL or configuration: drawings, and a table of numbers.
fn is_a_diagram(seed: &str, block: &[u32]) -> bool {
    const DIAGRAMS: [(&str, u32); 6] = [("000", 25), ("000", 35), ("000", 258), ("001", 92), ("004", 12), ("004", 120)];
    block.first().is_some_and(|first| DIAGRAMS.contains(&(seed, *first)))
}

#[test]
fn every_deviation_is_explained() -> Result<()> {
    let page = fs::read_to_string(items::directory().join("DEVIATIONS.md"))?;
    for item in items::all()? {
        if let State::Deviates(heading) = &item.state {
            let line = format!("## {heading}");
            ensure!(page.lines().any(|written| written == line), "DEVIATIONS.md has no heading {heading:?}");
        }
    }
    Ok(())
}

#[test]
fn every_item_that_works_or_is_refused_has_one_proof_and_no_proof_is_left_over() -> Result<()> {
    let items = items::all()?;
    let mut proved = BTreeSet::new();
    for proof in PROOFS {
        ensure!(proved.insert((proof.seed, proof.lines)), "{} {} is proved twice", proof.seed, proof.lines);
    }
    for item in &items {
        let found = proved.remove(&(item.seed.as_str(), item.lines.as_str()));
        let wanted = matches!(item.state, State::Works | State::Refused(_));
        ensure!(found == wanted, "{item:?}: {}", if found { "a proof too many" } else { "no proof" });
        if let State::Refused(code) = &item.state {
            ensure!(ErrorCode::ALL.iter().any(|known| known.as_str() == code), "{code} is no error code");
        }
    }
    ensure!(proved.is_empty(), "proofs of no item: {proved:?}");
    Ok(())
}

#[test]
fn what_works_works_and_what_is_refused_has_its_code() -> Result<()> {
    let servers = Servers::default();
    let only = std::env::var("FAAS_SEED_ITEM").ok();
    let mut failed = Vec::new();
    for item in items::all()? {
        let name = format!("{} {} {} ({})", item.seed, item.lines, item.excerpt, item.kind);
        let proof = PROOFS.iter().find(|proof| proof.seed == item.seed && proof.lines == item.lines);
        let Some(proof) = proof.filter(|_| only.as_ref().is_none_or(|only| name.starts_with(only.as_str()))) else {
            continue;
        };
        let verdict = match ((proof.run)(&servers), &item.state) {
            (Ok(Outcome::Works), State::Works) => Ok(()),
            (Ok(Outcome::Refused(got)), State::Refused(code)) if got == *code => Ok(()),
            (Ok(outcome), state) => Err(format!("STATUS says {state:?}, it is {outcome:?}")),
            (Err(error), _) => Err(format!("{error:#}")),
        };
        println!("{} {name}", if verdict.is_ok() { "ok    " } else { "FAILED" });
        failed.extend(verdict.err().map(|why| format!("{name}: {why}")));
    }
    servers.stop()?;
    ensure!(failed.is_empty(), "{} of the items:\n{}", failed.len(), failed.join("\n"));
    Ok(())
}

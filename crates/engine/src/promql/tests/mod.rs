//! Scripts: samples are loaded, queries computed, answers compared. The format is that of Prometheus' own tests of its
//! queries, so that those can be run too: put them into `scripts/local`, which git ignores.

mod comparing;
mod expected;
mod histograms;
mod pinned;
mod queries;
mod script;
mod series;
mod world;

use script::Command;
use std::path::{Path, PathBuf};
use world::World;

/// How a script went.
#[derive(Default)]
struct Outcome {
    passed: usize,
    /// Queries over series with start timestamps, which are not kept.
    skipped: usize,
    /// What failed: the line, the query, and what is different.
    failed: Vec<(usize, String, String)>,
}

fn scripts(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/promql/tests").join(folder);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "test"));
    paths.sort();
    paths
}

fn run(path: &Path) -> Outcome {
    let mut outcome = Outcome::default();
    let mut world = World::default();
    for command in script::read(&std::fs::read_to_string(path).unwrap()) {
        match command {
            Command::Clear => world = World::default(),
            Command::Load(load) => world.load(load),
            Command::Query(_) if world.has_start_timestamps => outcome.skipped += 1,
            Command::Query(query) => match queries::check(&world, &query) {
                Ok(()) => outcome.passed += 1,
                Err(difference) => outcome.failed.push((query.line, query.text, difference)),
            },
        }
    }
    outcome
}

/// Runs all scripts of a folder; answers how many there are, and what failed.
fn run_all(folder: &str) -> (usize, String) {
    let mut report = String::new();
    let paths = scripts(folder);
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy();
        let outcome = run(path);
        println!(
            "{name}: {} passed, {} failed, {} skipped",
            outcome.passed,
            outcome.failed.len(),
            outcome.skipped
        );
        for (line, query, difference) in outcome.failed {
            report.push_str(&format!("{name}:{line}\t{query}\t{}\n", difference.replace('\n', " ")));
        }
    }
    (paths.len(), report)
}

#[test]
fn our_scripts() {
    let (count, failures) = run_all("scripts");
    assert!(count > 0, "no scripts were found");
    assert!(failures.is_empty(), "{failures}");
}

#[test]
#[ignore = "needs scripts in scripts/local; run with --ignored --nocapture"]
fn other_scripts() {
    let (count, failures) = run_all("scripts/local");
    println!("{failures}");
    assert!(count > 0 && failures.is_empty());
}

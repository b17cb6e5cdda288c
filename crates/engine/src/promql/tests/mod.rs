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

fn run(text: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let mut world = World::default();
    for command in script::read(text) {
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
        let outcome = run(&std::fs::read_to_string(path).unwrap());
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

/// Each of these is wrong, and is seen.
#[test]
fn what_is_wrong_fails() {
    let load = "load 1m\n  v{a=\"1\"} 1 2 3\n  h {{schema:0 count:1 sum:1 buckets:[1]}}\n\n";
    for query in [
        "eval instant at 1m v\n  v{a=\"1\"} 2.00001",
        "eval instant at 1m v\n  v{a=\"2\"} 2",
        "eval instant at 1m v\n  v{a=\"1\"} 2\n  v{a=\"2\"} 2",
        "eval instant at 1m v",
        "eval instant at 1m v\n  expect fail",
        "eval instant at 1m v +\n  v{a=\"1\"} 2",
        "eval instant at 1m sum(v)\n  expect warn\n  {} 2",
        "eval instant at 1m sum(v)\n  2",
        "eval instant at 1m quantile(2, v)\n  expect no_warn\n  {} Inf",
        "eval instant at 1m quantile(2, v)\n  expect warn msg: another\n  {} Inf",
        "eval instant at 1m sort(v or h)\n  expect ordered\n  h 1\n  v{a=\"1\"} 2",
        "eval instant at 0 h\n  h {{schema:0 count:1 sum:1 buckets:[2]}}",
        "eval instant at 0 h\n  h {{schema:0 count:1 sum:1 offset:1 buckets:[1]}}",
        "eval instant at 0 h\n  h {{schema:0 count:1 sum:1 buckets:[1] counter_reset_hint:gauge}}",
        "eval range from 0 to 2m step 1m v\n  v{a=\"1\"} 1 2",
        "eval range from 0 to 2m step 1m v\n  v{a=\"1\"} 1 _ 3",
        "eval instant at 0 \"a\"\n  expect string \"b\"",
        "eval instant at 0 1\n  2",
    ] {
        let outcome = run(&format!("{load}{query}\n"));
        assert_eq!((outcome.passed, outcome.failed.len()), (0, 1), "{query}");
    }
}

#[test]
#[ignore = "needs scripts in scripts/local; run with --ignored --nocapture"]
fn other_scripts() {
    let (count, failures) = run_all("scripts/local");
    println!("{failures}");
    assert!(count > 0 && failures.is_empty());
}

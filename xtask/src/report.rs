//! Runs steps, shows what they print as they print it, and counts the tests in it.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What ran, and what became of it.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
    passed: u64,
    failed: u64,
}

/// Tests that passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

impl Report {
    /// Runs a command; a command that prints no count of tests is one test itself.
    pub fn step(&mut self, name: &str, command: Result<Command>) -> bool {
        println!("\n== {name}");
        let started = Instant::now();
        let outcome = command.and_then(|mut command| watch(&mut command));
        let (count, error) = match outcome {
            Ok((true, count)) => (count, None),
            Ok((false, count)) => (Count { failed: count.failed.max(1), ..count }, None),
            Err(error) => (Count { passed: 0, failed: 1 }, Some(error)),
        };
        let count = if count == Count::default() { Count { passed: 1, failed: 0 } } else { count };
        self.note(name, count, error.as_ref(), started);
        count.failed == 0
    }

    /// Runs a chore of ours that counts as one test.
    pub fn chore(&mut self, name: &str, chore: impl FnOnce() -> Result<()>) -> bool {
        println!("\n== {name}");
        let started = Instant::now();
        let error = chore().err();
        let failed = u64::from(error.is_some());
        self.note(name, Count { passed: 1 - failed, failed }, error.as_ref(), started);
        failed == 0
    }

    /// Does what tests need; it counts only when it fails.
    pub fn prepare(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> bool {
        println!("\n== {name}");
        let started = Instant::now();
        match work() {
            Ok(()) => {
                self.lines.push(format!("done     {name} ({:.1} s)", started.elapsed().as_secs_f64()));
                true
            }
            Err(error) => {
                self.note(name, Count { passed: 0, failed: 1 }, Some(&error), started);
                false
            }
        }
    }

    /// Notes what was not run, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        println!("\n== {name}: skipped: {why}");
        self.lines.push(format!("skipped  {name}: {why}"));
    }

    fn note(&mut self, name: &str, count: Count, error: Option<&anyhow::Error>, started: Instant) {
        if let Some(error) = error {
            println!("{error:#}");
        }
        self.passed += count.passed;
        self.failed += count.failed;
        let word = if count.failed == 0 { "passed " } else { "FAILED " };
        let seconds = started.elapsed().as_secs_f64();
        self.lines.push(format!(
            "{word}  {name}: {} passed, {} failed ({seconds:.1} s)",
            count.passed, count.failed
        ));
    }

    /// Prints the summary; its last line counts everything.
    pub fn finish(self) -> Result<()> {
        println!("\n== summary");
        self.lines.iter().for_each(|line| println!("{line}"));
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed > 0 {
            bail!("something failed");
        }
        Ok(())
    }
}

/// Runs the command to its end, printing its lines and counting the tests that they tell of.
fn watch(command: &mut Command) -> Result<(bool, Count)> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("starting {program}"))?;
    let stdout = child.stdout.take().context("the command has no output")?;
    let mut count = Count::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        let found = tests_told_of(&line);
        count = Count { passed: count.passed + found.passed, failed: count.failed + found.failed };
    }
    let status = child.wait().with_context(|| format!("waiting for {program}"))?;
    Ok((status.success(), count))
}

/// The count in a summary line of cargo, pytest, vitest or node.
fn tests_told_of(line: &str) -> Count {
    let words: Vec<String> = plain(line).split_whitespace().map(str::to_owned).collect();
    let words: Vec<&str> = words.iter().map(|word| word.trim_matches([',', ';', '='])).collect();
    let number_before = |word: &str| {
        let place = words.iter().position(|other| *other == word)?;
        words.get(place.checked_sub(1)?)?.parse::<u64>().ok()
    };
    let counted = || Count {
        passed: number_before("passed").unwrap_or(0),
        failed: number_before("failed").unwrap_or(0),
    };
    match words.as_slice() {
        ["test", "result:", ..] | ["Tests", ..] => counted(),
        // `12 passed, 1 failed in 3.45s`, with or without `=` around it.
        [.., "in", _] | [.., "in", _, _] => counted(),
        ["ℹ" | "#", "pass", number] => Count { passed: number.parse().unwrap_or(0), failed: 0 },
        ["ℹ" | "#", "fail", number] => Count { passed: 0, failed: number.parse().unwrap_or(0) },
        _ => Count::default(),
    }
}

/// The line without colours.
fn plain(line: &str) -> String {
    let mut pieces = line.split('\x1b');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('m').map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::{Count, tests_told_of};

    #[test]
    fn counts_are_read_from_every_runner() {
        let check =
            |line: &str, passed, failed| assert_eq!(tests_told_of(line), Count { passed, failed }, "{line}");
        check(
            "test result: ok. 26 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.32s",
            26,
            0,
        );
        check(
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s",
            3,
            2,
        );
        check("31 passed in 83.21s (0:01:23)", 31, 0);
        check("1 failed, 30 passed, 2 warnings in 83.21s", 30, 1);
        check(
            "\x1b[2m      Tests \x1b[22m \x1b[1m\x1b[32m41 passed\x1b[39m\x1b[22m\x1b[90m (41)\x1b[39m",
            41,
            0,
        );
        check("      Tests  1 failed | 41 passed (42)", 41, 1);
        check("ℹ pass 9", 9, 0);
        check("# fail 2", 0, 2);
        check(" Test Files  6 passed (6)", 0, 0);
        check("the request passed in time", 0, 0);
    }
}

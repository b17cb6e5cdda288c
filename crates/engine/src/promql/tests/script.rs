//! Reads scripts: `load`, `clear`, `eval instant at`, `eval range from`, and what is expected.

use super::expected::{Expectations, Expected};
use super::series::{self, Described};
use query::promql::{Expression, Node, parse};

pub enum Command {
    Clear,
    Load(Load),
    Query(Query),
}

/// Series to store.
pub struct Load {
    /// Milliseconds from one value to the next; the first one is at the Unix epoch.
    pub step: i64,
    pub series: Vec<Described>,
    /// Whether histograms are made of series of buckets.
    pub make_histograms: bool,
    pub has_start_timestamps: bool,
}

/// A query, and what is expected of it.
pub struct Query {
    pub line: usize,
    pub text: String,
    pub when: When,
    pub expected: Expected,
    pub expectations: Expectations,
}

/// Milliseconds.
#[derive(Clone, Copy)]
pub enum When {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

pub fn read(text: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let word = line.split_whitespace().next().unwrap_or_default();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        let mut block = Vec::new();
        while word != "clear" && lines.peek().is_some_and(|(_, line)| !ends(line)) {
            block.extend(lines.next().map(|(_, line)| line));
        }
        commands.push(match word {
            "clear" => Command::Clear,
            "load" | "load_with_nhcb" => Command::Load(load(line, word, &block)),
            _ if word.starts_with("eval") => Command::Query(query(line, index + 1, &block)),
            _ => panic!("line {}: what is {word}?", index + 1),
        });
    }
    commands
}

/// An empty line or a comment ends what belongs together.
fn ends(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

fn load(line: &str, word: &str, block: &[&str]) -> Load {
    let is_start = |line: &&&str| line.split_whitespace().next().is_some_and(|name| name.ends_with("@st"));
    Load {
        step: milliseconds(line.split_whitespace().nth(1).unwrap()),
        series: block.iter().filter(|line| !is_start(line)).map(|line| series::read(line)).collect(),
        make_histograms: word == "load_with_nhcb",
        has_start_timestamps: block.iter().any(|line| is_start(&line)),
    }
}

fn query(line: &str, number: usize, block: &[&str]) -> Query {
    let (mode, when, text) = head(line);
    let mut expectations = Expectations::of_mode(mode);
    let mut expected = Expected::Series(Vec::new());
    let mut when_expected = when;
    for line in block {
        if let Some(times) = line.strip_prefix("expect range vector") {
            when_expected = range(times);
        } else if let Some(text) = line.strip_prefix("expect string ") {
            expected = Expected::String(string(text));
        } else if line.split_whitespace().next() == Some("expect") || line.starts_with("expected_fail_") {
            expectations.add(line);
        } else if let Some(number) = series::number(line) {
            expected = Expected::Scalar(number);
        } else if let Expected::Series(all) = &mut expected {
            all.push(series::read(line));
        }
    }
    expectations.when = Some(when_expected);
    Query { line: number, text: text.to_owned(), when, expected, expectations }
}

/// `eval instant at 5m QUERY`, `eval range from 0 to 10m step 1m QUERY`.
fn head(line: &str) -> (&str, When, &str) {
    let (word, rest) = split(line);
    let mode = word.strip_prefix("eval").unwrap().trim_start_matches('_');
    let (kind, rest) = split(rest);
    if kind == "instant" {
        let (at, rest) = split(rest);
        assert_eq!(at, "at");
        let (time, rest) = split(rest);
        return (mode, When::Instant(milliseconds(time)), rest);
    }
    let count = 6;
    let mut text = rest;
    for _ in 0..count {
        text = split(text).1;
    }
    (mode, range(rest), text)
}

/// ` from 0 to 10m step 1m`.
fn range(text: &str) -> When {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["from", start, "to", end, "step", step, ..] => {
            When::Range { start: milliseconds(start), end: milliseconds(end), step: milliseconds(step) }
        }
        _ => panic!("no range: {text}"),
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once([' ', '\t']).map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

/// A duration, or zero.
fn milliseconds(text: &str) -> i64 {
    match parse(text).map(|expression| expression.node) {
        Ok(Node::Duration(seconds) | Node::Number(seconds)) => series::whole(seconds * 1000.0),
        other => panic!("no duration: {text} {other:?}"),
    }
}

fn string(text: &str) -> String {
    match parse(text.trim()) {
        Ok(Expression { node: Node::String(text), .. }) => text,
        other => panic!("no text: {text} {other:?}"),
    }
}

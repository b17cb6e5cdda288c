//! What a script expects of a query.

use super::script::When;
use super::series::Described;
use regex::Regex;

/// An answer.
pub enum Expected {
    Scalar(f64),
    String(String),
    /// In this order, if the order counts.
    Series(Vec<Described>),
}

/// All else that is expected.
#[derive(Default)]
pub struct Expectations {
    pub ordered: bool,
    pub fails: Option<Text>,
    pub warnings: Notes,
    pub infos: Notes,
    /// The times of what the answer holds.
    pub when: Option<When>,
}

/// A text, or a part of it.
pub enum Text {
    Any,
    Exact(String),
    Regex(Regex),
}

#[derive(Default)]
pub struct Notes {
    pub none: bool,
    pub some: Vec<Text>,
}

impl Text {
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }

    fn read(text: &str) -> Self {
        let text = text.trim();
        let after = |prefix: &str| text.strip_prefix(prefix).map(str::trim);
        match (after("msg:"), after("regex:")) {
            (Some(exact), _) => Self::Exact(exact.to_owned()),
            (_, Some(regex)) => Self::Regex(Regex::new(regex).unwrap()),
            _ => Self::Any,
        }
    }
}

impl Expectations {
    /// `eval_fail` and the like.
    pub fn of_mode(mode: &str) -> Self {
        let mut expectations = Self::default();
        if !mode.is_empty() {
            expectations.add(&format!("expect {mode}"));
        }
        expectations
    }

    /// `expect warn msg: …`.
    pub fn add(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix("expected_fail_message") {
            self.fails = Some(Text::Exact(text.trim().to_owned()));
            return;
        }
        if let Some(text) = line.strip_prefix("expected_fail_regexp") {
            self.fails = Some(Text::Regex(Regex::new(text.trim()).unwrap()));
            return;
        }
        let rest = line.strip_prefix("expect").unwrap().trim_start();
        let (kind, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        match kind {
            "ordered" => self.ordered = true,
            "fail" => self.fails = Some(Text::read(text)),
            "warn" => self.warnings.some.push(Text::read(text)),
            "info" => self.infos.some.push(Text::read(text)),
            "no_warn" => self.warnings.none = true,
            "no_info" => self.infos.none = true,
            other => panic!("what is expected: {other}?"),
        }
    }
}

impl Notes {
    /// Whether these are the ones; each must be expected, and each expected one must be there.
    pub fn check(&self, kind: &str, found: &[String]) -> Result<(), String> {
        if self.none && !found.is_empty() {
            return Err(format!("no {kind} was expected, but there is {found:?}"));
        }
        if self.some.is_empty() {
            return Ok(());
        }
        let missing = self.some.iter().find(|text| !found.iter().any(|found| text.matches(found)));
        let unexpected = found.iter().find(|found| !self.some.iter().any(|text| text.matches(found)));
        match (missing, unexpected) {
            (Some(Text::Exact(text)), _) => Err(format!("the {kind} {text:?} is missing among {found:?}")),
            (Some(_), _) => Err(format!("a {kind} is missing among {found:?}")),
            (_, Some(found)) => Err(format!("the {kind} {found:?} was not expected")),
            _ => Ok(()),
        }
    }
}

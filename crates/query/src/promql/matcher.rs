//! Matchers that are ready to match.

use super::regex::{self, Simple};
use super::{Matcher, MatcherOperator};
use ::regex::Regex;

/// A matcher that is ready to match.
#[derive(Debug, Clone)]
pub struct CompiledMatcher {
    test: Test,
    /// Whether those count that do not pass the test.
    inverted: bool,
}

#[derive(Debug, Clone)]
enum Test {
    Equal(String),
    /// One of these; sorted.
    OneOf(Vec<String>),
    Prefix(String),
    Any,
    NotEmpty,
    Regex(Regex),
}

impl Matcher {
    /// Makes it ready to match.
    ///
    /// # Errors
    /// When its value is not a regular expression, or too large a one; says why.
    pub fn compile(&self) -> Result<CompiledMatcher, String> {
        let regex = matches!(self.operator, MatcherOperator::Matches | MatcherOperator::MatchesNot);
        let inverted = matches!(self.operator, MatcherOperator::NotEqual | MatcherOperator::MatchesNot);
        let test = if regex { test(&self.value)? } else { Test::Equal(self.value.clone()) };
        Ok(CompiledMatcher { test, inverted })
    }
}

fn test(pattern: &str) -> Result<Test, String> {
    Ok(match regex::simple(pattern) {
        Some(Simple::OneOf(mut texts)) if texts.len() == 1 => Test::Equal(texts.remove(0)),
        Some(Simple::OneOf(texts)) => Test::OneOf(texts),
        Some(Simple::Prefix(prefix)) if prefix.is_empty() => Test::Any,
        Some(Simple::Prefix(prefix)) => Test::Prefix(prefix),
        Some(Simple::NotEmpty) => Test::NotEmpty,
        None => Test::Regex(regex::anchored(pattern)?),
    })
}

impl CompiledMatcher {
    /// Whether a label's value satisfies it; of a label that is not there give the empty text.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let passes = match &self.test {
            Test::Equal(text) => text == value,
            Test::OneOf(texts) => texts.binary_search_by(|text| text.as_str().cmp(value)).is_ok(),
            Test::Prefix(prefix) => value.starts_with(prefix),
            Test::Any => true,
            Test::NotEmpty => !value.is_empty(),
            Test::Regex(regex) => regex.is_match(value),
        };
        passes != self.inverted
    }

    /// The values that alone can satisfy it, when that is known: what to look up instead of trying each value.
    #[must_use]
    pub fn candidates(&self) -> Option<&[String]> {
        match &self.test {
            _ if self.inverted => None,
            Test::Equal(text) => Some(std::slice::from_ref(text)),
            Test::OneOf(texts) => Some(texts),
            _ => None,
        }
    }
}

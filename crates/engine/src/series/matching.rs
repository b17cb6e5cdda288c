//! Which series a selector wants.

use super::labels::LabelMap;
use super::names::{self, Metric};
use query::Error;
use query::promql::{CompiledMatcher, Labels, METRIC_NAME, Matcher, MatcherOperator};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Labels that a point gets only when it becomes several series.
pub const LATE: [&str; 2] = ["le", "quantile"];

/// A selector, ready to be held against labels.
pub struct Matching {
    names: Vec<Test>,
    labels: Vec<Test>,
    /// The only names that can satisfy it, where that is known.
    asked: Option<BTreeSet<String>>,
}

struct Test {
    matcher: Matcher,
    compiled: CompiledMatcher,
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        self.compiled.matches(value)
    }

    const fn is_positive(&self) -> bool {
        matches!(self.matcher.operator, MatcherOperator::Equal | MatcherOperator::Matches)
    }

    /// The texts that alone satisfy it: `="a"`, and `=~"a|b"` of plain words.
    fn texts(&self) -> Option<BTreeSet<String>> {
        let value = &self.matcher.value;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'|');
        match self.matcher.operator {
            MatcherOperator::Equal => Some(BTreeSet::from([value.clone()])),
            MatcherOperator::Matches if value.bytes().all(plain) => {
                Some(value.split('|').map(str::to_owned).collect())
            }
            _ => None,
        }
    }
}

impl Matching {
    pub fn new(matchers: &[Matcher]) -> Result<Self, Error> {
        let (mut names, mut labels) = (Vec::new(), Vec::new());
        for matcher in matchers {
            let compiled = matcher.compile().map_err(|message| Error::Invalid { message })?;
            let test = Test { compiled, matcher: matcher.clone() };
            if matcher.name == METRIC_NAME { names.push(test) } else { labels.push(test) }
        }
        let asked = names.iter().filter_map(Test::texts).reduce(|one, other| &one & &other);
        Ok(Self { names, labels, asked })
    }

    /// Whether the metric that OTLP calls so may have a series that is wanted.
    pub fn may_want(&self, stored: &str) -> bool {
        let asked = self.asked.as_ref();
        asked.is_none_or(|asked| asked.iter().any(|asked| names::may_be_called(stored, asked)))
    }

    /// Whether a series of this name is wanted, as far as the name goes.
    pub fn wants_name(&self, name: &str) -> bool {
        self.names.iter().all(|test| test.holds(name))
    }

    /// What each series of a metric is called, in the order of its suffixes; nothing for those that are not wanted. A
    /// metric goes by its name in Prometheus; by OTLP's name only when that is asked for and the other is not.
    pub fn names(&self, metric: &Metric<'_>) -> Vec<Option<Arc<str>>> {
        let family = metric.family();
        let called = |suffix: &&str| {
            let translated = format!("{family}{suffix}");
            if !family.is_empty() && self.wants_name(&translated) {
                return Some(translated.into());
            }
            let raw = format!("{}{suffix}", metric.name);
            let asked = self.names.iter().any(|test| test.is_positive() && !test.holds(&translated));
            (asked && self.wants_name(&raw)).then(|| raw.into())
        };
        metric.suffixes().iter().map(called).collect()
    }

    /// Adds the labels that are asked for beyond those that a series has anyway, and tells whether the series is wanted
    /// as far as these labels tell. `others` are the labels that it can have.
    pub fn complete(&self, labels: &mut LabelMap, others: &dyn Fn(&str) -> Option<Arc<str>>) -> bool {
        for test in &self.labels {
            let name = test.matcher.name.as_str();
            if labels.contains_key(name) || LATE.contains(&name) {
                continue;
            }
            let escaped = names::label(name).filter(|escaped| escaped != name);
            let of_escaped =
                |escaped: String| labels.get(escaped.as_str()).cloned().or_else(|| others(&escaped));
            if let Some(value) = others(name).or_else(|| escaped.and_then(of_escaped)) {
                labels.insert(name.into(), value);
            }
        }
        let early = self.labels.iter().filter(|test| !LATE.contains(&test.matcher.name.as_str()));
        early
            .into_iter()
            .all(|test| test.holds(labels.get(test.matcher.name.as_str()).map_or("", |value| value)))
    }

    /// Whether a series is wanted, by all its labels but its name.
    pub fn wants(&self, labels: &Labels) -> bool {
        self.labels.iter().all(|test| test.holds(labels.get(&test.matcher.name)))
    }

    /// The services that alone can satisfy it, each by a label and its values.
    pub fn services(&self) -> impl Iterator<Item = (&str, BTreeSet<String>)> {
        let named =
            self.labels.iter().filter(|test| ["service_name", "job"].contains(&test.matcher.name.as_str()));
        named.filter_map(|test| Some((test.matcher.name.as_str(), test.texts()?)))
    }
}

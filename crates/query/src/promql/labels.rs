//! What tells one series from another.

use std::sync::Arc;

/// The labels of a series, sorted by name, none with an empty value. The metric's name is the label `__name__`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

impl Labels {
    /// Labels in any order; of a name that comes twice the last one counts, an empty value is no label.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(labels: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut labels: Vec<(Arc<str>, Arc<str>)> =
            labels.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        labels.reverse();
        labels.sort_by(|one, other| one.0.cmp(&other.0));
        labels.dedup_by(|later, earlier| later.0 == earlier.0);
        labels.retain(|(_, value)| !value.is_empty());
        Self(labels.into())
    }

    /// The value of a label; empty when there is no such label, as in PromQL.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.binary_search_by(|(label, _)| label.as_ref().cmp(name));
        found.ok().and_then(|index| self.0.get(index)).map_or("", |(_, value)| value)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Arc<str>)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_an_empty_one_is_none() {
        let labels = Labels::new([("b", "1"), ("a", "2"), ("b", "3"), ("c", "")]);
        let pairs: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(pairs, [("a", "2"), ("b", "3")]);
        assert_eq!((labels.get("b"), labels.get("c"), labels.len()), ("3", "", 2));
    }
}

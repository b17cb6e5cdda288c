//! Labels taken off and kept, and labels as text.

use query::promql::{Labels, METRIC_NAME};
use std::fmt::Write;
use std::sync::Arc;

/// The labels that belong to a metric's name: they go with it.
const OF_THE_NAME: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// Those labels that are kept.
fn retained(labels: &Labels, keep: impl Fn(&str) -> bool) -> Labels {
    if labels.iter().all(|(name, _)| keep(name)) {
        return labels.clone();
    }
    Labels::new(labels.iter().filter(|(name, _)| keep(name)).map(owned))
}

fn owned((name, value): (&Arc<str>, &Arc<str>)) -> (Arc<str>, Arc<str>) {
    (Arc::clone(name), Arc::clone(value))
}

/// These labels alone.
pub(super) fn only(labels: &Labels, names: &[String]) -> Labels {
    retained(labels, |name| names.iter().any(|kept| kept == name))
}

/// All but these labels and the metric's name.
pub(super) fn without(labels: &Labels, names: &[String]) -> Labels {
    retained(labels, |name| name != METRIC_NAME && !names.iter().any(|other| other == name))
}

/// All but these labels.
pub(super) fn without_only(labels: &Labels, names: &[String]) -> Labels {
    retained(labels, |name| !names.iter().any(|other| other == name))
}

/// All but the metric's name and what belongs to it.
pub(super) fn nameless(labels: &Labels) -> Labels {
    retained(labels, |name| !OF_THE_NAME.contains(&name))
}

/// With these labels set; those with an empty value are taken off.
pub(super) fn with<'a>(labels: &Labels, set: impl IntoIterator<Item = (&'a str, &'a str)>) -> Labels {
    let set = set.into_iter().map(|(name, value)| (Arc::from(name), Arc::from(value)));
    Labels::new(labels.iter().map(owned).chain(set))
}

/// As Prometheus writes them: `{__name__="up", job="api"}`.
pub(super) fn text(labels: &Labels) -> String {
    let mut text = String::from("{");
    for (index, (name, value)) in labels.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && !name.starts_with(|first: char| first.is_ascii_digit());
        let written = if plain {
            write!(text, "{separator}{name}={value:?}")
        } else {
            write!(text, "{separator}{name:?}={value:?}")
        };
        if written.is_err() {
            break;
        }
    }
    text.push('}');
    text
}

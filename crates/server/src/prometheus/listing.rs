//! Which series, labels, values and metrics there are.

use super::asked::Asked;
use super::envelope::{ErrorType, Failure, Success};
use super::write;
use crate::api::State;
use crate::computing;
use crate::extract::Path;
use axum::extract::State as From;
use axum::response::Response;
use query::promql::{Labels, METRIC_NAME, Matcher, MatcherOperator, SeriesRequest};
use query::result::Listed;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// How names of labels begin that are written with letters only.
const ESCAPED: &str = "U__";

/// The labels of the series that are asked for; of all series, when none are named and that is allowed.
async fn found(state: &State, asked: &Asked, all: bool) -> Result<Listed<Labels>, Failure> {
    let (from, to) = asked.range()?;
    let mut selectors = asked.selectors()?;
    if selectors.is_empty() {
        if !all {
            return Err(Failure::bad("no match[] parameter provided"));
        }
        let (name, operator, value) = (METRIC_NAME.to_owned(), MatcherOperator::NotEqual, String::new());
        selectors.push(vec![Matcher { name, operator, value }]);
    }
    let request = SeriesRequest { selectors, from, to, deadline: asked.deadline()? };
    Ok(state.engine().series(&asked.tenant, request).await?)
}

/// Series by their labels.
pub async fn series(From(state): From<State>, asked: Asked) -> Result<Response, Failure> {
    let limit = asked.limit()?;
    let found = found(&state, &asked, false).await?;
    let (truncated, incomplete) = (found.items.len() > limit, found.incomplete.clone());
    let written = computing::aside(move || write::list(found.items.iter().take(limit).map(write::metric)));
    let data = written.await?;
    let success = Success { data, ..Success::default() }.truncated(truncated).lacking(incomplete);
    success.given(&state.answers)
}

/// The names of labels.
pub async fn names(From(state): From<State>, asked: Asked) -> Result<Success, Failure> {
    let limit = asked.limit()?;
    let found = found(&state, &asked, true).await?;
    let names: BTreeSet<&str> =
        found.items.iter().flat_map(|labels| labels.iter().map(|(name, _)| name.as_ref())).collect();
    Ok(listed(&names, limit).lacking(found.incomplete.clone()))
}

/// The values of a label.
pub async fn values(
    From(state): From<State>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Success, Failure> {
    let name = unescaped(&name);
    if name.is_empty() {
        return Err(Failure::new(ErrorType::BadData, format!("invalid label name: {name:?}")));
    }
    let limit = asked.limit()?;
    let found = found(&state, &asked, true).await?;
    let values: BTreeSet<&str> =
        found.items.iter().map(|labels| labels.get(&name)).filter(|value| !value.is_empty()).collect();
    Ok(listed(&values, limit).lacking(found.incomplete.clone()))
}

fn listed(texts: &BTreeSet<&str>, limit: usize) -> Success {
    let kept: Vec<&str> = texts.iter().copied().take(limit).collect();
    Success::from(json!(kept)).truncated(texts.len() > limit)
}

/// A name with all its characters: `U__http_2e_route` is `http.route`. What is not written so stays as it is.
fn unescaped(name: &str) -> String {
    let Some(rest) = name.strip_prefix(ESCAPED) else { return name.to_owned() };
    let (mut plain, mut rest) = (String::new(), rest);
    while let Some((before, after)) = rest.split_once('_') {
        plain.push_str(before);
        if let Some(after) = after.strip_prefix('_') {
            plain.push('_');
            rest = after;
            continue;
        }
        let character = after.split_once('_').and_then(|(code, after)| {
            let code = u32::from_str_radix(code, 16).ok().filter(|_| code.len() <= 6)?;
            Some((char::from_u32(code)?, after))
        });
        let Some((character, after)) = character else { return name.to_owned() };
        plain.push(character);
        rest = after;
    }
    plain + rest
}

/// What is known of metrics.
pub async fn metadata(From(state): From<State>, asked: Asked) -> Result<Success, Failure> {
    let limit = asked.count("limit")?.unwrap_or(usize::MAX);
    let of_each = asked.count("limit_per_metric")?.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let mut metrics: Map<String, Value> = Map::new();
    let Listed { items, incomplete, .. } = state.engine().metadata(&asked.tenant).await?;
    for metric in items {
        if asked.text("metric").is_some_and(|asked| asked != metric.name) {
            continue;
        }
        if !metrics.contains_key(&metric.name) && metrics.len() >= limit {
            break;
        }
        let entry = metrics.entry(metric.name).or_insert_with(|| json!([]));
        if let Some(entries) = entry.as_array_mut().filter(|entries| entries.len() < of_each) {
            entries.push(json!({"type": metric.kind, "help": metric.help, "unit": metric.unit}));
        }
    }
    Ok(Success::from(Value::Object(metrics)).lacking(incomplete))
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn names_are_unescaped() {
        for (name, expect) in [
            ("status", "status"),
            ("U__http_2e_route", "http.route"),
            ("U__a__b_20_c", "a_b c"),
            ("U___1f600_", "😀"),
            ("U__broken_2e", "U__broken_2e"),
            ("U__broken_xyz_", "U__broken_xyz_"),
        ] {
            assert_eq!(unescaped(name), expect);
        }
    }
}

//! Jaeger's search parameters, which become the same filter as the query bar's.

use super::{answer, convert, failure, refused};
use crate::api::{State, trace_id};
use crate::error::ApiError;
use crate::tenant::Tenant;
use axum::extract::{RawQuery, State as From};
use axum::response::Response;
use http::StatusCode;
use model::{TenantId, TimeRange, Timestamp, TraceId};
use query::filter::{Comparison, Expression, Field, Operator, literal};
use query::{Deadline, SearchRequest};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Traces that are given when no limit is asked for, and at most.
const LIMIT: usize = 100;
const MOST: usize = 1_500;

/// Parameters in the order given; some come several times.
type Parameters = Vec<(String, String)>;

pub async fn traces(From(state): From<State>, Tenant(tenant): Tenant, RawQuery(query): RawQuery) -> Response {
    let parameters: Parameters = match axum::extract::Query::try_from_uri(
        &format!("/?{}", query.unwrap_or_default()).parse().unwrap_or_default(),
    ) {
        Ok(axum::extract::Query(parameters)) => parameters,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let ids: Vec<&str> = all(&parameters, "traceID").collect();
    let found = if ids.is_empty() {
        search(&state, &tenant, &parameters).await
    } else {
        by_id(&state, &tenant, &ids).await
    };
    match found {
        Ok((traces, errors)) => answer(&json!(traces), 0, &errors),
        Err(error) => refused(&error),
    }
}

fn all<'p>(parameters: &'p Parameters, name: &'p str) -> impl Iterator<Item = &'p str> {
    parameters
        .iter()
        .filter(move |(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.as_str())
}

type Found = (Vec<Value>, Value);

async fn by_id(state: &State, tenant: &TenantId, ids: &[&str]) -> Result<Found, ApiError> {
    let (mut traces, mut missing) = (Vec::new(), Vec::new());
    for id in ids {
        let trace = trace_id(id)?;
        match load(state, tenant, trace).await? {
            Some(found) => traces.push(found),
            None => missing.push(json!({"msg": "trace not found", "traceID": id})),
        }
    }
    Ok((traces, if missing.is_empty() { Value::Null } else { json!(missing) }))
}

async fn load(state: &State, tenant: &TenantId, trace: TraceId) -> Result<Option<Value>, ApiError> {
    let spans = state.engine().spans(tenant, trace, None).await?;
    Ok((!spans.is_empty()).then(|| convert::trace(trace, &spans)))
}

async fn search(state: &State, tenant: &TenantId, parameters: &Parameters) -> Result<Found, ApiError> {
    let request = request(parameters).map_err(ApiError::invalid)?;
    let mut traces = Vec::new();
    for summary in state.engine().search(tenant, request).await?.traces {
        traces.extend(load(state, tenant, summary.trace_id).await?);
    }
    Ok((traces, Value::Null))
}

fn request(parameters: &Parameters) -> Result<SearchRequest, String> {
    let one = |name: &'static str| all(parameters, name).next();
    let parse = |name: &str, text: &str| {
        text.parse::<i64>().map_err(|_| {
            format!("unable to parse param '{name}': strconv.ParseInt: parsing {text:?}: invalid syntax")
        })
    };
    let limit = match one("limit") {
        None => LIMIT,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))?
            .clamp(1, MOST),
    };
    let time = |name: &'static str, otherwise: u64| -> Result<Timestamp, String> {
        let Some(text) = one(name) else { return Ok(Timestamp(otherwise)) };
        Ok(Timestamp(u64::try_from(parse(name, text)?).unwrap_or(0).saturating_mul(1_000)))
    };
    let range = TimeRange { from: time("start", 0)?, to: time("end", u64::MAX)? };
    Ok(SearchRequest {
        filter: filter(parameters)?,
        range,
        limit,
        cursor: None,
        deadline: Deadline::default(),
    })
}

fn filter(parameters: &Parameters) -> Result<Expression, String> {
    let one = |name: &'static str| all(parameters, name).next();
    let mut terms = Vec::new();
    terms.extend(one("service").map(|service| compare(Field::Service, Operator::Equal, service)));
    terms.extend(one("operation").map(|operation| compare(Field::Name, Operator::Equal, operation)));
    let mut bounds = [0, u64::MAX];
    for (place, (name, operator)) in
        [("minDuration", Operator::GreaterOrEqual), ("maxDuration", Operator::LessOrEqual)]
            .into_iter()
            .enumerate()
    {
        if let Some(text) = one(name) {
            bounds[place] = duration(text).ok_or_else(|| format!("unable to parse param '{name}': time: invalid duration {text:?}; write 1.2s, 100ms or 500us"))?;
            terms.push(compare(Field::Duration, operator, &bounds[place].to_string()));
        }
    }
    if bounds[1] < bounds[0] {
        return Err("'maxDuration' should be greater than 'minDuration'".to_owned());
    }
    for (key, value) in tags(parameters)? {
        terms.push(tag(&key, &value));
    }
    Ok(if terms.is_empty() { Expression::All } else { Expression::And(terms) })
}

fn compare(field: Field, operator: Operator, value: &str) -> Expression {
    let value = literal(&field, value);
    Expression::Compare(Comparison { field, operator, value })
}

/// A tag as Jaeger means it: exact, by its text; some keys stand for fields.
fn tag(key: &str, value: &str) -> Expression {
    let exact = |field| compare(field, Operator::Equal, value);
    match (key, value) {
        ("error", "true") => compare(Field::Status, Operator::Equal, "error"),
        ("error", "false") => Expression::Not(Box::new(compare(Field::Status, Operator::Equal, "error"))),
        ("span.kind", _) => exact(Field::Kind),
        ("otel.status_code" | "span.status", _) => {
            compare(Field::Status, Operator::Equal, &value.to_lowercase())
        }
        // The names that telemetry is known by in the query bar are attributes of that name here.
        _ => match Field::from_key(key) {
            field @ (Field::ResourceAttribute(_) | Field::ScopeName | Field::ScopeVersion) => exact(field),
            field if key.contains('.') => exact(field),
            _ => exact(Field::Attribute(key.to_owned())),
        },
    }
}

/// `tag=key:value`, several times; `tags={"key":"value"}`, or `tags=key:value`.
fn tags(parameters: &Parameters) -> Result<Vec<(String, String)>, String> {
    let mut found = Vec::new();
    let pair = |name: &str, text: &str| {
        let split = text.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
        split.ok_or_else(|| format!("malformed '{name}' parameter, expecting key:value, received: {text}"))
    };
    for text in all(parameters, "tag") {
        found.push(pair("tag", text)?);
    }
    for text in all(parameters, "tags") {
        if text.trim_start().starts_with('{') {
            let map: BTreeMap<String, String> = serde_json::from_str(text)
                .map_err(|error| format!("malformed 'tags' parameter, cannot unmarshal JSON: {error}"))?;
            found.extend(map);
        } else {
            found.push(pair("tags", text)?);
        }
    }
    Ok(found)
}

/// Go's durations, several parts and all, in nanoseconds.
fn duration(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit = tail.find(|character: char| character.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at_checked(unit)?;
        let factor = match unit {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * factor;
        rest = next;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturating is right"
    )]
    (!text.is_empty()).then_some(total as u64)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations() {
        for (text, expect) in [
            ("1.2s", Some(1_200_000_000)),
            ("100ms", Some(100_000_000)),
            ("1h2m", Some(3_720_000_000_000)),
            ("20", None),
            ("", None),
            ("s", None),
        ] {
            assert_eq!(duration(text), expect, "{text}");
        }
    }
}

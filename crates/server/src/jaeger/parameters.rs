//! Jaeger's search parameters and its words for what is wrong with them; they become the same filter as the query bar's.

use model::{TimeRange, Timestamp, TraceId};
use query::filter::{Comparison, Expression, Field, Operator, literal};
use query::{Deadline, SearchRequest};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Traces that are given when no limit is asked for, and at most.
const LIMIT: usize = 100;
pub const MOST: usize = 1_500;
/// What Go takes for a bool.
const BOOLS: [&str; 12] = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];

/// Parameters in the order given; some come several times.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// All values under this name that are not empty.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    fn one<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// We always give spans as they were sent; but what is no bool is an error, as with Jaeger.
    pub fn check_raw(&self) -> Result<(), String> {
        match self.one("raw").filter(|text| !BOOLS.contains(text)) {
            Some(text) => Err(format!(
                "unable to parse param 'raw': strconv.ParseBool: parsing {text:?}: invalid syntax"
            )),
            None => Ok(()),
        }
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, String> {
        let Some(text) = self.one(name) else { return Ok(None) };
        let microseconds =
            integer(text).map_err(|error| format!("unable to parse param '{name}': {error}"))?;
        Ok(Some(Timestamp(u64::try_from(microseconds).unwrap_or(0).saturating_mul(1_000))))
    }

    /// The limit asked for, and whether that is more than is given.
    pub fn limit(&self) -> Result<(usize, bool), String> {
        let Some(text) = self.one("limit") else { return Ok((LIMIT, false)) };
        let asked = usize::try_from(integer(text)?).unwrap_or(1);
        Ok((asked.clamp(1, MOST), asked > MOST))
    }

    /// The search that these parameters mean.
    pub fn request(&self) -> Result<SearchRequest, String> {
        self.check_raw()?;
        let from = self.time("start")?.unwrap_or(Timestamp(0));
        let to = self.time("end")?.unwrap_or(Timestamp(u64::MAX));
        Ok(SearchRequest {
            filter: self.filter()?,
            range: TimeRange { from, to },
            limit: self.limit()?.0,
            cursor: None,
            deadline: Deadline::default(),
        })
    }

    fn filter(&self) -> Result<Expression, String> {
        let mut terms = Vec::new();
        terms.extend(self.one("service").map(|service| compare(Field::Service, Operator::Equal, service)));
        terms.extend(self.one("operation").map(|operation| compare(Field::Name, Operator::Equal, operation)));
        let (least, most) = (self.duration("minDuration")?, self.duration("maxDuration")?);
        if least.zip(most).is_some_and(|(least, most)| most < least) {
            return Err("'maxDuration' should be greater than 'minDuration'".to_owned());
        }
        let bound = |operator| move |bound: u64| compare(Field::Duration, operator, &bound.to_string());
        terms.extend(least.map(bound(Operator::GreaterOrEqual)));
        terms.extend(most.map(bound(Operator::LessOrEqual)));
        terms.extend(self.tags()?.iter().map(|(key, value)| tag(key, value)));
        Ok(if terms.is_empty() { Expression::All } else { Expression::And(terms) })
    }

    fn duration(&self, name: &str) -> Result<Option<u64>, String> {
        let Some(text) = self.one(name) else { return Ok(None) };
        duration(text).map(Some).map_err(|error| format!("unable to parse param '{name}': time: {error}"))
    }

    /// `tag=key:value`, several times; `tags={"key":"value"}`, or `tags=key:value`.
    fn tags(&self) -> Result<Vec<(String, String)>, String> {
        let mut found = Vec::new();
        for text in self.all("tag") {
            found.push(pair("tag", text)?);
        }
        for text in self.all("tags") {
            if text.trim_start().starts_with('{') {
                found.extend(map(text).map_err(|error| {
                    format!("malformed 'tags' parameter, cannot unmarshal JSON: {error}")
                })?);
            } else {
                found.push(pair("tags", text)?);
            }
        }
        Ok(found)
    }
}

/// A trace's id, with Jaeger's words when it is none.
pub fn trace_id(text: &str) -> Result<TraceId, String> {
    crate::api::trace_id(text).map_err(|error| format!("cannot parse traceID param: {}", error.message))
}

fn integer(text: &str) -> Result<i64, String> {
    text.parse().map_err(|error: std::num::ParseIntError| {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        let why = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.ParseInt: parsing {text:?}: {why}")
    })
}

fn pair(name: &str, text: &str) -> Result<(String, String), String> {
    let split = text.split_once(':').map(|(key, value)| (key.to_owned(), value.to_owned()));
    split.ok_or_else(|| format!("malformed '{name}' parameter, expecting key:value, received: {text}"))
}

fn map(text: &str) -> Result<Vec<(String, String)>, String> {
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let found = map.into_iter().map(|(key, value)| {
        let found = match value {
            Value::String(text) => return Ok((key, text)),
            Value::Null => return Ok((key, String::new())),
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        Err(format!("json: cannot unmarshal {found} into Go value of type string"))
    });
    found.collect()
}

fn compare(field: Field, operator: Operator, value: &str) -> Expression {
    let value = literal(&field, value);
    Expression::Compare(Comparison { field, operator, value })
}

/// A tag as Jaeger means it: exact, by its text; some keys stand for what OTLP has fields for.
fn tag(key: &str, value: &str) -> Expression {
    let exact = |field| compare(field, Operator::Equal, value);
    match (key, value) {
        ("error", "true") => compare(Field::Status, Operator::Equal, "error"),
        ("error", "false") => Expression::Not(Box::new(compare(Field::Status, Operator::Equal, "error"))),
        ("span.kind", _) => exact(Field::Kind),
        ("otel.status_code" | "span.status", _) => {
            compare(Field::Status, Operator::Equal, &value.to_lowercase())
        }
        ("otel.status_description", _) => exact(Field::StatusMessage),
        // The query bar's short names have no dot; here they are attributes of that name.
        _ if key.contains('.') => exact(Field::from_key(key)),
        _ => exact(Field::Attribute(key.to_owned())),
    }
}

/// Go's durations, several parts and all, in nanoseconds.
fn duration(text: &str) -> Result<u64, String> {
    let invalid = || format!("invalid duration {text:?}");
    if text == "0" {
        return Ok(0);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let is_digit = |character: char| character.is_ascii_digit() || character == '.';
        let digits = rest.find(|character| !is_digit(character)).unwrap_or(rest.len());
        let (number, tail) = rest.split_at_checked(digits).ok_or_else(invalid)?;
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let (unit, next) =
            tail.split_at_checked(tail.find(is_digit).unwrap_or(tail.len())).ok_or_else(invalid)?;
        let factor = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3_600e9,
            "" => return Err(format!("missing unit in duration {text:?}")),
            _ => return Err(format!("unknown unit {unit:?} in duration {text:?}")),
        };
        total += number * factor;
        rest = next;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturating is right"
    )]
    Ok(total as u64)
}

#[cfg(test)]
mod tests {
    use super::{Parameters, duration};
    use axum::extract::Query;
    use query::filter::print;

    #[test]
    fn parameters_become_a_filter() {
        for (parameters, expect) in [
            ("", ""),
            ("service=shop&operation=chat", "service:=shop name:=chat"),
            ("tag=a.b:c:d&tag=error:true", "a.b:=c:d status:=error"),
            ("tags=%7B%22k%22%3A%22v%22%7D", "k:=v"),
            ("tags=workflow.id:demo", "workflow.id:=demo"),
            ("minDuration=1ms", "duration:>=1000000"),
            ("tag=span.kind:server", "kind:=server"),
            ("tag=error:false", "-status:=error"),
            ("tag=otel.status_code:ERROR", "status:=error"),
        ] {
            let uri = format!("/?{parameters}").parse().unwrap();
            let Query(read) = Query::<Parameters>::try_from_uri(&uri).unwrap();
            assert_eq!(print(&read.request().unwrap().filter), expect, "{parameters}");
        }
    }

    #[test]
    fn durations() {
        for (text, expect) in [
            ("1.2s", Ok(1_200_000_000)),
            ("100ms", Ok(100_000_000)),
            ("1h2m", Ok(3_720_000_000_000)),
            ("0", Ok(0)),
            ("20", Err("missing unit in duration \"20\"")),
            ("20x", Err("unknown unit \"x\" in duration \"20x\"")),
            ("s", Err("invalid duration \"s\"")),
            ("é", Err("invalid duration \"é\"")),
        ] {
            assert_eq!(duration(text), expect.map_err(str::to_owned), "{text}");
        }
    }
}

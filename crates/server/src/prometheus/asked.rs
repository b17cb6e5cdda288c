//! What is asked: the parameters of an address and of a form.

use super::durations;
use super::envelope::{Failure, syntax};
use crate::tenant::Tenant;
use axum::extract::{Form, FromRequest, FromRequestParts, Query, Request};
use http::Method;
use model::{TenantId, Timestamp};
use query::Deadline;
use query::promql::{Matcher, parse_selector};
use std::time::Duration;

/// How long a query may take, as Prometheus' `--query.timeout`.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How many selectors `match[]` may have.
const SELECTORS: usize = 100;

/// Who asks, and the parameters; those of a form come before those of the address.
pub struct Asked {
    pub tenant: TenantId,
    parameters: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequest<S> for Asked {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let Tenant(tenant) = Tenant::from_request_parts(&mut parts, state).await?;
        let of_address = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let of_address = of_address.map_err(|error| Failure::bad(error.body_text()))?.0;
        let has_form = parts.method == Method::POST
            && parts
                .headers
                .get("content-type")
                .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let mut parameters = Vec::new();
        if has_form {
            let form =
                Form::<Vec<(String, String)>>::from_request(Request::from_parts(parts, body), state).await;
            parameters = form.map_err(|error| Failure::bad(error.body_text()))?.0;
        }
        parameters.extend(of_address);
        Ok(Self { tenant, parameters })
    }
}

impl Asked {
    /// A parameter; an empty one is as none.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// All parameters of this name.
    fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A time that must be given, in milliseconds.
    pub fn required_time(&self, name: &str) -> Result<i64, Failure> {
        let text = self.text(name).unwrap_or_default();
        let wrong = || Failure::of_parameter(name, &format!("cannot parse {text:?} to a valid timestamp"));
        durations::time(text).ok_or_else(wrong)
    }

    /// A time, in milliseconds.
    pub fn time(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = || {
            let why = format!("invalid time value for '{name}': cannot parse {text:?} to a valid timestamp");
            Failure::of_parameter(name, &why)
        };
        durations::time(text).map(Some).ok_or_else(wrong)
    }

    /// `start` and `end` of what is listed: all of time when they are not given.
    pub fn range(&self) -> Result<(i64, i64), Failure> {
        Ok((self.time("start")?.unwrap_or(0), self.time("end")?.unwrap_or(i64::MAX)))
    }

    /// A length of time, in milliseconds.
    pub fn length(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = || Failure::of_parameter(name, &format!("cannot parse {text:?} to a valid duration"));
        durations::length(text).map(Some).ok_or_else(wrong)
    }

    /// The time that the client gives us, if that is less than we give ourselves.
    pub fn deadline(&self) -> Result<Deadline, Failure> {
        let asked = self.length("timeout")?.map(|asked| Duration::from_millis(asked.max(1).unsigned_abs()));
        Ok(Deadline(asked.map_or(TIMEOUT, |asked| asked.min(TIMEOUT))))
    }

    /// How many items to answer at most.
    pub fn limit(&self) -> Result<usize, Failure> {
        self.count("limit").map(|limit| limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX))
    }

    /// A number of items; zero is a number.
    pub fn count(&self, name: &str) -> Result<Option<usize>, Failure> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(number) => usize::try_from(number)
                .map(Some)
                .map_err(|_| Failure::of_parameter(name, &format!("{name} must be non-negative"))),
            Err(_) => Err(Failure::of_parameter(name, &format!("{text:?} is not a whole number"))),
        }
    }

    /// The selectors of `match[]`.
    pub fn selectors(&self) -> Result<Vec<Vec<Matcher>>, Failure> {
        let read = |text: &str| {
            parse_selector(text).map_err(|error| Failure::of_parameter("match[]", &syntax(text, &error)))
        };
        if self.texts("match[]").count() > SELECTORS {
            return Err(Failure::of_parameter(
                "match[]",
                &format!("there are more than {SELECTORS}; ask several times"),
            ));
        }
        self.texts("match[]").map(read).collect()
    }

    /// Now, in milliseconds.
    pub fn now() -> i64 {
        i64::try_from(Timestamp::now().0 / 1_000_000).unwrap_or(i64::MAX)
    }
}

//! Headers that keep a browser from being used against its user, and hosts under which we answer at all.

use crate::error::ApiError;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use model::Kind;
use std::net::IpAddr;
use std::sync::Arc;

/// Nothing but our own files runs, and nothing from elsewhere is fetched. Svelte makes its templates through the one named
/// Trusted Types policy.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types svelte-trusted-html";

const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Sets the headers that an answer does not set itself.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    for (name, value) in HEADERS {
        answer.headers_mut().entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// A web site can give its name our address; then a browser takes us for that site. We answer to our own names only.
pub async fn known_host(State(allowed): State<Arc<Vec<String>>>, request: Request, next: Next) -> Response {
    let said = request.headers().get("host").map(|host| String::from_utf8_lossy(host.as_bytes()));
    let host = said.or_else(|| request.uri().authority().map(|authority| authority.as_str().into()));
    // Requests without a host come from programs, not from browsers.
    let Some(host) = host.filter(|host| !is_known(name_of(host), &allowed)) else {
        return next.run(request).await;
    };
    let message =
        format!("this server does not go by the name {host:?}; add it to query.allowed-hosts if it should");
    ApiError::new(Kind::Denied, message).into_response()
}

/// The host without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    }
}

fn is_known(name: &str, allowed: &[String]) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        // An address cannot be made to mean another one, as a name can.
        || name.parse::<IpAddr>().is_ok()
        || allowed.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(&name))
}

/// Whether a request that changes something comes from our own page, or from a program.
pub fn is_from_ourselves(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return true };
    text("host").is_some_and(|host| origin.split_once("://").is_some_and(|(_, authority)| authority == host))
}

#[cfg(test)]
mod tests {
    use super::{is_known, name_of};

    #[test]
    fn hosts() {
        let allowed = ["clew.example".to_owned()];
        for (host, expect) in [
            ("127.0.0.1:16686", true),
            ("LocalHost.:80", true),
            ("192.168.1.7:16686", true),
            ("", false),
            (":16686", false),
            ("::1", false),
            ("localhost.evil.example", false),
            ("[::1]:16686", true),
            ("clew.example:80", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example:16686", false),
        ] {
            assert_eq!(is_known(name_of(host), &allowed), expect, "{host}");
        }
    }
}

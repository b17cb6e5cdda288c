//! Headers that keep a browser from being used against its user, and hosts under which we answer at all.

use crate::error::ApiError;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use model::Kind;
use std::net::{IpAddr, Ipv6Addr};
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

/// How much of a wrong host is shown.
const MAX_SHOWN: usize = 100;

/// Sets the headers that an answer does not set itself.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    for (name, value) in HEADERS {
        answer.headers_mut().entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// Who is let in. A web site can give its name our address, and then a browser takes us for that site: we answer to our own
/// names only. And a site may have the browser ask us, whatever it can make of the answer: only our own page may.
pub async fn guard(State(allowed): State<Arc<Vec<String>>>, request: Request, next: Next) -> Response {
    let refused = refused_host(&request, &allowed).or_else(|| refused_site(&request, &allowed));
    match refused {
        Some(refusal) => refusal.into_response(),
        None => next.run(request).await,
    }
}

fn refused_host(request: &Request, allowed: &[String]) -> Option<ApiError> {
    let headers: Vec<_> = request.headers().get_all("host").iter().collect();
    if headers.len() > 1 {
        return Some(ApiError::invalid("several Host headers; send one"));
    }
    let said = headers.first().map(|host| String::from_utf8_lossy(host.as_bytes()));
    let in_target = request.uri().authority().map(|authority| authority.as_str().into());
    // Requests without a host come from programs, not from browsers.
    said.into_iter().chain(in_target).find_map(|host| {
        let shown: String = host.chars().take(MAX_SHOWN).collect();
        let Some(name) = name_of(&host) else {
            let message = format!("{shown:?} is no host; expected a name or an address, and perhaps a port");
            return Some(ApiError::invalid(message));
        };
        let message = format!(
            "this server does not go by the name {shown:?}; add it to query.allowed-hosts if it should"
        );
        (!is_known(name, allowed)).then(|| ApiError::new(Kind::Denied, message))
    })
}

/// The host without its port: `name`, `name:80`, `[::1]`, `[::1]:80`, and nothing else.
fn name_of(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            (address, port)
        }
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            (!name.is_empty() && name.bytes().all(known)).then_some((name, port))?
        }
    };
    let digits = port.strip_prefix(':');
    let is_port = digits.map_or(port.is_empty(), |digits| {
        digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
    });
    is_port.then_some(name)
}

fn is_known(name: &str, allowed: &[String]) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        // An address cannot be made to mean another one, as a name can.
        || name.parse::<IpAddr>().is_ok()
        || allowed.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(&name))
}

/// Another site's page may link to ours; it may not ask for anything else, nor show it within itself.
fn refused_site(request: &Request, allowed: &[String]) -> Option<ApiError> {
    let headers = request.headers();
    if is_from_ourselves(headers) || is_visit(request) || is_of_named_site(headers, allowed) {
        return None;
    }
    Some(ApiError::new(
        Kind::Denied,
        "another site's page may not ask here; open the page of this server itself",
    ))
}

/// Whether a person follows a link to the page, which shows nothing to where the link stood.
fn is_visit(request: &Request) -> bool {
    let says = |name: &str, value: &str| single(request.headers(), name) == Some(value);
    let below = |start: &str| {
        let rest = request.uri().path().strip_prefix(start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    request.method() == Method::GET
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
        && !["/api", "/prometheus", "/metrics"].into_iter().any(below)
}

/// A proxy in front of us may have told us another host than the browser's. Browsers that say nothing but the origin are
/// believed when it is a name that we were given.
fn is_of_named_site(headers: &HeaderMap, allowed: &[String]) -> bool {
    let origin = single(headers, "origin").and_then(|origin| origin.split_once("://"));
    let Some(name) = origin.and_then(|(_, authority)| name_of(authority)) else { return false };
    !headers.contains_key("sec-fetch-site") && allowed.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The header's value; none when there are several, or none that is text.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether a request comes from our own page, or from a program.
pub fn is_from_ourselves(headers: &HeaderMap) -> bool {
    if headers.contains_key("sec-fetch-site") {
        return matches!(single(headers, "sec-fetch-site"), Some("same-origin" | "none"));
    }
    if !headers.contains_key("origin") {
        return true;
    }
    let origin = single(headers, "origin").and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, authority)| single(headers, "host") == Some(authority))
}

#[cfg(test)]
mod tests {
    use super::{is_known, name_of};

    #[test]
    fn hosts() {
        let allowed = ["clew.example".to_owned()];
        for (host, expect) in [
            ("127.0.0.1:16686", Some(true)),
            ("127.0.0.1", Some(true)),
            ("LocalHost.:80", Some(true)),
            ("192.168.1.7:16686", Some(true)),
            ("clew.localhost:1", Some(true)),
            ("[::1]:16686", Some(true)),
            ("[::1]", Some(true)),
            ("clew.example:80", Some(true)),
            ("localhost.evil.example", Some(false)),
            ("evil.example", Some(false)),
            ("127.0.0.1.evil.example:16686", Some(false)),
            ("127.0.0.1:80@evil", None),
            ("127.0.0.1@evil", None),
            ("user@127.0.0.1", None),
            ("127.0.0.1:80:90", None),
            ("127.0.0.1:", None),
            ("127.0.0.1:+80", None),
            ("127.0.0.1:65536", None),
            ("127.0.0.1:80 ", None),
            ("localhost, evil.example", None),
            ("localhost/evil", None),
            ("[::1]evil", None),
            ("[::1]:80@evil", None),
            ("[localhost]:80", None),
            ("[::1", None),
            ("::1", None),
            ("", None),
            (":16686", None),
            ("locälhost", None),
        ] {
            let found = name_of(host).map(|name| is_known(name, &allowed));
            assert_eq!(found, expect, "{host}");
        }
    }
}

//! Which web pages may send: those served from this machine. Others could write into a server that listens for its user only.

use ::http::{HeaderMap, HeaderValue};

/// Whether an `Origin` is a page served from loopback.
fn is_loopback(origin: &str) -> bool {
    let Some((_, authority)) = origin.split_once("://") else { return false };
    let host = if authority.starts_with('[') {
        authority.split_once(']').map_or(authority, |(host, _)| host.trim_start_matches('['))
    } else {
        authority.split(':').next().unwrap_or_default()
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The origin of a page that may not send.
pub fn foreign_origin(headers: &HeaderMap) -> Option<String> {
    let origin = headers.get("origin")?.to_str().unwrap_or("?");
    (!is_loopback(origin)).then(|| origin.chars().take(100).collect())
}

/// What a browser must be told to let the page read the answer.
pub fn allow(request: &HeaderMap, response: &mut HeaderMap) {
    let Some(origin) = request.get("origin").filter(|origin| origin.to_str().is_ok_and(is_loopback)) else {
        return;
    };
    response.insert("access-control-allow-origin", origin.clone());
    response.insert("vary", HeaderValue::from_static("Origin"));
    response.insert("access-control-allow-methods", HeaderValue::from_static("POST"));
    response.insert("access-control-max-age", HeaderValue::from_static("7200"));
    let asked = request.get("access-control-request-headers").cloned();
    response
        .insert("access-control-allow-headers", asked.unwrap_or(HeaderValue::from_static("content-type")));
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_pages_of_this_machine() {
        for (origin, expect) in [
            ("http://localhost:5173", true),
            ("http://127.0.0.1:16686", true),
            ("http://[::1]:3000", true),
            ("https://evil.example", false),
            ("http://localhost.evil.example", false),
            ("null", false),
        ] {
            assert_eq!(is_loopback(origin), expect, "{origin}");
        }
    }
}

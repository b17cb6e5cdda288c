//! Who is let in, what browsers are told, and the page.

use super::{TRACE, ask, get};

#[tokio::test]
async fn other_names_are_refused() {
    for (host, status) in [
        ("localhost:16686", 200),
        ("127.0.0.1:16686", 200),
        ("192.168.1.7:16686", 200),
        ("clew.example", 200),
        ("rebound.example", 403),
    ] {
        for path in ["/api/v1/status", "/", "/api/services"] {
            let answer = ask(&[], &format!("GET {path}"), &[("host", host)], "").await;
            assert_eq!(answer.status, status, "{host}{path}");
        }
    }
    let answer = ask(&[], "GET /", &[("host", "rebound.example")], "").await;
    assert!(answer.text().contains("query.allowed-hosts"));
}

#[tokio::test]
async fn only_our_page_changes_something() {
    for (headers, status) in [
        (&[][..], 200),
        (&[("sec-fetch-site", "same-origin")], 200),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("host", "localhost:1"), ("origin", "http://localhost:1")], 200),
        (&[("host", "localhost:1"), ("origin", "http://localhost:2")], 403),
        (&[("host", "localhost:1"), ("origin", "null")], 403),
    ] {
        assert_eq!(ask(&[], "POST /api/v1/sample", headers, "").await.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn browsers_are_kept_in_bounds() {
    for path in ["/", "/api/v1/status", "/api/services", "/no/such.file"] {
        let answer = get(&[], path).await;
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
    }
    assert_eq!(get(&[], "/api/v1/status").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn places_of_the_page_are_answered_by_it() {
    for (line, status) in [
        ("GET /", 200),
        ("GET /traces", 200),
        ("GET /trace/4bf9?span=1", 200),
        ("HEAD /traces", 200),
        ("GET /assets/gone-12345678.js", 404),
        ("GET /../Cargo.toml", 404),
        ("GET /index.html.map", 404),
        ("POST /traces", 405),
        ("GET /ready", 200),
        ("GET /health", 200),
        ("GET /metrics", 200),
    ] {
        assert_eq!(ask(&[], line, &[], "").await.status, status, "{line}");
    }
    assert_eq!(get(&[], "/ready").await.text(), "ready");
    assert!(get(&[], "/metrics").await.text().contains("\nclew_stored_spans 0\n"));
}

#[tokio::test]
async fn short_links_lead_to_the_trace() {
    for (path, to) in [
        (format!("/t/{TRACE}"), Some(format!("/trace/{TRACE}"))),
        (
            format!("/t/{}/00F067AA0BA902B7", TRACE.to_uppercase()),
            Some(format!("/trace/{TRACE}?span=00f067aa0ba902b7")),
        ),
        ("/t/%2F%2Fevil.example".to_owned(), None),
        (format!("/t/{TRACE}/%22%3E"), None),
    ] {
        let answer = get(&[], &path).await;
        assert_eq!(answer.headers.get("location").map(|to| to.to_str().unwrap().to_owned()), to, "{path}");
        assert_eq!(answer.status, if to.is_some() { 307 } else { 404 }, "{path}");
    }
}

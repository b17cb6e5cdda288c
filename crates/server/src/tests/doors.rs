//! Who is let in, what browsers are told, and the page.

use super::{TRACE, ask, ask_head, get};

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
async fn hosts_that_are_none_are_refused() {
    for (hosts, status) in [
        (&["127.0.0.1:80@evil"][..], 400),
        (&["localhost", "evil.example"], 400),
        (&["localhost", "localhost"], 400),
        (&["evil.example"], 403),
        (&["localhost"], 200),
        (&[], 200),
    ] {
        let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
        let answer = ask(&[], "GET /api/v1/status", &headers, "").await;
        assert_eq!(answer.status, status, "{hosts:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{hosts:?}");
    }
    // A target with a host of its own says which one is meant.
    for (target, status) in
        [("http://localhost/api/v1/status", 200), ("http://evil.example/api/v1/status", 403)]
    {
        let answer = ask(&[], &format!("GET {target}"), &[("host", "localhost")], "").await;
        assert_eq!(answer.status, status, "{target}");
    }
}

#[tokio::test]
async fn other_sites_pages_may_not_ask() {
    let site = |value| ("sec-fetch-site", value);
    let visit = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    let link = [&[site("cross-site")], &visit[..]].concat();
    let frame = [site("cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    let fetch = [site("cross-site"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
    let twice = [site("same-origin"), site("cross-site")];
    let (same, local, named) = (
        [("host", "localhost:1"), ("origin", "http://localhost:1")],
        [("host", "localhost:1"), ("origin", "http://localhost:2")],
        [("host", "localhost:1"), ("origin", "http://clew.example")],
    );
    // What is asked for: the page, and all that has data.
    let page = ["GET /", "GET /trace/4bf9", "GET /t/4bf92f3577b34da6a3ce929d0e0e4736"];
    let data = [
        "GET /api/v1/status",
        "GET /api/v1/live",
        "GET /api/services",
        "GET /metrics",
        "GET /prometheus/api/v1/labels",
        "GET /api/v1/openapi.json",
    ];
    for (headers, of_page, of_data) in [
        (&[][..], true, true),
        (&[site("none")], true, true),
        (&[site("same-origin")], true, true),
        (&[site("same-site")], false, false),
        (&[site("cross-site")], false, false),
        (&[site("sideways")], false, false),
        (&[site("")], false, false),
        (&twice, false, false),
        (&link, true, false),
        (&frame, false, false),
        (&fetch, false, false),
        (&visit, true, true),
        (&same, true, true),
        (&local, false, false),
        (&[("host", "localhost:1"), ("origin", "null")], false, false),
        (&named, true, true),
    ] {
        for (line, expect) in
            page.map(|line| (line, of_page)).into_iter().chain(data.map(|line| (line, of_data)))
        {
            let refused = ask_head(line, headers).await == 403;
            assert_eq!(!refused, expect, "{line} {headers:?}");
        }
    }
    assert_eq!(ask_head("POST /", &link).await, 403);
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

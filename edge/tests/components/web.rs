//! The web client's page and files, as browsers and caches ask for them.

use natter_edge::{Source, Web};
use natter_schemas::rest::DemoPersonView;

use crate::harness::Edge;

const PAGE: Source = Source {
    path: "index.html",
    plain: b"<p>the page</p>",
    brotli: Some(b"page:br"),
    gzip: Some(b"page:gzip"),
};
const SCRIPT: Source =
    Source { path: "assets/app-1a2b.js", plain: b"run()", brotli: Some(b"run:br"), gzip: Some(b"run:gzip") };
const ICON: Source = Source { path: "icon.svg", plain: b"<svg/>", brotli: None, gzip: None };
const WORKER: Source = Source { path: "sw.js", plain: b"keep()", brotli: None, gzip: None };
const APP_ICON: Source = Source { path: "icons/icon.png", plain: b"picture", brotli: None, gzip: None };
const PEOPLE: Source = Source { path: "secret.txt", plain: b"not asked for", brotli: None, gzip: None };

async fn edge() -> Edge {
    Edge::start_with(|config| config.web = Web::of(&[PAGE, SCRIPT, ICON, WORKER, APP_ICON, PEOPLE])).await
}

/// Head, in lowercase, and body.
async fn get(edge: &Edge, path: &str, headers: &str) -> (String, String) {
    ask(edge, "GET", path, headers).await
}

async fn ask(edge: &Edge, method: &str, path: &str, headers: &str) -> (String, String) {
    let answer = edge.http(method, path, headers).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (format!("{}\r\n", head.to_lowercase()), body.to_owned())
}

fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn every_view_of_the_client_is_answered_with_its_page() {
    let edge = edge().await;
    let room = "/c/0199c1c0-0000-7000-8000-000000000001";
    for path in ["/", "/?x=1", "/login", "/register", "/settings", room, &format!("{room}/7")] {
        let (head, body) = get(&edge, path, "").await;
        assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
        assert_eq!(body, "<p>the page</p>", "{path}");
        assert_eq!(value(&head, "content-type"), Some("text/html; charset=utf-8"), "{path}");
    }
}

#[tokio::test]
async fn no_address_of_the_api_is_answered_with_a_page() {
    let edge = edge().await;
    for path in [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/docs/other",
        "/assets/",
        "/assets/other.js",
        "/health/other",
        "/ws/x",
    ] {
        let (head, body) = get(&edge, path, "Accept: text/html").await;
        assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
        assert!(body.contains("\"code\":\"not_found\""), "{path}: {body}");
    }
    let (head, body) = ask(&edge, "POST", "/login", "").await;
    assert!(head.starts_with("http/1.1 405") && body.contains("method_not_allowed"), "{head}{body}");
}

#[tokio::test]
async fn a_browser_gets_the_page_at_an_unknown_address() {
    let edge = edge().await;
    let browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in ["/nonsense", "/apis", "/c", "/c/a/b/c", "/x/y", "/secret.txt", "/%FF", "//"] {
        let (head, body) = get(&edge, path, &format!("{browser}\r\nIf-None-Match: *")).await;
        assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
        assert_eq!(body, "<p>the page</p>", "{path}");
        assert_eq!(value(&head, "content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(head.lines().any(|line| line == "vary: accept"), "{head}");
        let (head, body) = ask(&edge, "HEAD", path, browser).await;
        assert!(head.starts_with("http/1.1 404") && body.is_empty(), "{path}: {head}");
        for program in ["Accept: application/json", "Accept: */*", "Accept: text/html;q=0, */*", "X: y"] {
            let (head, body) = get(&edge, path, program).await;
            assert!(head.starts_with("http/1.1 404"), "{path}: {head}");
            assert_eq!(value(&head, "content-type"), Some("application/problem+json"), "{path}");
            assert!(body.contains("\"code\":\"not_found\""), "{path}: {body}");
        }
        let (head, body) = ask(&edge, "POST", path, browser).await;
        assert!(head.starts_with("http/1.1 404") && body.contains("not_found"), "{path}: {head}{body}");
    }
}

#[tokio::test]
async fn the_api_reference_links_its_icon() {
    let edge = edge().await;
    let (_, page) = get(&edge, "/api/docs", "").await;
    let (_, rest) = page.split_once("<link rel=\"icon\" href=\"").expect("a link");
    let (icon, _) = rest.split_once('"').expect("an address");
    let (head, _) = get(&edge, icon, "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(value(&head, "content-type"), Some("image/svg+xml"));
}

#[tokio::test]
async fn a_file_is_sent_in_the_form_the_client_takes() {
    let edge = edge().await;
    for (accepted, coding, body) in [
        ("Accept-Encoding: gzip, deflate, br", Some("br"), "run:br"),
        ("Accept-Encoding: gzip", Some("gzip"), "run:gzip"),
        ("Accept-Encoding: identity", None, "run()"),
        ("Accept: */*", None, "run()"),
    ] {
        let (head, sent) = get(&edge, "/assets/app-1a2b.js", accepted).await;
        assert_eq!((value(&head, "content-encoding"), sent.as_str()), (coding, body), "{accepted}");
        assert_eq!(value(&head, "vary").map(|vary| vary.contains("accept-encoding")), Some(true), "{head}");
        assert_eq!(value(&head, "content-length"), Some(body.len().to_string().as_str()), "{head}");
    }
    let (head, sent) = get(&edge, "/icon.svg", "Accept-Encoding: br").await;
    assert_eq!((value(&head, "content-encoding"), sent.as_str()), (None, "<svg/>"), "{head}");
}

#[tokio::test]
async fn hashed_files_are_kept_for_ever_and_the_page_asked_for() {
    let edge = edge().await;
    let (script, _) = get(&edge, "/assets/app-1a2b.js", "").await;
    assert_eq!(value(&script, "cache-control"), Some("public, max-age=31536000, immutable"));
    let (page, _) = get(&edge, "/", "Accept-Encoding: br").await;
    assert_eq!(value(&page, "cache-control"), Some("no-cache"));
    let tag = value(&page, "etag").expect("a tag");
    let again = format!("Accept-Encoding: br\r\nIf-None-Match: {tag}");
    let (head, body) = get(&edge, "/login", &again).await;
    assert!(head.starts_with("http/1.1 304"), "{head}");
    assert_eq!((body.as_str(), value(&head, "etag"), value(&head, "content-type")), ("", Some(tag), None));
    // The tag of one form is not that of another.
    let (head, body) = get(&edge, "/", &format!("Accept-Encoding: gzip\r\nIf-None-Match: {tag}")).await;
    assert!(head.starts_with("http/1.1 200") && body == "page:gzip", "{head}{body}");
}

#[tokio::test]
async fn the_worker_and_icons_are_asked_for_again_each_time() {
    let edge = edge().await;
    let kinds = [("/sw.js", "text/javascript; charset=utf-8"), ("/icons/icon.png", "image/png")];
    for (path, kind) in kinds {
        let (head, _) = get(&edge, path, "").await;
        assert_eq!(value(&head, "content-type"), Some(kind), "{path}: {head}");
        // A worker that is kept for a year would keep its page for a year.
        assert_eq!(value(&head, "cache-control"), Some("no-cache"), "{path}: {head}");
    }
    let (head, _) = get(&edge, "/icons/other.png", "").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[tokio::test]
async fn a_head_is_the_head_of_its_get() {
    let edge = edge().await;
    for path in ["/", "/assets/app-1a2b.js", "/icon.svg"] {
        let headers = "Accept-Encoding: br\r\nX-Request-Id: one";
        let ((get, _), (head, body)) =
            (get(&edge, path, headers).await, ask(&edge, "HEAD", path, headers).await);
        let but_date = |head: &str| {
            head.lines().filter(|line| !line.starts_with("date")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!((but_date(&head), body.as_str()), (but_date(&get), ""), "{path}");
    }
}

#[tokio::test]
async fn the_page_may_load_and_run_only_what_is_from_here() {
    let edge = edge().await;
    for path in ["/", "/assets/app-1a2b.js"] {
        let (head, _) = get(&edge, path, "").await;
        let policy = value(&head, "content-security-policy").expect("a policy");
        assert_eq!(head.matches("content-security-policy").count(), 1, "{head}");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
            "worker-src 'self'",
            "trusted-types svelte-trusted-html natter-worker",
        ] {
            assert!(policy.split(';').any(|it| it.trim() == part), "{part} is not in {policy}");
        }
        for part in ["unsafe", "http:", "https:", "data:", "*"] {
            assert!(!policy.contains(part), "{part} is in {policy}");
        }
        for (name, expected) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "deny"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(value(&head, name), Some(expected), "{name}");
        }
        assert!(value(&head, "permissions-policy").is_some_and(|policy| policy.contains("camera=()")));
    }
}

#[tokio::test]
async fn a_program_without_the_client_says_how_to_build_it() {
    let edge = Edge::start_with(|config| config.web = Web::of(&[])).await;
    for path in ["/", "/login"] {
        let (head, body) = get(&edge, path, "").await;
        assert!(head.starts_with("http/1.1 200") && body.contains("make run"), "{head}{body}");
    }
    let (head, _) = get(&edge, "/icon.svg", "").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[tokio::test]
async fn only_the_demo_says_who_anyone_may_log_in_as() {
    let alice = DemoPersonView {
        username: "alice".to_owned(),
        display_name: "Alice".to_owned(),
        password: "demo".to_owned(),
    };
    let demo = Edge::start_with(|config| config.demo = vec![alice]).await;
    let (_, body) = get(&demo, "/api/demo", "").await;
    assert_eq!(body, r#"{"items":[{"username":"alice","displayName":"Alice","password":"demo"}]}"#);
    let (_, body) = get(&edge().await, "/api/demo", "").await;
    assert_eq!(body, r#"{"items":[]}"#);
}

//! The contract, as programs read it.

use natter_schemas::id::{ConversationId, UserId};
use serde_json::Value;

use crate::harness::Edge;

#[tokio::test]
async fn the_committed_contract_is_served_without_a_log_in() {
    let edge = Edge::start().await;
    for name in ["openapi.json", "asyncapi.json"] {
        let path = format!("/api/{name}");
        let answer = edge.http("GET", &path, "").await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        let committed = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(body, std::fs::read_to_string(committed).expect("it is committed"));

        let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an ETag");
        let again = edge.http("GET", &path, &format!("If-None-Match: {etag}")).await;
        let (head, body) = again.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 304") && body.is_empty(), "{again}");
    }
}

#[tokio::test]
async fn the_reference_is_a_page_that_loads_this_origin_alone() {
    let edge = Edge::start().await;
    let page = edge.http("GET", "/api/docs", "").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("content-type: text/html"), "{page}");
    let policy =
        page.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let named: Vec<_> = page.split("=\"/api/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(named, ["docs/reference.css", "docs/reference.js", "openapi.json", "openapi.json"]);
    // Neither another host, nor anything in the page itself that the policy would forbid.
    assert!(!page.contains("//") && !page.contains("style=") && !page.contains("<style"), "{page}");
    for (name, kind) in [("reference.css", "text/css"), ("reference.js", "text/javascript")] {
        let file = edge.http("GET", &format!("/api/docs/{name}"), "").await;
        assert!(
            file.starts_with("HTTP/1.1 200") && file.contains(&format!("content-type: {kind}")),
            "{file}"
        );
        assert!(!file.contains("innerHTML") && !file.contains("https://"), "{file}");
    }
    let absent = edge.http("GET", "/api/docs/index.php", "").await;
    assert!(absent.starts_with("HTTP/1.1 404"), "{absent}");
}

#[tokio::test]
async fn a_401_names_the_scheme_and_a_405_the_methods() {
    let edge = Edge::start().await;
    let refused = edge.http("GET", "/api/me", "").await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert!(refused.contains("www-authenticate: Bearer\r\n"), "{refused}");
    let path = format!("/api/conversations/{}", ConversationId::fresh());
    let refused = edge.http("PUT", &path, "").await;
    assert!(refused.starts_with("HTTP/1.1 405"), "{refused}");
    let methods = refused.lines().find_map(|line| line.strip_prefix("allow: ")).expect("Allow");
    let mut methods: Vec<_> = methods.split(',').map(str::trim).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["GET", "HEAD", "PATCH"]);
}

#[tokio::test]
async fn a_message_that_was_posted_says_where_it_is() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let body = format!(r#"{{"conversationId":"{conversation}","content":"hello"}}"#);
    let headers = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        edge.token(user),
        body.len()
    );
    let answer = edge.http("POST", "/api/messages", &headers).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let message: Value = serde_json::from_str(body).expect("JSON");
    let place = format!("location: /api/conversations/{conversation}/messages/{}", message["seq"]);
    assert!(head.lines().any(|line| line == place), "{head}");
}

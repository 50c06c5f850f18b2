//! What every HTTP answer has, whoever gives it.

use std::net::IpAddr;

use natter_edge::ROUTES;
use natter_schemas::id::UserId;

use crate::harness::Edge;

#[tokio::test]
async fn a_path_that_is_not_utf8_is_answered_with_a_problem_document() {
    let edge = Edge::start().await;
    let token = edge.token(UserId::fresh());
    let answer = edge.http("GET", "/api/users/%FF", &format!("Authorization: Bearer {token}")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("\"code\":\"malformed\""), "{answer}");
}

#[tokio::test]
async fn a_query_that_is_not_utf8_is_refused_on_every_route_of_the_api() {
    let edge = Edge::start().await;
    let token = edge.token(UserId::fresh());
    let of_api = ROUTES.iter().filter(|(_, path, _)| path.starts_with("/api/"));
    for (method, path, _) in of_api {
        let path = path.replace(['{', '}'], "");
        for query in ["query=%FF", "limit=1&a%C3=b", "%ED%A0%80"] {
            let headers = format!("Authorization: Bearer {token}");
            let answer = edge.http(method, &format!("{path}?{query}"), &headers).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{method} {path}?{query}: {answer}");
            assert!(answer.contains("\"code\":\"malformed\""), "{method} {path}?{query}: {answer}");
        }
    }
    let answer = edge.http("GET", "/api/demo?query=%C3%A9+%26", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The client reads the address of its page.
    assert_eq!(edge.head("/c/%FF?query=%FF", "").await, 200);
}

#[tokio::test]
async fn an_array_is_no_object() {
    let edge = Edge::start().await;
    let body = "Content-Type: application/json\r\nContent-Length: 20\r\n\r\n[\"alice\",\"password\"]";
    let answer = edge.http("POST", "/api/auth/login", body).await;
    assert!(answer.contains("must be a JSON object"), "{answer}");
}

#[tokio::test]
async fn pages_of_other_origins_may_trace_and_see_the_rate_limit() {
    let edge = Edge::start().await;
    let origin = "Origin: https://chat.example";
    let preflight = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: baggage";
    let answer = edge.http("OPTIONS", "/api/me", &format!("{origin}\r\n{preflight}")).await.to_lowercase();
    let allowed =
        answer.lines().find(|line| line.starts_with("access-control-allow-headers")).expect(&answer);
    for header in ["traceparent", "tracestate", "baggage"] {
        assert!(allowed.contains(header), "{answer}");
    }
    let answer = edge.http("GET", "/api/me", origin).await.to_lowercase();
    let exposed =
        answer.lines().find(|line| line.starts_with("access-control-expose-headers")).expect(&answer);
    assert!(exposed.contains("ratelimit,") && exposed.contains("ratelimit-policy"), "{answer}");
}

#[tokio::test]
async fn pages_of_the_same_host_and_another_scheme_may_not_open_sockets() {
    let proxied = Edge::start_with(|config| {
        config.trusted_proxies = vec![IpAddr::from([127, 0, 0, 1]).into()];
    });
    let (plain, proxied) = tokio::join!(Edge::start(), proxied);
    let upgrade = async |edge: &Edge, headers: &str| {
        let handshake = "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        edge.head("/ws", &format!("{handshake}\r\n{headers}")).await
    };
    let https = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1";
    for (edge, headers, expected) in [
        (&plain, "Origin: http://x".to_owned(), 101),
        (&plain, "Origin: https://x".to_owned(), 403),
        // What is not from a trusted proxy proves nothing.
        (&plain, format!("Origin: https://x\r\n{https}"), 403),
        (&proxied, format!("Origin: https://x\r\n{https}"), 101),
        (&proxied, format!("Origin: http://x\r\n{https}"), 403),
        (&proxied, format!("Origin: https://chat.example\r\n{https}"), 101),
    ] {
        assert_eq!(upgrade(edge, &headers).await, expected, "{headers}");
    }
}

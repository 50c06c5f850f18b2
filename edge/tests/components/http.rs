//! What every HTTP answer has, whoever gives it.

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
    let preflight = "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: traceparent";
    let answer = edge.http("OPTIONS", "/api/me", &format!("{origin}\r\n{preflight}")).await.to_lowercase();
    let allowed =
        answer.lines().find(|line| line.starts_with("access-control-allow-headers")).expect(&answer);
    assert!(allowed.contains("traceparent"), "{answer}");
    let answer = edge.http("GET", "/api/me", origin).await.to_lowercase();
    let exposed =
        answer.lines().find(|line| line.starts_with("access-control-expose-headers")).expect(&answer);
    assert!(exposed.contains("ratelimit,") && exposed.contains("ratelimit-policy"), "{answer}");
}

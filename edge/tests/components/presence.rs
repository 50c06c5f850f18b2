//! Presence over HTTP: what a client without a socket does.

use natter_schemas::id::UserId;

use crate::harness::Edge;

/// A user with one session and no socket.
struct Caller<'a> {
    edge: &'a Edge,
    user: UserId,
    headers: String,
}

impl<'a> Caller<'a> {
    fn of(edge: &'a Edge) -> Self {
        let user = UserId::fresh();
        Self { edge, user, headers: format!("Authorization: Bearer {}", edge.token(user)) }
    }

    async fn sends_heartbeat(&self) -> String {
        self.edge.http("POST", "/api/presence/heartbeat", &self.headers).await
    }

    async fn reads_own_status(&self) -> String {
        self.edge.http("GET", &format!("/api/presence/status/{}", self.user), &self.headers).await
    }
}

fn is(answer: &str, status: &str) -> bool {
    answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("\"status\":\"{status}\""))
}

#[tokio::test]
async fn a_status_read_after_a_heartbeat_is_online() {
    let edge = Edge::start().await;
    for _ in 0..12 {
        let caller = Caller::of(&edge);
        let before = caller.reads_own_status().await;
        assert!(is(&before, "offline"), "{before}");
        let accepted = caller.sends_heartbeat().await;
        assert!(accepted.starts_with("HTTP/1.1 204"), "{accepted}");
        let after = caller.reads_own_status().await;
        assert!(is(&after, "online") && after.contains("\"lastSeenAt\":\""), "{after}");
    }
}

#[tokio::test]
async fn without_the_shared_state_presence_is_unavailable() {
    let edge = Edge::start().await;
    let caller = Caller::of(&edge);
    edge.shared.set_away(true);
    for answer in [caller.sends_heartbeat().await, caller.reads_own_status().await] {
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("\"code\":\"unavailable\""), "{answer}");
    }
    edge.shared.set_away(false);
    // What was refused was not kept for later.
    let status = caller.reads_own_status().await;
    assert!(is(&status, "offline"), "{status}");
    let accepted = caller.sends_heartbeat().await;
    assert!(accepted.starts_with("HTTP/1.1 204"), "{accepted}");
    let status = caller.reads_own_status().await;
    assert!(is(&status, "online"), "{status}");
}

//! Access tokens that operators make.

use natter_testkit::{Cluster, text, until};
use serde_json::Value;

use crate::{NATTER, deployment::CommandOutput};

fn token(cluster: &Cluster, arguments: &[&str]) -> CommandOutput {
    let arguments = [&["token"], arguments].concat();
    CommandOutput::of(&cluster.run(&arguments, &[]))
}

/// What the command logged.
fn logged(output: &CommandOutput) -> Value {
    let line = output.err.lines().find(|line| line.contains("an operator made an access token"));
    serde_json::from_str(line.unwrap_or_else(|| panic!("{}{}", output.out, output.err))).unwrap()
}

#[tokio::test]
async fn a_token_for_a_user_works_until_its_session_is_ended() {
    let cluster = Cluster::start(NATTER).await;
    let alice = cluster.user(0, "alice").await;
    for named in [alice.name.to_uppercase(), alice.id.clone()] {
        let made = token(&cluster, &[&named, "--for", "10m"]);
        let line = logged(&made);
        assert_eq!((text(&line["user"]), &line["seconds"]), (alice.id.clone(), &Value::from(600)));
        assert!(!text(&line["operator"]).is_empty());
        let made = made.ok();
        assert!(!line.to_string().contains(made.trim()), "the token itself is not logged");

        let script = alice.with_token(made.trim().to_owned());
        assert_eq!(script.get("/api/me").await.ok(200)["id"], alice.id.as_str());
        // The user sees the session, and ends it.
        let session = text(&line["session"]);
        let open = alice.get("/api/auth/sessions").await.ok(200);
        assert!(
            open["items"].as_array().unwrap().iter().any(|item| item["id"] == session.as_str()),
            "{open}"
        );
        alice.delete(&format!("/api/auth/sessions/{session}")).await.ok(204);
        for edge in 0..2 {
            let script = script.at(edge);
            until("the token is refused", async || script.get("/api/me").await.status == 401).await;
        }
    }
}

#[tokio::test]
async fn an_operators_token_has_a_short_life_and_ends_with_it() {
    let cluster = Cluster::start(NATTER).await;
    let alice = cluster.user(0, "alice").await;
    let brief = alice.with_token(token(&cluster, &[&alice.name, "--for", "1s"]).ok().trim().to_owned());
    until("it has expired", async || brief.get("/api/me").await.code() == (401, "token_expired")).await;
    for life in ["0", "2h", "soon"] {
        let refused = token(&cluster, &[&alice.name, "--for", life]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{}", refused.err);
        assert!(refused.err.contains("1s to 1h"), "{}", refused.err);
    }
}

#[tokio::test]
async fn no_token_is_made_without_a_user_or_a_key_that_signs() {
    let cluster = Cluster::start(NATTER).await;
    let alice = cluster.user(0, "alice").await;
    let unknown = token(&cluster, &["no-such-user"]);
    assert!(unknown.err.contains("there is no user no-such-user"), "{}", unknown.err);
    assert_eq!(unknown.failed(), "");
    let keyless = CommandOutput::of(&cluster.run(&["token", &alice.name], &[("JWT_SECRET", "")]));
    assert!(keyless.err.contains("JWT_SECRET is missing"), "{}", keyless.err);
    assert_eq!(keyless.failed(), "");
    let sessions = alice.get("/api/auth/sessions").await.ok(200);
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "{sessions}");
}

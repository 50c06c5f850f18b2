//! Frames of `docs/asyncapi.json`.

use natter_testkit::kind;

use super::{
    By::{self, All, Group},
    *,
};

/// They name no conversation, or have no answer of their own: why each is not in the table.
const ELSEWHERE: &[(&str, &str)] = &[
    ("hello", "the token says who it is: `no_forged_token_is_taken_by_http_or_a_socket`"),
    ("token", "of another session it is refused: `every_frame_takes_tokens_of_its_user`"),
    ("ping", "it names nothing"),
    ("resume", "`a_resume_of_a_foreign_conversation_is_that_of_a_missing_one`"),
    (
        "typing",
        "it has no answer; it needs a conversation that was joined: `a_join_that_is_left_at_once_is_left`",
    ),
];

type Ask = fn(&Names) -> Value;

/// The type of the answer, or the code of the refusal.
#[rustfmt::skip]
const FRAMES: &[(&str, By<&str>, Ask)] = &[
    ("send", Group(["ack", "ack", "ack", "not_found"]), |n| {
        n.room.frame("send", &json!({"content": "x", "clientId": format!("c{}", n.own)}))
    }),
    ("reply", Group(["ack", "ack", "ack", "not_found"]), |n| {
        n.room.frame("send", &json!({"content": "x", "clientId": format!("r{}", n.own), "replyTo": n.theirs}))
    }),
    ("reply to nothing", Group(["invalid", "invalid", "invalid", "not_found"]), |n| {
        n.room.frame("send", &json!({"content": "x", "clientId": "n", "replyTo": NEVER}))
    }),
    ("edit one's own", Group(["ack", "ack", "ack", "not_found"]), |n| {
        n.room.frame("edit", &json!({"seq": n.own, "content": "x"}))
    }),
    ("edit another's", Group(["forbidden", "forbidden", "forbidden", "not_found"]), |n| {
        n.room.frame("edit", &json!({"seq": n.theirs, "content": "x"}))
    }),
    ("edit nothing", All("not_found"), |n| {
        n.room.frame("edit", &json!({"seq": NEVER, "content": "x"}))
    }),
    ("delete one's own", Group(["ack", "ack", "ack", "not_found"]), |n| n.room.frame("delete", &json!({"seq": n.own}))),
    ("delete another's", Group(["ack", "ack", "forbidden", "not_found"]), |n| {
        n.room.frame("delete", &json!({"seq": n.theirs}))
    }),
    ("react", Group(["ack", "ack", "ack", "not_found"]), |n| {
        n.room.frame("react", &json!({"seq": n.theirs, "emoji": "👍", "on": true}))
    }),
    ("react with words", All("invalid"), |n| {
        n.room.frame("react", &json!({"seq": n.theirs, "emoji": "yes", "on": true}))
    }),
    ("react to nothing", All("not_found"), |n| {
        n.room.frame("react", &json!({"seq": n.room.head, "emoji": "👍", "on": true}))
    }),
    ("read", Group(["read:ack", "read:ack", "read:ack", "not_found"]), |n| n.room.frame("read", &json!({"seq": n.theirs}))),
    ("join", Group(["joined", "joined", "joined", "not_found"]), |n| n.room.frame("join", &json!({}))),
    ("leave", All("ack"), |n| n.room.frame("leave", &json!({}))),
];

/// The answer's type or code, and all of it but its id.
fn said(mut answer: Value) -> (String, Value) {
    let word = if kind(&answer) == "error" { &answer["code"] } else { &answer["type"] };
    let word = word.as_str().unwrap().to_owned();
    answer.as_object_mut().unwrap().remove("id");
    (word, answer)
}

#[tokio::test]
async fn every_frame_is_answered_by_the_table() {
    let roles = Roles::new(shared().await).await;
    for (who, user) in roles.people.iter().enumerate() {
        let mut device = user.device("d").await;
        for (what, expected, frame) in FRAMES {
            let names = roles.names(who).await;
            let (word, answer) = said(device.call(frame(&names)).await);
            assert_eq!(word, expected.expected(who), "{what}, by {who}: {answer}");
            if is_outside(who) {
                let other = said(device.call(frame(&nowhere(names))).await).1;
                assert_eq!(other, answer, "{what} shows that it exists");
            }
        }
    }
}

#[test]
fn every_frame_of_the_contract_has_a_row() {
    let text = include_str!("../../../../docs/asyncapi.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let names = Names::of_nothing();
    let rows: Vec<Value> = FRAMES.iter().map(|(.., frame)| frame(&names)).collect();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for kind in schemas.keys().filter_map(|name| name.strip_prefix("client.")) {
        let has_row = rows.iter().any(|frame| frame["type"] == kind);
        let listed = ELSEWHERE.iter().any(|(listed, _)| *listed == kind);
        assert!(has_row != listed, "{kind} has no row in FRAMES and is not in ELSEWHERE, or is in both");
    }
}

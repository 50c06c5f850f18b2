//! Messages, what is done to them, and how far they were read.

use natter_schemas::{
    code::Code,
    limits,
    rest::{EditMessage, InboxView, MarkRead, MessagePage, MessageView, PostMessage, ReactorsPage, ReadView},
};
use serde_json::{Value, json};

use super::{
    operation::{Answer, Operation, operation, reference, seq},
    types::{ID, Types},
};

const TAG: &str = "Messages";
const READING: &str = "Reading";
const ONE: &str = "/api/conversations/{id}/messages/{seq}";
const REACTION: &str = "/api/conversations/{id}/messages/{seq}/reactions/{emoji}";

pub fn operations(types: &mut Types) -> Vec<Operation> {
    let mut all = messages(types);
    all.extend(reactions(types));
    all.extend(reading(types));
    all
}

fn messages(types: &mut Types) -> Vec<Operation> {
    let message = types.view::<MessageView>();
    vec![
        operation(("GET", "/api/messages"), "listMessages", (TAG, "Messages of a conversation"))
            .about("In their present state, edits and reactions applied. The newest, without `before` and `after`.")
            .query("conversationId", (true, reference("ConversationId")), "Of which conversation.")
            .query("before", (false, seq()), "Those before this seq. Not together with `after`.")
            .query("after", (false, seq()), "Those after this seq. Not together with `before`.")
            .limit(limits::PAGE_DEFAULT, *limits::PAGE.end())
            .answer(Answer::json(200, "A page, ascending by seq.", types.view::<MessagePage>()))
            .codes([Code::NotFound]),
        operation(("POST", "/api/messages"), "postMessage", (TAG, "Post a message"))
            .about(
                "Answered once the message is in the log. With a `clientId` or a key it can be sent again \
                 at any time: it stays one message.",
            )
            .idempotency_key(
                "Same key and body within 24 h, from any node: the same 201 with `Idempotency-Replayed`. \
                 Other body: `idempotency_mismatch`. First one still running: `idempotency_in_progress`.",
            )
            .body(
                types.body::<PostMessage>(),
                json!({"conversationId": ID, "content": "Hello", "clientId": "phone-1"}),
            )
            .answer(linked(Answer::created("The message.", message.clone(), ONE)).replayed())
            .codes([Code::Forbidden, Code::NotFound, Code::InProgress]),
        operation(("GET", ONE), "getMessage", (TAG, "A message"))
            .answer(Answer::json(200, "In its present state.", message.clone())),
        operation(("PATCH", ONE), "editMessage", (TAG, "Edit a message"))
            .about("Its author.")
            .body(types.body::<EditMessage>(), json!({"content": "Hello, world"}))
            .answer(Answer::json(200, "The message as it is now.", message))
            .codes([Code::Forbidden, Code::Conflict]),
        operation(("DELETE", ONE), "deleteMessage", (TAG, "Delete a message"))
            .about("Its author; in groups also admins and the owner. It keeps its place without content.")
            .answer(Answer::none(204, "It is deleted, now or before."))
            .codes([Code::Forbidden]),
    ]
}

/// What one does with a message.
fn linked(answer: Answer) -> Answer {
    let (id, seq) = ("$response.body#/conversationId", "$response.body#/seq");
    let place = json!({"parameters": {"path.id": id, "path.seq": seq}});
    let reaction = json!({"parameters": {"path.id": id, "path.seq": seq, "path.emoji": "👍"}});
    answer
        .link("getMessage", place.clone())
        .link("editMessage", place.clone())
        .link("deleteMessage", place)
        .link("react", reaction.clone())
        .link("withdrawReaction", reaction.clone())
        .link("listReactors", reaction)
        .link("markRead", json!({"requestBody": {"conversationId": id, "seq": seq}}))
}

fn reactions(types: &mut Types) -> Vec<Operation> {
    let none = |description: &str| Answer::none(204, description);
    vec![
        operation(("GET", REACTION), "listReactors", (TAG, "Who reacted with an emoji"))
            .pages()
            .answer(Answer::json(200, "A page, oldest first.", types.view::<ReactorsPage>())),
        operation(("PUT", REACTION), "react", (TAG, "React to a message"))
            .about("A message has at most 20 different reactions, and 10 of one user.")
            .answer(none("The reaction is set, now or before."))
            .codes([Code::Forbidden, Code::Conflict, Code::Invalid]),
        operation(("DELETE", REACTION), "withdrawReaction", (TAG, "Withdraw a reaction"))
            .answer(none("The reaction is not set."))
            .codes([Code::Forbidden, Code::Conflict, Code::Invalid]),
    ]
}

fn reading(types: &mut Types) -> Vec<Operation> {
    let mark: Value = types.view::<ReadView>();
    vec![
        operation(("POST", "/api/messages/read"), "markRead", (READING, "Mark messages as read or unread"))
            .about("Moves backwards only with `unread: true`. For all devices of the caller.")
            .body(types.body::<MarkRead>(), json!({"conversationId": ID, "seq": 42}))
            .answer(Answer::json(200, "How far the caller has read now.", mark))
            .codes([Code::NotFound]),
        operation(("GET", "/api/inbox"), "getInbox", (READING, "What was not read yet"))
            .about("At most 500 conversations with unread messages a page, newest activity first.")
            .cursor()
            .answer(Answer::json(200, "A page.", types.view::<InboxView>())),
    ]
}

//! Conversations and who is in them.

use natter_schemas::{
    code::Code,
    rest::{
        AddParticipants, ChangeRole, ConversationPage, ConversationView, CreateConversation, ListPage,
        ParticipantView, RenameConversation,
    },
};
use serde_json::{Value, json};

use super::{
    operation::{Answer, Operation, operation},
    types::{ID, Types},
};

const TAG: &str = "Conversations";
const MEMBERS: &str = "Participants";
const ALL: &str = "/api/conversations/{id}/participants";
const ONE: &str = "/api/conversations/{id}/participants/{user}";

pub fn operations(types: &mut Types) -> Vec<Operation> {
    let mut all = conversations(types);
    all.extend(participants(types));
    all
}

fn conversations(types: &mut Types) -> Vec<Operation> {
    let conversation = types.view::<ConversationView>();
    vec![
        operation(("GET", "/api/conversations"), "listConversations", (TAG, "The caller's conversations"))
            .about("Newest activity first. Direct ones include their `participants`.")
            .pages()
            .answer(Answer::json(200, "A page.", types.view::<ConversationPage>())),
        operation(("POST", "/api/conversations"), "createConversation", (TAG, "Open a conversation"))
            .about(
                "Two users have one direct conversation, whoever opens it. A new group also takes a token \
                 of class `groups` (200 a day). No one is added when one of them has blocked the caller, \
                 has left the group, or is in as many conversations as a user may be: `forbidden`, and the \
                 answer does not say who refuses.",
            )
            .idempotency_key(
                "The same key and the same group give the same conversation for ever; other content is \
                 `idempotency_mismatch`.",
            )
            .body(
                types.body::<CreateConversation>(),
                json!({"type": "group", "name": "People", "participantIds": [ID]}),
            )
            .answer(
                linked(Answer::created("The conversation.", conversation.clone(), "/api/conversations/{id}"))
                    .replayed(),
            )
            .answer(linked(Answer::json(200, "The direct one, which exists.", conversation.clone())))
            .codes([Code::Forbidden, Code::Conflict, Code::NotFound]),
        operation(("GET", "/api/conversations/{id}"), "getConversation", (TAG, "A conversation"))
            .answer(Answer::json(200, "With the first 1,000 `participants`.", conversation.clone())),
        operation(("PATCH", "/api/conversations/{id}"), "renameConversation", (TAG, "Rename a group"))
            .about("Owner and admins.")
            .body(types.body::<RenameConversation>(), json!({"name": "Friends"}))
            .answer(Answer::json(200, "The group as it is now.", conversation))
            .codes([Code::Forbidden, Code::Conflict]),
    ]
}

/// What one does with a conversation.
fn linked(answer: Answer) -> Answer {
    let id = "$response.body#/id";
    answer
        .link("getConversation", json!({"parameters": {"path.id": id}}))
        .link("renameConversation", json!({"parameters": {"path.id": id}}))
        .link("listParticipants", json!({"parameters": {"path.id": id}}))
        .link("addParticipants", json!({"parameters": {"path.id": id}}))
        .link("listMessages", json!({"parameters": {"query.conversationId": id}}))
        .link("postMessage", json!({"requestBody": {"conversationId": id, "content": "Hello"}}))
}

fn participants(types: &mut Types) -> Vec<Operation> {
    let conversation = types.view::<ConversationView>();
    let page = types.view::<ListPage<ParticipantView>>();
    let group =
        |description: &str, conversation: &Value| Answer::json(200, description, conversation.clone());
    vec![
        operation(("GET", ALL), "listParticipants", (MEMBERS, "Who is in a conversation"))
            .about("By time of joining.")
            .pages()
            .answer(Answer::json(200, "A page.", page)),
        operation(("POST", ALL), "addParticipants", (MEMBERS, "Add users to a group"))
            .about(
                "Owner and admins. Adding a member changes nothing and is answered as if it had. Who left \
                 a group by their own call is not added again by anyone; they come back by adding \
                 themselves, alone.",
            )
            .body(types.body::<AddParticipants>(), json!({"userIds": [ID]}))
            .answer(group("The group as it is now.", &conversation))
            .codes([Code::Forbidden, Code::Conflict]),
        operation(("PATCH", ONE), "changeRole", (MEMBERS, "Change a member's role"))
            .about("The owner. Making another member the owner makes the previous owner an admin.")
            .body(types.body::<ChangeRole>(), json!({"role": "admin"}))
            .answer(group("The group as it is now.", &conversation))
            .codes([Code::Forbidden, Code::Conflict]),
        operation(("DELETE", ONE), "removeParticipant", (MEMBERS, "Remove a member, or leave"))
            .about(
                "Admins remove members, the owner removes anyone, anyone may leave. When the owner leaves, \
                 the longest-serving admin becomes the owner, or else the longest-serving member.",
            )
            .answer(Answer::none(204, "The user is no longer in it."))
            .codes([Code::Forbidden, Code::Conflict]),
    ]
}

//! Who is blocked, who is online.

use natter_schemas::{
    code::Code,
    rest::{Items, ListPage, PresenceBatch, PresenceView, UserView},
};
use serde_json::json;

use super::{
    operation::{Answer, Operation, operation},
    types::{ID, Types},
};

const BLOCKS: &str = "Blocks";
const PRESENCE: &str = "Presence";

pub fn operations(types: &mut Types) -> Vec<Operation> {
    vec![
        operation(("GET", "/api/blocks"), "listBlocks", (BLOCKS, "Users the caller has blocked"))
            .pages()
            .answer(Answer::json(200, "A page.", types.view::<ListPage<UserView>>())),
        operation(("PUT", "/api/blocks/{user}"), "block", (BLOCKS, "Block a user"))
            .about(
                "The user can neither open a direct conversation with the caller, nor send into one, nor \
                 add the caller to a group.",
            )
            .answer(Answer::none(204, "The user is blocked."))
            .codes([Code::Invalid, Code::Conflict]),
        operation(("DELETE", "/api/blocks/{user}"), "unblock", (BLOCKS, "Unblock a user"))
            .answer(Answer::none(204, "The user is not blocked."))
            .codes([Code::Invalid]),
        operation(("POST", "/api/presence/heartbeat"), "heartbeat", (PRESENCE, "Be online without a socket"))
            .about("Keeps the caller online for one TTL (45 s by default), or until the session ends.")
            .answer(Answer::none(204, "It counts: a status that is read next is `online`.")),
        operation(
            ("GET", "/api/presence/status/{user}"),
            "getPresence",
            (PRESENCE, "Whether a user is online"),
        )
        .about("Users who share no conversation with the caller that no block closes read `offline`.")
        .answer(Answer::json(200, "The user's presence.", types.view::<PresenceView>())),
        operation(
            ("POST", "/api/presence/status/batch"),
            "getPresences",
            (PRESENCE, "Who of these is online"),
        )
        .body(types.body::<PresenceBatch>(), json!({"userIds": [ID]}))
        .answer(Answer::json(
            200,
            "In the order of the request.",
            types.view::<Items<PresenceView>>(),
        )),
    ]
}

//! What a user is given of everything that is kept about them: lines of JSON, each of a type. `docs/export.schema.json` is
//! their JSON Schema.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    event::{Role, Shape, Timestamp},
    id::{ConversationId, EventId, Seq, SessionId, UserId},
};

/// One line. Readers pass over types that they do not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum ExportLine {
    /// The first line.
    Export {
        /// Of this form of lines; 1.
        version: u32,
        /// Whose it is.
        user_id: UserId,
        /// When it was begun.
        exported_at: Timestamp,
    },
    /// The account.
    Profile {
        /// Unique in the deployment.
        username: String,
        /// As given.
        email: String,
        /// As others see the user.
        display_name: String,
        /// When the account was registered.
        created_at: Timestamp,
    },
    /// A session that is open. Its secrets are kept as hashes only, and are not part of this.
    Session {
        /// Its id.
        id: SessionId,
        /// When it was opened; `null`: its id does not say.
        created_at: Option<Timestamp>,
    },
    /// A user whom this one has blocked.
    Block {
        /// Who is blocked.
        user_id: UserId,
    },
    /// A conversation that the user is in, or was. The user's own acts in it follow, in the order of its log.
    Conversation {
        /// Its id.
        id: ConversationId,
        /// For two people or a group; `null`: not known yet.
        shape: Option<Shape>,
        /// Of a group.
        name: Option<String>,
        /// What the user may do; `null`: no member any more.
        role: Option<Role>,
        /// How far the user has read.
        read_seq: Seq,
    },
    /// A message of the user's as it was posted.
    Message {
        /// Where.
        conversation_id: ConversationId,
        /// Its place there.
        seq: Seq,
        /// Its id.
        id: EventId,
        /// When.
        at: Timestamp,
        /// `null`: it cannot be opened.
        content: Option<String>,
        /// Seq of the message that it answers.
        reply_to: Option<Seq>,
        /// The name that the device gave itself.
        device_id: String,
    },
    /// An edit by the user.
    Edit {
        /// Where.
        conversation_id: ConversationId,
        /// Its place there.
        seq: Seq,
        /// Of which message.
        target: Seq,
        /// When.
        at: Timestamp,
        /// `null`: it cannot be opened.
        content: Option<String>,
    },
    /// A deletion by the user.
    Deletion {
        /// Where.
        conversation_id: ConversationId,
        /// Its place there.
        seq: Seq,
        /// Of which message.
        target: Seq,
        /// When.
        at: Timestamp,
    },
    /// A reaction that the user set or withdrew.
    Reaction {
        /// Where.
        conversation_id: ConversationId,
        /// Its place there.
        seq: Seq,
        /// To which message.
        target: Seq,
        /// With what.
        emoji: String,
        /// Set; false: withdrawn.
        on: bool,
        /// When.
        at: Timestamp,
    },
    /// Anything else that the user did in a conversation: made or renamed it, added or removed a member, gave a role.
    Act {
        /// Where.
        conversation_id: ConversationId,
        /// Its place there.
        seq: Seq,
        /// Its name.
        act: &'static str,
        /// Whom it is about.
        user_id: Option<UserId>,
        /// The name that was given to the group.
        name: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// Stored events, of anyone, that cannot be read: they may be the user's.
    Unreadable {
        /// Where.
        conversation_id: ConversationId,
        /// Their places there.
        seqs: Vec<Seq>,
    },
    /// The last line: without it the export is not whole.
    End {
        /// Lines before this one.
        lines: u64,
    },
}

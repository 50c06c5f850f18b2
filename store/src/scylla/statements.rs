//! Every statement, prepared once. No two writes of one cell are ordered by the clocks of the nodes that coordinate them:
//! those of the log's tables name their write timestamp, all of them, and what users change is written conditionally.

use scylla::{
    client::session::Session,
    statement::{Consistency, prepared::PreparedStatement},
};

use crate::Result;

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: $cql:literal,)*) => {
        pub struct Statements {
            $($(#[$doc])* pub $name: PreparedStatement,)*
        }

        impl Statements {
            /// In a box: each statement has 300 B, and there are 80.
            pub async fn prepare(session: &Session) -> Result<Box<Self>> {
                let mut statements = Box::new(Self { $($name: prepare(session, $cql).await?,)* });
                statements.decide_in_all_datacenters();
                statements.fetch_content_in_small_pages();
                Ok(statements)
            }
        }
    };
}

async fn prepare(session: &Session, cql: &str) -> Result<PreparedStatement> {
    let mut statement = session.prepare(cql).await?;
    // All of them: registers, and conditional writes whose callers recognize their own.
    statement.set_is_idempotent(true);
    Ok(statement)
}

impl Statements {
    /// Names are unique in all datacenters, and what a user has changed is ordered in all of them; what a transaction
    /// left undecided a reader of these settles.
    fn decide_in_all_datacenters(&mut self) {
        use scylla::statement::SerialConsistency::Serial;
        for statement in [
            &mut self.reserve_username,
            &mut self.confirm_username,
            &mut self.release_username,
            &mut self.reserve_email,
            &mut self.confirm_email,
            &mut self.release_email,
            &mut self.add_user,
            &mut self.delete_user,
            &mut self.set_display_name,
            &mut self.replace_profile,
            &mut self.set_password_hash,
            &mut self.claim_identity,
            &mut self.move_identity,
            &mut self.remove_identity,
            &mut self.add_one_time_token,
            &mut self.replace_one_time_token,
            &mut self.take_one_time_token,
            &mut self.remove_one_time_token,
            &mut self.list_identity,
            &mut self.unlist_identity,
            &mut self.add_user_key,
            &mut self.add_data_key,
            &mut self.add_erasure,
            &mut self.record_erasure,
            &mut self.close_account,
            &mut self.erase_profile,
            &mut self.mark_no_user_key,
            &mut self.destroy_user_key,
            &mut self.delete_data_key,
        ] {
            statement.set_serial_consistency(Some(Serial));
        }
        for statement in [
            &mut self.username_serial,
            &mut self.email_serial,
            &mut self.named_user,
            &mut self.identity_serial,
            &mut self.one_time_token_serial,
        ] {
            statement.set_consistency(Consistency::Serial);
        }
        self.session_serial.set_consistency(Consistency::LocalSerial);
        self.block_serial.set_consistency(Consistency::LocalSerial);
        self.blocks_serial.set_consistency(Consistency::LocalSerial);
        self.reservations_serial.set_consistency(Consistency::LocalSerial);
    }
}

impl Statements {
    /// 500 messages of 8 KiB are 4 MB; rows without content come in the driver's pages of 5,000.
    fn fetch_content_in_small_pages(&mut self) {
        for statement in
            [&mut self.messages_up, &mut self.messages_down, &mut self.posted_up, &mut self.changes_up]
        {
            statement.set_page_size(500);
        }
    }
}

statements! {
    // Accounts.
    reserve_username: "INSERT INTO usernames (folded, user) VALUES (?, ?) IF NOT EXISTS USING TTL ?",
    confirm_username: "UPDATE usernames SET user = ? WHERE folded = ? IF user = ?",
    release_username: "DELETE FROM usernames WHERE folded = ? IF user = ?",
    username: "SELECT user FROM usernames WHERE folded = ?",
    username_serial: "SELECT user FROM usernames WHERE folded = ?",
    reserve_email: "INSERT INTO emails (folded, user) VALUES (?, ?) IF NOT EXISTS USING TTL ?",
    confirm_email: "UPDATE emails SET user = ? WHERE folded = ? IF user = ?",
    release_email: "DELETE FROM emails WHERE folded = ? IF user = ?",
    email: "SELECT user FROM emails WHERE folded = ?",
    email_serial: "SELECT user FROM emails WHERE folded = ?",
    add_user: "INSERT INTO users (id, username, email, display_name, password_hash, created_at)
               VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS",
    delete_user: "DELETE FROM users WHERE id = ? IF EXISTS",
    user: "SELECT username, email, display_name, password_hash, created_at FROM users WHERE id = ?",
    /// Sees what a conditional write has decided, and when: of two names the later one has the higher write time.
    named_user: "SELECT username, email, display_name, created_at, writetime(display_name) FROM users WHERE id = ?",
    /// Not of an account that is closed (`CLOSED` in ../erasures.rs).
    set_display_name: "UPDATE users SET display_name = ? WHERE id = ? IF created_at != null AND password_hash != 'closed'",
    set_password_hash: "UPDATE users SET password_hash = ?, password_set_by = ? WHERE id = ?
                        IF created_at != null AND password_hash != 'closed'",
    /// All users, once each.
    all_users: "SELECT id, username, email, display_name, created_at FROM users",
    all_users_after: "SELECT id, username, email, display_name, created_at FROM users WHERE token(id) > token(?)",
    replace_profile: "UPDATE users SET email = ?, display_name = ? WHERE id = ?
                      IF email = ? AND display_name = ? AND password_hash != 'closed'",
    password: "SELECT password_hash, password_set_by FROM users WHERE id = ?",
    add_name: "INSERT INTO names (initial, shard, kind, folded, user, username) VALUES (?, ?, ?, ?, ?, ?)
               USING TIMESTAMP ?",
    delete_name: "DELETE FROM names USING TIMESTAMP ? WHERE initial = ? AND shard = ? AND kind = ? AND folded = ? AND user = ?",
    names_from: "SELECT user, username FROM names
                  WHERE initial = ? AND shard = ? AND kind = ? AND folded >= ? AND folded < ?",

    identity: "SELECT user FROM identities WHERE issuer = ? AND subject = ?",
    identity_serial: "SELECT user FROM identities WHERE issuer = ? AND subject = ?",
    claim_identity: "INSERT INTO identities (issuer, subject, user) VALUES (?, ?, ?) IF NOT EXISTS",
    move_identity: "UPDATE identities SET user = ? WHERE issuer = ? AND subject = ? IF user = ?",
    remove_identity: "DELETE FROM identities WHERE issuer = ? AND subject = ? IF user = ?",
    list_identity: "INSERT INTO identities_by_user (user, issuer, subject) VALUES (?, ?, ?) IF NOT EXISTS",
    unlist_identity: "DELETE FROM identities_by_user WHERE user = ? AND issuer = ? AND subject = ? IF EXISTS",
    identities_of: "SELECT issuer, subject FROM identities_by_user WHERE user = ?",

    add_one_time_token: "INSERT INTO one_time_tokens (user, purpose, hash, expires_at) VALUES (?, ?, ?, ?)
                         IF NOT EXISTS USING TTL ?",
    replace_one_time_token: "UPDATE one_time_tokens USING TTL ? SET hash = ?, expires_at = ?
                             WHERE user = ? AND purpose = ? IF hash = ?",
    one_time_token_serial: "SELECT hash, expires_at FROM one_time_tokens WHERE user = ? AND purpose = ?",
    take_one_time_token: "DELETE FROM one_time_tokens WHERE user = ? AND purpose = ? IF hash = ?",
    remove_one_time_token: "DELETE FROM one_time_tokens WHERE user = ? AND purpose = ? IF EXISTS",

    // Sessions.
    add_session: "INSERT INTO sessions (id, user, credential, newest, expires_at) VALUES (?, ?, ?, ?, ?)
                  IF NOT EXISTS USING TTL ?",
    rotate_session: "UPDATE sessions USING TTL ? SET user = ?, credential = ?, newest = ?, expires_at = ?
                     WHERE id = ? IF newest = ?",
    /// The same, and what was exchanged is kept for the grace, decided together.
    rotate_session_with_grace: "BEGIN BATCH
                     UPDATE sessions USING TTL ? SET user = ?, credential = ?, newest = ?, expires_at = ?
                     WHERE id = ? IF newest = ?;
                     UPDATE sessions USING TTL ? SET exchanged[?] = ? WHERE id = ?;
                     APPLY BATCH",
    end_session: "DELETE FROM sessions WHERE id = ? IF EXISTS",
    session: "SELECT user, credential, newest, expires_at, exchanged FROM sessions WHERE id = ?",
    session_serial: "SELECT user, credential, newest, expires_at, exchanged FROM sessions WHERE id = ?",
    add_token: "INSERT INTO refresh_tokens (hash, session, expires_at) VALUES (?, ?, ?) USING TTL ?",
    token: "SELECT session, expires_at FROM refresh_tokens WHERE hash = ?",
    list_session: "INSERT INTO sessions_by_user (user, session) VALUES (?, ?) USING TTL ?",
    unlist_session: "DELETE FROM sessions_by_user WHERE user = ? AND session = ?",
    sessions_of: "SELECT session FROM sessions_by_user WHERE user = ?",

    // Blocks.
    add_block: "BEGIN BATCH
                UPDATE blocks SET since = ? WHERE user = ? AND other = ? IF since = ?;
                INSERT INTO blocks (user, other, since) VALUES (?, ?, ?);
                APPLY BATCH",
    delete_block: "DELETE FROM blocks WHERE user = ? AND other = ? IF EXISTS",
    block: "SELECT since FROM blocks WHERE user = ? AND other = ?",
    /// Sees what a conditional write has decided.
    block_serial: "SELECT since FROM blocks WHERE user = ? AND other = ?",
    blocks: "SELECT other, since FROM blocks WHERE user = ?",
    blocks_serial: "SELECT other, since FROM blocks WHERE user = ?",
    blocks_among: "SELECT other FROM blocks WHERE user = ? AND other IN ?",
    add_blocked_by: "INSERT INTO blocks_by_other (other, user) VALUES (?, ?) IF NOT EXISTS",
    delete_blocked_by: "DELETE FROM blocks_by_other WHERE other = ? AND user = ? IF EXISTS",
    blockers: "SELECT user FROM blocks_by_other WHERE other = ? AND user > ?",
    blockers_among: "SELECT user FROM blocks_by_other WHERE other = ? AND user IN ?",

    // Keys.
    add_user_key: "INSERT INTO user_keys (user, root, wrapped) VALUES (?, ?, ?) IF NOT EXISTS",
    add_data_key: "INSERT INTO data_keys (user, purpose, epoch, wrapped) VALUES (?, ?, ?, ?) IF NOT EXISTS",
    replace_user_key: "UPDATE user_keys SET root = ?, wrapped = ? WHERE user = ? IF root = ? AND wrapped = ?",
    user_keys: "SELECT user, root, wrapped FROM user_keys",
    user_keys_after: "SELECT user, root, wrapped FROM user_keys WHERE token(user) > token(?)",
    user_key: "SELECT root, wrapped FROM user_keys WHERE user = ?",
    data_keys: "SELECT epoch, wrapped FROM data_keys WHERE user = ? AND purpose = ?",

    // Erasures.
    open_erasure: "INSERT INTO open_erasures (shard, user, requested_at) VALUES (?, ?, ?)",
    close_erasure: "DELETE FROM open_erasures WHERE shard = ? AND user = ?",
    open_erasures: "SELECT user, requested_at FROM open_erasures WHERE shard = ?",
    add_erasure: "INSERT INTO erasures (user, requested_at, record) VALUES (?, ?, ?) IF NOT EXISTS",
    record_erasure: "UPDATE erasures SET record = ?, done = ? WHERE user = ? IF record = ?",
    erasure: "SELECT requested_at, record, done FROM erasures WHERE user = ?",
    close_account: "UPDATE users SET password_hash = 'closed', password_set_by = ? WHERE id = ? IF EXISTS",
    erase_profile: "UPDATE users SET username = '', email = '', display_name = '' WHERE id = ? IF password_hash = 'closed'",
    mark_no_user_key: "INSERT INTO user_keys (user, root, wrapped) VALUES (?, '', 0x) IF NOT EXISTS",
    destroy_user_key: "UPDATE user_keys SET root = '', wrapped = 0x WHERE user = ? IF EXISTS",
    delete_data_key: "DELETE FROM data_keys WHERE user = ? AND purpose = ? AND epoch = ? IF EXISTS",
    conversations_ever: "SELECT conversation FROM memberships WHERE user = ?",
    erase_read_mark: "DELETE read, read_at FROM members USING TIMESTAMP ? WHERE conversation = ? AND user = ?",
    erase_unread_mark: "DELETE FROM unread_marks USING TIMESTAMP ? WHERE user = ? AND conversation = ?",
    empty_post: "UPDATE messages USING TIMESTAMP ? SET data = ? WHERE conversation = ? AND bucket = ? AND seq = ?",
    empty_edit: "UPDATE messages USING TIMESTAMP ? SET edit = ? WHERE conversation = ? AND bucket = ? AND seq = ?",
    empty_change: "UPDATE changes USING TIMESTAMP ? SET data = ? WHERE conversation = ? AND bucket = ? AND seq = ?",

    // Messages and every other event.
    post: "INSERT INTO messages (conversation, bucket, seq, id, author, data) VALUES (?, ?, ?, ?, ?, ?)
           USING TIMESTAMP ?",
    edit: "UPDATE messages USING TIMESTAMP ? SET edit = ?, edit_seq = ?
            WHERE conversation = ? AND bucket = ? AND seq = ?",
    delete: "UPDATE messages USING TIMESTAMP ? SET deletion = ?, deletion_seq = ?
              WHERE conversation = ? AND bucket = ? AND seq = ?",
    /// Every writer writes the same value: any timestamp will do that is not the clock's.
    mark_reacted: "UPDATE messages USING TIMESTAMP 1 SET reacted = true
                    WHERE conversation = ? AND bucket = ? AND seq = ?",
    change: "INSERT INTO changes (conversation, bucket, seq, id, data) VALUES (?, ?, ?, ?, ?)
             USING TIMESTAMP ?",
    reseal_post: "UPDATE messages USING TIMESTAMP ? SET data = ? WHERE conversation = ? AND bucket = ? AND seq = ?",
    reseal_change: "UPDATE changes USING TIMESTAMP ? SET data = ? WHERE conversation = ? AND bucket = ? AND seq = ?",
    /// With the timestamp of the edit: it goes, and a newer one stays.
    drop_edit: "UPDATE messages USING TIMESTAMP ? SET edit = null WHERE conversation = ? AND bucket = ? AND seq = ?",
    react: "INSERT INTO reactions (conversation, target, seq, user, emoji, active) VALUES (?, ?, ?, ?, ?, ?)
            USING TIMESTAMP ?",
    index_event: "INSERT INTO event_ids (conversation, id, seq) VALUES (?, ?, ?) USING TIMESTAMP ?",
    list_bucket: "INSERT INTO buckets (conversation, kind, bucket) VALUES (?, ?, ?) USING TIMESTAMP 1",

    message_ids: "SELECT seq, id FROM messages WHERE conversation = ? AND bucket = ? AND seq IN ?",
    change_ids: "SELECT seq, id FROM changes WHERE conversation = ? AND bucket = ? AND seq IN ?",
    seq_of_event: "SELECT seq FROM event_ids WHERE conversation = ? AND id = ?",
    buckets_up: "SELECT bucket FROM buckets WHERE conversation = ? AND kind = ? AND bucket >= ? AND bucket <= ?
                  ORDER BY kind DESC, bucket ASC",
    buckets_down: "SELECT bucket FROM buckets WHERE conversation = ? AND kind = ? AND bucket >= ? AND bucket <= ?",
    messages_up: "SELECT seq, id, data, edit, edit_seq, deletion, deletion_seq, reacted, author
                    FROM messages
                   WHERE conversation = ? AND bucket = ? AND seq >= ? AND seq <= ?",
    messages_down: "SELECT seq, id, data, edit, edit_seq, deletion, deletion_seq, reacted, author
                      FROM messages
                     WHERE conversation = ? AND bucket = ? AND seq >= ? AND seq <= ? ORDER BY seq DESC",
    posted_up: "SELECT seq, data FROM messages
                 WHERE conversation = ? AND bucket = ? AND seq >= ? AND seq <= ?",
    changes_up: "SELECT seq, data FROM changes
                  WHERE conversation = ? AND bucket = ? AND seq >= ? AND seq <= ?",
    countable_up: "SELECT seq, author, deletion_seq FROM messages
                    WHERE conversation = ? AND bucket = ? AND seq >= ? AND seq <= ?",
    reactions: "SELECT seq, user, emoji, active FROM reactions WHERE conversation = ? AND target = ?",

    // Conversations and who is in them.
    create: "UPDATE conversations USING TIMESTAMP ? SET shape = ?, created_seq = ?, created_at = ?
              WHERE conversation = ?",
    rename: "UPDATE conversations USING TIMESTAMP ? SET name = ? WHERE conversation = ?",
    move_head: "UPDATE conversations USING TIMESTAMP ? SET head = ? WHERE conversation = ?",
    note_activity: "UPDATE conversations USING TIMESTAMP ? SET last_activity_at = ? WHERE conversation = ?",
    count_members: "UPDATE conversations USING TIMESTAMP ? SET members = ? WHERE conversation = ?",
    conversation: "SELECT shape, created_seq, created_at, name, head, last_activity_at, members
                     FROM conversations WHERE conversation = ?",
    conversations: "SELECT conversation FROM conversations",
    conversations_after: "SELECT conversation FROM conversations WHERE token(conversation) > token(?)",
    shape: "SELECT shape, created_seq FROM conversations WHERE conversation = ?",
    head: "SELECT head FROM conversations WHERE conversation = ?",
    heads: "SELECT conversation, head FROM conversations WHERE conversation IN ?",
    activities: "SELECT conversation, created_seq, last_activity_at FROM conversations WHERE conversation IN ?",

    set_presence: "UPDATE members USING TIMESTAMP ? SET present_seq = ?, present_role = ?
                  WHERE conversation = ? AND user = ?",
    join: "UPDATE members USING TIMESTAMP ? SET joined_seq = ?, joined_at = ?
            WHERE conversation = ? AND user = ?",
    set_role: "UPDATE members USING TIMESTAMP ? SET role_seq = ?, role_given = ?
                 WHERE conversation = ? AND user = ?",
    read_up_to: "UPDATE members USING TIMESTAMP ? SET read = ?, read_at = ?
                  WHERE conversation = ? AND user = ?",
    members: "SELECT user, present_seq, present_role, joined_seq, joined_at, role_seq, role_given, read
                FROM members WHERE conversation = ?",
    presences: "SELECT present_seq, present_role FROM members WHERE conversation = ?",
    member: "SELECT present_seq, present_role, role_seq, role_given FROM members
              WHERE conversation = ? AND user = ?",
    read_mark: "SELECT read FROM members WHERE conversation = ? AND user = ?",
    read_marks: "SELECT conversation, read FROM members WHERE conversation IN ? AND user = ?",
    mark_unread: "UPDATE unread_marks USING TIMESTAMP ? SET mark = ? WHERE user = ? AND conversation = ?",
    end_unread: "UPDATE unread_marks USING TIMESTAMP ? SET ended = ? WHERE user = ? AND conversation = ?",
    unread_mark: "SELECT mark, ended FROM unread_marks WHERE user = ? AND conversation = ?",
    unread_marks: "SELECT conversation, mark, ended FROM unread_marks WHERE user = ?",

    set_membership_presence: "UPDATE memberships USING TIMESTAMP ? SET present_seq = ?, present_role = ?
             WHERE user = ? AND conversation = ?",
    set_membership_shape: "UPDATE memberships USING TIMESTAMP ? SET shape = ? WHERE user = ? AND conversation = ?",
    set_membership_role: "UPDATE memberships USING TIMESTAMP ? SET role_seq = ?, role_given = ?
                WHERE user = ? AND conversation = ?",
    memberships: "SELECT conversation, shape, present_seq, present_role, role_seq, role_given
                    FROM memberships WHERE user = ?",

    // Who is about to be in them.
    reserve: "BEGIN BATCH
              UPDATE reservations SET decided = ? WHERE user = ? IF decided = ?;
              INSERT INTO reservations (user, conversation, id, at) VALUES (?, ?, ?, ?);
              APPLY BATCH",
    release: "DELETE FROM reservations WHERE user = ? AND conversation = ? AND id = ? IF EXISTS",
    /// Sees what a conditional write has decided.
    reservations_serial: "SELECT decided, conversation, id, at FROM reservations WHERE user = ?",

    raise: "UPDATE progress USING TIMESTAMP ? SET highest = ? WHERE log_partition = ?",
    highest: "SELECT highest FROM progress WHERE log_partition = ?",
}

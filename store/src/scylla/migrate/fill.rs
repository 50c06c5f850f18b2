//! Rows that no CQL can make from others. In a migration they are a statement of their own, which the program executes:
//! recorded like any other, so a run that died within it repeats it from its beginning.

use futures_util::TryStreamExt;
use natter_schemas::{event::Timestamp, id::UserId, rpc::User};
use scylla::client::session::Session;
use uuid::Uuid;

use super::failed;
use crate::{
    Result,
    fold::fold,
    scylla::names::{self, NameKey},
};

/// The statement.
pub const USER_WORDS: &str = "FILL names WITH user words";
/// Users under way at once.
const CONCURRENCY: usize = 32;

const SELECT: &str = "SELECT id, username, display_name, writetime(display_name) FROM users";
const ADD: &str = "INSERT INTO names (initial, shard, kind, folded, user, username) VALUES (?, ?, ?, ?, ?, ?)
     USING TIMESTAMP ?";
const DELETE: &str =
    "DELETE FROM names WHERE initial = ? AND shard = ? AND kind = ? AND folded = ? AND user = ?";
/// Rows of before: usernames and display names from their beginning.
const OLD_KINDS: [i8; 2] = [1, 2];

/// Lists every user by words, and no longer by the beginnings of names.
pub async fn user_words(session: &Session) -> Result<()> {
    let prepare = async |cql: &str| session.prepare(cql).await.map_err(|e| failed("names", e));
    let (add, delete) = (prepare(ADD).await?, prepare(DELETE).await?);
    let users = session.query_iter(SELECT, ()).await.map_err(|e| failed("users", e))?;
    let rows = users
        .rows_stream::<(Uuid, Option<String>, Option<String>, Option<i64>)>()
        .map_err(|e| failed("users", e))?
        .map_err(|e| failed("users", e));
    rows.try_for_each_concurrent(CONCURRENCY, async |(id, username, display_name, version)| {
        // An incomplete row is what an update leaves of a row that was removed at the same time.
        let (Some(username), Some(display_name), Some(version)) = (username, display_name, version) else {
            return Ok(());
        };
        let user = user(id, username, display_name);
        for NameKey { initial, shard, kind, folded } in names::keys(&user) {
            let row = (initial, shard, kind, folded.as_bytes(), id, &user.username, version);
            session.execute_unpaged(&add, row).await.map_err(|e| failed("names", e))?;
        }
        for (kind, name) in OLD_KINDS.into_iter().zip([&user.username, &user.display_name]) {
            let folded = fold(name);
            let Some(initial) = names::initial(&folded) else { continue };
            let row = (initial, names::shard(user.id), kind, folded.as_bytes(), id);
            session.execute_unpaged(&delete, row).await.map_err(|e| failed("names", e))?;
        }
        Ok(())
    })
    .await
}

/// As far as its names go.
fn user(id: Uuid, username: String, display_name: String) -> User {
    let id = UserId::from_uuid(id);
    User { id, username, email: String::new(), display_name, created_at: Timestamp(0) }
}

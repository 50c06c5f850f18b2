//! Users and passwords.
//!
//! A username and an email address are reserved for a minute, the user is stored, the reservations are made
//! permanent. A crash in between leaves reservations that expire, and perhaps a row that no name leads to. The
//! same call again finds its own reservations and carries on.
//!
//! A user's row is written conditionally only, for the order that this gives: plain writes would be ordered by the clocks
//! of whichever nodes coordinate them, and a new password could lose against the one it replaces.

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
    rpc::User,
};
use scylla::{statement::prepared::PreparedStatement, value::CqlTimestamp};
use uuid::Uuid;

use super::{
    ScyllaStore,
    cluster::Cluster,
    columns::{raw, time},
    concurrent::each,
    names,
};
use crate::{
    AccountStore, AddUser, Credentials, Result, StoreError, fold::fold, profile::email_key, words::Query,
};

/// Seconds: ten times the longest that storing a user may take.
const RESERVATION_TTL: i32 = 60;
/// To reserve a name that others release at the same moment.
const ATTEMPTS: usize = 3;

/// One of the two tables of unique names.
struct UniqueNames<'a> {
    reserve: &'a PreparedStatement,
    confirm: &'a PreparedStatement,
    release: &'a PreparedStatement,
    read_serial: &'a PreparedStatement,
}

enum Reservation {
    /// By this call: if it fails, it releases the name.
    New,
    /// By the same user, from an earlier call.
    Existing,
    Taken,
}

#[async_trait]
impl AccountStore for ScyllaStore {
    async fn add_user(&self, user: &User, password_hash: &str) -> Result<AddUser> {
        add(&self.db, user, password_hash).await
    }

    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        users(&self.db, ids).await
    }

    async fn credentials(&self, login: &str) -> Result<Option<Credentials>> {
        let (folded, s) = (email_key(login), &self.db.statements);
        // No key of a partition is empty.
        if folded.is_empty() {
            return Ok(None);
        }
        for holders in [&s.username, &s.email] {
            let holder = self.db.first::<(Option<Uuid>,)>(holders, (folded.as_bytes(),)).await?;
            if let Some((Some(holder),)) = holder
                && let Some(found) = credentials_of(&self.db, UserId::from_uuid(holder)).await?
            {
                return Ok(Some(found).filter(Credentials::is_open));
            }
        }
        Ok(None)
    }

    async fn credentials_of(&self, user: UserId) -> Result<Option<Credentials>> {
        Ok(credentials_of(&self.db, user).await?.filter(Credentials::is_open))
    }

    async fn search_users(&self, query: &str, limit: usize) -> Result<Vec<User>> {
        let Some(query) = Query::parse(query) else { return Ok(Vec::new()) };
        names::search(&self.db, &query, limit).await
    }

    async fn set_display_name(&self, user: UserId, name: &str) -> Result<Option<User>> {
        let db = &self.db;
        let Some(before) = named(db, user).await?.filter(|named| !named.user.is_erased()) else {
            return Ok(None);
        };
        let after = User { display_name: name.to_owned(), ..before.user.clone() };
        // First, so that a search finds the user at every moment, also after a crash; users found by a name that they do
        // not have are filtered out.
        names::add(db, &after, before.version + 1).await?;
        if !db.applied(&db.statements.set_display_name, (name, raw(user.as_bytes()))).await? {
            // The account was closed meanwhile: no word of a name that is not set stays.
            names::remove(db, &after, before.version + 1).await?;
            return Ok(None);
        }
        // Words follow the name that is stored by now, which a concurrent call may have changed again: of what the two
        // write, that with the version of the later name stays.
        let Some(now) = named(db, user).await? else { return Ok(None) };
        names::add(db, &now.user, now.version).await?;
        names::remove_former(db, &[&before.user, &after], &now).await?;
        Ok(Some(after))
    }

    async fn users_after(&self, after: Option<UserId>, most: usize) -> Result<Vec<User>> {
        type Row = (Uuid, Option<String>, Option<String>, Option<String>, Option<CqlTimestamp>);
        let s = &self.db.statements;
        let user = |(id, username, email, display_name, created_at): Row| {
            let whole = || {
                let (id, created_at) = (UserId::from_uuid(id), Timestamp(created_at?.0));
                Some(User { id, username: username?, email: email?, display_name: display_name?, created_at })
            };
            Ok(whole())
        };
        match after {
            None => self.db.scan(&s.all_users, (), most, user).await,
            Some(after) => self.db.scan(&s.all_users_after, (raw(after.as_bytes()),), most, user).await,
        }
    }

    async fn replace_profile(&self, from: &User, to: &User) -> Result<bool> {
        replace(&self.db, from, to).await
    }

    async fn set_password_hash(
        &self,
        user: UserId,
        password_hash: &str,
        by: Option<SessionId>,
    ) -> Result<()> {
        let by = by.map_or(Uuid::nil(), |by| raw(by.as_bytes()));
        let row = (password_hash, by, raw(user.as_bytes()));
        self.db.applied(&self.db.statements.set_password_hash, row).await.map(drop)
    }
}

/// The address under its new key, and no more under the old one, then the row: a crash leaves no key of a former form, and the
/// same call again goes on.
async fn replace(db: &Cluster, from: &User, to: &User) -> Result<bool> {
    let Some(before) = named(db, to.id).await?.filter(|named| !named.user.is_erased()) else {
        return Ok(false);
    };
    let ([_, emails], old, new) = (unique_names(db), email_key(&from.email), email_key(&to.email));
    if before.user.email != from.email || before.user.display_name != from.display_name {
        return Ok(false);
    }
    if !emails.hold_for(db, &new, to.id).await? {
        return Ok(false);
    }
    if old != new {
        emails.release_for(db, &old, to.id).await?;
    }
    // Words as when a display name changes.
    names::add(db, to, before.version + 1).await?;
    let row = (&to.email, &to.display_name, raw(to.id.as_bytes()), &from.email, &from.display_name);
    let replaced = db.applied(&db.statements.replace_profile, row).await?;
    let Some(now) = named(db, to.id).await? else { return Ok(false) };
    let present = email_key(&now.user.email);
    // Something else has changed it meanwhile, or closed the account.
    if present != new {
        emails.hold_for(db, &present, to.id).await?;
        emails.release_for(db, &new, to.id).await?;
    }
    names::add(db, &now.user, now.version).await?;
    names::remove_former(db, &[&before.user, to], &now).await?;
    Ok(replaced)
}

/// Those that are unique.
fn unique_names(db: &Cluster) -> [UniqueNames<'_>; 2] {
    let s = &db.statements;
    let usernames = UniqueNames {
        reserve: &s.reserve_username,
        confirm: &s.confirm_username,
        release: &s.release_username,
        read_serial: &s.username_serial,
    };
    let emails = UniqueNames {
        reserve: &s.reserve_email,
        confirm: &s.confirm_email,
        release: &s.release_email,
        read_serial: &s.email_serial,
    };
    [usernames, emails]
}

/// From then on others may have them.
pub async fn release_names(db: &Cluster, user: &User) -> Result<()> {
    let [usernames, emails] = unique_names(db);
    for (names, name) in [(usernames, &user.username), (emails, &user.email)] {
        names.release_for(db, &email_key(name), user.id).await?;
    }
    Ok(())
}

async fn add(db: &Cluster, user: &User, password_hash: &str) -> Result<AddUser> {
    let (s, [usernames, emails]) = (&db.statements, unique_names(db));
    let (username, email) = (fold(&user.username), email_key(&user.email));
    let reservation = usernames.reserve_for(db, &username, user.id).await?;
    if let Reservation::Taken = reservation {
        return Ok(AddUser::UsernameTaken);
    }
    // Without an address there is none to reserve.
    let email = (!email.is_empty()).then_some(email.as_str());
    if let Some(email) = email
        && let Reservation::Taken = emails.reserve_for(db, email, user.id).await?
    {
        if let Reservation::New = reservation {
            usernames.release_for(db, &username, user.id).await?;
        }
        return Ok(AddUser::EmailTaken);
    }
    store(db, user, password_hash).await?;
    // Only a call that was suspended for a minute loses a name here: then it registers no user.
    let has_email = match email {
        Some(email) => emails.confirm_for(db, email, user.id).await?,
        None => true,
    };
    let outcome = if !has_email {
        AddUser::EmailTaken
    } else if !usernames.confirm_for(db, &username, user.id).await? {
        if let Some(email) = email {
            emails.release_for(db, email, user.id).await?;
        }
        AddUser::UsernameTaken
    } else {
        return Ok(AddUser::Added);
    };
    if let Some(stored) = named(db, user.id).await? {
        names::remove(db, &stored.user, stored.version).await?;
    }
    db.applied(&s.delete_user, (raw(user.id.as_bytes()),)).await?;
    Ok(outcome)
}

/// What is stored stays as it is: the same call again must not undo what was changed since.
async fn store(db: &Cluster, user: &User, password_hash: &str) -> Result<()> {
    let row = (
        raw(user.id.as_bytes()),
        &user.username,
        &user.email,
        &user.display_name,
        password_hash,
        time(user.created_at),
    );
    db.applied(&db.statements.add_user, row).await?;
    let Some(stored) = named(db, user.id).await? else {
        return Err(StoreError::Corrupt(format!("the row of user {} is incomplete", user.id)));
    };
    names::add(db, &stored.user, stored.version).await
}

impl UniqueNames<'_> {
    async fn reserve_for(&self, db: &Cluster, folded: &str, user: UserId) -> Result<Reservation> {
        let (folded, id) = (folded.as_bytes(), raw(user.as_bytes()));
        for _ in 0..ATTEMPTS {
            if db.applied(self.reserve, (folded, id, RESERVATION_TTL)).await? {
                return Ok(Reservation::New);
            }
            // Its own first attempt, whose response was lost, counts as an earlier call: at worst it expires.
            match db.first::<(Option<Uuid>,)>(self.read_serial, (folded,)).await? {
                Some((Some(holder),)) if holder == id => return Ok(Reservation::Existing),
                Some((Some(_),)) => return Ok(Reservation::Taken),
                // It has just expired or been released.
                _ => {}
            }
        }
        Err(StoreError::Unavailable(
            "the name is being reserved and released by others again and again".to_owned(),
        ))
    }

    async fn confirm_for(&self, db: &Cluster, folded: &str, user: UserId) -> Result<bool> {
        let id = raw(user.as_bytes());
        db.applied(self.confirm, (id, folded.as_bytes(), id)).await
    }

    /// For good; answers whether it is the user's. An empty one is no key.
    async fn hold_for(&self, db: &Cluster, folded: &str, user: UserId) -> Result<bool> {
        if folded.is_empty() {
            return Ok(true);
        }
        if let Reservation::Taken = self.reserve_for(db, folded, user).await? {
            return Ok(false);
        }
        self.confirm_for(db, folded, user).await
    }

    async fn release_for(&self, db: &Cluster, folded: &str, user: UserId) -> Result<()> {
        if folded.is_empty() {
            return Ok(());
        }
        db.applied(self.release, (folded.as_bytes(), raw(user.as_bytes()))).await.map(drop)
    }
}

/// A user, and the version of the name: of two names the later one has the higher.
pub struct NamedUser {
    pub user: User,
    pub version: i64,
}

/// A serial read: it sees every conditional write that may still be under way.
pub async fn named(db: &Cluster, id: UserId) -> Result<Option<NamedUser>> {
    type Row = (Option<String>, Option<String>, Option<String>, Option<CqlTimestamp>, Option<i64>);
    let row = db.first::<Row>(&db.statements.named_user, (raw(id.as_bytes()),)).await?;
    let Some((Some(username), Some(email), Some(display_name), Some(created_at), Some(version))) = row else {
        return Ok(None);
    };
    let user = User { id, username, email, display_name, created_at: Timestamp(created_at.0) };
    Ok(Some(NamedUser { user, version }))
}

pub async fn users(db: &Cluster, ids: &[UserId]) -> Result<Vec<User>> {
    let found = each(ids.to_owned(), |id| credentials_of(db, id)).await?;
    Ok(found.into_iter().flatten().map(|found| found.user).collect())
}

pub async fn credentials_of(db: &Cluster, id: UserId) -> Result<Option<Credentials>> {
    type Row = (Option<String>, Option<String>, Option<String>, Option<String>, Option<CqlTimestamp>);
    let row = db.first::<Row>(&db.statements.user, (raw(id.as_bytes()),)).await?;
    // An incomplete row is what an update of an earlier version left of a row that was removed at the same time.
    let Some((Some(username), Some(email), Some(display_name), Some(password_hash), Some(created_at))) = row
    else {
        return Ok(None);
    };
    let user = User { id, username, email, display_name, created_at: Timestamp(created_at.0) };
    Ok(Some(Credentials { user, password_hash }))
}

//! Tokens that prove that whoever presents them has read a mail. The store has a hash.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
    limits,
};
use natter_store::{OneTimeToken, Result, Store, TokenHash, TokenPurpose};

/// Makes the only token of this user for this purpose. It begins with the user's id: so it is found.
pub async fn issue(store: &dyn Store, user: UserId, purpose: TokenPurpose, now: Timestamp) -> Result<String> {
    put(store, user, purpose, BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()), now).await
}

async fn put(
    store: &dyn Store,
    user: UserId,
    purpose: TokenPurpose,
    secret: String,
    now: Timestamp,
) -> Result<String> {
    let token = OneTimeToken { hash: hash(&secret, purpose), expires_at: after(limits::ONE_TIME_TOKEN, now) };
    store.put_one_time_token(user, purpose, &token, now).await?;
    Ok(format!("{user}.{secret}"))
}

/// Whose it is, if it is good. It is good no more then.
pub async fn take(
    store: &dyn Store,
    token: &str,
    purpose: TokenPurpose,
    now: Timestamp,
) -> Result<Option<UserId>> {
    let Some((user, secret)) = read(token) else { return Ok(None) };
    let expires_at = store.take_one_time_token(user, purpose, &hash(secret, purpose)).await?;
    Ok(expires_at.filter(|expires_at| now < *expires_at).map(|_| user))
}

/// The session is the user's newest log-in, which for a while proves as much as a password. No one has to keep a token for that:
/// the session is it, and only who is logged in by it can name it.
pub async fn remember_log_in(
    store: &dyn Store,
    user: UserId,
    session: SessionId,
    now: Timestamp,
) -> Result<()> {
    let hash = hash(&session.to_string(), TokenPurpose::Erasure);
    let token = OneTimeToken { hash, expires_at: after(limits::ERASURE_AFTER_LOG_IN, now) };
    store.put_one_time_token(user, TokenPurpose::Erasure, &token, now).await
}

/// Whether the session is the user's newest log-in, of a moment ago. It is asked once.
pub async fn is_recent_log_in(
    store: &dyn Store,
    user: UserId,
    session: SessionId,
    now: Timestamp,
) -> Result<bool> {
    let token = format!("{user}.{session}");
    Ok(take(store, &token, TokenPurpose::Erasure, now).await?.is_some())
}

fn after(life: Duration, now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX)))
}

/// Makes the only token of this user for this address, which is in it: the store has a hash of both.
pub async fn issue_for_address(
    store: &dyn Store,
    user: UserId,
    email: &str,
    now: Timestamp,
) -> Result<String> {
    let address = BASE64_URL_SAFE_NO_PAD.encode(email);
    let secret = format!("{}.{address}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    put(store, user, TokenPurpose::Email, secret, now).await
}

/// Whose it is and for which address, if it is good. It stays good.
pub async fn find_for_address(
    store: &dyn Store,
    token: &str,
    now: Timestamp,
) -> Result<Option<(UserId, String)>> {
    let purpose = TokenPurpose::Email;
    let Some((user, secret)) = read(token) else { return Ok(None) };
    let Some(email) = address(secret) else { return Ok(None) };
    let expires_at = store.find_one_time_token(user, purpose, &hash(secret, purpose)).await?;
    Ok(expires_at.filter(|expires_at| now < *expires_at).map(|_| (user, email)))
}

/// A link for a new password, for who may give it to this user; the token alone where no address is set.
pub async fn password_link(
    store: &dyn Store,
    user: UserId,
    public_url: &str,
    now: Timestamp,
) -> Result<String> {
    Ok(link(public_url, "reset-password", &issue(store, user, TokenPurpose::Password, now).await?))
}

/// What is behind the `#` stays in the browser: no server and no proxy has it in a log.
pub fn link(public_url: &str, page: &str, token: &str) -> String {
    format!("{public_url}/{page}#{token}")
}

fn read(token: &str) -> Option<(UserId, &str)> {
    let (user, secret) = token.split_once('.')?;
    Some((user.parse().ok()?, secret))
}

fn address(secret: &str) -> Option<String> {
    let (_, address) = secret.split_once('.')?;
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(address).ok()?).ok()
}

/// The secret is 256 random bits, so a plain hash keeps it; or it is no secret, but the name of a session.
fn hash(secret: &str, purpose: TokenPurpose) -> TokenHash {
    let mut hasher = blake3::Hasher::new_derive_key("natter 2026 one-time token");
    *hasher.update(purpose.name().as_bytes()).update(b":").update(secret.as_bytes()).finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_names_no_user() {
        let user = UserId::fresh();
        assert_eq!(read(&format!("{user}.s")), Some((user, "s")));
        for other in ["", ".", "s", "x.s", &user.to_string()] {
            assert!(read(other).is_none(), "{other}");
        }
    }
}

use std::net::IpAddr;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::try_join_all;
use natter_schemas::{
    audit::{Act, Method, SessionEnd},
    code::Code,
    id::{SessionId, UserId},
    limits,
    rest::check as valid,
    rpc::{
        EndSession, EraseUser, EraseUserByLogIn, ListSessions, LogIn, LogOut, NewPassword, OpenedSession,
        RefreshSession, RegisterUser, User,
    },
};
use natter_store::{AddSession, AddUser, Credentials, Exchange, NewSession, Renewal, Seed, TokenHash};
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::{Accounts, display_name as normalized, one_time_tokens::is_recent_log_in, passwords::Password};
use crate::{close, control, presence, services::Failure};

impl Accounts {
    pub(super) async fn register(
        &self,
        call: RegisterUser,
        client: Option<IpAddr>,
    ) -> Result<OpenedSession, Failure> {
        let password = Zeroizing::new(call.password);
        self.need_passwords()?;
        self.check("username", &call.username, valid::username)?;
        self.check("email", &call.email, valid::email)?;
        self.check("password", &password, valid::password)?;
        let display_name = call.display_name.unwrap_or_else(|| call.username.clone());
        let display_name = normalized(&display_name, &self.limits)?;

        let hash = self.passwords.hash(password).await?;
        let (username, email) = (call.username, call.email);
        let user = User { id: UserId::fresh(), username, email, display_name, created_at: self.clock.now() };
        match self.profiles.add_user(&user, &hash).await? {
            AddUser::Added => {
                let opened = self.open(Credentials { user, password_hash: hash }, client).await?;
                let (user, session, method) = (opened.user.id, opened.session, Method::Password);
                self.audit.record(Act::Registered { user, session, method }, client).await;
                Ok(opened)
            }
            AddUser::UsernameTaken => Err(Code::UsernameTaken.into()),
            AddUser::EmailTaken => Err(Code::EmailTaken.into()),
        }
    }

    /// One answer for an unknown user and a wrong password, after the same work.
    pub(super) async fn log_in(&self, call: LogIn, client: Option<IpAddr>) -> Result<OpenedSession, Failure> {
        self.need_passwords()?;
        let known = match call.login.len() {
            1..=limits::EMAIL => self.profiles.credentials(&call.login).await?,
            _ => None,
        };
        let (named, method) = (known.as_ref().map(|credentials| credentials.user.id), Method::Password);
        let opened = self.compare_and_open(call.password, known, client).await;
        match &opened {
            Ok(OpenedSession { user, session, .. }) => {
                self.audit.record(Act::LoggedIn { user: user.id, session: *session, method }, client).await;
            }
            Err(failure) if failure.code() == Code::BadCredentials => {
                self.audit.record(Act::LogInFailed { user: named, method }, client).await;
            }
            // Away, or busy: nothing was decided.
            Err(_) => {}
        }
        opened
    }

    async fn compare_and_open(
        &self,
        password: String,
        known: Option<Credentials>,
        client: Option<IpAddr>,
    ) -> Result<OpenedSession, Failure> {
        let hash = known.as_ref().and_then(|credentials| credentials.password().map(str::to_owned));
        match (self.passwords.verify(bounded(password)?, hash).await?, known) {
            (true, Some(credentials)) => self.open(credentials, client).await,
            _ => Err(Code::BadCredentials.into()),
        }
    }

    /// Refused when the password was changed since `checked` was read: the log-in was with the old one.
    pub(super) async fn open(
        &self,
        checked: Credentials,
        client: Option<IpAddr>,
    ) -> Result<OpenedSession, Failure> {
        let (refresh_token, token) = fresh_token();
        let Credentials { user, password_hash } = checked;
        let (session, now) = (SessionId::fresh(), self.clock.now());
        let expires_at = self.expiry(now);
        let opened = NewSession { session, user: user.id, password_hash, token, now, expires_at };
        match self.store.add_session(&opened).await? {
            AddSession::Added => {
                let user = self.profiles.opened(user).await;
                if let Err(error) = self.end_excess(user.id, session, client).await {
                    warn!(user = %user.id, %error, "sessions beyond those of a user not ended; the next log-in does it");
                }
                Ok(OpenedSession { user, session, refresh_token })
            }
            AddSession::PasswordChanged => Err(Code::BadCredentials.into()),
        }
    }

    /// A log-in is not refused because others were not ended: it makes room for itself. Sockets of one that is ended here but
    /// not announced last as long as their access token.
    async fn end_excess(
        &self,
        user: UserId,
        opened: SessionId,
        client: Option<IpAddr>,
    ) -> Result<(), Failure> {
        for session in self.store.end_excess_sessions(user, opened, self.limits.sessions).await? {
            info!(%user, %session, "a session is ended by a log-in: the user has as many as are allowed");
            self.record_end(user, session, SessionEnd::TooMany, client).await;
            self.announce_end(user, session).await?;
        }
        Ok(())
    }

    /// A token that is presented again within its grace is answered with the newest token: two windows of one
    /// browser renew at once, and what was lost on the way is asked for again.
    pub(super) async fn renew(
        &self,
        call: RefreshSession,
        client: Option<IpAddr>,
    ) -> Result<OpenedSession, Failure> {
        let presented = call.refresh_token;
        let (seed, now) = (rand::random::<Seed>(), self.clock.now());
        let exchange = Exchange {
            token: hash(&presented),
            next: hash(&successor(&presented, &seed)),
            seed,
            now,
            expires_at: self.expiry(now),
            grace: self.refresh.grace,
        };
        let (why, user, session) = match self.store.renew_session(&exchange).await? {
            Renewal::Renewed { user, session, seeds } => {
                let refresh_token = seeds.iter().fold(presented, |token, seed| successor(&token, seed));
                let found = self.profiles.users(&[user]).await?.pop();
                let user = found.ok_or(Failure::Broken("a session of a user that does not exist"))?;
                return Ok(OpenedSession { user, session, refresh_token });
            }
            Renewal::Reused { user, session } => (SessionEnd::RefreshTokenReused, user, session),
            Renewal::PasswordChanged { user, session } => (SessionEnd::PasswordChanged, user, session),
            Renewal::Unknown => return Err(Code::Unauthenticated.into()),
        };
        info!(%user, %session, reason = ?why, "a session is ended instead of renewed");
        if why == SessionEnd::RefreshTokenReused {
            self.audit.record(Act::RefreshTokenReused { user, session }, client).await;
        }
        self.record_end(user, session, why, client).await;
        self.announce_end(user, session).await?;
        Err(Code::Unauthenticated.into())
    }

    /// Published even when the session had ended before: a crash may have come between the two.
    pub(super) async fn log_out(&self, call: LogOut, client: Option<IpAddr>) -> Result<(), Failure> {
        let (sessions, why) = match call.session {
            Some(session) => (vec![session], SessionEnd::LoggedOut),
            None => {
                let all = self.store.sessions_of(call.user, self.clock.now()).await?;
                (all, SessionEnd::LoggedOutEverywhere)
            }
        };
        self.end(call.user, sessions, why, client).await
    }

    /// Ids rise with the time at which they were made.
    pub(super) async fn list_sessions(&self, call: ListSessions) -> Result<Vec<SessionId>, Failure> {
        let mut open = self.store.sessions_of(call.user, self.clock.now()).await?;
        open.sort_unstable_by(|a, b| b.cmp(a));
        open.truncate(call.limit);
        Ok(open)
    }

    /// Whose a session is never changes: what is looked up here is still so when it is ended.
    pub(super) async fn end_session(&self, call: EndSession, client: Option<IpAddr>) -> Result<(), Failure> {
        let open = self.store.sessions_of(call.user, self.clock.now()).await?;
        if !open.contains(&call.session) {
            return Err(Code::NotFound.into());
        }
        self.end(call.user, vec![call.session], SessionEnd::EndedByUser, client).await
    }

    pub(super) async fn new_password(
        &self,
        call: NewPassword,
        client: Option<IpAddr>,
    ) -> Result<(), Failure> {
        let (current, next) = (bounded(call.current)?, Zeroizing::new(call.next));
        self.need_passwords()?;
        self.check("next", &next, valid::password)?;
        let known = self.store.credentials_of(call.user).await?;
        let known = known.and_then(|credentials| credentials.password().map(str::to_owned));
        let (user, session) = (call.user, call.session);
        if !self.passwords.verify(current, known).await? {
            self.audit.record(Act::PasswordChangeFailed { user, session }, client).await;
            return Err(Code::BadCredentials.into());
        }
        let hash = self.passwords.hash(next).await?;
        self.store.set_password_hash(user, &hash, Some(session)).await?;
        self.audit.record(Act::PasswordChanged { user, session: Some(session) }, client).await;
        // Links that were sent before the change are good no more.
        self.store.remove_one_time_tokens(user).await?;
        let mut others = self.store.sessions_of(user, self.clock.now()).await?;
        others.retain(|other| *other != session);
        self.end(user, others, SessionEnd::PasswordChanged, client).await
    }

    /// The account is closed when this returns; the job `erasures` does the rest.
    pub(super) async fn erase(&self, call: EraseUser, client: Option<IpAddr>) -> Result<(), Failure> {
        let password = bounded(call.password)?;
        let (user, known) = (call.user, self.store.credentials_of(call.user).await?);
        let known = known.and_then(|credentials| credentials.password().map(str::to_owned));
        if !self.passwords.verify(password, known).await? {
            self.audit.record(Act::ErasureFailed { user }, client).await;
            return Err(Code::BadCredentials.into());
        }
        self.close(user, client).await
    }

    /// Who has no password proves with a new log-in that this is not just an open browser.
    pub(super) async fn erase_by_log_in(
        &self,
        call: EraseUserByLogIn,
        client: Option<IpAddr>,
    ) -> Result<(), Failure> {
        let EraseUserByLogIn { user, session } = call;
        let known = self.store.credentials_of(user).await?;
        let is_without = known.is_some_and(|credentials| credentials.password().is_none());
        if !is_without || !is_recent_log_in(&*self.store, user, session, self.clock.now()).await? {
            self.audit.record(Act::ErasureFailed { user }, client).await;
            return Err(Code::BadCredentials.into());
        }
        self.close(user, client).await
    }

    async fn close(&self, user: UserId, client: Option<IpAddr>) -> Result<(), Failure> {
        close::account(&*self.store, &self.publisher, user, self.clock.now()).await?;
        self.audit.record(Act::UserErased { user, operator: None }, client).await;
        info!(%user, "a user asked to be erased; the account is closed");
        Ok(())
    }

    /// First the store, then the sockets: a client whose socket closes cannot come back with the old token.
    pub(super) async fn end(
        &self,
        user: UserId,
        sessions: Vec<SessionId>,
        why: SessionEnd,
        client: Option<IpAddr>,
    ) -> Result<(), Failure> {
        try_join_all(sessions.into_iter().map(|session| async move {
            self.store.end_session(session).await?;
            self.record_end(user, session, why, client).await;
            self.announce_end(user, session).await
        }))
        .await?;
        Ok(())
    }

    async fn record_end(&self, user: UserId, session: SessionId, reason: SessionEnd, client: Option<IpAddr>) {
        self.audit.record(Act::SessionEnded { user, session, reason }, client).await;
    }

    /// To every edge, and to those who see the user online by it.
    async fn announce_end(&self, user: UserId, session: SessionId) -> Result<(), Failure> {
        control::publish_session_ended(&self.publisher, session).await?;
        presence::end_session(&*self.shared, &self.bus, user, session).await;
        Ok(())
    }
}

/// A password to compare may be of any length that does not make hashing dearer; a longer one cannot be right.
pub(super) fn bounded(password: String) -> Result<Password, Failure> {
    let password = Zeroizing::new(password);
    if password.len() > limits::LOGIN_PASSWORD { Err(Code::BadCredentials.into()) } else { Ok(password) }
}

/// 32 random bytes for the client, their hash for the store.
fn fresh_token() -> (String, TokenHash) {
    let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hash = hash(&token);
    (token, hash)
}

/// The token that follows this one. From what is stored it cannot be derived: the seed is there, of the token only its
/// hash, which is made in another way than this key.
fn successor(token: &str, seed: &Seed) -> String {
    let key = blake3::derive_key("natter 2026 refresh token to its successor", token.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(blake3::keyed_hash(&key, seed).as_bytes())
}

/// The token is 256 random bits, so a plain hash keeps it.
fn hash(token: &str) -> TokenHash {
    *blake3::hash(token.as_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_needs_both_the_token_and_its_seed() {
        let (token, seed) = ("a token", [1; 32]);
        let next = successor(token, &seed);
        assert_eq!(next, successor(token, &seed));
        assert_eq!(next.len(), fresh_token().0.len());
        assert_ne!(next, successor("another", &seed));
        assert_ne!(next, successor(token, &[2; 32]));
        // What the store has is not enough.
        let stored = BASE64_URL_SAFE_NO_PAD.encode(blake3::keyed_hash(&hash(token), &seed).as_bytes());
        assert_ne!(next, stored);
    }
}

//! One runner at a time: a row with a TTL. Its holder renews it; when the holder has died, it expires.

use std::{fmt::Write as _, time::Duration};

use scylla::client::session::Session;
use tokio::time::{Instant, sleep};

use super::{failed, records::applied};
use crate::{Result, StoreError};

/// Seconds. A runner that neither works nor renews for so long is taken for dead.
const TTL: u64 = 30;
const RENEW: Duration = Duration::from_secs(TTL / 3);
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// For the holder before this one to finish: tables are made in seconds.
const WAIT_MAX: Duration = Duration::from_mins(10);

pub struct Lock<'a> {
    session: &'a Session,
    holder: String,
}

impl<'a> Lock<'a> {
    /// Waits while another runner holds it.
    pub async fn take(session: &'a Session, report: &impl Fn(&str)) -> Result<Self> {
        let lock = Self { session, holder: holder() };
        let deadline = Instant::now() + WAIT_MAX;
        let mut reported = None;
        loop {
            let Some(other) = lock.try_take().await? else { return Ok(lock) };
            if Instant::now() >= deadline {
                let minutes = WAIT_MAX.as_secs() / 60;
                let why =
                    format!("{other} has been migrating the keyspace for {minutes} minutes; try again later");
                return Err(StoreError::Unavailable(why));
            }
            if reported.as_ref() != Some(&other) {
                report(&format!("{other} is migrating the keyspace: waiting until it has finished or died"));
                reported = Some(other);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// The other who holds it.
    async fn try_take(&self) -> Result<Option<String>> {
        let insert = format!(
            "INSERT INTO schema_lock (name, holder) VALUES ('migrate', ?) IF NOT EXISTS USING TTL {TTL}"
        );
        if applied(self.session, &insert, (&self.holder,)).await? {
            return Ok(None);
        }
        let select = "SELECT holder FROM schema_lock WHERE name = 'migrate'";
        let mut select = scylla::statement::Statement::new(select);
        select.set_consistency(scylla::statement::Consistency::Serial);
        let rows = self.session.query_unpaged(select, ()).await.map_err(cannot_read)?;
        let rows = rows.into_rows_result().map_err(cannot_read)?;
        let found = rows.maybe_first_row::<(Option<String>,)>().map_err(cannot_read)?;
        Ok(match found {
            // The response to the insert was lost: this runner holds it.
            Some((Some(holder),)) if holder == self.holder => None,
            Some((Some(holder),)) => Some(holder),
            // It went between the two questions.
            Some((None,)) | None => Some("another runner".to_owned()),
        })
    }

    /// Renews it for as long as this is polled; ends when it is lost.
    pub async fn renew_until_lost(&self) -> StoreError {
        let update =
            format!("UPDATE schema_lock USING TTL {TTL} SET holder = ? WHERE name = 'migrate' IF holder = ?");
        let mut renewed = Instant::now();
        loop {
            sleep(RENEW).await;
            let asked = Instant::now();
            match applied(self.session, &update, (&self.holder, &self.holder)).await {
                Ok(true) => renewed = asked,
                Ok(false) => return StoreError::Unavailable("another runner took over".to_owned()),
                Err(error) if renewed.elapsed() >= Duration::from_secs(TTL) => return error,
                Err(_) => {}
            }
        }
    }

    /// What is not released goes by itself.
    pub async fn release(self) {
        let delete = "DELETE FROM schema_lock WHERE name = 'migrate' IF holder = ?";
        if let Err(error) = applied(self.session, delete, (&self.holder,)).await {
            tracing::warn!(%error, "the migrations' lock stays until it expires, {TTL} s");
        }
    }
}

/// Unique, and shows an operator where to look.
fn holder() -> String {
    let mut holder = match nix::unistd::gethostname() {
        Ok(name) => name.to_string_lossy().into_owned(),
        Err(_) => "an unnamed host".to_owned(),
    };
    let _ = write!(holder, ", process {} ({})", std::process::id(), uuid::Uuid::now_v7().simple());
    holder
}

fn cannot_read(error: impl std::fmt::Display) -> StoreError {
    failed("schema_lock cannot be read", error)
}

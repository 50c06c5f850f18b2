//! Requests to the cluster: bounded in number, repeated while that can help, given up in time.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use natter_schemas::{backoff::Backoff, limits};
use parking_lot::RwLock;
use scylla::{
    client::session::Session,
    deserialize::row::DeserializeRow,
    errors::ExecutionError,
    response::{PagingState, PagingStateResponse, query_result::QueryResult},
    serialize::row::SerializeRow,
    statement::{batch::Batch, prepared::PreparedStatement},
    value::{CqlValue, Row},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep, timeout_at},
};

use super::{failure::is_transient, statements::Statements};
use crate::{Result, StoreError};

/// For a call with all its attempts: three requests of 2 s that time out, or about ten that are refused.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(6);
/// Between attempts, on a [`Backoff`].
pub const RETRY_MIN: Duration = Duration::from_millis(50);
pub const RETRY_MAX: Duration = Duration::from_secs(1);

/// A statement's values, whatever they are.
pub type Values = Box<dyn SerializeRow + Send + Sync>;

/// Rows that own what they hold.
pub trait Owned: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send {}
impl<R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send> Owned for R {}

pub struct Cluster {
    pub statements: Box<Statements>,
    /// `None` once closed.
    session: RwLock<Option<Arc<Session>>>,
    permits: Semaphore,
    persist_permits: Semaphore,
}

impl Cluster {
    pub fn new(session: Session, statements: Box<Statements>) -> Self {
        Self {
            statements,
            session: RwLock::new(Some(Arc::new(session))),
            permits: Semaphore::new(limits::CQL_IN_FLIGHT as usize),
            persist_permits: Semaphore::new(limits::CQL_PERSIST_IN_FLIGHT),
        }
    }

    /// Waits for what is under way.
    pub async fn close(&self) {
        let all = self.permits.acquire_many(limits::CQL_IN_FLIGHT).await;
        self.permits.close();
        drop(all);
        *self.session.write() = None;
    }

    pub async fn write(&self, statement: &PreparedStatement, values: impl SerializeRow + Sync) -> Result<()> {
        self.request(Request::Statement(statement, &values)).await.map(drop)
    }

    /// Statements of one partition, applied together.
    pub async fn batch(&self, batch: &Batch, values: &[Values]) -> Result<()> {
        self.request(Request::Batch(batch, values)).await.map(drop)
    }

    /// A persister's permit for one write, held until it is done.
    pub async fn persist_permit(&self) -> Result<SemaphorePermit<'_>> {
        acquire(&self.persist_permits, Instant::now() + CALL_TIMEOUT).await
    }

    /// Whether a conditional write found what it wanted.
    pub async fn applied(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
    ) -> Result<bool> {
        let (result, _) = self.request(Request::Statement(statement, &values)).await?;
        // Apache Cassandra returns the row only when the condition fails, ScyllaDB always: the first column is common.
        let row = rows::<Row>(result)?.pop();
        match row.as_ref().and_then(|row| row.columns.first()) {
            Some(Some(CqlValue::Boolean(applied))) => Ok(*applied),
            _ => {
                Err(StoreError::Corrupt("a conditional write did not say whether it was applied".to_owned()))
            }
        }
    }

    pub async fn first<R: Owned>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
    ) -> Result<Option<R>> {
        let (result, _) = self.request(Request::Statement(statement, &values)).await?;
        Ok(rows(result)?.into_iter().next())
    }

    /// Every row. For results whose size has a bound of its own.
    pub async fn all<R: Owned>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
    ) -> Result<Vec<R>> {
        self.scan(statement, values, usize::MAX, |row| Ok(Some(row))).await
    }

    /// The first `most` rows of which `keep` makes something, in the statement's order, fetched in pages.
    pub async fn scan<R: Owned, T>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
        most: usize,
        keep: impl Fn(R) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let mut statement = statement.clone();
        let rows_at_once = i32::try_from(most.max(1)).unwrap_or(i32::MAX).min(statement.get_page_size());
        statement.set_page_size(rows_at_once);
        let (mut found, mut from) = (Vec::new(), PagingState::start());
        while found.len() < most {
            let (result, next) = self.request(Request::Page(&statement, &values, from)).await?;
            for row in rows(result)? {
                found.extend(keep(row)?);
            }
            match next.into_paging_control_flow() {
                ControlFlow::Break(()) => break,
                ControlFlow::Continue(state) => from = state,
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// One attempt without retries, for health checks.
    pub async fn request_once(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
    ) -> Result<()> {
        let session = self.session()?;
        Request::Statement(statement, &values).send(&session).await?;
        Ok(())
    }

    /// Boxed: unboxed, the nested futures of the driver exceed the compiler's recursion limit.
    fn request<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            let deadline = Instant::now() + CALL_TIMEOUT;
            let _permit = acquire(&self.permits, deadline).await?;
            let session = self.session()?;
            let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
            loop {
                let error = match timeout_at(deadline, request.send(&session)).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) if is_transient(&error) => StoreError::from(error),
                    Ok(Err(error)) => return Err(error.into()),
                    Err(_) => return Err(timed_out()),
                };
                let wait = backoff.next_delay();
                if Instant::now() + wait >= deadline {
                    return Err(error);
                }
                sleep(wait).await;
            }
        })
    }

    fn session(&self) -> Result<Arc<Session>> {
        self.session.read().clone().ok_or_else(closed)
    }
}

enum Request<'a> {
    Statement(&'a PreparedStatement, &'a (dyn SerializeRow + Sync)),
    Page(&'a PreparedStatement, &'a (dyn SerializeRow + Sync), PagingState),
    Batch(&'a Batch, &'a [Values]),
}

type Answer = (QueryResult, PagingStateResponse);

impl Request<'_> {
    async fn send(&self, session: &Session) -> std::result::Result<Answer, ExecutionError> {
        let whole = |result| (result, PagingStateResponse::NoMorePages);
        match self {
            Self::Statement(statement, values) => session.execute_unpaged(statement, values).await.map(whole),
            Self::Page(statement, values, from) => {
                session.execute_single_page(statement, values, from.clone()).await
            }
            Self::Batch(batch, values) => session.batch(batch, *values).await.map(whole),
        }
    }
}

async fn acquire(semaphore: &Semaphore, deadline: Instant) -> Result<SemaphorePermit<'_>> {
    match timeout_at(deadline, semaphore.acquire()).await {
        Ok(permit) => permit.map_err(|_| closed()),
        Err(_) => Err(timed_out()),
    }
}

fn rows<R: Owned>(result: QueryResult) -> Result<Vec<R>> {
    let unreadable = |error: &dyn std::error::Error| StoreError::Corrupt(error.to_string());
    let rows = result.into_rows_result().map_err(|e| unreadable(&e))?;
    let typed = rows.rows::<R>().map_err(|e| unreadable(&e))?;
    typed.collect::<std::result::Result<_, _>>().map_err(|e| unreadable(&e))
}

fn timed_out() -> StoreError {
    StoreError::Unavailable(format!("the cluster did not answer within {} s", CALL_TIMEOUT.as_secs()))
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

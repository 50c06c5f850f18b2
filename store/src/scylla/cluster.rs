//! Requests to the cluster: bounded in number, repeated while that can help, given up in time.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::future::BoxFuture;
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

use super::{failure::passes, statements::Statements};
use crate::{Result, StoreError};

/// From a call's request to the cluster to its answer or `Unavailable`: three requests of 2 s that get no
/// answer, or about ten that are refused.
pub const PATIENCE: Duration = Duration::from_secs(6);
/// Requests under way at once, of everybody: at 20 ms each 25,000/s. More would only wait in the nodes.
const IN_FLIGHT: u32 = 512;
/// Of these the persisters', so that people who log in do not queue behind a log that is being caught up on.
const PERSISTING: usize = 128;

/// A statement's values, whatever they are.
pub type Values = Box<dyn SerializeRow + Send + Sync>;

/// Rows that own what they hold.
pub trait Owned: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send {}
impl<R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Send> Owned for R {}

pub struct Cluster {
    pub statements: Box<Statements>,
    /// `None` once closed.
    session: RwLock<Option<Arc<Session>>>,
    in_flight: Semaphore,
    persisting: Semaphore,
}

impl Cluster {
    pub fn new(session: Session, statements: Box<Statements>) -> Self {
        Self {
            statements,
            session: RwLock::new(Some(Arc::new(session))),
            in_flight: Semaphore::new(IN_FLIGHT as usize),
            persisting: Semaphore::new(PERSISTING),
        }
    }

    /// Waits for what is under way.
    pub async fn close(&self) {
        let all = self.in_flight.acquire_many(IN_FLIGHT).await;
        self.in_flight.close();
        drop(all);
        *self.session.write() = None;
    }

    pub async fn write(&self, statement: &PreparedStatement, values: impl SerializeRow + Sync) -> Result<()> {
        self.ask(Request::Statement(statement, &values)).await.map(drop)
    }

    /// Statements of one partition, applied together.
    pub async fn batch(&self, batch: &Batch, values: &[Values]) -> Result<()> {
        self.ask(Request::Batch(batch, values)).await.map(drop)
    }

    /// A persister's turn to write something, kept until it is written.
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        place(&self.persisting, Instant::now() + PATIENCE).await
    }

    /// Whether a conditional write found what it wanted.
    pub async fn applied(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
    ) -> Result<bool> {
        let (result, _) = self.ask(Request::Statement(statement, &values)).await?;
        // Apache Cassandra answers the row only when it refuses, ScyllaDB always: the first column is common.
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
        let (result, _) = self.ask(Request::Statement(statement, &values)).await?;
        Ok(rows(result)?.into_iter().next())
    }

    /// Every row of the answer. For answers whose size has a bound of its own.
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
            let (result, next) = self.ask(Request::Page(&statement, &values, from)).await?;
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

    /// One attempt, for those who want to know about now.
    pub async fn answers(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
    ) -> Result<()> {
        let session = self.session()?;
        Request::Statement(statement, &values).send(&session).await?;
        Ok(())
    }

    /// Boxed: the compiler loses its way through futures of futures of a driver's future.
    fn ask<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            let deadline = Instant::now() + PATIENCE;
            let _place = place(&self.in_flight, deadline).await?;
            let session = self.session()?;
            let mut pauses = pauses();
            loop {
                let error = match timeout_at(deadline, request.send(&session)).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) if passes(&error) => StoreError::from(error),
                    Ok(Err(error)) => return Err(error.into()),
                    Err(_) => return Err(silent()),
                };
                let pause = pauses.next().unwrap_or(PATIENCE);
                if Instant::now() + pause >= deadline {
                    return Err(error);
                }
                sleep(pause).await;
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

async fn place(places: &Semaphore, deadline: Instant) -> Result<SemaphorePermit<'_>> {
    match timeout_at(deadline, places.acquire()).await {
        Ok(place) => place.map_err(|_| closed()),
        Err(_) => Err(silent()),
    }
}

/// 50 ms, doubling to a second, each with up to as much again: callers that failed together part.
fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .with_jitter()
        .without_max_times()
        .build()
}

fn rows<R: Owned>(result: QueryResult) -> Result<Vec<R>> {
    let unreadable = |error: &dyn std::error::Error| StoreError::Corrupt(error.to_string());
    let rows = result.into_rows_result().map_err(|e| unreadable(&e))?;
    let typed = rows.rows::<R>().map_err(|e| unreadable(&e))?;
    typed.collect::<std::result::Result<_, _>>().map_err(|e| unreadable(&e))
}

fn silent() -> StoreError {
    StoreError::Unavailable(format!("the cluster did not answer within {} s", PATIENCE.as_secs()))
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

//! Calls that only read: a few connections, borrowed by blocking threads. When all are in use, callers wait.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::failure::closed;
use crate::{Result, StoreError};

type IdleConnections = Arc<Mutex<Vec<Connection>>>;

pub struct Readers {
    idle: IdleConnections,
    /// As many as connections: holding one guarantees an idle connection.
    permits: Arc<Semaphore>,
}

impl Readers {
    pub fn new(connections: Vec<Connection>) -> Self {
        let permits = Arc::new(Semaphore::new(connections.len()));
        Self { idle: Arc::new(Mutex::new(connections)), permits }
    }

    /// Runs `work` on one snapshot: all its statements see the same state.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| closed())?;
        let idle = Arc::clone(&self.idle);
        let reading = spawn_blocking(move || {
            let _permit = permit;
            let borrowed = BorrowedConnection::from(idle)?;
            let snapshot = borrowed.connection()?.unchecked_transaction()?;
            work(&snapshot)
        });
        reading.await.map_err(|e| StoreError::Unavailable(format!("a read was cut short: {e}")))?
    }

    pub fn close(&self) {
        self.permits.close();
        self.idle.lock().clear();
    }
}

/// A connection that goes back when done, also when the work panics.
struct BorrowedConnection {
    connection: Option<Connection>,
    idle: IdleConnections,
}

impl BorrowedConnection {
    fn from(idle: IdleConnections) -> Result<Self> {
        let connection = Some(idle.lock().pop().ok_or_else(closed)?);
        Ok(Self { connection, idle })
    }

    fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(closed)
    }
}

impl Drop for BorrowedConnection {
    fn drop(&mut self) {
        self.idle.lock().extend(self.connection.take());
    }
}

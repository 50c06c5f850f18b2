//! What SQLite reports, sorted by what a caller can do about it.

use natter_schemas::codec::CodecError;
use rusqlite::ErrorCode;

use crate::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        match &error {
            E::SqliteFailure(failure, _) if is_transient(failure.code) => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Corrupt(error.to_string()),
        }
    }
}

impl From<CodecError> for StoreError {
    fn from(error: CodecError) -> Self {
        Self::Corrupt(error.to_string())
    }
}

/// A failure of the machine, not of the data: it ends when space is freed or a lock is released.
fn is_transient(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted
            | ErrorCode::SchemaChanged
    )
}

pub fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

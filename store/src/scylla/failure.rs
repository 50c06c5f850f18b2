//! What the driver and the cluster report, sorted by what a caller can do about it.

use scylla::errors::{BadQuery, DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::StoreError;

impl From<ExecutionError> for StoreError {
    fn from(error: ExecutionError) -> Self {
        if is_transient(&error) {
            Self::Unavailable(error.to_string())
        } else {
            Self::Corrupt(error.to_string())
        }
    }
}

impl From<PrepareError> for StoreError {
    fn from(error: PrepareError) -> Self {
        match &error {
            PrepareError::AllAttemptsFailed { first_attempt } if !attempt_is_transient(first_attempt) => {
                Self::Corrupt(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// A failure of the cluster, not of the data: it ends when nodes come back or load goes down. Every statement
/// here is idempotent, so a lost response is transient, too.
pub fn is_transient(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::BadQuery(BadQuery::SerializationError(_)) | ExecutionError::PrepareError(_) => false,
        ExecutionError::LastAttemptError(error) => attempt_is_transient(error),
        _ => true,
    }
}

fn attempt_is_transient(error: &RequestAttemptError) -> bool {
    match error {
        // "Unconfigured table" and "undefined column" are among the invalid ones.
        RequestAttemptError::DbError(error, _) => !matches!(
            error,
            DbError::SyntaxError
                | DbError::Invalid
                | DbError::AlreadyExists { .. }
                | DbError::FunctionFailure { .. }
                | DbError::ConfigError
                | DbError::ProtocolError
        ),
        RequestAttemptError::SerializationError(_)
        | RequestAttemptError::CqlRequestSerialization(_)
        | RequestAttemptError::CqlResultParseError(_) => false,
        _ => true,
    }
}

//! What the driver and the cluster report, sorted by what a caller can do about it.

use scylla::errors::{BadQuery, DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::StoreError;

impl From<ExecutionError> for StoreError {
    fn from(error: ExecutionError) -> Self {
        if passes(&error) { Self::Unavailable(error.to_string()) } else { Self::Corrupt(error.to_string()) }
    }
}

impl From<PrepareError> for StoreError {
    fn from(error: PrepareError) -> Self {
        match &error {
            PrepareError::AllAttemptsFailed { first_attempt } if !may_pass(first_attempt) => {
                Self::Corrupt(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// Trouble of the cluster, not of the data: it ends when nodes come back or load goes down. Every statement
/// here is idempotent, so an answer that was lost counts too.
pub fn passes(error: &ExecutionError) -> bool {
    match error {
        ExecutionError::BadQuery(BadQuery::SerializationError(_)) | ExecutionError::PrepareError(_) => false,
        ExecutionError::LastAttemptError(error) => may_pass(error),
        _ => true,
    }
}

fn may_pass(error: &RequestAttemptError) -> bool {
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

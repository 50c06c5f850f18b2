use natter_nats::{log::LogError, publisher::PublishError};
use natter_schemas::{code::Code, rpc::RpcError};
use natter_seal::NoRandomness;
use natter_store::StoreError;
use tracing::{debug, error, warn};

use super::{accounts::HashError, keys::roots::RootError, profiles::ProfileError};
use crate::control::NotifyError;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Rejected(#[from] RpcError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the log cannot be read: {0}")]
    Log(#[from] LogError),
    #[error("not published: {0}")]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Root(#[from] RootError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("{0}")]
    Broken(&'static str),
}

impl From<NotifyError> for Failure {
    fn from(error: NotifyError) -> Self {
        match error {
            NotifyError::Store(error) => Self::Store(error),
            NotifyError::Publish(error) => Self::Publish(error),
        }
    }
}

impl From<ProfileError> for Failure {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Store(error) => Self::Store(error),
            ProfileError::Key(refused) => Self::Rejected(refused),
            ProfileError::Random(error) => Self::Random(error),
        }
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::Rejected(code.into())
    }
}

impl Failure {
    pub fn code(&self) -> Code {
        match self {
            Self::Rejected(refused) => refused.code,
            Self::Store(StoreError::Unavailable(_))
            | Self::Log(_)
            | Self::Root(_)
            | Self::Publish(
                PublishError::TimedOut
                | PublishError::Full
                | PublishError::NotWritten
                | PublishError::RolledBack,
            ) => Code::Unavailable,
            Self::Publish(PublishError::Moved) => Code::Conflict,
            Self::Hash(HashError::Busy) => Code::RateLimited,
            Self::Store(StoreError::Corrupt(_))
            | Self::Publish(PublishError::Rejected(_))
            | Self::Hash(HashError::Argon(_) | HashError::Stopped | HashError::NoThreads(_))
            | Self::Random(_)
            | Self::Broken(_) => Code::Internal,
        }
    }

    /// The edge gets a code; the cause stays here, in the log.
    pub fn answer(self, call: &'static str) -> RpcError {
        match (&self, self.code()) {
            (Self::Rejected(refused), _) => return refused.clone(),
            // Said once by the root itself.
            (Self::Root(_), _) => debug!(call, error = %self, "request rejected: no root of keys"),
            (_, Code::Internal) => error!(call, error = %self, "request failed"),
            (_, _) => warn!(call, error = %self, "request rejected: something it needs is away"),
        }
        self.code().into()
    }
}

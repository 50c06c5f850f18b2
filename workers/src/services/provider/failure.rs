use std::fmt::Display;

use natter_schemas::code::Code;

/// Why a provider does not log someone in. The texts are for the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderFailure {
    #[error("the provider is away: {0}")]
    Away(String),
    #[error("no attempt: {0}")]
    Expired(&'static str),
    #[error("the provider refused: {0}")]
    Denied(String),
    #[error("not proved: {0}")]
    Invalid(String),
}

impl ProviderFailure {
    pub fn away(error: impl Display) -> Self {
        Self::Away(error.to_string())
    }

    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }

    pub const fn code(&self) -> Code {
        match self {
            Self::Away(_) => Code::Unavailable,
            Self::Expired(_) => Code::LoginExpired,
            Self::Denied(_) => Code::LoginDenied,
            Self::Invalid(_) => Code::LoginInvalid,
        }
    }
}

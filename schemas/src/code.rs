//! The one table of failures: what a client is answered over HTTP and on a socket, and what it should do.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a well-behaved client does about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Correct the request; the same one will fail again.
    Fix,
    /// Log in again, or renew the token.
    Authenticate,
    /// Retry the same request later, with the same ids.
    Retry,
    /// Reconnect and resume from the last seq seen.
    Resume,
    /// Do not reconnect automatically.
    Stop,
}

impl Advice {
    /// As the documents have it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Fix => "correct the request; repeating it unchanged fails again",
            Self::Authenticate => "log in again, or renew the token",
            Self::Retry => "retry the same request later, with the same ids",
            Self::Resume => "reconnect and resume",
            Self::Stop => "do not reconnect automatically",
        }
    }
}

/// One line of the table. `status` is HTTP's (RFC 9110), `close` the WebSocket close code (RFC 6455 §7.4).
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// As on the wire: `snake_case`, never changed.
    pub name: &'static str,
    /// One sentence for people.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The code a socket is closed with; `None`: it stays open.
    pub close: Option<u16>,
    /// What the client should do.
    pub advice: Advice,
}

macro_rules! codes {
    ($($variant:ident $name:literal $status:literal $close:expr, $advice:ident, $title:literal;)*) => {
        /// A failure, whatever way it is reported.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $title] $variant),* }

        impl Code {
            /// In the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// What the table has for it.
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$variant => Row {
                        name: $name, title: $title, status: $status, close: $close, advice: Advice::$advice,
                    },)*
                }
            }
        }
    };
}

codes! {
    Malformed            "malformed"              400 None,       Fix,          "The request cannot be read";
    Unauthenticated      "unauthenticated"        401 Some(4001), Authenticate, "No valid token";
    TokenExpired         "token_expired"          401 Some(4001), Authenticate, "The token has expired";
    BadCredentials       "bad_credentials"        401 None,       Fix,          "Unknown login or wrong password";
    LoginExpired         "login_expired"          400 None,       Fix,          "The log-in was not begun in this browser, or took too long";
    LoginInvalid         "login_invalid"          403 None,       Fix,          "What the log-in provider answered proves nothing";
    LoginDenied          "login_denied"           403 None,       Fix,          "The log-in provider refused";
    PasswordLoginOff     "password_login_off"     403 None,       Fix,          "This server has no log-in by password";
    MailOff              "mail_off"               403 None,       Fix,          "This server sends no mail";
    LinkInvalid          "link_invalid"           400 None,       Fix,          "The link was used, has expired, or a newer one took its place";
    Forbidden            "forbidden"              403 None,       Fix,          "Not allowed";
    NotFound             "not_found"              404 None,       Fix,          "Not found";
    MethodNotAllowed     "method_not_allowed"     405 None,       Fix,          "Method not allowed";
    UsernameTaken        "username_taken"         409 None,       Fix,          "The username is taken";
    EmailTaken           "email_taken"            409 None,       Fix,          "The email address is taken";
    IdentityTaken        "identity_taken"         409 None,       Fix,          "Another account has this identity of the log-in provider";
    InProgress           "idempotency_in_progress" 409 None,      Retry,        "A request with this key is still running";
    Conflict             "conflict"               409 None,       Fix,          "Conflicts with the current state";
    TooLarge             "too_large"              413 None,       Fix,          "Too large";
    UnsupportedMediaType "unsupported_media_type" 415 None,       Fix,          "The body must be application/json";
    Invalid              "invalid"                422 None,       Fix,          "A field is not valid";
    IdempotencyMismatch  "idempotency_mismatch"   422 None,       Fix,          "The key or clientId was used with other content";
    RateLimited          "rate_limited"           429 None,       Retry,        "Too many requests";
    Internal             "internal"               500 None,       Retry,        "Internal error";
    Unavailable          "unavailable"            503 None,       Retry,        "Temporarily unavailable";
    // Failures that only a socket meets; over HTTP they would read as given.
    FrameTooBig          "too_large"              413 Some(1009), Fix,          "The frame is too large";
    Restarting           "restarting"             503 Some(1012), Resume,       "This node is restarting";
    SlowReader           "slow_reader"            503 Some(4008), Resume,       "The reader is too slow";
    PingTimeout          "ping_timeout"           503 Some(4009), Resume,       "No pong in time";
    TooManyFrames        "too_many_frames"        429 Some(4029), Resume,       "Too many frames";
    SessionRevoked       "session_revoked"        401 Some(4500), Stop,         "The session has ended";
    ProtocolError        "protocol_error"         400 Some(4501), Stop,         "Not the natter.v1 protocol";
    TooManySockets       "too_many_sockets"       429 Some(4503), Stop,         "Too many sockets for this user";
}

impl Code {
    /// As on the wire: `snake_case`, never changed.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether the deployment is to blame, and not whoever asked.
    pub const fn is_fault(self) -> bool {
        self.row().status >= 500
    }

    fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::by_name(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown code {name}")))
    }
}

impl JsonSchema for Code {
    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    /// Every name once: what it is called over HTTP and on a socket.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut names: Vec<&str> = Vec::new();
        for code in Self::ALL {
            if !names.contains(&code.name()) {
                names.push(code.name());
            }
        }
        json_schema!({
            "type": "string", "enum": names,
            "description": "What went wrong. A client decides by it, not by `status` or the texts.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_show_whether_to_reconnect() {
        for code in Code::ALL {
            let row = code.row();
            match row.close {
                Some(4000..=4499 | 1012) => assert_ne!(row.advice, Advice::Stop, "{code}"),
                Some(4500..=4999) => assert_eq!(row.advice, Advice::Stop, "{code}"),
                Some(1009) | None => {}
                Some(other) => panic!("{code}: close code {other} is outside the contract"),
            }
        }
    }

    #[test]
    fn a_code_survives_the_bus() {
        for code in Code::ALL {
            let bytes = postcard::to_allocvec(code).expect("encodes");
            let back: Code = postcard::from_bytes(&bytes).expect("decodes");
            assert_eq!(back.name(), code.name());
        }
    }
}

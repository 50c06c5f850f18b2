//! A WebSocket message as the socket's task sees it.

use natter_schemas::code::Code;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes, error::ProtocolError};

use crate::{api_error::ApiError, outbound::send_queue::Ended};

pub enum Incoming {
    Text(Utf8Bytes),
    /// A frame of the WebSocket protocol itself, or a part of a message.
    Control,
    /// Binary frames are not part of `natter.v1`: answered with this, then the socket ends.
    Binary(ApiError),
    End(Ended),
}

impl From<Option<Result<Message, Error>>> for Incoming {
    fn from(message: Option<Result<Message, Error>>) -> Self {
        let Some(message) = message else { return Self::Control };
        match message {
            Ok(Message::Text(text)) => Self::Text(text),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Self::Control,
            Ok(Message::Binary(_)) => {
                Self::Binary(ApiError::new(Code::Malformed, "frames are text, not binary"))
            }
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Self::End(None),
            Err(Error::Utf8(_) | Error::Protocol(_)) => Self::End(Some(Code::ProtocolError)),
            Err(Error::Capacity(_)) => Self::End(Some(Code::FrameTooBig)),
            Ok(Message::Close(_)) | Err(_) => Self::End(None),
        }
    }
}

//! The stream CONTROL read in order from a position: what services publish to every edge without being asked.

use async_nats::jetstream::{
    Context,
    consumer::{DeliverPolicy, pull::Ordered, pull::OrderedConfig},
};
use futures_util::StreamExt;
use natter_schemas::rpc::Control;

use crate::{
    message::Reader,
    subject::{self, ControlTo},
    topology::CONTROL,
};

/// The stream cannot be read now.
#[derive(Debug, thiserror::Error)]
#[error("CONTROL cannot be followed: {0}")]
pub struct ControlError(String);

/// One message.
#[derive(Debug)]
pub struct Notice {
    /// Its place in the stream.
    pub seq: u64,
    /// Whom it concerns, and what it says.
    pub content: Result<(ControlTo, Control), UnreadableNotice>,
}

/// A message of another version, or of something else.
#[derive(Debug)]
pub struct UnreadableNotice {
    /// Where it was published.
    pub subject: String,
    /// Why it is none.
    pub reason: String,
}

/// Seq of the newest message.
pub async fn head(js: &Context) -> Result<u64, ControlError> {
    let stream = js.get_stream(CONTROL).await.map_err(failed)?;
    Ok(stream.cached_info().state.last_sequence)
}

/// One ordered consumer.
pub struct ControlFeed {
    messages: Ordered,
    reader: Reader,
    /// Messages behind the position that was asked for are gone: whoever relies on them begins again.
    pub missed: bool,
    /// After which seq it begins.
    pub begins_after: u64,
}

impl ControlFeed {
    /// Everything behind the position; 0: from the beginning.
    pub async fn after(js: &Context, position: u64) -> Result<Self, ControlError> {
        let stream = js.get_stream(CONTROL).await.map_err(failed)?;
        let state = &stream.cached_info().state;
        // Away for longer than the stream remembers, or the stream is another one.
        let another = state.last_sequence < position;
        let missed = another || (position > 0 && state.first_sequence > position + 1);
        let begins_after = if another { 0 } else { position };
        let config = OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: begins_after + 1 },
            ..Default::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(failed)?;
        let messages = consumer.messages().await.map_err(failed)?;
        Ok(Self { messages, reader: Reader::new("control"), missed, begins_after })
    }

    /// `None`: it has ended.
    pub async fn next(&mut self) -> Option<Result<Notice, ControlError>> {
        let message = match self.messages.next().await? {
            Ok(message) => message,
            Err(error) => return Some(Err(failed(error))),
        };
        let seq = match message.info() {
            Ok(info) => info.stream_sequence,
            Err(error) => return Some(Err(failed(error))),
        };
        let unreadable = |reason: String| UnreadableNotice { subject: message.subject.to_string(), reason };
        let content = match (subject::parse_control(&message.subject), self.reader.read(&message)) {
            (Some(to), Ok(control)) => Ok((to, control)),
            (None, _) => Err(unreadable("its subject names no user and no session".to_owned())),
            (_, Err(error)) => Err(unreadable(error.to_string())),
        };
        Some(Ok(Notice { seq, content }))
    }
}

fn failed(error: impl std::fmt::Display) -> ControlError {
    ControlError(error.to_string())
}

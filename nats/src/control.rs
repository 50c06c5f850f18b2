//! The stream CONTROL read in order from a position: what services publish to every edge without being asked.

use std::time::Duration;

use async_nats::{
    Client,
    jetstream::{
        Context,
        consumer::{
            AckPolicy, DeliverPolicy,
            pull::{Config, Stream},
        },
    },
};
use futures_util::StreamExt;
use natter_schemas::rpc::Control;

use crate::{
    connect::carrier,
    message::Reader,
    subject::{self, ControlTo},
    topology::CONTROL,
};

/// How often the server shows that it has the consumer: a removed member reads on for as long as that takes twice. The
/// ordered consumer of async-nats takes half a minute.
const HEARTBEAT: Duration = Duration::from_millis(500);
const REQUESTED_FOR: Duration = Duration::from_secs(30);
/// The server forgets a consumer whose process has gone.
const KEPT_FOR: Duration = Duration::from_mins(1);

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

/// One consumer, which exists in the memory of a server: it ends with that, and with the connection. Whoever follows begins
/// another one where it ended.
pub struct ControlFeed {
    client: Client,
    /// The connection over which the consumer was made.
    connection: u64,
    messages: Stream,
    /// How many the server has sent.
    sent: u64,
    reader: Reader,
    /// Messages behind the position that was asked for are gone: whoever relies on them begins again.
    pub missed: bool,
    /// After which seq it begins.
    pub begins_after: u64,
}

impl ControlFeed {
    /// Everything behind the position; 0: from the beginning.
    pub async fn after(js: &Context, position: u64) -> Result<Self, ControlError> {
        let client = js.client();
        let connection = carrier::current(&client);
        let stream = js.get_stream(CONTROL).await.map_err(failed)?;
        let state = &stream.cached_info().state;
        // Away for longer than the stream remembers, or the stream is another one.
        let another = state.last_sequence < position;
        let missed = another || (position > 0 && state.first_sequence > position + 1);
        let begins_after = if another { 0 } else { position };
        let config = Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: begins_after + 1 },
            ack_policy: AckPolicy::None,
            inactive_threshold: KEPT_FOR,
            memory_storage: true,
            num_replicas: 1,
            ..Default::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(failed)?;
        let messages = consumer.stream().expires(REQUESTED_FOR).heartbeat(HEARTBEAT).messages();
        let messages = messages.await.map_err(failed)?;
        let reader = Reader::new("control");
        Ok(Self { client, connection, messages, sent: 0, reader, missed, begins_after })
    }

    /// `None`, or an error: it has ended.
    pub async fn next(&mut self) -> Option<Result<Notice, ControlError>> {
        let message = tokio::select! {
            message = self.messages.next() => match message? {
                Ok(message) => message,
                Err(error) => return Some(Err(failed(error))),
            },
            () = carrier::replaced(&self.client, self.connection) => {
                return Some(Err(failed("the connection was made again")));
            }
        };
        let seq = match message.info() {
            Ok(info) if info.consumer_sequence == self.sent + 1 => info.stream_sequence,
            Ok(_) => return Some(Err(failed("a message did not arrive"))),
            Err(error) => return Some(Err(failed(error))),
        };
        self.sent += 1;
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

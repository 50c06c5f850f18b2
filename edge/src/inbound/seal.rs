//! What was admitted is sealed before it is published, and what is stored is compared with it opened.

use std::mem;

use natter_nats::event_log::Appended;
use natter_schemas::{
    code::Code,
    event::{Body, Event},
    rpc::RpcError,
};
use natter_seal::{DataKeys, Place};

use super::admit::Admitted;

/// How texts go into the log.
#[derive(Clone)]
pub struct Sealing {
    pub keys: DataKeys,
    /// Otherwise they go as they are.
    pub enabled: bool,
}

/// An event as the log is to have it, and its text if that was sealed.
pub struct Sealed {
    pub event: Event,
    pub text: Option<String>,
}

impl Sealing {
    /// Fails with `unavailable` without a key: nothing that should be sealed goes out in clear.
    pub async fn seal(&self, admitted: Admitted) -> Result<Sealed, RpcError> {
        let mut event = admitted.into_event();
        let place = Place::of_event(&event);
        let mut text = None;
        if self.enabled
            && let Some(body) = event.body_mut()
            && let Body::Plain(plain) = body
        {
            let plain = mem::take(plain);
            let sealed = self.keys.seal(&plain, &place).await;
            *body =
                sealed.inspect_err(|_| metrics::counter!("natter_sends_without_key_total").increment(1))?;
            text = Some(plain);
        }
        Ok(Sealed { event, text })
    }

    /// With its text again: `text` is what was sealed, if the log has this very event.
    pub async fn opened(&self, mut appended: Appended, text: Option<String>) -> Result<Appended, RpcError> {
        match (text, appended.entry.event.body_mut()) {
            (Some(text), Some(body)) if !appended.duplicate => *body = Body::Plain(text),
            _ => {
                let keys = self.keys.for_reader(appended.entry.event.author);
                keys.open_entries([&mut appended.entry]).await;
            }
        }
        // Whether it is what was sent now cannot be said without the key.
        match appended.entry.event.body_mut() {
            Some(Body::Sealed { .. }) => Err(Code::Unavailable.into()),
            _ => Ok(appended),
        }
    }
}

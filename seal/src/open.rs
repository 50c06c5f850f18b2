use std::collections::HashSet;

use natter_schemas::{
    code::Code,
    event::{Body, Event, LogEntry, Message},
    rpc::{KeyName, RpcError},
};
use tracing::{debug, error};

use crate::{
    ask::Want,
    cache::Known,
    content::{Place, open},
    data_keys::{DataKeys, KnownKeys},
};

/// A key that must be fetched before what it sealed can be opened: [`DataKeys::open_entries`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyMissing;

/// What is shown of a body.
enum Opened {
    Text(String),
    /// It stays as it is: no key, or damaged.
    Not,
    /// The key must be asked for.
    Ask,
}

impl DataKeys {
    /// Opens what is sealed. What has no key, or none at this time, stays sealed: it is shown without its text, and
    /// everything else is shown.
    pub async fn open_messages<'a>(&self, messages: impl IntoIterator<Item = &'a mut Message>) {
        let bodies = messages.into_iter().filter_map(|message| {
            let place = Place::of_message(message);
            message.body.as_mut().map(|body| (place, body))
        });
        self.open_all(bodies.collect()).await;
    }

    /// The same for events.
    pub async fn open_entries<'a>(&self, entries: impl IntoIterator<Item = &'a mut LogEntry>) {
        let bodies = entries.into_iter().filter_map(|entry| body_of(&mut entry.event));
        self.open_all(bodies.collect()).await;
    }

    /// Opens an event for whoever must not go on without its text; it stays sealed only if there certainly is no key.
    ///
    /// # Errors
    /// What asking for the key fails with; then the event is as it was.
    pub async fn open_or_fail(&self, entry: &mut LogEntry) -> Result<(), RpcError> {
        if self.known().open_at_once(&mut entry.event).is_ok() {
            return Ok(());
        }
        let want = body_of(&mut entry.event).and_then(|(place, body)| want(&place, body));
        self.get(want.into_iter().collect()).await?;
        self.known().open_at_once(&mut entry.event).map_err(|KeyMissing| Code::Unavailable.into())
    }

    async fn open_all(&self, bodies: Vec<(Place, &mut Body)>) {
        let mut waiting = self.known().open_some(bodies);
        // One text of each key is shown for it, and all of them if that one proves nothing: it may be damaged.
        for every in [false, true] {
            if waiting.is_empty() {
                return;
            }
            let wanted = wanted(&waiting, every);
            let keys = wanted.len();
            if let Err(error) = self.get(wanted).await {
                debug!(keys, messages = waiting.len(), %error, "no keys for messages: shown without their text");
                return;
            }
            waiting = self.known().open_some(waiting);
        }
    }
}

impl KnownKeys {
    /// Opens an event with a key that is here already. What certainly has no key stays sealed.
    ///
    /// # Errors
    /// [`KeyMissing`]; then the event is as it was.
    pub fn open_at_once(&self, event: &mut Event) -> Result<(), KeyMissing> {
        let Some((place, body)) = body_of(event) else { return Ok(()) };
        match self.try_open(&place, body) {
            Opened::Text(text) => *body = Body::Plain(text),
            Opened::Not => {}
            Opened::Ask => return Err(KeyMissing),
        }
        Ok(())
    }

    /// Opens what it can; answers those whose keys must be asked for.
    fn open_some<'a>(&self, bodies: Vec<(Place, &'a mut Body)>) -> Vec<(Place, &'a mut Body)> {
        let mut waiting = Vec::new();
        for (place, body) in bodies {
            match self.try_open(&place, body) {
                Opened::Text(text) => *body = Body::Plain(text),
                Opened::Not => {}
                Opened::Ask => waiting.push((place, body)),
            }
        }
        waiting
    }

    fn try_open(&self, place: &Place, body: &Body) -> Opened {
        let Some(name) = key_of(place, body) else { return Opened::Not };
        match self.get(name) {
            Known::Key(key) => match open(body, place, &key.key) {
                Ok(text) => Opened::Text(text),
                Err(error) => {
                    let Place { conversation, event, .. } = place;
                    error!(%conversation, %event, %error, "a message is shown without its text");
                    Opened::Not
                }
            },
            Known::Absent => Opened::Not,
            Known::No => Opened::Ask,
        }
    }
}

/// `None` for what is not sealed.
fn key_of(place: &Place, body: &Body) -> Option<KeyName> {
    match body {
        Body::Plain(_) => None,
        Body::Sealed { key_version, .. } => Some(KeyName { user: place.author, epoch: Some(*key_version) }),
    }
}

/// The same with the text that it is to open.
fn want(place: &Place, body: &Body) -> Option<Want> {
    key_of(place, body).map(|name| Want::of_text(name, place.text(body)))
}

/// One text of each key and conversation, because a key is shown to members of one and not of another; or every text.
fn wanted(waiting: &[(Place, &mut Body)], every: bool) -> Vec<Want> {
    let mut shown = HashSet::new();
    let wanted = waiting.iter().filter_map(|(place, body)| Some((place.conversation, want(place, body)?)));
    wanted
        .filter(|(conversation, want)| every || shown.insert((*conversation, want.name)))
        .map(|(_, want)| want)
        .collect()
}

fn body_of(event: &mut Event) -> Option<(Place, &mut Body)> {
    let place = Place::of_event(event);
    event.body_mut().map(|body| (place, body))
}

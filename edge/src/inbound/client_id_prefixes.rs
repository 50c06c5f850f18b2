//! Prefixes of client ids. This node gives a new one out each minute, so a client id that begins with a recent one
//! cannot have been sent before that: whoever stored it, on any node, did so within the log's duplicate window, and
//! the log recognizes a repeat by itself. Only other client ids are looked up in the history.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use natter_schemas::limits;
use nix::time::{ClockId, clock_gettime};
use parking_lot::Mutex;

/// A new key is given out this often.
const EVERY: Duration = Duration::from_mins(1);
/// What is published is decided on before and stored at the end of this: the log still has to know it then.
const RECENT: Duration =
    limits::DUPLICATE_WINDOW.saturating_sub(limits::PUBLISH).saturating_sub(Duration::from_secs(30));
/// 72 bits, in text. No other client ids begin with it, and guessing one affects only one's own messages.
const KEY_LEN: usize = 12;
/// A clock that cannot be read makes no prefix recent.
const NO_CLOCK: Duration = Duration::MAX;

/// What this node gave out.
pub struct ClientIdPrefixes {
    clock: fn() -> Duration,
    state: Mutex<State>,
}

/// The prefix of one socket.
pub struct SocketPrefix {
    prefixes: Arc<ClientIdPrefixes>,
    /// Since when there is the key that it was given last.
    given: Mutex<Option<Duration>>,
}

#[derive(Default)]
struct State {
    /// Oldest first; as many as are recent.
    keys: VecDeque<Key>,
    /// Each prefix is given out once: two sockets of one device need not agree on what follows it.
    given_out: u64,
}

struct Key {
    text: String,
    since: Duration,
}

impl SocketPrefix {
    pub fn new(prefixes: Arc<ClientIdPrefixes>) -> Self {
        Self { prefixes, given: Mutex::default() }
    }

    /// A prefix that no other socket was given, if there is a newer one than this socket has.
    pub fn renew(&self) -> Option<String> {
        let now = (self.prefixes.clock)();
        let mut state = self.prefixes.state.lock();
        let since = state.current(now).since;
        if self.given.lock().replace(since) == Some(since) {
            return None;
        }
        state.given_out += 1;
        let nth = state.given_out;
        Some(format!("{}{nth:x}.", state.current(now).text))
    }
}

impl ClientIdPrefixes {
    /// Whether no message with this client id is older than what the log recognizes.
    pub fn is_recent(&self, client_id: &str) -> bool {
        let Some(key) = client_id.get(..KEY_LEN) else { return false };
        let now = (self.clock)();
        let state = self.state.lock();
        state.keys.iter().any(|known| known.text == key && known.is_recent(now))
    }
}

impl Default for ClientIdPrefixes {
    fn default() -> Self {
        Self { clock: since_boot, state: Mutex::default() }
    }
}

/// Goes on while the machine sleeps, as the log does; an `Instant` stands still then.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::CLOCK_MONOTONIC;
    clock_gettime(clock).map_or(NO_CLOCK, Duration::from)
}

impl Key {
    fn is_recent(&self, now: Duration) -> bool {
        now != NO_CLOCK && now.saturating_sub(self.since) < RECENT
    }
}

impl State {
    fn current(&mut self, now: Duration) -> &Key {
        if self.keys.back().is_none_or(|newest| now.saturating_sub(newest.since) >= EVERY) {
            let text = URL_SAFE_NO_PAD.encode(rand::random::<[u8; KEY_LEN / 4 * 3]>());
            self.keys.retain(|key| key.is_recent(now));
            self.keys.push_back(Key { text, since: now });
        }
        &self.keys[self.keys.len() - 1] // one was there or was added
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NOW: Cell<Duration> = const { Cell::new(Duration::from_secs(1_000)) };
    }

    fn advance(by: Duration) {
        NOW.set(NOW.get() + by);
    }

    fn prefixes() -> Arc<ClientIdPrefixes> {
        Arc::new(ClientIdPrefixes { clock: || NOW.get(), state: Mutex::default() })
    }

    #[test]
    fn a_prefix_is_recent_for_less_than_the_duplicate_window() {
        let prefixes = prefixes();
        let first = SocketPrefix::new(prefixes.clone()).renew().expect("a prefix");
        for client_id in [format!("{first}1"), first.clone()] {
            assert!(prefixes.is_recent(&client_id), "{client_id}");
        }
        for client_id in ["", "1", "c9a6d0de-6a3c-4f4e-9a54-8bd8e2a4a9e1", "ÄÄÄÄÄÄÄÄ"] {
            assert!(!prefixes.is_recent(client_id), "{client_id}");
        }
        advance(RECENT.saturating_sub(Duration::from_millis(1)));
        assert!(prefixes.is_recent(&first));
        advance(Duration::from_millis(1));
        assert!(!prefixes.is_recent(&first));
        assert!(RECENT + limits::PUBLISH < limits::DUPLICATE_WINDOW);
    }

    #[test]
    fn no_two_sockets_are_given_the_same_prefix() {
        let prefixes = prefixes();
        let given: std::collections::HashSet<_> =
            (0..100).filter_map(|_| SocketPrefix::new(prefixes.clone()).renew()).collect();
        assert_eq!(given.len(), 100);
        assert!(given.iter().all(|one| given.iter().all(|other| one == other || !one.starts_with(other))));
    }

    #[test]
    fn a_socket_is_given_a_prefix_once_a_minute() {
        let prefixes = prefixes();
        let socket = SocketPrefix::new(prefixes.clone());
        let first = socket.renew().expect("a prefix");
        assert_eq!(socket.renew(), None);
        advance(EVERY);
        let second = socket.renew().expect("another prefix");
        assert_ne!(first[..KEY_LEN], second[..KEY_LEN]);
        assert!(prefixes.is_recent(&first) && prefixes.is_recent(&second));
        for _ in 0..100 {
            advance(EVERY);
            socket.renew().expect("another prefix");
        }
        assert!(prefixes.state.lock().keys.len() <= 5, "what is old is forgotten");
    }

    #[test]
    fn the_clock_of_prefixes_goes_on() {
        let earlier = since_boot();
        while since_boot() == earlier {}
        assert!(since_boot() > earlier && earlier != NO_CLOCK);
    }
}

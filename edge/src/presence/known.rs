//! What the viewers on this edge were last sent of each user whose presence they watch.

use std::collections::{HashMap, HashSet};

use natter_runtime::shared_state::Presence;
use natter_schemas::id::UserId;
use parking_lot::Mutex;

/// What viewers were last sent of one user.
#[derive(Debug, Clone, Copy)]
struct LastPresence {
    /// `None`: not all of them were sent the same.
    online: Option<bool>,
    version: u64,
}

#[derive(Default)]
pub struct KnownPresence(Mutex<HashMap<UserId, LastPresence>>);

impl KnownPresence {
    /// A socket that joined was sent these with its answer.
    pub fn start_with(&self, presences: &[Presence]) {
        let mut known = self.0.lock();
        for p in presences {
            known.entry(p.user).or_insert(LastPresence { online: Some(p.online), version: p.version });
        }
    }

    /// Whether viewers know that the user is online.
    pub fn is_online(&self, user: UserId) -> bool {
        self.0.lock().get(&user).is_some_and(|last| last.online == Some(true))
    }

    /// Whether viewers must be sent this: it is not older than what they know, and differs from it.
    pub fn update(&self, p: &Presence) -> bool {
        let mut known = self.0.lock();
        let before = known.get(&p.user).copied().unwrap_or(LastPresence { online: Some(false), version: 0 });
        if before.version > p.version {
            return false;
        }
        known.insert(p.user, LastPresence { online: Some(p.online), version: p.version });
        before.online != Some(p.online)
    }

    /// Some viewers were not sent the user's last changes: whatever comes next is sent to all.
    pub fn resend(&self, user: UserId) {
        if let Some(last) = self.0.lock().get_mut(&user) {
            last.online = None;
        }
    }

    /// Forgets the users whom no socket here watches any more.
    pub fn retain(&self, watched: &HashSet<UserId>) {
        self.0.lock().retain(|user, _| watched.contains(user));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_newer_and_different_state_is_sent_again() {
        let (known, user) = (KnownPresence::default(), UserId::fresh());
        let presence = |online, version| Presence { user, online, last_seen: None, version };
        known.start_with(&[presence(true, 5)]);
        assert!(known.is_online(user));
        assert!(!known.update(&presence(false, 4)), "older than what viewers know");
        assert!(!known.update(&presence(true, 6)), "the same again");
        assert!(known.update(&presence(false, 7)));
        known.resend(user);
        assert!(!known.update(&presence(true, 6)), "still older than what viewers know");
        assert!(known.update(&presence(false, 7)), "the same again, for those who were not sent it");
        known.retain(&HashSet::new());
        assert!(!known.is_online(user));
        assert!(known.update(&presence(true, 8)), "of an unknown user");
    }
}

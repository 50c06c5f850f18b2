//! Follows CONTROL: what services send to every edge without being asked. Membership changes and ended sessions
//! are applied to the live sockets at once; an edge cut off from CONTROL closes its sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use natter_nats::{
    async_nats::jetstream,
    control::{self, ControlError, ControlFeed},
    subject::ControlTo,
};
use natter_runtime::{lifecycle::Lifecycle, unreadable::Unreadable};
use natter_schemas::{code::Code, rpc::Control};
use natter_seal::KnownKeys;
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};
use tracing::{info, warn};

use super::membership_updates::MembershipUpdates;
use crate::{
    membership::Members, outbound::sockets::Sockets, presence::KnownPresence,
    revoked_sessions::RevokedSessions,
};

/// Guarantee 7: after so long without contact an edge can no longer know who may listen.
const CUT_OFF_AFTER: Duration = Duration::from_secs(30);
/// What clients are answered then.
pub const CUT_OFF: &str = "this node is cut off from the others; try another one, or this one later";
const CHECK: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);

/// How far this edge has followed CONTROL, and when it last had contact.
pub struct ControlState {
    last_contact: Mutex<Instant>,
    /// Seq of the newest CONTROL message applied.
    position: watch::Sender<u64>,
    /// Other nodes hear NATS and this one does not.
    alone: AtomicBool,
}

impl Default for ControlState {
    fn default() -> Self {
        Self {
            last_contact: Mutex::new(Instant::now()),
            position: watch::Sender::new(0),
            alone: AtomicBool::new(false),
        }
    }
}

impl ControlState {
    pub fn silent_for(&self) -> Duration {
        self.last_contact.lock().elapsed()
    }

    /// Sessions may have ended, and members been removed, without this edge knowing; or clients are served better by
    /// others.
    pub fn is_cut_off(&self) -> bool {
        self.alone.load(Ordering::Relaxed) || self.has_lost_control()
    }

    fn has_lost_control(&self) -> bool {
        self.silent_for() > CUT_OFF_AFTER
    }

    pub(super) fn set_alone(&self, alone: bool) {
        self.alone.store(alone, Ordering::Relaxed);
    }

    fn position(&self) -> u64 {
        *self.position.borrow()
    }

    fn contact(&self) {
        *self.last_contact.lock() = Instant::now();
    }
}

pub struct ControlFollower {
    pub js: jetstream::Context,
    pub state: Arc<ControlState>,
    pub members: Arc<Members>,
    pub known: Arc<KnownPresence>,
    pub updates: MembershipUpdates,
    pub revoked: Arc<RevokedSessions>,
    pub sockets: Arc<Sockets>,
    pub keys: KnownKeys,
}

impl ControlFollower {
    /// Catches up with the last hour, then follows. Returns when caught up: no token of an ended session passes.
    pub async fn start(self, lifecycle: &Lifecycle) -> anyhow::Result<()> {
        let head = control::head(&self.js).await.context("cannot read the CONTROL stream")?;
        let mut position = self.state.position.subscribe();
        let follower = Arc::new(self);
        let (task, stop) = (follower.clone(), lifecycle.stop().clone());
        lifecycle.spawn("control", async move {
            stop.run_until_cancelled(Box::pin(task.follow())).await;
        });
        let stop = lifecycle.stop().clone();
        lifecycle.spawn("control watch", async move {
            stop.run_until_cancelled(follower.watch_contact()).await;
        });
        tokio::time::timeout(CUT_OFF_AFTER, position.wait_for(|position| *position >= head))
            .await
            .context("the CONTROL stream does not deliver")??;
        Ok(())
    }

    async fn follow(&self) {
        let unreadable = Unreadable::new("control");
        loop {
            if let Err(error) = self.consume(&unreadable).await {
                let position = self.state.position();
                warn!(%error, position, "CONTROL consumer ended; starting another");
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// From where the last one ended.
    async fn consume(&self, unreadable: &Unreadable) -> Result<(), ControlError> {
        let mut feed = ControlFeed::after(&self.js, self.state.position()).await?;
        if feed.missed {
            self.members.clear();
            self.keys.revoke_all();
        }
        self.state.position.send_replace(feed.begins_after);
        while let Some(notice) = feed.next().await {
            let notice = notice?;
            match notice.content {
                Ok((to, control)) => self.apply(to, control, unreadable).await,
                Err(bad) => {
                    // Whatever it says, it may be a removal, or revoke a key.
                    self.members.clear();
                    self.keys.revoke_all();
                    unreadable.report(&bad.subject, bad.reason);
                }
            }
            self.state.contact();
            self.state.position.send_replace(notice.seq);
        }
        Ok(())
    }

    async fn apply(&self, to: ControlTo, control: Control, unreadable: &Unreadable) {
        match (to, control) {
            (ControlTo::Session(session), Control::SessionEnded) => {
                self.revoked.insert(session).await;
                for socket in self.sockets.of_session(session) {
                    socket.queue.close(Code::SessionRevoked);
                }
            }
            (ControlTo::User(user), Control::Membership(membership)) => {
                self.updates.apply(user, membership).await;
            }
            (ControlTo::User(user), Control::BlockChanged { lifted, .. }) => {
                self.members.reload(user).await;
                if lifted {
                    self.known.resend(user);
                }
            }
            (ControlTo::User(user), Control::KeysChanged) => self.keys.revoke(user),
            (to, _) => unreadable.report(&format!("{to:?}"), "its content does not fit its subject"),
        }
    }

    /// Proves that CONTROL still reaches this edge; when it has not for too long, closes the sockets: another
    /// node may know better who may listen.
    async fn watch_contact(&self) {
        loop {
            tokio::time::sleep(CHECK).await;
            if control::head(&self.js).await.is_ok_and(|head| self.state.position() >= head) {
                self.state.contact();
                continue;
            }
            if self.state.has_lost_control() {
                let sockets = self.sockets.close_all(Code::Restarting);
                if sockets > 0 {
                    let silent_ms = self.state.silent_for().as_millis();
                    info!(sockets, silent_ms, "cut off from CONTROL; closing sockets");
                }
            }
        }
    }
}

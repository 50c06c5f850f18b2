//! Read marks arrive: core NATS, at most once, and of all conversations in the order of their stream. One that was lost on the
//! way here is asked for, as the last value that it became.

use std::sync::Arc;

use futures_util::StreamExt;
use natter_nats::{
    async_nats::{Client, Message, SubscribeError},
    live,
    message::Reader,
    service::RpcClient,
    subject,
};
use natter_runtime::{lifecycle::Lifecycle, unreadable::Unreadable};
use natter_schemas::{
    code::Code,
    frame::ServerFrame,
    rpc::{ReadMark, ReadMarkHead, ReadMarksAfter, RpcError},
};
use parking_lot::Mutex;
use tracing::warn;

use crate::outbound::{
    arrivals::{Arrivals, Comparison},
    gap::OldHeads,
    hub::Hub,
    sockets::Sockets,
};

pub struct ReadMarkFeed {
    pub hub: Arc<Hub>,
    pub sockets: Arc<Sockets>,
    pub rpc: RpcClient,
    pub lifecycle: Lifecycle,
}

struct Following {
    feed: ReadMarkFeed,
    arrivals: Mutex<Arrivals>,
    reader: Reader,
    unreadable: Unreadable,
}

impl ReadMarkFeed {
    /// Call it before the first socket is served: who connects later reads the marks along with the conversations.
    pub async fn start(self, client: &Client) -> Result<(), SubscribeError> {
        let mut marks = client.subscribe(subject::LIVE_READS_ALL).await?;
        let (lifecycle, stop) = (self.lifecycle.clone(), self.lifecycle.stop().clone());
        let following = Arc::new(Following {
            feed: self,
            arrivals: Mutex::default(),
            reader: Reader::new("read mark"),
            unreadable: Unreadable::new("read mark"),
        });
        let (receiver, receiving) = (Arc::clone(&following), stop.clone());
        lifecycle.spawn("live read marks", async move {
            let receive = async {
                while let Some(message) = marks.next().await {
                    receiver.receive(&message);
                }
            };
            receiving.run_until_cancelled(receive).await;
        });
        lifecycle.spawn("watch of read marks", async move {
            stop.run_until_cancelled(following.watch()).await;
        });
        Ok(())
    }
}

impl Following {
    fn receive(self: &Arc<Self>, message: &Message) {
        match self.reader.read(message) {
            Ok(mark) => self.show(&mark, mark.moved),
            Err(error) => self.unreadable.report(&message.subject, error),
        }
        let missing = live::seq(message).and_then(|seq| self.arrivals.lock().receive(seq));
        if let Some(missing) = missing {
            let following = Arc::clone(self);
            self.feed.lifecycle.tracker().spawn(async move { following.fetch(missing).await });
        }
    }

    /// The last mark of all is followed by none that would show that it is missing.
    async fn watch(&self) {
        let mut heads = OldHeads::default();
        loop {
            heads.next_tick().await;
            // The client has logged why there is no answer.
            let Ok(head) = self.feed.rpc.call(&ReadMarkHead).await else { continue };
            let old = heads.replace(vec![head]).first().copied().unwrap_or(0);
            let missing = self.arrivals.lock().head(old, head);
            if let Some(missing) = missing {
                self.fetch(missing).await;
            }
        }
    }

    /// When there is no answer the watch begins again.
    async fn fetch(&self, missing: Comparison) {
        if missing.after > 0 {
            warn!(after = missing.after, "read marks did not arrive; asking for the last of each");
        }
        let mut next = Some(missing);
        while let Some(missing) = next {
            let made = self.show_missing(missing).await.ok();
            next = self.arrivals.lock().compared(made);
        }
    }

    /// Everything that moved above a seq. Marks may be shown twice, and an older one after a newer: clients take the newer.
    async fn show_missing(&self, missing: Comparison) -> Result<Comparison, RpcError> {
        let Comparison { after, mut up_to } = missing;
        let mut shown = after;
        // What moved before this edge began concerns no socket here.
        while after > 0 && shown < up_to && self.feed.sockets.count() > 0 {
            let page = self.feed.rpc.call(&ReadMarksAfter { after: shown }).await?;
            // That it moved may be what was lost: a mark that keeps it where it is has taken its place.
            page.marks.iter().for_each(|mark| self.show(mark, true));
            if page.up_to <= shown {
                // A leader that was replaced and does not know it yet.
                return Err(Code::Unavailable.into());
            }
            shown = page.up_to;
            up_to = if page.more { up_to.max(shown + 1) } else { up_to.max(shown) };
        }
        Ok(Comparison { after, up_to })
    }

    fn show(&self, mark: &ReadMark, moved: bool) {
        let others = (moved && !mark.private).then(|| receipt(mark));
        self.feed.hub.broadcast(mark.conversation, mark.user, &own_receipt(mark), others.as_ref());
    }
}

fn receipt(mark: &ReadMark) -> ServerFrame {
    ServerFrame::ReadReceipt {
        conversation_id: mark.conversation,
        user_id: mark.user,
        seq: mark.seq,
        read_at: mark.at,
        version: None,
    }
}

/// To the devices of the reader: further back while something is marked as unread.
fn own_receipt(mark: &ReadMark) -> ServerFrame {
    ServerFrame::ReadReceipt {
        conversation_id: mark.conversation,
        user_id: mark.user,
        seq: mark.own.seq,
        read_at: mark.at,
        version: Some(mark.own.version),
    }
}

//! Read marks that were published and did not arrive.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use natter_schemas::{
    code::Code,
    id::Seq,
    rpc::{ReadMark, ReadMarkPage, RpcError},
};
use natter_testkit::until;
use parking_lot::Mutex;

#[derive(Default)]
pub struct LostMarks {
    marks: Mutex<BTreeMap<Seq, ReadMark>>,
    /// Calls that asked for the last seq.
    asked: AtomicUsize,
}

impl LostMarks {
    /// After the first one of the stream; the edge knows by then where it began.
    pub async fn add(&self, marks: impl IntoIterator<Item = (Seq, ReadMark)>) {
        until("the edge knows the stream", async || self.asked.load(Ordering::SeqCst) > 2).await;
        self.marks.lock().extend(marks);
    }

    pub fn head(&self) -> Seq {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.marks.lock().keys().next_back().copied().unwrap_or(1)
    }

    /// One in an answer.
    pub fn after(&self, after: Seq) -> Result<ReadMarkPage, RpcError> {
        let marks = self.marks.lock();
        let mut later = marks.range(after + 1..);
        let (up_to, mark) = later.next().ok_or(Code::Unavailable)?;
        Ok(ReadMarkPage { marks: vec![*mark], up_to: *up_to, more: later.next().is_some() })
    }
}

//! Where a connection is in its requests. Bytes are counted by [`super::Connection`], which does not understand them, and
//! requests by [`super::RequestBody`], which does not see the connection.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

/// Nothing of a first request was read.
const OPENED: u8 = 0;
/// Some of a request was read, and its header has not ended.
const HEADER: u8 = 1;
/// A header was read, and its body has not ended.
const BODY: u8 = 2;
/// Everything was read of what the client has begun to send.
const BETWEEN: u8 = 3;

#[derive(Clone)]
pub struct RequestProgress(Arc<AtomicU8>);

impl Default for RequestProgress {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(OPENED)))
    }
}

impl RequestProgress {
    /// What came until now, a handshake, was no request.
    pub fn opened(&self) {
        self.0.store(OPENED, Ordering::Relaxed);
    }

    pub(super) fn header_ended(&self) {
        self.0.store(BODY, Ordering::Relaxed);
    }

    pub(super) fn body_ended(&self) {
        self.0.store(BETWEEN, Ordering::Relaxed);
    }

    /// So many bytes were read. A client that has ended its side sends no more.
    pub(super) fn arrived(&self, bytes: usize) {
        if bytes == 0 {
            self.body_ended();
        } else if self.0.load(Ordering::Relaxed) != BODY {
            self.0.store(HEADER, Ordering::Relaxed);
        }
    }

    /// Bytes of a request are still to come.
    pub(super) fn is_in_request(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), HEADER | BODY)
    }

    /// Its client owes a header: the first one from the start, others from their first byte.
    pub(super) fn owes_header(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), OPENED | HEADER)
    }
}

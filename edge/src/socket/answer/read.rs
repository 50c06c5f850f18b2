//! `read`: a read mark moves.

use std::sync::Arc;

use natter_schemas::{
    frame::{RequestId, ServerFrame},
    id::{ConversationId, Seq},
};

use crate::socket::{
    client::{Answer, Client},
    request_queues::RequestQueue,
};

pub fn answer(
    client: &Arc<Client>,
    id: Option<RequestId>,
    conversation: ConversationId,
    (seq, unread): (Seq, bool),
) -> Answer {
    let noted = (!unread).then(|| client.reads.note(conversation, seq));
    if unread {
        client.reads.note_unread(conversation);
    }
    client.queued(RequestQueue::ReadMarks(conversation), |client| async move {
        let (marks, user) = (&client.app.read_marks, client.socket.user);
        let marked = match noted {
            Some(noted) => marks.coalesced(&client.reads, user, conversation, (seq, noted)).await,
            None => marks.mark(user, conversation, (seq, true)).await,
        };
        let frame = match marked {
            Ok(mark) => ServerFrame::ReadAck {
                id,
                conversation_id: conversation,
                seq: mark.seq,
                unread_count: mark.unread,
            },
            Err(error) => error.frame(id),
        };
        client.send(&frame);
    })
}

//! Where a page ended, as opaque text: an item's rank and its id.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, UserId},
    rpc::{ListCursor, PersonCursor},
};

pub fn write_list(cursor: ListCursor) -> String {
    write(cursor.last_activity_at.0.to_be_bytes(), cursor.conversation.as_bytes())
}

pub fn read_list(text: &str) -> Option<ListCursor> {
    let (time, id) = read(text)?;
    let last_activity_at = Timestamp(i64::from_be_bytes(time));
    Some(ListCursor { last_activity_at, conversation: ConversationId::from_bytes(id) })
}

pub fn write_person((place, user): PersonCursor) -> String {
    write(u64::try_from(place).unwrap_or(u64::MAX).to_be_bytes(), user.as_bytes())
}

pub fn read_person(text: &str) -> Option<PersonCursor> {
    let (place, id) = read(text)?;
    Some((usize::try_from(u64::from_be_bytes(place)).ok()?, UserId::from_bytes(id)))
}

fn write(rank: [u8; 8], id: &[u8; 16]) -> String {
    let mut bytes = rank.to_vec();
    bytes.extend(id);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(text: &str) -> Option<([u8; 8], [u8; 16])> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (rank, id) = bytes.split_first_chunk::<8>()?;
    Some((*rank, id.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_garbage_is_not() {
        let cursor = ListCursor { last_activity_at: Timestamp(-5), conversation: ConversationId::fresh() };
        assert_eq!(read_list(&write_list(cursor)), Some(cursor));
        let person = (7, UserId::fresh());
        assert_eq!(read_person(&write_person(person)), Some(person));
        for bad in ["", "x", "////", &"A".repeat(100)] {
            assert_eq!(read_list(bad), None, "{bad}");
            assert_eq!(read_person(bad), None, "{bad}");
        }
    }
}

#[cfg(test)]
mod fuzz {
    use natter_fuzz::fuzz;

    use super::*;

    #[test]
    fn a_cursor_that_is_taken_is_one_that_was_given() {
        fuzz("cursors", &[], |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let list = read_list(&text);
            assert!(list.is_none_or(|cursor| write_list(cursor) == text), "{text}");
            let person = read_person(&text);
            assert!(person.is_none_or(|cursor| write_person(cursor) == text), "{text}");
            (list.is_some(), person.is_some(), text.len() % 4)
        });
    }
}

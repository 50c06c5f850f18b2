//! Fuzz targets: no subject names a conversation, a user or a job that it was not built from.

use natter_fuzz::fuzz;
use natter_nats::subject::{self, ControlTo};

#[test]
fn a_subject_that_is_read_is_one_that_is_written() {
    fuzz("subjects", &[], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let conversation = subject::parse_conversation(&text);
        if let Some((partition, conversation)) = conversation {
            let words: Vec<_> = text.split('.').collect();
            assert_eq!(words[1], partition.to_string(), "a partition has one spelling: {text}");
            assert_eq!(words[2], conversation.to_string());
        }
        let reader = subject::parse_reader(&text);
        if let Some(reader) = reader {
            assert_eq!(text.split('.').nth(3), Some(reader.to_string().as_str()));
        }
        let control = subject::parse_control(&text);
        let written = control.map(|to| match to {
            ControlTo::User(user) => subject::control_user(user),
            ControlTo::Session(session) => subject::control_session(session),
        });
        assert!(written.is_none_or(|written| written == text), "{text}");
        let parked = subject::parse_parked(&text);
        if let Some((job, partition)) = parked {
            assert_eq!(subject::parked(job, partition), text);
        }
        (conversation.is_some(), reader.is_some(), control.is_some(), parked.is_some())
    });
}

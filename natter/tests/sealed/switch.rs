//! Sealing is switched on and off; what is there stays as it is and is read either way.

use natter_testkit::{DevServer, User, until};
use rusqlite::{Connection, OpenFlags};

use crate::NATTER;

const SETTING: &str = "CHAT_ENCRYPTION_ENABLED";

#[tokio::test(flavor = "multi_thread")]
async fn plain_and_sealed_messages_are_read_side_by_side() {
    let mut natter = DevServer::start(NATTER, &[("RATE_LIMITS", "off")]).await;
    let mut alice = User::register_as(&natter.http, "alice").await;
    let bob = User::register_as(&natter.http, "bob").await;
    let room = alice.group(&[&bob]).await;
    let mut expected = Vec::new();
    for (at, setting) in ["false", "true", "false", "true"].into_iter().enumerate() {
        natter.stop().await;
        natter.set(SETTING, setting);
        natter.start_again().await;
        alice.move_to(&natter.http);
        let text = format!("schwarzstorch {at}");
        let seq = alice.post_message(&room, &text).await;
        expected.push((seq, text.clone()));
        let page = alice.history(&room).await;
        let texts: Vec<_> = page
            .iter()
            .map(|m| (m["seq"].as_u64().unwrap(), m["content"].as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(texts, expected);
        let stored = store_has(&natter, i64::try_from(expected.len()).unwrap(), &text).await;
        assert_eq!(stored, setting == "false", "{text}");
    }
}

/// Whether the store has the text in clear, once it has this many messages.
async fn store_has(natter: &DevServer, messages: i64, text: &str) -> bool {
    let store = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(natter.data().join("natter.db"), flags).unwrap()
    };
    until("all is persisted", async || {
        let count = "SELECT count(*) FROM messages";
        store().query_row(count, [], |row| row.get::<_, i64>(0)).unwrap() == messages
    })
    .await;
    let store = store();
    let mut events = store.prepare("SELECT data FROM events").unwrap();
    let mut events = events.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    events.any(|data| data.unwrap().windows(text.len()).any(|window| window == text.as_bytes()))
}

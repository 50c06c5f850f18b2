//! The test that `docs/testing.md` shows.

use natter_testkit::Cluster;

use crate::NATTER;

#[tokio::test]
async fn a_message_sent_at_one_edge_reaches_a_device_at_the_other() {
    let cluster = Cluster::shared(NATTER).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut phone, laptop) = (alice.device("phone").await, bob.device("laptop").await);

    let seq = phone.post(&room, "hello").await;
    laptop.wait_for_seq(&room, seq).await;

    let history = bob.history(&room).await;
    assert_eq!(history.last().unwrap()["content"], "hello");
}

#[test]
fn the_page_about_testing_shows_the_test_above() {
    let (page, file) = (include_str!("../../../docs/testing.md"), include_str!("example.rs"));
    let begin = file.find("#[tokio::test]").unwrap();
    let test = &file[begin..begin + file[begin..].find("\n}\n").unwrap()];
    assert!(page.contains(test), "docs/testing.md shows another test");
}

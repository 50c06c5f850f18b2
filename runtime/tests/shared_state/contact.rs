use natter_testkit::until;

use crate::fixtures::{LONG, State, TTL};

both!(another_node_is_in_contact_until_its_report_ends);

async fn another_node_is_in_contact_until_its_report_ends(state: State) {
    let others = async |node| state.others_have_contact(node).await.unwrap();
    assert!(!others("a").await);
    state.report_contact("a", LONG).await.unwrap();
    assert!(!others("a").await && others("b").await);
    state.report_contact("b", LONG).await.unwrap();
    assert!(others("a").await && others("b").await && others("c").await);

    state.report_contact("a", TTL).await.unwrap();
    state.report_contact("b", TTL).await.unwrap();
    until("the reports end", async || !others("a").await && !others("c").await).await;
}

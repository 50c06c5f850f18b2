use metrics_exporter_prometheus::PrometheusBuilder;
use natter_schemas::{
    event::{Kind, Role, Timestamp},
    id::{ConversationId, ReservationId, UserId},
};
use natter_store::{
    ConversationStore, MemberStore, Reservation, ReservationStore,
    conformance::fixtures::{SampleLog, posted},
    scylla,
};
use uuid::Uuid;

use super::fixtures::{keyspace, open};

/// A value that no version of this program writes.
async fn damage(set: &str, conversation: ConversationId, user: Option<UserId>) {
    let session = scylla::connect(keyspace().await).await.unwrap();
    let conversation = Uuid::from_bytes(*conversation.as_bytes());
    match user.map(|user| Uuid::from_bytes(*user.as_bytes())) {
        Some(user) => {
            let damage = format!("UPDATE {set} WHERE conversation = ? AND user = ?");
            session.query_unpaged(damage, (conversation, user)).await.unwrap();
        }
        None => {
            let damage = format!("UPDATE {set} WHERE conversation = ?");
            session.query_unpaged(damage, (conversation,)).await.unwrap();
        }
    }
}

async fn rows_that_cannot_be_read() {
    let store = open().await;
    let (anna, ben) = (UserId::fresh(), UserId::fresh());
    let (mut damaged, mut sound) = (SampleLog::of(&[anna, ben]), SampleLog::of(&[anna]));
    for sample in [&mut damaged, &mut sound] {
        sample.add(sample.owner, posted("unread"));
        sample.persist(&store).await;
    }
    let ids = |of: Vec<natter_store::ListedRow>| of.iter().map(|row| row.conversation.id).collect::<Vec<_>>();

    damage("conversations SET shape = 9", damaged.id, None).await;
    assert_eq!(ids(store.list_conversations(anna, None, 10).await.unwrap()), [sound.id]);
    let unread = store.unread(anna, 10).await.unwrap();
    assert_eq!(ids(unread.into_iter().map(|(row, _)| row).collect()), [sound.id]);
    // What the log says next is stored all the same.
    damaged.add(damaged.owner, Kind::MemberAdded { user: UserId::fresh(), role: Role::Member });
    damaged.persist(&store).await;

    damage("memberships SET shape = 9", damaged.id, Some(anna)).await;
    let memberships = store.memberships(anna).await.unwrap();
    assert_eq!(memberships.iter().map(|m| m.conversation).collect::<Vec<_>>(), [sound.id]);

    damage("members SET present_role = 9", damaged.id, Some(anna)).await;
    damage("memberships SET present_role = 9", damaged.id, Some(anna)).await;
    let members = store.members(damaged.id).await.unwrap();
    assert_eq!(members.len(), 3);
    assert!(members.iter().all(|row| row.member.user != anna));
    // Whatever the role is, she is in two conversations.
    let new =
        Reservation { id: ReservationId::fresh(), conversation: ConversationId::fresh(), at: Timestamp(1) };
    assert_eq!(store.reserve(new, &[anna], 2).await.unwrap(), [anna]);
    assert_eq!(store.sharing(ben, &[anna], None, 100).await.unwrap(), [anna]);
}

#[test]
fn rows_that_cannot_be_read_are_missing_from_lists_and_counted() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || runtime.block_on(rows_that_cannot_be_read()));
    let counted = recorder.handle().render();
    for list in ["conversations", "memberships", "members"] {
        let counter = format!("natter_store_unreadable_rows_total{{list=\"{list}\"}}");
        assert!(counted.contains(&counter), "{list}: {counted}");
    }
}

use natter_schemas::{
    event::{Kind, Member, Role, Shape},
    id::{ConversationId, UserId},
    rpc::{ListCursor, Membership},
};

use super::{
    Arc,
    fixtures::{SampleLog, at, plain, posted},
};
use crate::Store;

fn added(user: UserId) -> Kind {
    Kind::MemberAdded { user, role: Role::Member }
}

async fn role(store: &dyn Store, sample: &SampleLog, user: UserId) -> Option<(Option<Role>, u64)> {
    store.membership(sample.id, user).await.unwrap().map(|m| (m.role, m.version))
}

pub async fn a_conversation_is_what_its_events_say(store: Arc<dyn Store>) {
    let (anna, ben) = (UserId::fresh(), UserId::fresh());
    let mut sample = SampleLog::of(&[anna]);
    let joined = sample.add(sample.owner, added(ben));
    sample.add(sample.owner, Kind::Renamed { name: "first".to_owned() });
    let last = sample.add(sample.owner, Kind::Renamed { name: "second 👍".to_owned() });
    assert_eq!(store.conversation(sample.id).await.unwrap(), None);
    sample.persist(&*store).await;

    let row = store.conversation(sample.id).await.unwrap().unwrap();
    assert_eq!((row.id, row.shape, row.name.as_deref()), (sample.id, Shape::Group, Some("second 👍")));
    assert_eq!((row.created_at, row.members, row.head), (at(10), 3, last));
    assert_eq!(row.last_activity_at, at(last));
    let members = store.members(sample.id).await.unwrap();
    let found: Vec<_> = members.iter().map(|m| (m.member, m.joined_at)).collect();
    assert!(found.contains(&(Member { user: sample.owner, role: Role::Owner }, at(10))));
    assert!(found.contains(&(Member { user: anna, role: Role::Member }, at(10))));
    assert_eq!(found[2], (Member { user: ben, role: Role::Member }, at(joined)));
}

pub async fn a_member_who_left_is_a_former_one(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut sample = SampleLog::of(&[anna]);
    let left = sample.add(anna, Kind::MemberRemoved { user: anna });
    sample.persist(&*store).await;
    assert_eq!(role(&*store, &sample, anna).await, Some((None, left)));
    assert_eq!(role(&*store, &sample, UserId::fresh()).await, None);
    assert_eq!(store.conversation(sample.id).await.unwrap().unwrap().members, 1);
    assert_eq!(store.members(sample.id).await.unwrap().len(), 1);

    let back = sample.add(sample.owner, added(anna));
    sample.persist(&*store).await;
    assert_eq!(role(&*store, &sample, anna).await, Some((Some(Role::Member), back)));
    assert_eq!(store.conversation(sample.id).await.unwrap().unwrap().members, 2);
    assert_eq!(store.members(sample.id).await.unwrap()[1].joined_at, at(back));
}

pub async fn members_are_in_the_order_of_the_log_whatever_their_times(store: Arc<dyn Store>) {
    let (anna, ben) = (UserId::fresh(), UserId::fresh());
    let mut sample = SampleLog::of(&[]);
    sample.add(sample.owner, added(ben));
    sample.add(sample.owner, added(anna));
    // By a process whose clock was behind.
    sample.log[2].event.at = at(1);
    sample.persist(&*store).await;
    let members: Vec<UserId> =
        store.members(sample.id).await.unwrap().iter().map(|row| row.member.user).collect();
    assert_eq!(members, [sample.owner, ben, anna]);
}

pub async fn a_role_change_keeps_the_time_of_joining_and_cannot_bring_a_former_member_back(
    store: Arc<dyn Store>,
) {
    let anna = UserId::fresh();
    let mut sample = SampleLog::of(&[anna]);
    let raised = sample.add(sample.owner, Kind::RoleChanged { user: anna, role: Role::Admin });
    sample.persist(&*store).await;
    assert_eq!(role(&*store, &sample, anna).await, Some((Some(Role::Admin), raised)));
    assert!(store.members(sample.id).await.unwrap().iter().all(|m| m.joined_at == at(10)));

    let left = sample.add(sample.owner, Kind::MemberRemoved { user: anna });
    sample.add(sample.owner, Kind::RoleChanged { user: anna, role: Role::Owner });
    sample.persist(&*store).await;
    assert_eq!(role(&*store, &sample, anna).await, Some((None, left)));
    assert!(store.memberships(anna).await.unwrap().is_empty());
}

pub async fn a_role_change_that_arrives_before_the_joining_counts(store: Arc<dyn Store>) {
    let (anna, ben) = (UserId::fresh(), UserId::fresh());
    let mut sample = SampleLog::of(&[]);
    sample.add(sample.owner, added(anna));
    let raised = sample.add(sample.owner, Kind::RoleChanged { user: anna, role: Role::Admin });
    sample.add(sample.owner, Kind::RoleChanged { user: ben, role: Role::Admin });
    for logged in sample.log.iter().rev() {
        store.persist(sample.partition, std::slice::from_ref(logged)).await.unwrap();
    }
    assert_eq!(role(&*store, &sample, anna).await, Some((Some(Role::Admin), raised)));
    assert_eq!(role(&*store, &sample, ben).await, None);
    assert_eq!(store.conversation(sample.id).await.unwrap().unwrap().members, 2);
}

pub async fn events_that_arrive_before_created_are_not_lost(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut sample = SampleLog::of(&[]);
    sample.add(sample.owner, added(anna));
    sample.add(sample.owner, Kind::Renamed { name: "late".to_owned() });
    let last = sample.add(sample.owner, posted("first words"));
    store.persist(sample.partition, &sample.log[1..]).await.unwrap();
    assert_eq!(store.conversation(sample.id).await.unwrap(), None);
    assert!(store.list_conversations(anna, None, 10).await.unwrap().is_empty());
    assert_eq!(store.heads(&[sample.id]).await.unwrap(), [last]);

    store.persist(sample.partition, &sample.log[..1]).await.unwrap();
    let row = store.conversation(sample.id).await.unwrap().unwrap();
    assert_eq!((row.members, row.name.as_deref(), row.head), (2, Some("late"), last));
    assert_eq!((row.created_at, row.last_activity_at), (at(10), at(last)));
    assert_eq!(store.list_conversations(anna, None, 10).await.unwrap().len(), 1);
    assert!(store.message(sample.id, last, last).await.unwrap().is_some());
}

pub async fn memberships_are_the_present_ones(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let (stays, mut leaves) = (SampleLog::of(&[anna]), SampleLog::of(&[anna]));
    leaves.add(anna, Kind::MemberRemoved { user: anna });
    stays.persist(&*store).await;
    leaves.persist(&*store).await;
    let expected =
        Membership { conversation: stays.id, shape: Shape::Group, role: Some(Role::Member), version: 10 };
    assert_eq!(store.memberships(anna).await.unwrap(), [expected]);
    assert!(store.memberships(UserId::fresh()).await.unwrap().is_empty());
}

pub async fn a_list_is_by_newest_activity_and_pages_without_loss_or_repeat(store: Arc<dyn Store>) {
    let anna = UserId::fresh();
    let mut expected = Vec::new();
    // Three of each activity, so that ties lie within pages and across their edges.
    for n in 0..12_u64 {
        let mut sample = SampleLog::of(&[anna]);
        sample.skip_to(100 + n / 3);
        let seq = sample.add(sample.owner, posted("hi"));
        sample.persist(&*store).await;
        expected.push((at(seq), sample.id));
    }
    expected.sort_by(|a, b| b.cmp(a));
    for page in [1, 2, 5, 12, 50] {
        let mut listed = Vec::new();
        let mut after = None;
        loop {
            let rows = store.list_conversations(anna, after, page).await.unwrap();
            assert!(rows.len() <= page);
            let Some(last) = rows.last() else { break };
            let last = &last.conversation;
            after = Some(ListCursor { last_activity_at: last.last_activity_at, conversation: last.id });
            listed.extend(rows.iter().map(|row| (row.conversation.last_activity_at, row.conversation.id)));
        }
        assert_eq!(listed, expected, "in pages of {page}");
    }
    let row = store.list_conversations(anna, None, 1).await.unwrap().remove(0);
    assert_eq!((row.role, row.read.read, row.conversation.members), (Role::Member, 0, 2));
    assert_eq!(Some(row.conversation.clone()), store.conversation(row.conversation.id).await.unwrap());
    store.advance_read(row.conversation.id, anna, 100, at(1)).await.unwrap();
    assert_eq!(store.list_conversations(anna, None, 1).await.unwrap()[0].read.read, 100);
}

pub async fn edits_deletions_and_reactions_are_no_activity(store: Arc<dyn Store>) {
    let mut sample = SampleLog::of(&[]);
    let target = sample.add(sample.owner, posted("hi"));
    sample.add(sample.owner, Kind::Edited { target, body: plain("ho") });
    sample.add(sample.owner, Kind::Reacted { target, emoji: "👍".to_owned(), on: true });
    let last = sample.add(sample.owner, Kind::Deleted { target });
    sample.persist(&*store).await;
    let row = store.conversation(sample.id).await.unwrap().unwrap();
    assert_eq!((row.last_activity_at, row.head), (at(target), last));
    assert_eq!(store.conversation(ConversationId::fresh()).await.unwrap(), None);
}

pub async fn users_share_a_conversation_while_both_are_members(store: Arc<dyn Store>) {
    let (anna, ben, carl) = (UserId::fresh(), UserId::fresh(), UserId::fresh());
    let mut sample = SampleLog::of(&[anna, ben]);
    sample.persist(&*store).await;
    let others = [ben, carl, sample.owner];
    assert_eq!(store.sharing(anna, &others, None, 100).await.unwrap(), [ben, sample.owner]);
    assert_eq!(store.sharing(carl, &[anna], None, 100).await.unwrap(), []);
    sample.add(ben, Kind::MemberRemoved { user: ben });
    sample.persist(&*store).await;
    assert_eq!(store.sharing(anna, &others, None, 100).await.unwrap(), [sample.owner]);
    assert_eq!(store.sharing(ben, &[anna], None, 100).await.unwrap(), []);
}

pub async fn sharing_can_be_asked_of_groups_alone(store: Arc<dyn Store>) {
    let (anna, ben) = (UserId::fresh(), UserId::fresh());
    let direct = SampleLog::direct([anna, ben]);
    direct.persist(&*store).await;
    assert_eq!(store.sharing(anna, &[ben], None, 100).await.unwrap(), [ben]);
    assert_eq!(store.sharing(anna, &[ben], Some(Shape::Direct), 100).await.unwrap(), [ben]);
    assert_eq!(store.sharing(anna, &[ben], Some(Shape::Group), 100).await.unwrap(), []);
    SampleLog::of(&[anna, ben]).persist(&*store).await;
    assert_eq!(store.sharing(anna, &[ben], Some(Shape::Group), 100).await.unwrap(), [ben]);
}

pub async fn sharing_goes_over_no_more_memberships_than_it_may(store: Arc<dyn Store>) {
    let (anna, ben, carl) = (UserId::fresh(), UserId::fresh(), UserId::fresh());
    let mut logs: Vec<SampleLog> = (0..11).map(|_| SampleLog::of(&[])).collect();
    logs.sort_by_key(|sample| sample.id);
    // What they share comes last.
    for (n, sample) in logs.iter_mut().enumerate() {
        let members = [(anna, !(5..10).contains(&n)), (ben, n >= 5), (carl, n == 10)];
        for (user, _) in members.into_iter().filter(|(_, is_in)| *is_in) {
            sample.add(sample.owner, added(user));
        }
        sample.persist(&*store).await;
    }
    assert_eq!(store.sharing(anna, &[ben], None, 100).await.unwrap(), [ben]);
    assert_eq!(store.sharing(anna, &[ben], None, 4).await.unwrap(), []);
    assert_eq!(store.sharing(anna, &[ben], Some(Shape::Group), 4).await.unwrap(), []);
    assert_eq!(store.sharing(anna, &[carl], None, 10).await.unwrap(), [carl], "he is in few conversations");
    assert_eq!(store.sharing(anna, &[ben, carl], None, 0).await.unwrap(), []);
}

pub async fn every_conversation_comes_once_in_pages(store: Arc<dyn Store>) {
    let mut ids = Vec::new();
    for _ in 0..10 {
        let sample = SampleLog::of(&[]);
        sample.persist(&*store).await;
        ids.push(sample.id);
    }
    // One whose beginning has not come yet.
    let mut early = SampleLog::of(&[]);
    early.add(early.owner, posted("hi"));
    store.persist(early.partition, &early.log[1..]).await.unwrap();
    ids.push(early.id);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.conversations_after(after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(*last);
        found.extend(page.into_iter().filter(|id| ids.contains(id)));
    }
    found.sort_unstable();
    ids.sort_unstable();
    assert_eq!(found, ids);
}

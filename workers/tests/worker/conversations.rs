//! Opening, listing and renaming conversations, as edges see them.

use crate::harness::{Harness, event, opening, refusal};
use natter_nats::{subject, topology};
use natter_schemas::{
    code::Code,
    event::{Body, Kind, Member, Role, Shape},
    id::{ConversationId, UserId, direct_conversation, opening_event},
    limits::Limits,
    rpc::{
        AddMembers, Conversation, GetConversation, GetMembership, ListConversations, Memberships,
        OpenConversation, Rename,
    },
};
use natter_store::MemberStore;
use natter_testkit::until_some;
use natter_workers::Job;

const SERVICES: [Job; 2] = [Job::Conversations, Job::History];

async fn list(harness: &Harness, user: UserId, limit: usize) -> Vec<Conversation> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = harness.rpc.call(&ListConversations { user, limit, after }).await.unwrap();
        assert!(page.items.len() <= limit);
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

fn ids(conversations: &[Conversation]) -> Vec<ConversationId> {
    conversations.iter().map(|conversation| conversation.id).collect()
}

#[tokio::test]
async fn two_people_opening_the_same_direct_conversation_at_once_get_one() {
    let (harness, [alice, bob, _]) = Harness::with_three(&SERVICES).await;
    let from_alice = opening(alice, Shape::Direct, &[bob]);
    let from_bob = opening(bob, Shape::Direct, &[alice]);
    let (a, b) = tokio::join!(harness.rpc.call(&from_alice), harness.rpc.call(&from_bob));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.conversation.id, direct_conversation(alice, bob));
    assert_eq!(a.conversation.id, b.conversation.id);
    assert!(a.existed != b.existed, "one of them opened it");
    assert_eq!(a.membership, b.membership);
    assert_eq!(a.conversation.participant_count, 2);
    assert_eq!((a.conversation.shape, a.conversation.role), (Shape::Direct, Role::Member));

    let again = harness.rpc.call(&from_alice).await.unwrap();
    assert!(again.existed);
    assert_eq!(again.conversation.created_at, a.conversation.created_at);
    let log = harness.dependencies.log.from(a.conversation.id, 1, 10).await.unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!(harness.stored(topology::CONTROL).await.len(), 2);
}

#[tokio::test]
async fn an_opening_that_died_before_it_was_stored_is_finished_by_the_next() {
    let (harness, [alice, bob, _]) = Harness::with_three(&SERVICES).await;
    let room = direct_conversation(alice, bob);
    let members = [alice, bob].map(|user| Member { user, role: Role::Member }).to_vec();
    let mut created = event(bob, room, Kind::Created { shape: Shape::Direct, name: None, members });
    created.id = opening_event(room);
    let seq = harness.publish(&created).await;
    harness.post(bob, room, "are you there").await;

    let opened = harness.rpc.call(&opening(alice, Shape::Direct, &[bob])).await.unwrap();
    assert!(opened.existed);
    assert_eq!(opened.membership.version, seq);
    assert_eq!(opened.conversation.unread, 1);
    assert_eq!(harness.dependencies.log.from(room, 1, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_group_has_an_owner_and_each_member_once() {
    let (harness, [alice, bob, carol]) = Harness::with_three(&SERVICES).await;
    let call = OpenConversation {
        name: Some("Tea party".to_owned()),
        ..opening(alice, Shape::Group, &[bob, carol, bob, alice])
    };
    let opened = harness.rpc.call(&call).await.unwrap();
    assert!(!opened.existed);
    let view = opened.conversation;
    assert_eq!(
        (view.name.as_deref(), view.role, view.participant_count),
        (Some("Tea party"), Role::Owner, 3)
    );
    assert_eq!((view.unread, view.read, view.last_message.is_none()), (0, 0, true));
    assert_eq!(view.head, opened.membership.version);
    let mut roles: Vec<_> = view.participants.unwrap().into_iter().map(|p| (p.username, p.role)).collect();
    roles.sort();
    let expected = [("alice", Role::Owner), ("bob", Role::Member), ("carol", Role::Member)];
    assert_eq!(roles, expected.map(|(name, role)| (name.to_owned(), role)));
    let mut published: Vec<_> =
        harness.stored(topology::CONTROL).await.iter().map(|message| message.subject.to_string()).collect();
    published.sort();
    let mut expected = [alice, bob, carol].map(subject::control_user);
    expected.sort();
    assert_eq!(published, expected);

    // Another one with the same people is another conversation.
    assert_ne!(harness.group(alice, &[bob, carol]).await, view.id);
}

#[tokio::test]
async fn who_cannot_take_part_is_named() {
    let (harness, [alice, bob, carol]) = Harness::with_three(&SERVICES).await;
    let participants = (Code::Invalid, Some("participantIds".to_owned()));
    let stranger = UserId::fresh();
    for (shape, others) in [
        (Shape::Direct, vec![]),
        (Shape::Direct, vec![alice]),
        (Shape::Direct, vec![bob, carol]),
        (Shape::Direct, vec![alice, bob]),
        (Shape::Direct, vec![stranger]),
        (Shape::Group, vec![]),
        (Shape::Group, vec![bob, stranger]),
        (Shape::Group, vec![bob; 501]),
    ] {
        assert_eq!(
            refusal(harness.rpc.call(&opening(alice, shape, &others)).await),
            participants,
            "{shape:?}"
        );
    }
    let call = OpenConversation { name: Some(" ".to_owned()), ..opening(alice, Shape::Group, &[bob]) };
    assert_eq!(refusal(harness.rpc.call(&call).await), (Code::Invalid, Some("name".to_owned())));
    assert_eq!(harness.dependencies.log.last_seqs().await.unwrap(), [0, 0], "nothing was published");
}

#[tokio::test]
async fn a_group_has_no_more_members_than_its_deployment_allows() {
    let limits = Limits { participants: 3, ..Limits::default() };
    let harness = Harness::with_limits(&SERVICES, limits).await;
    let people = ["alice", "bob", "carol", "dave"].map(|name| harness.person(name));
    let people = futures_util::future::join_all(people).await;
    let (creator, others) = (people[0], &people[1..]);
    let four = opening(creator, Shape::Group, others);
    assert_eq!(refusal(harness.rpc.call(&four).await).0, Code::Invalid);
    let conversation = harness.group(creator, &others[..2]).await;
    let fourth = AddMembers { by: creator, conversation, users: vec![people[3]], traceparent: None };
    assert_eq!(refusal(harness.rpc.call(&fourth).await).0, Code::Invalid);
    assert_eq!(harness.view(creator, conversation).await.unwrap().participant_count, 3);
}

#[tokio::test]
async fn only_owners_and_admins_rename_and_only_groups() {
    let (harness, [alice, bob, carol]) = Harness::with_three(&SERVICES).await;
    let room = harness.group(alice, &[bob]).await;
    let rename = |user, conversation, name: &str| Rename {
        user,
        conversation,
        name: name.to_owned(),
        traceparent: None,
    };
    let logged = harness.rpc.call(&rename(alice, room, "Mad tea party")).await.unwrap();
    let view = harness.view(bob, room).await.unwrap();
    assert_eq!((view.name.as_deref(), view.head), (Some("Mad tea party"), logged.seq));
    assert_eq!(refusal(harness.rpc.call(&rename(bob, room, "Mine")).await).0, Code::Forbidden);
    assert_eq!(refusal(harness.rpc.call(&rename(carol, room, "Mine")).await).0, Code::NotFound);
    for bad in ["\n", "\u{3164}", "\u{200B}", "the \u{202E}moor"] {
        let refused = harness.rpc.call(&rename(alice, room, bad)).await;
        assert_eq!(refusal(refused), (Code::Invalid, Some("name".to_owned())), "{bad:?}");
    }
    let direct = harness.rpc.call(&opening(alice, Shape::Direct, &[bob])).await.unwrap().conversation.id;
    assert_eq!(refusal(harness.rpc.call(&rename(alice, direct, "Us")).await).0, Code::Forbidden);
}

#[tokio::test]
async fn a_conversation_is_not_there_for_others() {
    let (harness, [alice, bob, carol]) = Harness::with_three(&SERVICES).await;
    let room = harness.group(alice, &[bob]).await;
    let ask = GetConversation { user: carol, conversation: room };
    assert_eq!(refusal(harness.rpc.call(&ask).await).0, Code::NotFound);
    let ask = GetConversation { user: alice, conversation: ConversationId::fresh() };
    assert_eq!(refusal(harness.rpc.call(&ask).await).0, Code::NotFound);
    let access = |user| GetMembership { user, conversation: room };
    assert_eq!(harness.rpc.call(&access(carol)).await.unwrap(), None);
    let place = harness.rpc.call(&access(bob)).await.unwrap().unwrap();
    assert_eq!(place.role, Some(Role::Member));
    let all = |user| Memberships { user, after: None };
    let of_bob = harness.rpc.call(&all(bob)).await.unwrap();
    assert_eq!((of_bob.items, of_bob.has_more), (vec![place], false));
    assert!(harness.rpc.call(&all(carol)).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_view_is_the_same_before_and_after_persisting() {
    let (mut harness, [alice, bob, carol]) = Harness::with_three(&SERVICES).await;
    let room = harness.group(alice, &[bob]).await;
    let first = harness.post(alice, room, "hello").await;
    harness.say(alice, room, Kind::MemberAdded { user: carol, role: Role::Member }).await;
    harness.say(alice, room, Kind::RoleChanged { user: bob, role: Role::Admin }).await;
    harness.say(alice, room, Kind::Renamed { name: "New".to_owned() }).await;
    let reply = harness.post(bob, room, "hello yourself").await;
    let head = harness.say(alice, room, Kind::Deleted { target: first }).await;

    let before = [harness.view(alice, room).await.unwrap(), harness.view(bob, room).await.unwrap()];
    harness.settle(&SERVICES).await;
    let after = [harness.view(alice, room).await.unwrap(), harness.view(bob, room).await.unwrap()];
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    let [of_alice, of_bob] = after;
    assert_eq!((of_alice.head, of_alice.read, of_alice.unread), (head, first, 1));
    assert_eq!((of_bob.head, of_bob.read, of_bob.unread, of_bob.role), (head, reply, 0, Role::Admin));
    assert_eq!((of_bob.name.as_deref(), of_bob.participant_count), (Some("New"), 3));
    assert_eq!(of_bob.last_message.unwrap().seq, reply);
}

#[tokio::test]
async fn the_list_has_the_newest_activity_first_also_before_it_is_persisted() {
    let (mut harness, [alice, bob, _]) = Harness::with_three(&SERVICES).await;
    let mut rooms = Vec::new();
    for _ in 0..7 {
        rooms.push(harness.group(alice, &[bob]).await);
    }
    for room in &rooms {
        harness.post(bob, *room, "hello").await;
    }
    harness.settle(&SERVICES).await;
    // Some persisted, some not; an edit or a reaction moves nothing.
    let again = harness.post(bob, rooms[2], "again").await;
    harness.post(bob, rooms[5], "again").await;
    harness.say(bob, rooms[2], Kind::Deleted { target: again }).await;
    let expected = [5, 2, 6, 4, 3, 1, 0].map(|n: usize| rooms[n]);
    for limit in [1, 2, 3, 7, 50] {
        let items = list(&harness, alice, limit).await;
        assert_eq!(ids(&items), expected, "limit {limit}");
        let unread: Vec<usize> = items.iter().map(|item| item.unread).collect();
        assert_eq!(unread, [2, 1, 1, 1, 1, 1, 1]);
        assert!(items.iter().all(|item| item.participants.is_none() && item.participant_count == 2));
        // The newest message of this one is deleted: the one before it is shown.
        let shown = items[1].last_message.as_ref().unwrap();
        assert_eq!(shown.body, Some(Body::Plain("hello".to_owned())));
    }
    let before = list(&harness, alice, 3).await;
    harness.settle(&SERVICES).await;
    assert_eq!(format!("{before:?}"), format!("{:?}", list(&harness, alice, 3).await));
}

#[tokio::test]
async fn the_last_message_shown_is_the_newest_that_is_not_deleted() {
    let (mut harness, [alice, bob, _]) = Harness::with_three(&SERVICES).await;
    let room = harness.group(alice, &[bob]).await;
    let mut seqs = Vec::new();
    for n in 0..30 {
        seqs.push(harness.post(bob, room, &n.to_string()).await);
    }
    let shown = async |harness: &Harness| {
        let message = harness.view(alice, room).await.unwrap().last_message.unwrap();
        (message.seq, message.deleted_at.is_some())
    };
    for deleted in [1, 5] {
        for seq in &seqs[30 - deleted..] {
            harness.say(bob, room, Kind::Deleted { target: *seq }).await;
        }
        let expected = (seqs[29 - deleted], false);
        assert_eq!(shown(&harness).await, expected);
        harness.settle(&SERVICES).await;
        assert_eq!(shown(&harness).await, expected);
    }
    // Further back nothing is looked for.
    for seq in &seqs[10..] {
        harness.say(bob, room, Kind::Deleted { target: *seq }).await;
    }
    assert_eq!(shown(&harness).await, (seqs[29], true));
}

#[tokio::test]
async fn a_former_member_sees_nothing_any_more() {
    let mut harness = Harness::with(&[Job::Conversations, Job::History, Job::Persist]).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    let room = harness.group(alice, &[bob]).await;
    harness.say(alice, room, Kind::MemberRemoved { user: bob }).await;
    let gone = || async {
        let membership = harness.store.membership(room, bob).await.unwrap().unwrap();
        membership.role.is_none().then_some(())
    };
    until_some("the removal is stored", gone).await;
    let ask = GetConversation { user: bob, conversation: room };
    assert_eq!(refusal(harness.rpc.call(&ask).await).0, Code::NotFound);
    assert!(list(&harness, bob, 50).await.is_empty());
    harness.post(alice, room, "alone").await;
    assert_eq!(harness.view(alice, room).await.unwrap().participant_count, 1);
    harness.stop().await;
}

#[tokio::test]
async fn a_key_makes_one_group_and_is_refused_with_other_members() {
    let (mut harness, [alice, bob, carol]) = Harness::with_three(&SERVICES).await;
    let keyed = |creator, others: &[UserId]| OpenConversation {
        key: Some("k".to_owned()),
        ..opening(creator, Shape::Group, others)
    };
    let same = keyed(alice, &[bob]);
    let (first, second) = tokio::join!(harness.rpc.call(&same), harness.rpc.call(&same));
    let (first, second) = (first.unwrap(), second.unwrap());
    let id = first.conversation.id;
    assert_eq!(second.conversation.id, id);
    assert!(first.existed != second.existed, "one of them made it");
    let refused = harness.rpc.call(&keyed(alice, &[carol])).await.unwrap_err();
    assert_eq!(refused.code, Code::IdempotencyMismatch);
    let others = harness.rpc.call(&keyed(bob, &[alice])).await.unwrap();
    assert!(others.conversation.id != id && !others.existed, "a key is its user's");
    harness.settle(&SERVICES).await;
    let again = harness.rpc.call(&same).await.unwrap();
    assert_eq!((again.conversation.id, again.existed), (id, true));
}

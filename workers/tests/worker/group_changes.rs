//! Changes of groups made at once: the log decides between them.

use crate::harness::Harness;
use futures_util::{StreamExt, stream};
use natter_schemas::{
    code::Code,
    event::{Kind, Role},
    id::{ConversationId, UserId},
    limits::Limits,
    rpc::{AddMembers, RemoveMember, Rename, SetRole},
};
use natter_store::MemberStore;
use natter_workers::Job;

const SERVICES: [Job; 2] = [Job::Conversations, Job::History];

fn hand_over(by: UserId, conversation: ConversationId, user: UserId) -> SetRole {
    SetRole { by, conversation, user, role: Role::Owner, traceparent: None }
}

async fn owners(harness: &Harness, by: UserId, conversation: ConversationId) -> Vec<UserId> {
    let participants = harness.view(by, conversation).await.unwrap().participants.unwrap();
    participants.iter().filter(|one| one.role == Role::Owner).map(|one| one.user).collect()
}

#[tokio::test]
async fn of_hand_overs_at_once_one_wins_and_the_others_conflict() {
    let (harness, [alice, bob, carol]) = Harness::with_three(&SERVICES).await;
    let dave = harness.person("dave").await;
    for _ in 0..10 {
        let group = harness.group(alice, &[bob, carol, dave]).await;
        let calls = [bob, carol, dave].map(|user| hand_over(alice, group, user));
        let answers = futures_util::future::join_all(calls.iter().map(|call| harness.rpc.call(call))).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        for refused in answers.into_iter().filter(Result::is_err) {
            assert!(matches!(refused.unwrap_err().code, Code::Conflict | Code::Forbidden));
        }
        assert_eq!(owners(&harness, bob, group).await.len(), 1);
    }
}

#[tokio::test]
async fn an_owner_who_leaves_during_the_hand_over_leaves_one_owner() {
    let (harness, [alice, bob, carol]) = Harness::with_three(&SERVICES).await;
    for _ in 0..10 {
        let group = harness.group(alice, &[bob, carol]).await;
        let leave = RemoveMember { by: alice, conversation: group, user: alice, traceparent: None };
        let call = hand_over(alice, group, carol);
        let (_, left) = tokio::join!(harness.rpc.call(&call), harness.rpc.call(&leave));
        left.unwrap();
        assert_eq!(owners(&harness, bob, group).await.len(), 1);
        assert_eq!(harness.view(bob, group).await.unwrap().participant_count, 2);
    }
}

#[tokio::test]
async fn an_addition_to_a_busy_group_is_made_between_its_messages() {
    let (harness, [alice, bob, carol]) = Harness::with_three(&SERVICES).await;
    let group = harness.group(alice, &[bob]).await;
    let call = AddMembers { by: alice, conversation: group, users: vec![carol], traceparent: None };
    let (harness, stop) = (&harness, std::sync::atomic::AtomicBool::new(false));
    // Each post is followed by three times as long without one: the group is busy, but not saturated, however slow the machine is.
    let posts = || async {
        let (mut posted, mut pace) = (0, tokio::time::interval(std::time::Duration::from_secs(1)));
        while posted < 150 || !stop.load(std::sync::atomic::Ordering::Relaxed) {
            pace.tick().await;
            let began = std::time::Instant::now();
            harness.post(bob, group, "x").await;
            pace.reset_after(began.elapsed() * 3);
            posted += 1;
        }
    };
    let change = async {
        let added = harness.rpc.call(&call).await;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        added
    };
    let ((), (), added) = tokio::join!(posts(), posts(), change);
    added.unwrap();
    assert_eq!(harness.view(carol, group).await.unwrap().participant_count, 3);
}

#[tokio::test]
async fn a_member_leaves_however_far_the_persister_is_behind() {
    let (harness, [alice, bob, _]) = Harness::with_three(&SERVICES).await;
    let group = harness.group(alice, &[bob]).await;
    let posts = stream::iter(0..10_050).map(|_| harness.post(alice, group, "x"));
    assert_eq!(posts.buffer_unordered(256).count().await, 10_050);
    let leave = RemoveMember { by: bob, conversation: group, user: bob, traceparent: None };
    harness.rpc.call(&leave).await.unwrap();
    let membership = harness.store.membership(group, bob).await.unwrap().unwrap();
    assert_eq!(membership.role, None);
}

#[tokio::test]
async fn a_rename_by_an_admin_who_is_demoted_at_once_is_refused() {
    let (harness, [alice, bob, _]) = Harness::with_three(&SERVICES).await;
    for n in 0..10 {
        let group = harness.group(alice, &[bob]).await;
        let role = |role| SetRole { by: alice, conversation: group, user: bob, role, traceparent: None };
        harness.rpc.call(&role(Role::Admin)).await.unwrap();
        let name = format!("of bob {n}");
        let rename = Rename { user: bob, conversation: group, name, traceparent: None };
        let demote = role(Role::Member);
        let (renamed, demoted) = tokio::join!(harness.rpc.call(&rename), harness.rpc.call(&demote));
        demoted.unwrap();
        let log = harness.dependencies.log.from(group, 1, 100).await.unwrap();
        let last = log.last().unwrap().decode().unwrap();
        match renamed {
            // Before the demotion, which then is the last event.
            Ok(renamed) => assert!(renamed.seq < last.seq, "{renamed:?} {last:?}"),
            Err(refused) => assert!(matches!(refused.code, Code::Conflict | Code::Forbidden)),
        }
        assert!(matches!(last.event.kind, Kind::RoleChanged { role: Role::Member, .. }));
    }
}

#[tokio::test]
async fn additions_at_once_do_not_pass_the_bound() {
    let limits = Limits { participants: 4, ..Limits::default() };
    let harness = Harness::with_limits(&SERVICES, limits).await;
    let mut people = Vec::new();
    for n in 0..12 {
        people.push(harness.person(&format!("person{n}")).await);
    }
    let group = harness.group(people[0], &people[1..2]).await;
    let call = |user: &UserId| AddMembers {
        by: people[0],
        conversation: group,
        users: vec![*user],
        traceparent: None,
    };
    let calls: Vec<AddMembers> = people[2..].iter().map(call).collect();
    let answers = futures_util::future::join_all(calls.iter().map(|call| harness.rpc.call(call))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2, "{answers:?}");
    for refused in answers.into_iter().filter_map(Result::err) {
        assert!(matches!(refused.code, Code::Conflict | Code::Invalid), "{refused:?}");
    }
    assert_eq!(harness.view(people[0], group).await.unwrap().participant_count, 4);
}

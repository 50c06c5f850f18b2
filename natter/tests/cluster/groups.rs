//! Every change of a group is an event of its log, in one order for all members.

use serde_json::{Value, json};

use crate::shared;
use natter_testkit::{Cluster, Device, Room, User, chain, kind};

struct Group {
    owner: User,
    admin: User,
    member: User,
    room: Room,
    /// Of each of the three, one on each edge.
    devices: Vec<Device>,
}

impl Group {
    async fn new(cluster: &Cluster) -> Self {
        let (owner, admin, member) =
            (cluster.user(0, "owner").await, cluster.user(1, "admin").await, cluster.user(1, "member").await);
        let room = owner.group(&[&admin, &member]).await;
        let mut devices = Vec::new();
        for user in [&owner, &admin, &member] {
            devices.push(user.at(0).device("near").await);
            devices.push(user.at(1).device("far").await);
        }
        let group = Self { owner, admin, member, room, devices };
        group.set_role(&group.owner, &group.admin, "admin").await;
        group
    }

    fn path(&self, user: &User) -> String {
        self.room.path(&format!("/participants/{}", user.id))
    }

    async fn set_role(&self, by: &User, user: &User, role: &str) {
        let answer = by.patch(&self.path(user), &json!({"role": role})).await.ok(200);
        assert_eq!(role_of(&answer, user), role);
    }

    async fn head(&self, by: &User) -> u64 {
        by.conversation(&self.room).await["headSeq"].as_u64().unwrap()
    }
}

/// Of a user in a conversation with participants; `null` when not there.
fn role_of(conversation: &Value, user: &User) -> Value {
    let participants = conversation["participants"].as_array().unwrap();
    participants.iter().find(|p| p["userId"] == user.id).map_or(Value::Null, |p| p["role"].clone())
}

/// What happened, in short.
fn story(events: &[Value]) -> Vec<String> {
    let line = |event: &Value| match kind(event) {
        "member:changed" => {
            let role = event["role"].as_str().map(|role| format!(" {role}")).unwrap_or_default();
            format!("{} {}{role} by {}", event["change"], event["userId"], event["by"]).replace('"', "")
        }
        "conversation:updated" => format!("named {} by {}", event["name"], event["by"]).replace('"', ""),
        other => other.to_owned(),
    };
    events.iter().map(line).collect()
}

#[tokio::test]
async fn every_change_is_an_event_that_all_devices_on_both_edges_get_in_one_order() {
    let cluster = shared().await;
    let group = Group::new(cluster).await;
    let (owner, admin, member, room) = (&group.owner, &group.admin, &group.member, &group.room);
    let new = cluster.user(0, "new").await;

    let added = admin.post(&room.path("/participants"), &json!({"userIds": [new.id]})).await.ok(200);
    assert_eq!(role_of(&added, &new), "member");
    admin.patch(&room.path(""), &json!({"name": "Renamed"})).await.ok(200);
    group.set_role(owner, member, "admin").await;
    group.set_role(owner, member, "member").await;
    admin.delete(&group.path(&new)).await.ok(204);
    // Without its owner a group has none: the admin comes before the member, whoever was first.
    owner.delete(&group.path(owner)).await.ok(204);
    assert_eq!(role_of(&member.conversation(room).await, admin), "owner");

    let expected = [
        format!("roleChanged {} admin by {}", admin.id, owner.id),
        format!("added {} member by {}", new.id, admin.id),
        format!("named Renamed by {}", admin.id),
        format!("roleChanged {} admin by {}", member.id, owner.id),
        format!("roleChanged {} member by {}", member.id, owner.id),
        format!("removed {} by {}", new.id, admin.id),
        format!("roleChanged {} owner by {}", admin.id, owner.id),
        format!("removed {} by {}", owner.id, owner.id),
    ];
    let head = group.head(member).await;
    let mut stories = Vec::new();
    for device in &group.devices[2..] {
        device.wait_for_seq(room, head).await;
        let events = chain(&device.frames(), room, room.head);
        assert_eq!(story(&events), expected);
        stories.push(events);
    }
    assert!(stories.iter().all(|events| events == &stories[0]));
    // And the same again for who was away.
    let positions = json!({room.id.clone(): room.head});
    let later = member.resume("later", &group.devices[4].epoch(), &positions).await;
    assert_eq!(chain(&later.frames(), room, room.head), stories[0]);
    let conversation = member.at(0).conversation(room).await;
    assert_eq!((&conversation["name"], &conversation["participantCount"]), (&json!("Renamed"), &json!(2)));
    assert!(member.history(room).await.is_empty(), "changes are no messages");
}

#[tokio::test]
async fn the_owner_names_the_next_one_or_the_longest_serving_member_inherits() {
    let cluster = shared().await;
    let group = Group::new(cluster).await;
    let (owner, admin, member) = (&group.owner, &group.admin, &group.member);
    let refused = owner.patch(&group.path(owner), &json!({"role": "member"})).await;
    assert_eq!(refused.code(), (409, "conflict"), "a group without an owner");
    group.set_role(owner, member, "owner").await;
    let now = owner.conversation(&group.room).await;
    assert_eq!(role_of(&now, owner), "admin");
    assert_eq!(role_of(&now, member), "owner");
    assert_eq!(role_of(&now, admin), "admin");

    // Everybody leaves, one after the other.
    member.delete(&group.path(member)).await.ok(204);
    assert_eq!(role_of(&admin.conversation(&group.room).await, owner), "owner", "the admin there first");
    owner.delete(&group.path(owner)).await.ok(204);
    assert_eq!(role_of(&admin.conversation(&group.room).await, admin), "owner");
    admin.delete(&group.path(admin)).await.ok(204);
    for user in [owner, admin, member] {
        assert_eq!(user.get(&group.room.path("")).await.code(), (404, "not_found"));
    }
}

#[tokio::test]
async fn changes_on_both_edges_at_once_have_one_order_for_all() {
    let cluster = shared().await;
    let group = Group::new(cluster).await;
    let (owner, admin, room) = (&group.owner, &group.admin, &group.room);
    let mut people = Vec::new();
    for number in 0..4 {
        people.push(cluster.user(number % 2, "person").await);
    }
    let add = |by: User, user: &User| {
        let (path, body) = (room.path("/participants"), json!({"userIds": [user.id]}));
        async move { by.post(&path, &body).await.status }
    };
    let rename = |by: User, name: &'static str| {
        let path = room.path("");
        async move { by.patch(&path, &json!({"name": name})).await.status }
    };
    let statuses = tokio::join!(
        add(owner.at(0), &people[0]),
        add(admin.at(1), &people[1]),
        rename(owner.at(1), "One"),
        rename(admin.at(0), "Other"),
        add(owner.at(1), &people[2]),
        add(admin.at(0), &people[3]),
    );
    assert_eq!(statuses, (200, 200, 200, 200, 200, 200));
    let head = group.head(owner).await;
    let mut stories = Vec::new();
    for device in &group.devices {
        device.wait_for_seq(room, head).await;
        stories.push(story(&chain(&device.frames(), room, room.head)));
    }
    assert!(stories.iter().all(|story| story == &stories[0]), "{stories:#?}");
    let named = stories[0].iter().rfind(|line| line.starts_with("named")).unwrap().clone();
    for edge in [0, 1] {
        let conversation = owner.at(edge).conversation(room).await;
        assert_eq!(conversation["participantCount"], 7);
        assert!(named.contains(conversation["name"].as_str().unwrap()), "{named}, not {conversation}");
    }
}

#[tokio::test]
async fn a_user_added_twice_is_a_member_once() {
    let cluster = shared().await;
    let group = Group::new(cluster).await;
    let (owner, admin, room) = (&group.owner, &group.admin, &group.room);
    let new = cluster.user(1, "new").await;
    let body = json!({"userIds": [new.id, new.id, group.member.id]});
    let path = room.path("/participants");
    let (one, other) = tokio::join!(owner.post(&path, &body), admin.post(&path, &body));
    assert_eq!((one.status, other.status), (200, 200));
    owner.post(&path, &body).await.ok(200);
    let conversation = owner.conversation(room).await;
    assert_eq!(conversation["participantCount"], 4);
    assert_eq!(conversation["participants"].as_array().unwrap().len(), 4);
    assert_eq!(role_of(&conversation, &new), "member");
    let mut device = new.device("d").await;
    device.ping().await;
    device.post(room, "here I am").await;
}

#[tokio::test]
async fn a_group_has_an_owner_however_leaving_and_handing_over_race() {
    let cluster = shared().await;
    for round in 0..10 {
        let group = Group::new(cluster).await;
        let (owner, admin, member, room) = (&group.owner, &group.admin, &group.member, &group.room);
        let heir = if round % 2 == 0 { admin } else { member };
        let (path, body) = (group.path(heir), json!({"role": "owner"}));
        let (owner_far, leaving) = (owner.at(1), group.path(heir));
        let (promoted, left) = tokio::join!(owner_far.patch(&path, &body), heir.delete(&leaving));
        // The heir had gone before, or went meanwhile.
        assert!([200, 404, 409].contains(&promoted.status), "{promoted:?}");
        assert_eq!(left.status, 204, "{left:?}");
        let rest = if round % 2 == 0 { member } else { admin };
        for edge in [0, 1] {
            let conversation = rest.at(edge).conversation(room).await;
            let people = [owner, admin, member];
            let owners = people.iter().filter(|user| role_of(&conversation, user) == "owner").count();
            assert_eq!(owners, 1, "round {round}: {conversation:#}");
        }
    }
}

//! What stays behind of a socket: nothing, however it ends.

use natter_runtime::shared_state::SharedState;
use natter_schemas::id::UserId;
use serde_json::json;

use natter_testkit::until;

use crate::harness::Edge;

#[tokio::test]
async fn a_hello_cut_off_while_a_service_stalls_leaves_nothing() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    edge.services.stall();
    let (app, token) = (edge.app.clone(), edge.token(user));
    let hello = tokio::spawn(async move { app.hello.accept(&token, None, None).await.map(|_| ()) });
    until("the socket is registered and in its room", async || edge.has_room(conversation)).await;
    assert_eq!(edge.app.sockets.count(), 1);

    hello.abort();
    assert!(hello.await.expect_err("it was cut off").is_cancelled());
    assert_eq!(edge.app.sockets.count(), 0);
    assert!(!edge.has_room(conversation));
}

#[tokio::test]
async fn a_socket_whose_task_panics_leaves_nothing() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    until("the user is online", async || is_online(&edge, user).await).await;
    assert!(edge.app.sockets.count() == 1 && edge.has_room(conversation));

    edge.shared.break_once();
    socket.send(&json!({"type": "join", "conversationId": conversation})).await;
    assert_eq!(socket.next().await, None);
    until("the socket is gone", async || edge.app.sockets.count() == 0).await;
    until("its room is gone", async || !edge.has_room(conversation)).await;
    until("its user is offline", async || !is_online(&edge, user).await).await;
}

#[tokio::test]
async fn a_socket_enters_all_rooms_of_its_user_although_an_answer_names_two() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let rooms: Vec<_> = (0..5).map(|_| edge.conversation(&[user])).collect();
    let _socket = edge.socket(user).await;
    assert!(rooms.iter().all(|room| edge.has_room(*room)));
}

#[tokio::test]
async fn a_socket_that_is_closed_leaves_nothing() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let socket = edge.socket(user).await;
    assert!(edge.app.sockets.count() == 1 && edge.has_room(conversation));
    drop(socket);
    until("the socket is gone", async || edge.app.sockets.count() == 0).await;
    until("its room is gone", async || !edge.has_room(conversation)).await;
}

#[tokio::test]
async fn a_socket_that_has_left_is_not_put_into_a_room_again() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let accepted = edge.app.hello.accept(&edge.token(user), None, None).await.expect("a hello");
    let socket = accepted.registration.clone();
    drop(accepted);
    let conversation = edge.conversation(&[user]);
    edge.app.hub.subscribe(&socket, &[conversation]).await.expect("nothing to ask");
    assert!(!edge.has_room(conversation));
}

async fn is_online(edge: &Edge, user: UserId) -> bool {
    edge.shared.presence(&[user]).await.expect("it answers")[0].online
}

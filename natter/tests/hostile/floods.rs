//! Floods of each frame, under the limits of a production deployment.

use std::time::Instant;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use natter_testkit::{DevServer, Room, User};

use crate::NATTER;

/// As `Rates::production` has them, but for registrations: all of this test come from one address.
const RATES: &str = "login=1000/min,send=20/s*200,write=5/s*50,groups=200/day,read=50/s*200,search=5/s*20,\
                     frames=100/s*1000,renew=10/min*20,address=1000/s*10000";
/// More than a socket's burst of frames.
const FLOOD: usize = 3_000;

async fn server() -> DevServer {
    DevServer::start(NATTER, &[("RATE_LIMITS", RATES), ("LOG_LEVEL", "warn")]).await
}

/// One frame of each kind that the document shows, about this room.
fn kinds(room: &Room) -> Vec<(String, Value)> {
    let document: Value = serde_json::from_str(include_str!("../../../docs/asyncapi.json")).unwrap();
    let messages = document["components"]["messages"].as_object().unwrap();
    let clients = messages.iter().filter_map(|(key, message)| Some((key.strip_prefix("client.")?, message)));
    let frames = clients.map(|(kind, message)| {
        let mut frame = message["examples"][0]["payload"].clone();
        if frame.get("conversationId").is_some() {
            frame["conversationId"] = json!(room.id);
        }
        frame["id"] = json!(1);
        (kind.to_owned(), frame)
    });
    frames.collect()
}

/// Everything at once; what comes back is read when all is sent. The close code, and how many frames were taken.
async fn flood(user: &User, kind: &str, frame: &Value) -> (u16, usize) {
    let mut socket = user.socket(kind).await;
    for _ in 0..FLOOD {
        if socket.try_send(Message::text(frame.to_string())).await.is_err() {
            break;
        }
    }
    let code = socket.closed().await;
    let taken = socket.frames.iter().filter(|frame| frame["type"] != "error" && frame["id"] == 1);
    (code, taken.count())
}

#[tokio::test]
async fn a_flood_of_any_frame_ends_its_socket_within_its_limit() {
    let natter = server().await;
    let eve = User::register_as(&natter.http, "eve").await;
    for (number, (kind, mut frame)) in kinds(&Room { id: String::new(), head: 0 }).into_iter().enumerate() {
        // Limits are counted by user: each kind has one of its own.
        let user = User::register_as(&natter.http, &format!("user-{number}")).await;
        if frame.get("conversationId").is_some() {
            frame["conversationId"] = json!(user.group(&[&eve]).await.id);
        }
        let begun = Instant::now();
        let (code, taken) = flood(&user, &kind, &frame).await;
        let expected = match kind.as_str() {
            // The second one of a socket, and one whose token is none.
            "hello" => 4501,
            "token" => 4001,
            _ => 4029,
        };
        assert_eq!(code, expected, "a flood of {kind}");
        // The burst of `send` and of `read`, and what they gain meanwhile.
        let most = 200 + 50 * (begun.elapsed().as_secs() + 1);
        assert!(taken as u64 <= most, "{taken} frames of kind {kind} in {:?}", begun.elapsed());
    }
    eve.socket("after").await.ping().await;
}

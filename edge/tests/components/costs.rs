//! Every frame and every route takes tokens: walked over by the tables, so that a new one is not forgotten.

use std::{fs, net::IpAddr};

use futures_util::future::join_all;
use natter_edge::{ROUTES, RouteCost};
use natter_runtime::rates::Rates;
use natter_schemas::{
    frame::CLIENT_TYPES,
    id::{ConversationId, UserId},
};
use serde_json::json;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::harness::{Edge, Socket, frame};

/// Of every class one token.
const ONE: &str = "login=1/h,send=1/h,write=1/h,read=1/h,search=1/h,renew=1/h,address=1/h";

async fn edge(rates: &str) -> Edge {
    let rates = Rates::off().with(rates).expect("rules");
    Edge::start_with(|config| {
        config.rates = rates;
        config.trusted_proxies = vec![IpAddr::from([127, 0, 0, 1]).into()];
    })
    .await
}

/// The path with something in the place of its parameters.
fn filled(path: &str) -> String {
    let id = ConversationId::fresh().to_string();
    let parts = path.split('/').map(|part| match part {
        "{seq}" => "1",
        "{emoji}" => "%F0%9F%91%8D",
        part if part.starts_with('{') => id.as_str(),
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_takes_tokens_of_its_user_or_address() {
    let edge = edge(ONE).await;
    let visits = ROUTES.iter().enumerate().map(|(number, (method, path, cost))| {
        let edge = &edge;
        async move {
            let token = edge.token(UserId::fresh());
            // An address of its own, so that it does not pay for another route.
            let client = format!("X-Forwarded-For: 198.51.100.{number}");
            let headers = match cost {
                RouteCost::User(_) => format!("{client}\r\nAuthorization: Bearer {token}"),
                RouteCost::Address(_) | RouteCost::Free => client,
            };
            let limited = async || {
                let answer = edge.http(method, &filled(path), &headers).await;
                let absent = answer.starts_with("HTTP/1.1 405") || answer.contains("no such address");
                assert!(!absent, "{method} {path} is in the table and not in the router");
                answer.starts_with("HTTP/1.1 429")
            };
            let (first, second) = (limited().await, limited().await);
            assert_eq!((first, second), (false, *cost != RouteCost::Free), "{method} {path}");
        }
    });
    join_all(visits).await;
}

#[test]
fn there_is_no_way_into_the_router_but_through_the_gate() {
    let source = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rest/mod.rs")).expect("text");
    assert_eq!(source.matches(".route(").count(), 1, "a route is a line of `routes!`");
    assert!(!source.contains(".nest(") && !source.contains(".route_service("));
}

#[test]
fn no_handler_takes_tokens_that_the_table_does_not_name() {
    let rest = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rest");
    let mut taken = Vec::new();
    for file in fs::read_dir(rest).expect("a folder") {
        let file = file.expect("a file").path();
        // Handlers are in files; the folder describes them.
        if file.is_dir() {
            continue;
        }
        let source = fs::read_to_string(&file).expect("text");
        assert!(!source.contains("Class::"), "{} spells a cost", file.display());
        let costs = source.split("admission.take(").skip(1).filter_map(|rest| rest.split(',').next());
        taken.extend(costs.map(str::to_owned));
    }
    taken.sort();
    assert_eq!(taken, ["cost", "cost", "costs::NEW_GROUP", "costs::RENEWAL"]);
}

#[tokio::test]
async fn every_frame_takes_tokens_of_its_user() {
    let edge = edge("send=1/h,write=1/h,read=1/h").await;
    for kind in CLIENT_TYPES {
        let user = UserId::fresh();
        let hello = json!({"type": "hello", "id": 1, "token": edge.token(user)});
        let open = async || {
            let mut socket = Socket::connect(edge.address()).await;
            socket.send(&hello).await;
            socket
        };
        let mut socket = open().await;
        socket.expect("welcome").await;
        let error = match *kind {
            "hello" => open().await.wait_for("error").await,
            // Of another session: an invalid one would close the socket.
            "token" => {
                for _ in 0..2 {
                    let token = edge.token(UserId::fresh());
                    socket.send(&json!({"type": "token", "id": 1, "token": token})).await;
                }
                let first = socket.wait_for("error").await;
                assert_eq!(first["code"], "forbidden");
                socket.wait_for("error").await
            }
            kind => {
                for _ in 0..2 {
                    socket.send(&frame(kind)).await;
                }
                let mut error = socket.wait_for("error").await;
                // The first may have been refused for what it asks for.
                if error["code"] != "rate_limited" {
                    error = socket.wait_for("error").await;
                }
                error
            }
        };
        assert_eq!((&error["code"], &error["id"]), (&json!("rate_limited"), &json!(1)), "{kind}: {error}");
        assert!(error["retryAfterMs"].as_u64() > Some(0), "{kind}: {error}");
    }
}

#[tokio::test]
async fn frames_of_every_kind_are_counted() {
    let edge = edge("frames=1/h*20").await;
    let part = |code, last| Message::Frame(Frame::message(Vec::<u8>::new(), OpCode::Data(code), last));
    let parts = || {
        let rest = std::iter::repeat_with(|| part(Data::Continue, false)).take(200);
        std::iter::once(part(Data::Text, false)).chain(rest).collect::<Vec<_>>()
    };
    for (what, messages) in [
        ("text", vec![Message::text(r#"{"type":"ping"}"#); 30]),
        ("no JSON", vec![Message::text("x"); 30]),
        ("ping", vec![Message::Ping("x".into()); 30]),
        ("pong", vec![Message::Pong("x".into()); 30]),
        ("parts of a message", parts()),
    ] {
        let mut socket = edge.socket(UserId::fresh()).await;
        socket.flood(messages.clone()).await;
        assert_eq!(socket.closed().await, 4029, "{what}");
        // Before hello, too.
        let mut socket = Socket::connect(edge.address()).await;
        socket.flood(messages).await;
        let code = socket.closed().await;
        // A text in the place of hello is the end of it.
        assert!(code == 4029 || what == "text" && code == 4001, "{what}: {code}");
    }
}

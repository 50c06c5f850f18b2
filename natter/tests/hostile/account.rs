//! One account that does all that an account may, at once: what it costs the edge, and how it is for another user meanwhile.
//! `NATTER_OPTIMIZED` names an optimized program (`make test-hostile`): what is waited then has the bound of the contract.

use std::{
    env,
    time::{Duration, Instant},
};

use nix::sys::socket::{setsockopt, sockopt::TcpMaxSeg};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::interval,
};

use natter_testkit::{Cluster, Room, Socket, User};

use crate::{NATTER, silent::masked};

/// Of a production deployment, but for what an address may do: all users of this test have one.
const RATES: &str = "login=1000/min,send=20/s*200,write=5/s*50,groups=200/day,read=50/s*200,search=5/s*20,\
                     frames=100/s*1000,renew=10/min*20,address=1000/s*10000";
/// More than its growth by one account an edge never has.
const MOST_KIB: u64 = 64 * 1024;
/// What a user waits for a call or an ack, of a hundred all but one, on a machine that has time.
const P99: Duration = Duration::from_millis(100);
/// On one that has not, with a program that is not optimized: so many times what it is without the account.
const SLOWER: u32 = 20;

/// Of the user who is measured.
const SAMPLES: usize = 300;
const PACE: Duration = Duration::from_millis(20);

/// All that a user has; one of them floods.
const SOCKETS: usize = 50;
const PAGES: usize = 300;
const PAGE_PACE: Duration = Duration::from_millis(30);
const BODIES: usize = 100;
const FLOOD: usize = 300;
const FLOOD_PACE: Duration = Duration::from_millis(20);
/// One of the connection's segments, and a window of a few: what the kernel holds for a connection stays small, as between
/// two machines.
const SEGMENT: u32 = 1_400;
const WINDOW: u32 = 4_096;

async fn narrow(user: &User) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(WINDOW).unwrap();
    setsockopt(&socket, TcpMaxSeg, &SEGMENT).unwrap();
    socket.connect(user.address().strip_prefix("http://").unwrap().parse().unwrap()).await.unwrap()
}

/// As long as a message may be, and hardly compressible.
fn text(number: usize) -> String {
    let hash = |part: u64| format!("{:016x}", (part + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23));
    (0..512).map(|part| hash(number as u64 * 512 + part)).collect()
}

/// Rooms of the account with more to read than fits anywhere: the first has a page of the largest messages.
async fn rooms(eve: &User, member: &User) -> Vec<Room> {
    let mut rooms = Vec::new();
    for messages in [100, 30, 30, 30] {
        let room = eve.group(&[member]).await;
        for number in 0..messages {
            eve.post_message(&room, &text(number)).await;
        }
        rooms.push(room);
    }
    rooms
}

/// A socket that has asked for all of it, reads nothing after its welcome and has sent half a frame; `None`: refused.
async fn stuck_socket(eve: &User, hello: &Value) -> Option<TcpStream> {
    let mut stream = narrow(eve).await;
    let upgrade = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    stream.write_all(&masked(&hello.to_string())).await.unwrap();
    let (mut heard, mut chunk) = (String::new(), [0; 512]);
    while !heard.contains("welcome") {
        let read = stream.read(&mut chunk).await.unwrap();
        heard.push_str(&String::from_utf8_lossy(&chunk[..read]));
        if read == 0 || heard.contains("rate_limited") {
            return None;
        }
    }
    // A frame of 65,000 bytes, all but the last.
    stream.write_all(&[0x81, 0xfe, 0xfd, 0xe8, 0, 0, 0, 0]).await.unwrap();
    stream.write_all(&vec![b' '; 64_999]).await.unwrap();
    Some(stream)
}

async fn stuck_sockets(eve: &User, epoch: &str, rooms: &[Room]) -> Vec<TcpStream> {
    let positions: Value = rooms.iter().map(|room| (room.id.clone(), json!(room.head))).collect();
    let mut pace = interval(PACE);
    let mut stuck = Vec::new();
    while stuck.len() < SOCKETS - 1 {
        pace.tick().await;
        let resume = json!({"epoch": epoch, "positions": positions});
        let hello = json!({"type": "hello", "token": eve.token, "resume": resume});
        stuck.extend(stuck_socket(eve, &hello).await);
    }
    stuck
}

/// Pages of the largest messages, whose answers are not read.
async fn unread_pages(eve: &User, room: &Room) -> Vec<TcpStream> {
    let mut pace = interval(PAGE_PACE);
    let mut asked = Vec::new();
    for number in 0..PAGES {
        pace.tick().await;
        let mut stream = narrow(eve).await;
        let coding = if number % 2 == 0 { "gzip" } else { "identity" };
        let request = format!(
            "GET /api/messages?conversationId={}&limit=100 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Accept-Encoding: {coding}\r\n\r\n",
            room.id, eve.token
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        asked.push(stream);
    }
    asked
}

/// Bodies as long as they may be, of which the last byte does not come.
async fn open_bodies(eve: &User) -> Vec<TcpStream> {
    let mut pace = interval(PAGE_PACE);
    let mut open = Vec::new();
    for _ in 0..BODIES {
        pace.tick().await;
        let mut stream = narrow(eve).await;
        let head = format!(
            "POST /api/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: 65536\r\n\r\n",
            eve.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The kernel takes it, or the part that it has room for.
        let _ = stream.try_write(&vec![b' '; 65_535]);
        open.push(stream);
    }
    open
}

/// Frames as fast as the account may send them: what is beyond its limits is refused.
async fn flood(socket: &mut Socket, room: &Room) {
    let mut pace = interval(FLOOD_PACE);
    for _ in 0..FLOOD {
        pace.tick().await;
        for frame in [room.frame("join", &json!({})), json!({"type": "ping"})] {
            socket.call(frame).await;
        }
    }
}

/// The slowest of all but one in a hundred: a call, and a message until its ack.
async fn p99(user: &User, socket: &mut Socket, room: &Room, phase: &str) -> Duration {
    let mut pace = interval(PACE);
    let mut took = Vec::new();
    for number in 0..SAMPLES {
        pace.tick().await;
        let asked = Instant::now();
        if number % 2 == 0 {
            user.get("/api/me").await.ok(200);
        } else {
            let id = format!("{phase}-{number}");
            let ack = socket.call(room.message_frame(&id, "hello")).await;
            assert_eq!(ack["type"], "ack", "{ack}");
        }
        took.push(asked.elapsed());
    }
    took.sort_unstable();
    took[SAMPLES - 1 - SAMPLES / 100]
}

/// The status of an answer that has begun; nothing is waited for.
fn status(stream: &TcpStream) -> Option<String> {
    let mut begin = [0; 12];
    let read = stream.try_read(&mut begin).ok()?;
    (read == begin.len()).then(|| String::from_utf8_lossy(&begin[9..]).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hostile_account_costs_little_and_delays_no_one() {
    let optimized: Option<&str> = env::var("NATTER_OPTIMIZED").ok().map(|path| &*path.leak());
    let program = optimized.unwrap_or(NATTER);
    let cluster = Cluster::start_with_settings(program, &[("RATE_LIMITS", RATES)]).await;
    let (eve, alice) = (cluster.user(0, "eve").await, cluster.user(0, "alice").await);
    let rooms = rooms(&eve, &alice).await;
    let room = alice.group(&[&eve]).await;
    let (mut phone, mut flooding) = (alice.socket("phone").await, eve.socket("flood").await);
    let calm = p99(&alice, &mut phone, &room, "calm").await;

    let edge = cluster.edge(0);
    edge.reset_peak_memory();
    let before = edge.memory_kib("VmRSS");
    let epoch = flooding.epoch();
    let sockets = async {
        let stuck = stuck_sockets(&eve, &epoch, &rooms).await;
        flood(&mut flooding, &rooms[0]).await;
        stuck
    };
    let measured = p99(&alice, &mut phone, &room, "attack");
    let (meanwhile, _stuck, pages, bodies) =
        tokio::join!(measured, sockets, unread_pages(&eve, &rooms[0]), open_bodies(&eve));
    let grown = edge.memory_kib("VmHWM").saturating_sub(before);

    let statuses: Vec<_> = pages.iter().chain(&bodies).filter_map(status).collect();
    let count = |status: &str| statuses.iter().filter(|other| *other == status).count();
    let (begun, refused) = (count("200"), count("429"));
    assert!(begun > 0 && refused > 0, "{begun} pages are sent, {refused} calls refused");
    assert!(grown < MOST_KIB, "{grown} KiB more at the peak");
    let most = if optimized.is_some() { P99 } else { P99.max(calm * SLOWER) };
    assert!(meanwhile < most, "{meanwhile:?}, and {calm:?} without the account");
}

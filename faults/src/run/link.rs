//! A TCP connection between two parts that can be made to fail: everything between them goes through here.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

use super::{
    frames::{Frames, Mutation},
    nats_messages::{GREETING, Messages},
};

/// What the link does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    Pass,
    /// Connections are closed and refused.
    Cut,
    /// Connections stay, new ones are accepted, and nothing arrives in either direction.
    Hold,
    /// As [`Self::Hold`], but only what the server sends: requests arrive, answers do not.
    HoldAnswers,
    /// The other way around: what the server sends arrives alone.
    HoldRequests,
    /// Each packet arrives so much later.
    Delay(Duration),
    /// So many bytes a second in each direction.
    Slow(u32),
}

impl Conduct {
    /// As seen from the other end.
    pub fn reversed(self) -> Self {
        match self {
            Self::HoldAnswers => Self::HoldRequests,
            Self::HoldRequests => Self::HoldAnswers,
            both => both,
        }
    }
}

impl fmt::Display for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Cut => f.write_str("cut"),
            Self::Hold => f.write_str("hold"),
            Self::HoldAnswers => f.write_str("hold answers"),
            Self::HoldRequests => f.write_str("hold requests"),
            Self::Delay(by) => write!(f, "delay {}ms", by.as_millis()),
            Self::Slow(rate) => write!(f, "slow {rate}"),
        }
    }
}

/// Whose bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

pub struct Link {
    /// Where clients connect to.
    pub address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    upstream: Mutex<String>,
    conduct: watch::Sender<Conduct>,
    /// Counts cuts: one that is over at once breaks connections, too.
    cuts: watch::Sender<u64>,
    /// The next answer with this in it is lost, with its connection.
    lose: Mutex<Option<Vec<u8>>>,
    /// The next event to a client is mutated.
    mutation: Mutex<Option<Mutation>>,
    /// So many live events of a nats-server are dropped next.
    drops: Mutex<usize>,
}

/// What a server sends over one connection, by how it begins.
enum Answers {
    New,
    Nats(Messages),
    Http(Frames),
}

impl Answers {
    /// What to pass on of these bytes.
    fn take(&mut self, bytes: &[u8], shared: &Shared) -> Vec<u8> {
        match self {
            Self::New => {
                *self = if bytes.starts_with(GREETING) {
                    Self::Nats(Messages::default())
                } else {
                    Self::Http(Frames::default())
                };
                self.take(bytes, shared)
            }
            Self::Nats(messages) => messages.take(bytes, &mut shared.drops.lock()),
            Self::Http(frames) => frames.take(bytes, &mut shared.mutation.lock()),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Link {
    /// To this server, `host:port`.
    pub async fn to(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let conduct = watch::Sender::new(Conduct::Pass);
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream.to_owned()),
            conduct,
            cuts: watch::Sender::new(0),
            lose: Mutex::default(),
            mutation: Mutex::default(),
            drops: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    pub fn set(&self, conduct: Conduct) {
        self.shared.conduct.send_replace(conduct);
        if conduct == Conduct::Cut {
            self.shared.cuts.send_modify(|cuts| *cuts += 1);
        }
    }

    /// The server has another port from now on.
    pub fn lead_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.shared.upstream.lock());
    }

    /// The next answer with this in it never arrives: its connection breaks instead.
    pub fn lose_answer(&self, with: &str) {
        *self.shared.lose.lock() = Some(with.as_bytes().to_vec());
    }

    /// The next event that is sent to a client is not what the server sent.
    pub fn mutate(&self, mutation: Mutation) {
        *self.shared.mutation.lock() = Some(mutation);
    }

    /// The next live events of the server never arrive, and their connection goes on.
    pub fn drop_live(&self, count: usize) {
        *self.shared.drops.lock() = count;
    }

    /// Whether they are dropped by now.
    pub fn has_dropped(&self) -> bool {
        *self.shared.drops.lock() == 0
    }

    /// Whether an event is mutated by now.
    pub fn has_mutated(&self) -> bool {
        self.shared.mutation.lock().is_none()
    }

    /// Whether the answer is lost by now.
    pub fn has_lost(&self) -> bool {
        self.shared.lose.lock().is_none()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(connection(client, Arc::clone(&shared)));
    }
}

async fn connection(client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    if *shared.conduct.borrow() == Conduct::Cut {
        return;
    }
    let upstream = shared.upstream.lock().clone();
    let Ok(server) = TcpStream::connect(&upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whichever ends first ends both: a connection is broken, not half closed.
    tokio::select! {
        () = carry(from_client, to_server, Direction::Requests, &shared) => {}
        () = carry(from_server, to_client, Direction::Answers, &shared) => {}
        _ = cuts.changed() => {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, direction: Direction, shared: &Shared) {
    let mut conduct = shared.conduct.subscribe();
    let mut buffer = vec![0; 16 * 1024];
    let mut answers = Answers::New;
    loop {
        let room = match *conduct.borrow() {
            Conduct::Slow(rate) => (rate as usize / 20).clamp(1, buffer.len()),
            _ => buffer.len(),
        };
        let Ok(read @ 1..) = from.read(&mut buffer[..room]).await else { return };
        if direction == Direction::Answers && is_lost(shared, &buffer[..read]) {
            return;
        }
        let held = |conduct: &Conduct| match conduct {
            Conduct::Hold => true,
            Conduct::HoldAnswers => direction == Direction::Answers,
            Conduct::HoldRequests => direction == Direction::Requests,
            _ => false,
        };
        if conduct.wait_for(|now| !held(now)).await.is_err() {
            return;
        }
        let now = *conduct.borrow_and_update();
        match now {
            Conduct::Delay(by) => sleep(by).await,
            Conduct::Slow(rate) => {
                let bytes = u32::try_from(read).unwrap_or(rate);
                sleep(Duration::from_secs(1) * bytes / rate.max(1)).await;
            }
            _ => {}
        }
        let passed = match direction {
            Direction::Requests => buffer[..read].to_vec(),
            Direction::Answers => answers.take(&buffer[..read], shared),
        };
        if to.write_all(&passed).await.is_err() {
            return;
        }
    }
}

fn is_lost(shared: &Shared, bytes: &[u8]) -> bool {
    let mut lose = shared.lose.lock();
    let found = |with: &Vec<u8>| bytes.windows(with.len().max(1)).any(|window| window == with.as_slice());
    let lost = lose.as_ref().is_some_and(found);
    if lost {
        *lose = None;
    }
    lost
}

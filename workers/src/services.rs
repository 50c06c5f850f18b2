//! Questions from edges become answers. A service reads the store and the log, and changes conversations only
//! by publishing events. Fails: with a code of the one table; the cause is logged here, once.

/// Routes of one service: each question to the method that answers it, with the client's address where that is recorded.
macro_rules! answer {
    ($server:expr, $service:expr, { $($call:ty => $method:ident $(($client:ident))?,)* }) => {
        let shared: std::sync::Arc<Self> = $service;
        $({
            let service = std::sync::Arc::clone(&shared);
            $server.serve_clients(move |call: $call, _client: Option<std::net::IpAddr>| {
                let service = std::sync::Arc::clone(&service);
                $(let $client = _client;)?
                async move { service.$method(call $(, $client)?).await.map_err(|failure| failure.answer(stringify!($method))) }
            }).await?;
        })*
    };
}

pub mod access; // who may read a conversation
pub mod proofs; // that the users of calls are there
pub mod accounts; // users, passwords, sessions
pub mod provider; // who someone is elsewhere
pub mod conversations; // which conversations there are: open, list, rename
pub mod keys; // what content is sealed with
pub mod history; // pages, replays, heads
pub mod read_marks; // what was not read yet

pub mod profiles; // users' addresses and names, sealed or not
mod person_pages; // parts of lists of people

mod failure; // what can go wrong below, and the code it becomes
pub use failure::Failure;

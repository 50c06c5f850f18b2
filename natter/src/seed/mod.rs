//! `natter seed`: people, conversations and messages of any number, through the public API only. The same command
//! run again finds what it made and adds what is missing: nothing, when it had ended.

mod words; // what people are called and say
mod plan; // who talks with whom, decided by the command's numbers

mod server; // the public API, with patience
mod person; // an account
mod talk; // a conversation and what is said in it

mod tally; // what was made, what was there

use std::sync::Arc;

use anyhow::ensure;
use futures_util::{StreamExt, TryStreamExt, stream};

use self::{
    person::{PASSWORD, Person},
    plan::{Room, Size},
    server::Server,
    tally::Tally,
    words::Words,
};
use crate::{cli::SeedArgs, progress::Bar};

/// Hashing a password takes a core for tens of milliseconds.
const ENTERING: usize = 8;
/// Conversations filled side by side; within one, messages follow each other.
const TALKING: usize = 32;

pub async fn run(args: &SeedArgs) -> anyhow::Result<()> {
    let size = Size {
        users: usize::try_from(args.users)?,
        conversations: args.conversations,
        messages: args.messages,
        seed: args.seed,
    };
    ensure!(size.conversations > 0 || size.messages == 0, "messages need at least one of --conversations");
    let words = Words::new();
    let server = Arc::new(Server::find(&args.url).await?);
    let people = enter(&server, &args.tag, size, &words).await?;
    let mut tally = Tally::default();
    for person in &people {
        tally.users.count(!person.existed);
    }

    let bar = Bar::new("messages", size.messages as u64)?;
    let mut rooms = plan::rooms(size, &words);
    // The longest first: it would be waited for at the end.
    rooms.sort_by_key(|room| std::cmp::Reverse(room.messages));
    let fill = |room: &Room| {
        let (people, words, bar) = (&people, &words, &bar);
        let room = room.clone();
        async move { talk::fill(people, &room, words, bar).await }
    };
    let mut filled = stream::iter(rooms.iter().map(fill)).buffer_unordered(TALKING);
    while let Some(more) = filled.try_next().await? {
        tally += more;
    }
    bar.end();
    print(args, &people, &tally);
    Ok(())
}

async fn enter(server: &Arc<Server>, tag: &str, size: Size, words: &Words) -> anyhow::Result<Vec<Person>> {
    let bar = Bar::new("users", size.users as u64)?;
    let enter = |number| {
        let username = format!("{tag}-{:04}", number + 1);
        let display_name = plan::display_name(size, number, words);
        let bar = &bar;
        async move {
            let person = Person::enter(server, username, display_name).await?;
            bar.add();
            anyhow::Ok(person)
        }
    };
    let people = stream::iter((0..size.users).map(enter)).buffered(ENTERING).try_collect().await?;
    bar.end();
    Ok(people)
}

#[expect(clippy::print_stdout, reason = "what the command is run for")]
fn print(args: &SeedArgs, people: &[Person], tally: &Tally) {
    println!("{tally}\nEveryone's password is {PASSWORD}. Log in as");
    for person in people.iter().take(2) {
        println!("  natter connect {} --login {}:{PASSWORD}", args.url, person.username);
    }
}

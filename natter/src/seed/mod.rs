//! `natter seed`: any number of users, conversations and messages, through the public API only. The same command
//! run again finds what it made and adds what is missing: nothing, if it had finished.

mod words; // names and texts
mod plan; // who is in which conversation and writes what, decided by the command's numbers

mod api; // a patient client of the public API
mod user; // registers or logs in
mod conversation; // opened, then filled

mod report; // what was created, what existed

use std::sync::Arc;

use anyhow::ensure;
use futures_util::{StreamExt, TryStreamExt, stream};

use self::{
    api::ApiClient,
    plan::{PlannedConversation, Size},
    report::SeedReport,
    user::{PASSWORD, SeededUser},
    words::Words,
};
use crate::{cli::SeedArgs, progress::Bar};

/// Users registered or logged in side by side: hashing a password takes a core for tens of milliseconds.
const LOG_INS: usize = 8;
/// Conversations filled side by side; within one, messages follow each other.
const CONVERSATIONS: usize = 32;

pub async fn run(args: &SeedArgs) -> anyhow::Result<()> {
    let size = Size {
        users: usize::try_from(args.users)?,
        conversations: args.conversations,
        messages: args.messages,
        seed: args.seed,
    };
    ensure!(size.conversations > 0 || size.messages == 0, "messages need at least one of --conversations");
    let words = Words::new();
    let api = Arc::new(ApiClient::connect(&args.url).await?);
    let users = log_in_all(&api, &args.tag, size, &words).await?;
    let mut report = SeedReport::default();
    for user in &users {
        report.users.record(!user.existed);
    }

    let bar = Bar::new("messages", size.messages as u64)?;
    let mut conversations = plan::conversations(size, &words);
    // The longest first: it would be waited for at the end.
    conversations.sort_by_key(|conversation| std::cmp::Reverse(conversation.message_count));
    let fill = |plan: &PlannedConversation| {
        let (users, words, bar) = (&users, &words, &bar);
        let plan = plan.clone();
        async move { conversation::fill(users, &plan, words, bar).await }
    };
    let mut filled = stream::iter(conversations.iter().map(fill)).buffer_unordered(CONVERSATIONS);
    while let Some(more) = filled.try_next().await? {
        report += more;
    }
    bar.end();
    print(args, &users, &report);
    Ok(())
}

async fn log_in_all(
    api: &Arc<ApiClient>,
    tag: &str,
    size: Size,
    words: &Words,
) -> anyhow::Result<Vec<SeededUser>> {
    let bar = Bar::new("users", size.users as u64)?;
    let log_in = |number| {
        let username = format!("{tag}-{:04}", number + 1);
        let display_name = plan::display_name(size, number, words);
        let bar = &bar;
        async move {
            let user = SeededUser::register_or_log_in(api, username, display_name).await?;
            bar.add();
            anyhow::Ok(user)
        }
    };
    let users = stream::iter((0..size.users).map(log_in)).buffered(LOG_INS).try_collect().await?;
    bar.end();
    Ok(users)
}

#[expect(clippy::print_stdout, reason = "what the command is run for")]
fn print(args: &SeedArgs, users: &[SeededUser], report: &SeedReport) {
    println!("{report}\nEveryone's password is {PASSWORD}. Log in as");
    for user in users.iter().take(2) {
        println!("  natter connect {} --login {}:{PASSWORD}", args.url, user.username);
    }
}

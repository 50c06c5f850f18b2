//! `natter export`: everything that is kept about a user, line by line, in as much memory as a page of events takes.

use std::{
    io::{BufWriter, Stdout, Write, stdout},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use natter_schemas::{
    event::{Body, Kind, LogEntry, Timestamp},
    export::ExportLine,
    id::{ConversationId, Partition, Seq, UserId},
    rpc::User,
};
use natter_seal::DataKeys;
use natter_store::Store;
use natter_workers::{readable_rows, services::profiles::Profiles};

use crate::{
    bootstrap,
    cli::{
        erase::{ExportArgs, ExportCommand},
        target::Target,
    },
    operator::Operator,
};

/// Events read at once: 500 of 8 KiB are 4 MB.
const PAGE: usize = 500;

pub async fn run(command: &ExportCommand, target: &Target) -> anyhow::Result<ExitCode> {
    let ExportCommand::User(args) = command;
    let operator = Operator::start(target).await?;
    let (store, keys) = (operator.store().await?, operator.keys().await?);
    let out = Lines { out: BufWriter::new(stdout()), lines: 0 };
    let profiles = operator.profiles(&store).await?;
    let mut export = Export { operator: &operator, store, profiles, keys, out };
    let done = export.all(args).await;
    bootstrap::close_store(&*export.store).await;
    done.map(|()| ExitCode::SUCCESS)
}

struct Lines {
    out: BufWriter<Stdout>,
    lines: u64,
}

impl Lines {
    fn write(&mut self, line: &ExportLine) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")?;
        self.lines += 1;
        Ok(())
    }
}

struct Export<'a> {
    operator: &'a Operator,
    store: Arc<dyn Store>,
    profiles: Profiles,
    keys: DataKeys,
    out: Lines,
}

impl Export<'_> {
    async fn all(&mut self, args: &ExportArgs) -> anyhow::Result<()> {
        let User { id, username, email, display_name, created_at } = self.find(&args.user).await?;
        self.out.write(&ExportLine::Export { version: 1, user_id: id, exported_at: Timestamp::now() })?;
        self.out.write(&ExportLine::Profile { username, email, display_name, created_at })?;
        for session in self.store.sessions_of(id, Timestamp::now()).await? {
            let created_at = session.made_at().map(Timestamp);
            self.out.write(&ExportLine::Session { id: session, created_at })?;
        }
        for user_id in self.store.blocks_of(id).await? {
            self.out.write(&ExportLine::Block { user_id })?;
        }
        let floors = self.operator.log.floors().await?;
        for conversation in self.store.conversations_ever(id).await? {
            let partition = usize::from(Partition::of(conversation, self.operator.deployment.partitions).0);
            let floor = floors.get(partition).copied().unwrap_or(0);
            self.conversation(id, conversation, floor).await?;
        }
        let lines = self.out.lines;
        self.out.write(&ExportLine::End { lines })?;
        Ok(self.out.out.flush()?)
    }

    /// By id; what is no id is a username or an email address.
    async fn find(&self, named: &str) -> anyhow::Result<User> {
        let found = match named.parse::<UserId>() {
            Ok(id) => Some(id),
            Err(_) => self.profiles.credentials(named).await?.map(|found| found.user.id),
        };
        let user = match found {
            Some(id) => self.profiles.whole(id).await.context("the address and the name do not open")?,
            None => None,
        };
        user.with_context(|| format!("there is no user {named}"))
    }

    /// Up to the floor as the store has it, above it as the log has it.
    async fn conversation(&mut self, user: UserId, id: ConversationId, floor: Seq) -> anyhow::Result<()> {
        let row = self.store.conversation(id).await?;
        let membership = self.store.membership(id, user).await?;
        self.out.write(&ExportLine::Conversation {
            id,
            shape: row.as_ref().map(|row| row.shape),
            name: row.and_then(|row| row.name),
            role: membership.and_then(|membership| membership.role),
            read_seq: self.store.read_mark(id, user).await?,
        })?;
        let mut next = 1;
        while next <= floor {
            let rows = readable_rows::read(&*self.store, id, (next, floor), PAGE).await?;
            self.unreadable(id, rows.unreadable)?;
            let Some(last) = rows.events.last().map(|entry| entry.seq) else { break };
            next = last + 1;
            self.events(user, rows.events).await?;
        }
        next = floor + 1;
        loop {
            let raw = self.operator.log.from(id, next, PAGE).await?;
            let Some(last) = raw.last().map(|event| event.seq) else { return Ok(()) };
            next = last + 1;
            let unreadable = raw.iter().filter(|event| event.decode().is_err()).map(|event| event.seq);
            self.unreadable(id, unreadable.collect())?;
            self.events(user, raw.iter().filter_map(|event| event.decode().ok()).collect()).await?;
        }
    }

    fn unreadable(&mut self, conversation_id: ConversationId, seqs: Vec<Seq>) -> anyhow::Result<()> {
        if seqs.is_empty() {
            return Ok(());
        }
        self.out.write(&ExportLine::Unreadable { conversation_id, seqs })
    }

    async fn events(&mut self, user: UserId, mut events: Vec<LogEntry>) -> anyhow::Result<()> {
        events.retain(|entry| entry.event.author == user);
        self.keys.open_entries(&mut events).await;
        events.into_iter().try_for_each(|entry| self.out.write(&line(entry)))
    }
}

fn line(LogEntry { seq, event }: LogEntry) -> ExportLine {
    let (conversation_id, at) = (event.conversation, event.at);
    let act = |act, user_id, name| ExportLine::Act { conversation_id, seq, act, user_id, name, at };
    match event.kind {
        Kind::Posted { body, reply_to } => ExportLine::Message {
            conversation_id,
            seq,
            id: event.id,
            at,
            content: text(body),
            reply_to,
            device_id: event.device,
        },
        Kind::Edited { target, body } => {
            ExportLine::Edit { conversation_id, seq, target, at, content: text(body) }
        }
        Kind::Deleted { target } => ExportLine::Deletion { conversation_id, seq, target, at },
        Kind::Reacted { target, emoji, on } => {
            ExportLine::Reaction { conversation_id, seq, target, emoji, on, at }
        }
        Kind::MemberAdded { user, .. } => act("member_added", Some(user), None),
        Kind::MemberRemoved { user } => act("member_removed", Some(user), None),
        Kind::RoleChanged { user, .. } => act("role_changed", Some(user), None),
        Kind::Renamed { name } => act("renamed", None, Some(name)),
        Kind::Created { name, .. } => act("created", None, name),
    }
}

fn text(body: Body) -> Option<String> {
    match body {
        Body::Plain(text) => Some(text),
        Body::Sealed { .. } => None,
    }
}

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use natter_nats::{
    apply::Deployment,
    async_nats::{Client, jetstream},
    clock::LogClock,
    event_log::EventLog,
    log::LogReader,
    publisher::Publisher,
    service::{AccessCheck, NoReads, RpcClient, RpcServer, ServiceError},
    trace::TraceRing,
};
use natter_runtime::{audit::Audit, config::LogIns, shared_state::SharedState};
use natter_schemas::{decision::DecisionKey, id::Partition, limits::Limits, rpc::Service};
use natter_seal::{DataKeys, follow_control};
use natter_store::Store;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use crate::{
    erasure::{self, Eraser},
    kafka_sink::{self, KafkaSinkError},
    mail::Mailer,
    parked,
    persist::{self, PersistHealth, Persister},
    presence,
    services::{
        access::MemberCheck,
        accounts::{Accounts, HashError, Passwords, RefreshTokens},
        conversations::Conversations,
        history::{FloorsError, History},
        keys::{Keys, Roots},
        profiles::Profiles,
        proofs::Proofs,
        provider::OpenIdProvider,
        read_marks::ReadMarks,
    },
};

/// What all jobs together need; each is handed its part. Clones share everything.
#[derive(Clone)]
pub struct Dependencies {
    pub store: Arc<dyn Store>,
    /// Requests arrive here, and answers leave.
    pub client: Client,
    /// Follows the log; a connection of its own, so that a backlog does not slow answers.
    pub js: jetstream::Context,
    pub publisher: Publisher,
    /// Leaves out what only workers decide and none did.
    pub log: LogReader,
    /// What this worker proves its decisions with.
    pub decision_key: DecisionKey,
    pub clock: LogClock,
    pub deployment: Arc<Deployment>,
    /// What proves the users of calls.
    pub proofs: Arc<Proofs>,
    /// Where presence expires.
    pub shared: Arc<dyn SharedState>,
    pub refresh: RefreshTokens,
    /// How people log in.
    pub log_ins: LogIns,
    /// What clients may send.
    pub limits: Limits,
    /// Where it is remembered what this worker did with events.
    pub trace: TraceRing,
    /// What the job `persist` meets.
    pub persisting: PersistHealth,
    /// Where security events are recorded.
    pub audit: Audit,
    /// What wraps the keys of users; None: this process serves no keys.
    pub roots: Option<Roots>,
    /// Whether addresses and names that are written are sealed.
    pub seals: bool,
    /// How long this process uses a data key.
    pub key_cache: Duration,
    /// Where events are mirrored to; None: nowhere.
    pub kafka: Option<kafka_sink::Options>,
}

impl Dependencies {
    /// Every job there is, except a mirror without a Kafka and keys without a root.
    pub fn jobs(&self) -> Vec<Job> {
        let possible = |job: &Job| match job {
            Job::Mirror => self.kafka.is_some(),
            Job::Keys => self.roots.is_some(),
            _ => true,
        };
        Job::ALL.into_iter().filter(possible).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    Persist,
    Accounts,
    Conversations,
    History,
    Inbox,
    Presence,
    Keys,
    Erasures,
    Mirror,
}

impl Job {
    pub const ALL: [Self; 9] = [
        Self::Persist,
        Self::Accounts,
        Self::Conversations,
        Self::History,
        Self::Inbox,
        Self::Presence,
        Self::Keys,
        Self::Erasures,
        Self::Mirror,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Persist => "persist",
            Self::Accounts => "accounts",
            Self::Conversations => "conversations",
            Self::History => "history",
            Self::Inbox => "inbox",
            Self::Presence => "presence",
            Self::Keys => "keys",
            Self::Erasures => "erasures",
            Self::Mirror => "mirror",
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no job {0}; there are persist, accounts, conversations, history, inbox, presence, keys, erasures and mirror"
)]
pub struct UnknownJob(String);

impl FromStr for Job {
    type Err = UnknownJob;

    fn from_str(name: &str) -> Result<Self, UnknownJob> {
        Self::ALL.into_iter().find(|job| job.name() == name).ok_or_else(|| UnknownJob(name.to_owned()))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Floors(#[from] FloorsError),
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Mirror(#[from] KafkaSinkError),
    #[error(
        "the job mirror has nowhere to write to: KAFKA_BROKERS is missing; allowed: host:port, comma-separated"
    )]
    NoKafka,
    #[error("log-in by a provider: {0}")]
    Provider(String),
    #[error("mail to users: {0}")]
    Mail(String),
    #[error("the job keys has no root that wraps keys: CHAT_MESSAGE_KEY is missing")]
    NoRoot,
    #[error(
        "no key verifies the tokens of calls: set JWT_SECRET, JWT_SECRETS or JWT_PUBLIC_KEYS as edges have them, or \
         CALL_PROOF=accepted"
    )]
    NoTokenKeys,
}

/// Starts the named jobs; they answer and follow when this returns. They end on `tracker` after `stop`.
pub async fn start(
    dependencies: &Dependencies,
    jobs: &[Job],
    tracker: &TaskTracker,
    stop: CancellationToken,
) -> Result<(), StartError> {
    let (proofs, js, stopped) = (Arc::clone(&dependencies.proofs), dependencies.js.clone(), stop.clone());
    tracker.spawn(async move { stopped.run_until_cancelled(proofs.follow(&js)).await });
    let mut start = Start { dependencies, tracker, stop, history: None, members: None, profiles: None };
    for job in Job::ALL.into_iter().filter(|job| jobs.contains(job)) {
        match job {
            Job::Persist => start.persist(),
            Job::Accounts => start.accounts().await?,
            Job::Conversations => start.conversations().await?,
            Job::History => start.history().await?,
            Job::Inbox => start.inbox().await?,
            Job::Presence => start.presence(),
            Job::Keys => start.keys().await?,
            Job::Erasures => start.erasures().await?,
            Job::Mirror => start.mirror().await?,
        }
        info!(%job, "job started");
    }
    Ok(())
}

struct Start<'a> {
    dependencies: &'a Dependencies,
    tracker: &'a TaskTracker,
    stop: CancellationToken,
    /// One reader for all services of the process: they share its floors and caches.
    history: Option<Arc<History>>,
    /// Members who read, in the same way.
    members: Option<Arc<MemberCheck>>,
    /// What it knows of keys is shared in the same way.
    profiles: Option<Profiles>,
}

impl Start<'_> {
    fn persist(&self) {
        let Dependencies { store, publisher, js, log, clock, deployment, persisting, trace, .. } =
            self.dependencies;
        let partitions = deployment.partitions;
        self.tracker.spawn(parked::count(log.clone(), self.stop.clone()));
        for partition in Partition::all(partitions) {
            let (store, publisher) = (Arc::clone(store), publisher.clone());
            let persister = Persister { partition, partitions, store, publisher, log: log.clone() };
            let follows = (js.clone(), clock.clone());
            let reports = (persisting.clone(), trace.at(partition));
            self.tracker.spawn(persist::run(persister, reports, follows, self.stop.clone()));
        }
    }

    fn presence(&self) {
        let Dependencies { shared, client, .. } = self.dependencies.clone();
        self.tracker.spawn(presence::sweep(shared, client, self.stop.clone()));
    }

    async fn keys(&mut self) -> Result<(), StartError> {
        let Dependencies { store, roots, .. } = self.dependencies.clone();
        let roots = roots.ok_or(StartError::NoRoot)?;
        let keys = Keys { store, roots, members: self.member_check().await? };
        Ok(keys.serve(&mut self.server(Service::Keys, Arc::new(NoReads)).await?).await?)
    }

    async fn erasures(&mut self) -> Result<(), StartError> {
        let history = self.history_reader().await?;
        let Dependencies { store, publisher, log, deployment, clock, shared, client: bus, trace, .. } =
            self.dependencies.clone();
        let partitions = deployment.partitions;
        let events = EventLog::new(publisher.clone(), partitions, clock, trace);
        let rpc = RpcClient::of_worker(bus.clone());
        let eraser = Eraser { store, publisher, events, log, history, rpc, shared, bus, partitions };
        self.tracker.spawn(erasure::run(eraser, self.stop.clone()));
        Ok(())
    }

    async fn mirror(&self) -> Result<(), StartError> {
        let Dependencies { js, log, deployment, kafka, client, key_cache, trace, .. } =
            self.dependencies.clone();
        let options = kafka.ok_or(StartError::NoKafka)?;
        let keys = self.follow(DataKeys::new(RpcClient::of_worker(client), key_cache));
        Ok(kafka_sink::start(options, (js, log, keys, trace), deployment, self.tracker, &self.stop).await?)
    }

    /// Keys that are dropped when they are revoked, or too old.
    fn follow(&self, keys: DataKeys) -> DataKeys {
        let client = self.dependencies.client.clone();
        let (following, stop) =
            (follow_control(keys.known().clone(), jetstream::new(client)), self.stop.clone());
        self.tracker.spawn(async move { stop.run_until_cancelled(following).await });
        let (expiring, stop) = (keys.clone().expire(), self.stop.clone());
        self.tracker.spawn(async move { stop.run_until_cancelled(expiring).await });
        keys
    }

    fn profiles(&mut self) -> Profiles {
        if let Some(profiles) = &self.profiles {
            return profiles.clone();
        }
        let Dependencies { store, client, key_cache, seals, .. } = self.dependencies.clone();
        let keys = self.follow(DataKeys::of_profiles(RpcClient::of_worker(client), key_cache));
        self.profiles.insert(Profiles { store, keys, seals }).clone()
    }

    async fn accounts(&mut self) -> Result<(), StartError> {
        let profiles = self.profiles();
        let Dependencies { store, publisher, refresh, limits, clock, shared, client: bus, audit, .. } =
            self.dependencies.clone();
        let passwords = Passwords::new().await?;
        let log_ins = &self.dependencies.log_ins;
        let (takes_passwords, provider, mailer) = (log_ins.passwords, self.provider()?, self.mailer()?);
        let public_url = log_ins.public_url.clone().unwrap_or_default();
        let accounts = Accounts {
            store,
            profiles,
            publisher,
            passwords,
            takes_passwords,
            provider,
            mailer,
            public_url,
            refresh,
            limits,
            clock,
            shared,
            bus,
            audit,
        };
        Ok(accounts.serve(&mut self.server(Service::Accounts, Arc::new(NoReads)).await?).await?)
    }

    fn mailer(&self) -> Result<Option<Mailer>, StartError> {
        let mail = self.dependencies.log_ins.mail.as_ref();
        let start = |mail| Mailer::new(mail, self.tracker.clone(), self.stop.clone());
        mail.map(start).transpose().map_err(StartError::Mail)
    }

    fn provider(&self) -> Result<Option<OpenIdProvider>, StartError> {
        let LogIns { provider, public_url, .. } = self.dependencies.log_ins.clone();
        let Some(provider) = provider else { return Ok(None) };
        let public_url =
            public_url.ok_or_else(|| StartError::Provider("PUBLIC_URL is missing".to_owned()))?;
        let key = &self.dependencies.deployment.event_key;
        OpenIdProvider::new(provider, &public_url, key).map(Some).map_err(StartError::Provider)
    }

    async fn conversations(&mut self) -> Result<(), StartError> {
        let (history, profiles) = (self.history_reader().await?, self.profiles());
        let Dependencies {
            store, publisher, log, deployment, decision_key, limits, clock, audit, trace, ..
        } = self.dependencies.clone();
        let partitions = deployment.partitions;
        let events = EventLog::new(publisher.clone(), partitions, clock, trace).deciding(decision_key);
        let conversations =
            Conversations { store, profiles, publisher, events, log, history, partitions, limits, audit };
        Ok(conversations.serve(&mut self.server(Service::Conversations, Arc::new(NoReads)).await?).await?)
    }

    async fn history(&mut self) -> Result<(), StartError> {
        let (history, access) = (self.history_reader().await?, self.member_check().await?);
        Ok(history.serve(&mut self.server(Service::History, access).await?).await?)
    }

    async fn member_check(&mut self) -> Result<Arc<MemberCheck>, StartError> {
        if let Some(members) = &self.members {
            return Ok(Arc::clone(members));
        }
        let history = self.history_reader().await?;
        let Dependencies { store, js, .. } = self.dependencies.clone();
        let members = MemberCheck::start(store, history, js, self.tracker, self.stop.clone());
        Ok(Arc::clone(self.members.insert(members)))
    }

    async fn inbox(&mut self) -> Result<(), StartError> {
        let history = self.history_reader().await?;
        let Dependencies { store, publisher, log, deployment, clock, .. } = self.dependencies.clone();
        let read_marks = ReadMarks::new(store, publisher, (history, log), deployment.partitions, clock);
        let read_marks = Arc::new(read_marks);
        self.tracker.spawn(Arc::clone(&read_marks).publish_late_ones(self.stop.clone()));
        Ok(read_marks.serve(&mut self.server(Service::Inbox, Arc::new(NoReads)).await?).await?)
    }

    async fn server(&self, service: Service, access: Arc<dyn AccessCheck>) -> Result<RpcServer, StartError> {
        let Dependencies { client, proofs, .. } = self.dependencies.clone();
        if proofs.lacks_keys() {
            return Err(StartError::NoTokenKeys);
        }
        let server = RpcServer::start(client, service, access, self.tracker, self.stop.clone()).await?;
        Ok(server.proven(proofs))
    }

    async fn history_reader(&mut self) -> Result<Arc<History>, StartError> {
        if let Some(history) = &self.history {
            return Ok(Arc::clone(history));
        }
        let Dependencies { store, log, deployment, .. } = self.dependencies.clone();
        let stop = self.stop.clone();
        let history = History::start(store, log, deployment.partitions, self.tracker, stop).await?;
        self.history = Some(Arc::clone(&history));
        Ok(history)
    }
}

//! A nats-server alone.

use std::path::PathBuf;

use super::{Launch, LaunchContext, Process, Profile, STARTS_WITHIN, free_port, local};

pub struct NatsServer {
    process: Process,
    port: u16,
}

impl NatsServer {
    pub fn start(context: &LaunchContext, profile: Profile) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&context.scratch)?;
        let (config, store) = (context.scratch.join("nats.conf"), context.scratch.join("nats"));
        let port = free_port()?;
        let sync = match profile {
            Profile::Durable => "sync_interval: always, ",
            Profile::Relaxed => "",
        };
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\nmax_payload: 8MB\nno_fast_producer_stall: true\n\
             jetstream {{ {sync}store_dir: \"{}\", max_file_store: 40GB }}\n",
            store.display(),
        );
        std::fs::write(&config, text)?;
        let launch = Launch::new(context.nats_server(), context.scratch.join("nats.log"))
            .args(&["-c", &config.display().to_string()])
            .core(context.core);
        let mut process = launch.start()?;
        process.listens(local(port), STARTS_WITHIN)?;
        Ok(Self { process, port })
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn into_process(self) -> Process {
        self.process
    }
}

impl LaunchContext {
    /// The one that `make` fetched, else PATH's.
    fn nats_server(&self) -> PathBuf {
        let fetched = self.deps.join("bin/nats-server");
        if fetched.exists() { fetched } else { "nats-server".into() }
    }
}

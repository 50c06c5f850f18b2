use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use natter_nats::{
    async_nats::jetstream,
    clock::LogClock,
    report::{Report, Reporter},
};
use natter_runtime::{
    admin,
    config::{Durability, Settings},
    lifecycle::Lifecycle,
    logs,
    otlp::SpanExport,
    readiness::Readiness,
};
use natter_schemas::limits;
use natter_tls::{Acceptor, KeyPair};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tracing::{info, warn};

use crate::settings;

/// A part that needs longer is reported as down: whoever asks waits for half a second.
const REPORT_CHECK: Duration = Duration::from_millis(300);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;

/// What every long-running process has, whatever it runs.
pub struct Process {
    pub lifecycle: Lifecycle,
    pub readiness: Readiness,
    /// Where metrics and health are served.
    pub admin: SocketAddr,
    metrics: PrometheusHandle,
    drain_time: Duration,
    spans: SpanExport,
}

/// Starts logs and metrics, and raises the limit of open files.
pub fn observe(settings: &Settings) -> anyhow::Result<PrometheusHandle> {
    logs::start(&settings.log_level, settings.log_format)?;
    let metrics = natter_runtime::metrics::start()?;
    raise_file_limit();
    settings::warn_of_misspelled();
    if settings.durability == Durability::Relaxed {
        warn!("DURABILITY=relaxed: a power cut can take the last minutes of acked messages");
    }
    Ok(metrics)
}

/// Which role and version this process has, for whoever scrapes it.
pub fn report_build(role: &'static str) {
    metrics::gauge!("natter_build_info", "role" => role, "version" => env!("CARGO_PKG_VERSION")).set(1);
}

impl Process {
    /// The admin port answers from now on, at first that the process is starting.
    pub fn start(settings: &Settings, role: &str, metrics: PrometheusHandle) -> anyhow::Result<Self> {
        let instance = format!("{}:{}", host_name()?, std::process::id());
        let spans = SpanExport::start(&settings.otlp, role, instance)?;
        let tls = acceptor(settings.admin_tls.as_ref(), "admin").context("ADMIN_TLS_CERT, ADMIN_TLS_KEY")?;
        let listener = bind(settings.admin_host, settings.admin_port, "--admin-port")?;
        let admin = listener.local_addr()?;
        let (lifecycle, readiness) = (Lifecycle::new(), Readiness::default());
        admin::serve(listener, metrics.clone(), readiness.clone(), &lifecycle, tls);
        Ok(Self { lifecycle, readiness, admin, metrics, drain_time: settings.drain_time, spans })
    }

    /// What the admin port says, for whoever asks over NATS.
    pub fn reporter(&self) -> Reporter {
        let (readiness, metrics) = (self.readiness.clone(), self.metrics.clone());
        let draining = self.lifecycle.draining().clone();
        Arc::new(move |names| {
            let (readiness, metrics, draining) = (readiness.clone(), metrics.clone(), draining.clone());
            Box::pin(async move {
                let checked = readiness.check_within(REPORT_CHECK, &draining).await;
                let parts = checked.parts.into_iter().map(|(name, up)| (name.to_owned(), up)).collect();
                let figures = admin::samples(&metrics, &names);
                Report { status: checked.status.to_owned(), parts, figures }
            })
        })
    }

    /// The log's time; readiness shows whether this machine's clock agrees.
    pub async fn clock(&self, js: jetstream::Context) -> anyhow::Result<LogClock> {
        let (tracker, stop) = (self.lifecycle.tracker(), self.lifecycle.stop().clone());
        let clock = LogClock::start(js, tracker, stop).await.context("the log's time is not known")?;
        let shown = clock.clone();
        self.readiness.shows("clock", move || std::future::ready(shown.is_right()));
        Ok(clock)
    }

    /// Lets clients leave, asks every task to end and waits for them.
    pub async fn drain(&self) {
        info!("stopping");
        self.lifecycle.drain(self.drain_time).await;
        self.spans.finish().await;
    }
}

/// This machine, as it calls itself.
pub fn host_name() -> anyhow::Result<String> {
    Ok(nix::unistd::gethostname()?.to_string_lossy().into_owned())
}

/// The TLS of a port, if it has a certificate; `port` names it in metrics.
pub fn acceptor(files: Option<&KeyPair>, port: &'static str) -> anyhow::Result<Option<Acceptor>> {
    Ok(files.cloned().map(|files| Acceptor::load(files, port)).transpose()?)
}

/// `flag` is the one that chooses another port.
pub fn bind(host: IpAddr, port: u16, flag: &str) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(host, port);
    listen(address).with_context(|| {
        format!("cannot listen on {address}; is another server running there? Choose a port with {flag}")
    })
}

/// Accepted connections have the options of their listener.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(limits::KERNEL_SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A socket is a file: the usual soft limit of 1,024 is far below what this process serves.
fn raise_file_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        warn!(%error, "the limit of open files was not raised; sockets beyond it are refused");
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpStream;

    use super::*;

    /// Beside the kernel's buffer there is the reader's own.
    const BOTH: usize = 2 * 1024 * 1024;

    #[tokio::test]
    async fn what_waits_for_a_slow_reader_does_not_fill_the_kernels_buffers() {
        let listener = bind(Ipv4Addr::LOCALHOST.into(), 0, "--port").unwrap();
        let reader = TcpSocket::new_v4().unwrap();
        reader.set_recv_buffer_size(64 * 1024).unwrap();
        let (reader, accepted) =
            tokio::join!(reader.connect(listener.local_addr().unwrap()), listener.accept());
        let (reader, (writer, _)): (TcpStream, _) = (reader.unwrap(), accepted.unwrap());
        let mut written = 0;
        while let Ok(bytes) = writer.try_write(&[0; 16 * 1024]) {
            written += bytes;
            // The kernel lets a writer wait for an instant while it moves what was written.
            let _ = tokio::time::timeout(Duration::from_millis(100), writer.writable()).await;
        }
        assert!(written < BOTH, "{written} bytes");
        drop(reader);
    }
}

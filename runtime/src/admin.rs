//! The admin port, never reachable through the public one: `GET /metrics` (Prometheus text), `GET /health/live` (the
//! process answers) and `GET /health/ready` (it can work; 503 and the parts that are down when it cannot).

use std::{fmt::Debug, future::ready, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
    serve::Listener,
};
use metrics_exporter_prometheus::PrometheusHandle;
use natter_tls::Acceptor;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{lifecycle::Lifecycle, readiness::Readiness, tls_listener::TlsListener};

/// Histograms keep raw samples until they are rendered or upkeep runs.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves the admin port until the end of a drain, by TLS if there is a certificate.
pub fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    readiness: Readiness,
    lifecycle: &Lifecycle,
    tls: Option<Acceptor>,
) -> Option<SocketAddr> {
    let address = listener.local_addr().ok();
    let upkeep = metrics.clone();
    let stop = lifecycle.stop().clone();
    lifecycle.spawn("metrics upkeep", async move {
        while tokio::time::timeout(UPKEEP, stop.cancelled()).await.is_err() {
            upkeep.run_upkeep();
        }
    });
    let draining = lifecycle.draining().clone();
    let app = Router::new()
        .route("/metrics", get(move || ready(render(&metrics))))
        .route("/health/live", get(|| ready(Json(serde_json::json!({"status": "ok"})))))
        .route("/health/ready", get(move || check(readiness.clone(), draining.clone())));
    let stop = lifecycle.stop().clone();
    let Some(tls) = tls else {
        lifecycle.spawn("admin port", run(listener, app, stop));
        return address;
    };
    lifecycle.spawn("certificate watch", tls.watch(stop.clone()));
    lifecycle.spawn("admin port", run(TlsListener::new(listener, tls), app, stop));
    address
}

async fn run<L: Listener<Addr: Debug>>(listener: L, app: Router, stop: CancellationToken) {
    let server = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = server.await {
        tracing::error!(%error, "admin port failed");
    }
}

async fn check(readiness: Readiness, draining: CancellationToken) -> impl IntoResponse {
    let report = readiness.check(&draining).await;
    let word = |up: &bool| if *up { "up" } else { "down" };
    let parts: serde_json::Map<String, serde_json::Value> =
        report.parts.iter().map(|(name, up)| ((*name).to_owned(), word(up).into())).collect();
    let status = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({"status": report.status, "parts": parts})))
}

/// The samples of these names, as lines of `/metrics`.
pub fn samples(metrics: &PrometheusHandle, names: &[String]) -> String {
    metrics_process::Collector::default().collect();
    let named = |line: &&str| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        names.iter().any(|one| one == name)
    };
    metrics.render().split_inclusive('\n').filter(named).collect()
}

fn render(metrics: &PrometheusHandle) -> impl IntoResponse + use<> {
    metrics_process::Collector::default().collect();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}

//! The admin port, never reachable through the public one: `GET /metrics` (Prometheus text), `GET /health/live` (the
//! process answers) and `GET /health/ready` (it can work; 503 and the parts that are down when it cannot).

use std::{future::ready, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{lifecycle::Lifecycle, readiness::Readiness};

/// Histograms keep raw samples until they are rendered or upkeep runs.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves the admin port until drain.
pub fn serve(
    listener: TcpListener,
    metrics: PrometheusHandle,
    readiness: Readiness,
    lifecycle: &Lifecycle,
) -> Option<SocketAddr> {
    let address = listener.local_addr().ok();
    let upkeep = metrics.clone();
    let stop = lifecycle.stop().clone();
    lifecycle.spawn("metrics upkeep", async move {
        while tokio::time::timeout(UPKEEP, stop.cancelled()).await.is_err() {
            upkeep.run_upkeep();
        }
    });
    let stop = lifecycle.stop().clone();
    let app = Router::new()
        .route("/metrics", get(move || ready(render(&metrics))))
        .route("/health/live", get(|| ready(Json(serde_json::json!({"status": "ok"})))))
        .route("/health/ready", get(move || check(readiness.clone(), stop.clone())));
    let stop = lifecycle.stop().clone();
    lifecycle.spawn("admin port", async move {
        let server = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = server.await {
            tracing::error!(%error, "admin port failed");
        }
    });
    address
}

async fn check(readiness: Readiness, stop: CancellationToken) -> impl IntoResponse {
    let report = readiness.check(&stop).await;
    let word = |up: &bool| if *up { "up" } else { "down" };
    let parts: serde_json::Map<String, serde_json::Value> =
        report.parts.iter().map(|(name, up)| ((*name).to_owned(), word(up).into())).collect();
    let status = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(serde_json::json!({"status": report.status, "parts": parts})))
}

fn render(metrics: &PrometheusHandle) -> impl IntoResponse + use<> {
    metrics_process::Collector::default().collect();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}

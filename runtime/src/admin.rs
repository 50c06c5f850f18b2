//! The admin port: `GET /metrics` (Prometheus text) and `GET /health/live` for operators, never reachable through
//! the public port.

use std::{future::ready, net::SocketAddr, time::Duration};

use axum::{Router, http::header, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use crate::lifecycle::Lifecycle;

/// Histograms keep raw samples until somebody renders or upkeep runs.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves the admin port until drain.
pub fn serve(listener: TcpListener, metrics: PrometheusHandle, lifecycle: &Lifecycle) -> Option<SocketAddr> {
    let address = listener.local_addr().ok();
    let upkeep = metrics.clone();
    let stop = lifecycle.stop().clone();
    lifecycle.spawn("metrics upkeep", async move {
        while tokio::time::timeout(UPKEEP, stop.cancelled()).await.is_err() {
            upkeep.run_upkeep();
        }
    });
    let app = Router::new().route("/metrics", get(move || ready(render(&metrics))));
    let stop = lifecycle.stop().clone();
    lifecycle.spawn("admin port", async move {
        let server = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = server.await {
            tracing::error!(%error, "admin port failed");
        }
    });
    address
}

fn render(metrics: &PrometheusHandle) -> impl IntoResponse + use<> {
    metrics_process::Collector::default().collect();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}

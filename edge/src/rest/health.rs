//! Is this node well: for load balancers, and for whoever is woken by one.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use natter_nats::async_nats::connection::State as Connection;
use natter_schemas::{event::Timestamp, rpc::LogHeads};
use serde_json::{Value, json};

use crate::app::Edge;

/// CONTROL is checked every 5 s; three misses are a fault.
const CONTROL_FRESH: Duration = Duration::from_secs(15);

pub async fn health() -> Json<Value> {
    Json(json!({"status": "ok", "timestamp": Timestamp::now()}))
}

/// The process answers.
pub async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The node can take clients: each part by name, 503 when one is down or the node drains.
pub async fn ready(State(edge): State<Arc<Edge>>) -> (StatusCode, Json<Value>) {
    let nats = edge.live.connection_state() == Connection::Connected;
    let services = edge.rpc.call(&LogHeads).await.is_ok();
    let control = edge.control.silent_for() < CONTROL_FRESH;
    let draining = edge.lifecycle.stop().is_cancelled();
    let well = nats && services && control && !draining;
    let word = |up: bool| if up { "up" } else { "down" };
    let body = json!({
        "status": if well { "ok" } else if draining { "draining" } else { "degraded" },
        "durability": edge.config.durability,
        "parts": {"nats": word(nats), "services": word(services), "control": word(control)},
    });
    (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body))
}

//! Whether this node is healthy: for load balancers and operators.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use natter_nats::async_nats::connection::State as Connection;
use natter_schemas::rpc::LogHeads;
use serde_json::{Value, json};

use crate::app::App;

/// CONTROL is checked every 5 s; three misses are a fault.
const CONTROL_FRESH: Duration = Duration::from_secs(15);

pub async fn health(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({"status": "ok", "timestamp": app.clock.now()}))
}

/// The process answers.
pub async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The node can take clients: each part by name, 503 when one is down or the node drains.
pub async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let nats = app.live.connection_state() == Connection::Connected;
    let services = app.rpc.call(&LogHeads).await.is_ok();
    let control = app.control.silent_for() < CONTROL_FRESH;
    let redis = app.shared.ready().await.is_ok();
    let clock = app.clock.is_right();
    let draining = app.lifecycle.stop().is_cancelled();
    let log = app.log_health.is_up();
    let connections = !app.connections.are_scarce();
    // Without Redis a node does almost everything, and with a wrong clock all of it: taking it out of service would
    // be worse.
    let healthy = nats && log && services && control && connections && !draining;
    let state = |up: bool| if up { "up" } else { "down" };
    let body = json!({
        "status": if healthy { "ok" } else if draining { "draining" } else { "degraded" },
        "durability": app.config.durability,
        "parts": {
            "nats": state(nats),
            "log": state(log),
            "services": state(services),
            "control": state(control),
            "redis": state(redis),
            "clock": state(clock),
            "connections": state(connections),
        },
        "clockAheadMs": app.clock.ahead_ms(),
    });
    (if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body))
}

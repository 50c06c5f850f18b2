//! Whether this node is healthy: for load balancers and operators.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use natter_nats::async_nats::connection::State as Connection;
use natter_schemas::{
    rest::{Health, Liveness, NodeStatus, PartStatus, Readiness},
    rpc::LogHeads,
};

use crate::app::App;

/// CONTROL is checked every 5 s; three misses are a fault.
const CONTROL_FRESH: Duration = Duration::from_secs(15);

pub async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    Json(Health { status: NodeStatus::Ok, timestamp: app.clock.now() })
}

/// The process answers.
pub async fn live() -> Json<Liveness> {
    Json(Liveness { status: NodeStatus::Ok })
}

/// The node can take clients: each part by name, 503 when one is down or the node drains.
pub async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Readiness>) {
    let (nats, services, control) = (nats(&app), services(&app).await, control(&app));
    let redis = app.shared.ready().await.is_ok();
    let clock = app.clock.is_right();
    let draining = app.lifecycle.draining().is_cancelled();
    let log = app.log_health.is_up();
    let connections = !app.connections.are_scarce();
    // Without Redis a node does almost everything, and with a wrong clock all of it: taking it out of service would
    // be worse.
    let healthy = nats && log && services && control && connections && !draining;
    let parts = [
        ("nats", nats),
        ("log", log),
        ("services", services),
        ("control", control),
        ("redis", redis),
        ("clock", clock),
        ("connections", connections),
    ];
    let status = match (healthy, draining) {
        (true, _) => NodeStatus::Ok,
        (false, true) => NodeStatus::Draining,
        (false, false) => NodeStatus::Degraded,
    };
    let body = Readiness {
        status,
        durability: app.config.durability.to_owned(),
        parts: BTreeMap::from(parts.map(|(name, up)| (name.to_owned(), part(up)))),
        clock_ahead_ms: app.clock.ahead_ms(),
    };
    (if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body))
}

fn nats(app: &App) -> bool {
    app.live.connection_state() == Connection::Connected
}

async fn services(app: &App) -> bool {
    app.rpc.call(&LogHeads).await.is_ok()
}

fn control(app: &App) -> bool {
    app.control.silent_for() < CONTROL_FRESH
}

type Check = fn(&App) -> bool;

/// What an edge cannot work without is shown at its admin port and in its reports, too.
pub fn show(app: &Arc<App>) {
    let parts: [(&str, Check); 4] = [
        ("nats", nats),
        ("log", |app| app.log_health.is_up()),
        ("control", control),
        ("connections", |app| !app.connections.are_scarce()),
    ];
    for (name, up) in parts {
        let app_now = Arc::downgrade(app);
        let check = move || std::future::ready(app_now.upgrade().is_some_and(|app| up(&app)));
        app.config.readiness.shows(name, check);
    }
    let app_now = Arc::downgrade(app);
    app.config.readiness.shows("services", move || {
        let app = app_now.upgrade();
        async move {
            match app {
                Some(app) => services(&app).await,
                None => false,
            }
        }
    });
}

fn part(up: bool) -> PartStatus {
    if up { PartStatus::Up } else { PartStatus::Down }
}

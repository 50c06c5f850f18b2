//! Who can work, as orchestrators and container health checks ask.

use serde_json::{Value, json};

use crate::{NATTER, shared};
use natter_testkit::{Cluster, clocks_apart, until};

async fn get(url: &str) -> (u16, Value) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// What is shown of the clock. It takes no process out of service.
fn clock() -> &'static str {
    if clocks_apart() == 0 { "up" } else { "down" }
}

#[tokio::test]
async fn a_worker_shows_on_its_admin_port_that_it_is_ready() {
    let cluster = shared().await;
    let admin = cluster.worker_admin(0).await;
    assert_eq!(get(&format!("{admin}/health/live")).await, (200, json!({"status": "ok"})));
    let parts = json!({"clock": clock(), "log": "up", "nats": "up", "redis": "up", "store": "up"});
    assert_eq!(get(&format!("{admin}/health/ready")).await, (200, json!({"status": "ok", "parts": parts})));
}

#[tokio::test]
async fn a_worker_without_redis_shows_what_is_down() {
    let mut cluster = Cluster::start(NATTER).await;
    let ready = format!("{}/health/ready", cluster.worker_admin(1).await);
    cluster.kill_redis();
    let parts = json!({"clock": clock(), "log": "up", "nats": "up", "redis": "down", "store": "up"});
    until("the worker says so", async || {
        get(&ready).await == (503, json!({"status": "degraded", "parts": parts}))
    })
    .await;
    assert_eq!(cluster.run(&["health", &ready], &[]).status.code(), Some(1));
    cluster.restart_redis().await;
    until("it is well again", async || cluster.run(&["health", &ready], &[]).status.success()).await;
}

#[tokio::test]
async fn a_health_check_is_one_command_that_fails_without_an_answer() {
    let cluster = shared().await;
    let edge = &cluster.addresses()[0];
    let well = cluster.run(&["health", &format!("{edge}/health/ready")], &[]);
    assert!(well.status.success() && well.stdout.starts_with(b"200 {"), "{well:?}");
    let lost = cluster.run(&["health", "http://127.0.0.1:1/health/ready"], &[]);
    assert_eq!(lost.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&lost.stderr).contains("does not answer"), "{lost:?}");
}

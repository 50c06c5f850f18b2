//! Commands on a running `natter dev`, which is named by its data folder alone.

use natter_testkit::{DevServer, User, command, text};
use serde_json::json;

use crate::{NATTER, deployment::CommandOutput};

/// A command, with no settings at all.
fn run(server: &DevServer, arguments: &[&str]) -> CommandOutput {
    let mut command = command(NATTER, &[]);
    command.args(arguments).arg("--data-dir").arg(server.data());
    CommandOutput::of(&command.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_finds_a_dev_by_its_data_folder() {
    let mut server = DevServer::start(NATTER, &[("CHAT_ENCRYPTION_ENABLED", "true")]).await;
    let alice = User::register(vec![server.http.clone()], 0, "alice").await;
    let bob = User::register(vec![server.http.clone()], 0, "bob").await;
    let room = alice.group(&[&bob]).await;
    let acked = alice.device("phone").await.call_acked(room.message_frame("c1", "sealed at rest")).await;
    let message = text(&acked["messageId"]);

    // As people paste them, in whatever case.
    let traced = run(&server, &["trace", &message.to_uppercase(), "--json"]).json();
    assert_eq!((&traced["messageId"], &traced["log"]["state"]), (&json!(message), &json!("stored")));
    let other = run(&server, &["trace", &message, "--conversation", &alice.id]).error();
    assert!(other.contains(&format!("is in conversation {}, not in {}", room.id, alice.id)), "{other}");
    let named = ["trace", "c1", "--user", &alice.name, "--device", "tablet", "--conversation", &room.id];
    let wrong_device = run(&server, &named).error();
    assert!(wrong_device.contains("from device \"tablet\""), "{wrong_device}");

    let token = run(&server, &["token", &alice.name]).ok();
    let me = alice.with_token(token.trim().to_owned()).get("/api/me").await.ok(200);
    assert_eq!(me["id"], json!(alice.id), "{me}");

    run(&server, &["verify"]).ok();
    run(&server, &["keys", "status"]).ok();
    assert_eq!(run(&server, &["parked", "list"]).ok(), "nothing is parked\n");
    let shown = run(&server, &["top", "--once", "--json"]).json();
    assert_eq!((&shown["all"]["sockets"], &shown["nodes"][0]["role"]), (&json!(0.0), &json!("dev")));
    let exported = run(&server, &["export", "user", &alice.name]).ok();
    assert!(exported.contains("sealed at rest"), "{exported}");
    // Signed by the secret of the folder.
    let receipt = run(&server, &["erase", "user", &bob.name]).ok();
    let file = server.data().join("receipt");
    std::fs::write(&file, receipt).unwrap();
    run(&server, &["erase", "check", file.to_str().unwrap()]).ok();

    server.stop().await;
    let stopped = run(&server, &["verify"]).error();
    assert!(stopped.contains("no natter dev is running on"), "{stopped}");
    let nothing = command(NATTER, &[]).args(["verify", "--data-dir", "/nowhere"]).output().unwrap();
    assert!(CommandOutput::of(&nothing).error().contains("/nowhere is no data folder of natter dev"));
}

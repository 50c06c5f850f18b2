//! Keys of access tokens follow each other on running edges.

use natter_testkit::{Cluster, Folder, Process, User, text};
use serde_json::{Value, json};

use crate::NATTER;

const NEW: &str = "new:fedcba9876543210fedcba9876543210";
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIBfup2qX1OnMaoB1yckGoP1cnUg5DOPlGTzrntw9eruR
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEARaLRjmytHLewf3IJ1Xx5zxxGxKFgguesx1zXERpkRKs=
-----END PUBLIC KEY-----
";

type Settings<'a> = [(&'static str, &'a str)];

/// An edge with these settings, and its address.
async fn edge(cluster: &mut Cluster, settings: &Settings<'_>) -> (Process, String) {
    let process = cluster.spawn("edge", settings);
    let ready = process.wait_for_event("edge is ready").await;
    (process, format!("http://{}", text(&ready["address"])))
}

/// The session is good on both edges, renewed by one and by the other.
async fn good_everywhere(user: &mut User, addresses: &[String; 2]) {
    for address in addresses {
        user.move_to(address);
        user.refresh().await;
        for address in addresses {
            user.move_to(address);
            user.get("/api/me").await.ok(200);
        }
    }
}

/// Each edge is replaced in turn by one with the settings of the next stage; whoever has a token keeps it.
async fn roll(cluster: &mut Cluster, stages: &[&Settings<'_>]) {
    let first = edge(cluster, stages[0]).await;
    let second = edge(cluster, stages[0]).await;
    let mut user = User::register(vec![first.1.clone()], 0, "alice").await;
    let mut edges = [first, second];
    for stage in &stages[1..] {
        for number in 0..2 {
            edges[number] = edge(cluster, stage).await;
            let addresses = edges.each_ref().map(|(_, address)| address.clone());
            // What was issued before the restart, and what is from now on.
            user.move_to(&addresses[1 - number]);
            user.get("/api/me").await.ok(200);
            good_everywhere(&mut user, &addresses).await;
        }
    }
}

#[tokio::test]
async fn secrets_are_replaced_on_running_edges_without_a_log_out() {
    // The first one has no id.
    let secret = "0123456789abcdef0123456789abcdef";
    let (old_new, new_old) = (format!(":{secret},{NEW}"), format!("{NEW},:{secret}"));
    let named = |list| [("JWT_SECRET", ""), ("JWT_SECRETS", list)];
    let stages = [&old_new, &new_old, NEW].map(named);
    // Workers know both all the time.
    let mut cluster = Cluster::start_with_settings(NATTER, &stages[0]).await;
    let first = [("JWT_SECRET", secret), ("JWT_SECRETS", "")];
    roll(&mut cluster, &[&first, &stages[0], &stages[1], &stages[2]]).await;
}

#[tokio::test]
async fn a_private_key_takes_over_and_its_public_key_is_published() {
    let folder = Folder::new();
    let file = |name: &str, pem: &str| {
        let path = folder.file(name);
        std::fs::write(&path, pem).unwrap();
        format!("ed:{}", path.display())
    };
    let (private, public) = (file("private.pem", PRIVATE), file("public.pem", PUBLIC));
    let verify: &Settings<'_> = &[("JWT_PUBLIC_KEYS", &public)];
    let sign: &Settings<'_> = &[("JWT_PRIVATE_KEY", &private), ("JWT_PUBLIC_KEYS", "")];
    // The public half is enough for workers.
    let mut cluster = Cluster::start_with_settings(NATTER, verify).await;
    roll(&mut cluster, &[&[("JWT_PUBLIC_KEYS", "")], verify, sign]).await;

    let (_edge, address) = edge(&mut cluster, sign).await;
    let published: Value =
        reqwest::get(format!("{address}/.well-known/jwks.json")).await.unwrap().json().await.unwrap();
    let key = json!({
        "kty": "OKP", "crv": "Ed25519", "x": "RaLRjmytHLewf3IJ1Xx5zxxGxKFgguesx1zXERpkRKs", "kid": "ed", "alg": "EdDSA", "use": "sig"
    });
    assert_eq!(published, json!({"keys": [key]}));

    // Two keys of one id, and a file that has no such key.
    for (settings, name) in [
        (
            [("JWT_PRIVATE_KEY", private.as_str()), ("JWT_PUBLIC_KEYS", public.as_str())],
            "JWT_PUBLIC_KEYS has id ed",
        ),
        ([("JWT_PRIVATE_KEY", public.as_str()), ("JWT_PUBLIC_KEYS", "")], "JWT_PRIVATE_KEY: ed is not"),
    ] {
        let refused = cluster.run(&["edge"], &settings);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(name), "{said}");
    }
}

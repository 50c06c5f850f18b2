//! Keys of users wrapped by a real KMS.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::{Harness, ROOT, refusal};
use natter_runtime::config::Kms;
use natter_schemas::{
    code::Code,
    id::UserId,
    rpc::{GetDataKeys, KeyName, RpcError},
};
use natter_seal::Key;
use natter_store::{KeyPurpose::Messages, KeyStore, WrappedUserKey};
use natter_testkit::{Authority, OpenBao};
use natter_workers::{
    Job,
    services::keys::{LocalRoot, Root, Roots, TransitRoot},
};

/// Newest keys, by user.
async fn newest(harness: &Harness, users: &[UserId]) -> Result<Vec<Option<[u8; 32]>>, RpcError> {
    let names = users.iter().map(|user| KeyName { user: *user, epoch: None }).collect();
    let issued = harness.rpc.call(&GetDataKeys { names }).await?;
    Ok(issued.into_iter().map(|key| key.map(|key| key.key)).collect())
}

async fn own_key(harness: &Harness, user: UserId) -> WrappedUserKey {
    harness.store.keys(&[user], Messages).await.unwrap().remove(0).own.unwrap()
}

fn version(key: &WrappedUserKey) -> &str {
    std::str::from_utf8(&key.wrapped).unwrap().rsplit_once(':').unwrap().0
}

async fn with(kms: Kms) -> Harness {
    let mut harness = Harness::with(&[]).await;
    harness.dependencies.roots = Roots::new(vec![Box::new(TransitRoot::new(kms).unwrap())]);
    harness.start(&[Job::Keys]).await;
    harness
}

#[tokio::test]
async fn a_kms_wraps_keys_and_may_rotate_its_own() {
    let bao = OpenBao::start().await;
    let harness = with(bao.settings()).await;
    let (alice, bob, thief) = (UserId::fresh(), UserId::fresh(), UserId::fresh());
    let before = newest(&harness, &[alice]).await.unwrap();
    bao.rotate().await;
    let after = newest(&harness, &[alice, bob]).await.unwrap();
    assert!(before[0].is_some() && before[0] == after[0] && after[1] != after[0] && after[1].is_some());
    let stolen = own_key(&harness, alice).await;
    assert_eq!(version(&stolen), "vault:v1");
    assert_eq!(version(&own_key(&harness, bob).await), "vault:v2");
    harness.store.add_user_key(thief, &stolen).await.unwrap();
    let issued = newest(&harness, &[thief, alice]).await.unwrap();
    assert_eq!(issued, [None, before[0]], "a key opens for its user alone, and does not hinder others");
}

#[tokio::test]
async fn a_kms_that_is_away_makes_keys_unavailable_until_it_is_back() {
    let bao = OpenBao::start().await;
    let harness = with(bao.settings()).await;
    let alice = UserId::fresh();
    let before = newest(&harness, &[alice]).await.unwrap();
    bao.pause();
    assert_eq!(refusal(newest(&harness, &[alice]).await).0, Code::Unavailable);
    bao.resume();
    assert_eq!(newest(&harness, &[alice]).await.unwrap(), before);
    let stranger = with(bao.settings_with("no-token")).await;
    assert_eq!(refusal(newest(&stranger, &[alice]).await).0, Code::Unavailable);
}

#[tokio::test]
async fn keys_wrapped_by_a_setting_are_issued_beside_those_of_a_kms() {
    let mut harness = Harness::with(&[Job::Keys]).await;
    let (alice, bob) = (UserId::fresh(), UserId::fresh());
    let before = newest(&harness, &[alice]).await.unwrap();
    let bao = OpenBao::start().await;
    harness.stop().await;
    let kms = Box::new(TransitRoot::new(bao.settings()).unwrap()) as Box<dyn Root>;
    harness.dependencies.roots = Roots::new(vec![kms, Box::new(LocalRoot::new(Key::from([ROOT; 32])))]);
    harness.start(&[Job::Keys]).await;
    let after = newest(&harness, &[bob, alice]).await.unwrap();
    assert_eq!(after[1], before[0]);
    assert_eq!(own_key(&harness, bob).await.root, "transit-transit/natter");
}

#[tokio::test]
async fn a_kms_is_believed_by_its_own_authority_alone() {
    let bao = OpenBao::start_with_tls().await;
    let alice = UserId::fresh();
    let harness = with(bao.settings()).await;
    assert!(newest(&harness, &[alice]).await.unwrap()[0].is_some());
    let other = Authority::new();
    for ca in [None, Some(other.ca())] {
        let stranger = with(Kms { ca, ..bao.settings() }).await;
        assert_eq!(refusal(newest(&stranger, &[alice]).await).0, Code::Unavailable);
        assert!(stranger.store.keys(&[alice], Messages).await.unwrap()[0].own.is_none());
    }
    let missing = TransitRoot::new(Kms { ca: Some("/nowhere.pem".into()), ..bao.settings() });
    assert!(missing.is_err_and(|error| error.to_string().contains("CHAT_KMS_CA")));
}

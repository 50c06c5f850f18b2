//! A log, a store or a nats-server that is gone for good.

use std::{fs, os::unix::fs::PermissionsExt};

use nix::sys::signal::Signal;

use crate::harness::Natter;

#[tokio::test]
async fn natter_dev_ends_with_the_servers_last_words_when_it_cannot_be_started_again() {
    let bin = tempfile::tempdir().unwrap();
    let link: &'static str =
        Box::leak(bin.path().join("nats-server").into_os_string().into_string().unwrap().into_boxed_str());
    std::os::unix::fs::symlink(natter_nats::server::find().unwrap(), link).unwrap();
    let mut natter = Natter::with(&[("NATTER_NATS_SERVER", link)]).await;
    fs::remove_file(link).unwrap();
    fs::write(link, "#!/bin/sh\necho the last words of nats-server\nexit 3\n").unwrap();
    fs::set_permissions(link, fs::Permissions::from_mode(0o755)).unwrap();
    natter.signal_nats(Signal::SIGKILL);
    let status = natter.ended().await;
    assert_eq!(status.code(), Some(1), "{}", natter.log());
    let log = natter.log();
    let sentence = log.split_once("natter: ").unwrap_or_else(|| panic!("no sentence: {log}")).1;
    assert!(sentence.contains("nats-server died") && sentence.contains("last words"), "{sentence}");
}

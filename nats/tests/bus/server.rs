use std::{fs, path::PathBuf};

use natter_nats::{
    connect::{Address, ConnectError, Purpose, connect},
    publisher::Publisher,
    server::{self, Options, Server, ServerError},
};
use natter_schemas::id::ConversationId;
use natter_testkit::TestServer;

fn options(data_dir: PathBuf) -> Options {
    let binary = server::find().unwrap();
    Options { binary, data_dir, always_sync: false, max_store_bytes: 1 << 30 }
}

async fn failure(options: Options) -> ServerError {
    Server::start(options).await.err().expect("it cannot start")
}

#[tokio::test]
async fn a_killed_server_comes_back_on_the_same_port_and_its_clients_with_it() {
    let server = TestServer::start().await;
    server.provision(1).await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let c = ConversationId::fresh();
    let first = super::publish(&publisher, 1, c, "before").await;
    let (url, pid) = (server.url().to_owned(), server.pid());
    server.restart().await;
    assert_eq!(server.url(), url);
    assert_ne!(server.pid(), pid);
    assert_eq!(super::publish(&publisher, 1, c, "after").await, first + 1);
}

#[tokio::test]
async fn a_stopped_server_is_gone_and_its_data_is_there_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("nats");
    let server = Server::start(options(data.clone())).await.unwrap();
    let pid = server.pid().unwrap();
    let js = natter_nats::async_nats::jetstream::new(
        connect(&Address::new(server.url().to_owned()), Purpose::Provision).await.unwrap(),
    );
    let (before, _) = natter_nats::apply::apply(&js, &natter_testkit::small(1), &[]).await.unwrap();
    server.stop().await;
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap());

    let server = Server::start(options(data)).await.unwrap();
    let address = Address::new(server.url().to_owned());
    let js = natter_nats::async_nats::jetstream::new(connect(&address, Purpose::Provision).await.unwrap());
    assert_eq!(natter_nats::apply::check(&js, &natter_testkit::small(1)).await.unwrap().epoch, before.epoch);
    server.stop().await;
}

#[tokio::test]
async fn another_user_of_the_machine_cannot_talk_to_it() {
    let server = TestServer::start().await;
    let (_, host) = server.url().rsplit_once('@').unwrap();
    for url in [format!("nats://{host}"), format!("nats://natter:guess@{host}")] {
        let refused = connect(&Address::new(url), Purpose::Rpc).await.err().unwrap();
        assert!(matches!(refused, ConnectError::NotAllowed { .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_start_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("jetstream"), "a file where the store should be").unwrap();
    let error = failure(options(folder.path().to_owned())).await;
    assert!(matches!(error, ServerError::Died { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("nats-server did not start; the end of ") && text.contains("[FTL]"), "{text}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = failure(options(file.path().join("data"))).await;
    assert!(matches!(error, ServerError::Folder { .. }), "{error}");
    assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_is_too_old_is_refused_with_its_version() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("nats-server");
    fs::write(&binary, "#!/bin/sh\necho 'nats-server: v2.9.25'\n").unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o700)).unwrap();
    let error = failure(Options { binary, ..options(folder.path().join("data")) }).await;
    assert!(error.to_string().ends_with("is nats-server 2.9.25, but at least 2.14 is needed"), "{error}");
    let error =
        failure(Options { binary: "/nowhere/nats-server".into(), ..options(folder.path().join("data")) })
            .await;
    assert!(matches!(error, ServerError::NotRunnable { .. }), "{error}");
}

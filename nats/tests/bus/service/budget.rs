//! A call carries how long its caller waits, and what is no longer awaited is not begun.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use natter_nats::{
    async_nats::{HeaderMap, Request},
    header, subject,
};
use natter_schemas::{
    limits,
    rpc::{Call, RpcError, Service},
};
use tokio::sync::Semaphore;

use super::{Probe, fixture, handle, question, with_budget};

#[tokio::test]
async fn a_request_whose_caller_has_gone_is_dropped() {
    let f = fixture().await;
    let handled = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&handled);
    let mut host = f.host().await;
    host.serve::<Probe, _, _>(move |probe| {
        counted.fetch_add(1, Ordering::Relaxed);
        handle(probe)
    })
    .await
    .unwrap();
    let late = Request::new()
        .headers(with_budget(0))
        .payload(question(&Probe::Bytes(1)))
        .timeout(Some(Duration::from_millis(200)));
    let subject = subject::service(Service::History, Probe::NAME);
    assert!(f.client.send_request(subject, late).await.is_err());
    f.rpc.call(&Probe::Bytes(1)).await.unwrap();
    assert_eq!(handled.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_call_carries_how_long_its_caller_waits_not_until_when() {
    let f = fixture().await;
    let subject = subject::service(Service::History, Probe::NAME);
    let mut calls = f.client.subscribe(subject).await.unwrap();
    let rpc = f.rpc.clone();
    let call = tokio::spawn(async move { rpc.call(&Probe::Refuse).await });
    let message = calls.next().await.unwrap();
    let headers = message.headers.unwrap();
    let budget: u128 = headers.get(header::BUDGET).unwrap().as_str().parse().unwrap();
    assert!(budget > 0 && budget <= Probe::DEADLINE.as_millis(), "{budget}");
    assert!(headers.get(header::VERSIONS).is_some());
    assert_eq!(headers.len(), 2, "no other, and so no time of a clock: {headers:?}");
    call.abort();
}

#[tokio::test]
async fn a_call_of_a_caller_with_any_clock_is_answered() {
    let f = fixture().await;
    f.probe().await;
    // As an edge of the release before sends it, whose clock is an hour behind.
    let mut headers = HeaderMap::new();
    headers.insert("Natter-Deadline", "1");
    let call = Request::new().headers(headers).payload(question(&Probe::Bytes(1)));
    let subject = subject::service(Service::History, Probe::NAME);
    let answer = f.client.send_request(subject, call).await.unwrap();
    let answer: Result<Vec<u8>, RpcError> = postcard::from_bytes(&answer.payload).unwrap();
    assert_eq!(answer.unwrap(), [7]);
}

#[tokio::test]
async fn the_wait_for_a_turn_counts_into_the_budget() {
    let f = fixture().await;
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let handled = Arc::new(AtomicUsize::new(0));
    let gates = (Arc::clone(&begun), Arc::clone(&go_on), Arc::clone(&handled));
    let mut host = f.host().await;
    host.serve::<Probe, _, _>(move |probe| {
        let (begun, go_on, handled) = gates.clone();
        async move {
            handled.fetch_add(1, Ordering::Relaxed);
            begun.add_permits(1);
            go_on.acquire().await.unwrap().forget();
            handle(probe).await
        }
    })
    .await
    .unwrap();
    // Every turn is taken; each ends when this test allows it.
    f.publish(limits::SERVICE_CONCURRENCY, &Probe::Bytes(1)).await;
    let all = u32::try_from(limits::SERVICE_CONCURRENCY).unwrap();
    begun.acquire_many(all).await.unwrap().forget();
    let short = Request::new()
        .headers(with_budget(100))
        .payload(question(&Probe::Bytes(1)))
        .timeout(Some(Duration::from_millis(400)));
    let subject = subject::service(Service::History, Probe::NAME);
    assert!(f.client.send_request(subject, short).await.is_err());
    // Its caller is gone: with turns free again it is not answered, and the next one is.
    go_on.add_permits(limits::SERVICE_CONCURRENCY + 1);
    assert_eq!(f.rpc.call(&Probe::Bytes(1)).await.unwrap(), [7]);
    assert_eq!(handled.load(Ordering::Relaxed), limits::SERVICE_CONCURRENCY + 1);
}

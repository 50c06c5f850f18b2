//! Processes of different versions: who is understood is answered, who is not is refused and not misread.

use super::*;

/// A call of a process that understands these versions, or names none; the code of its answer.
async fn answer(f: &Fixture, versions: Option<&str>) -> Result<Vec<u8>, RpcError> {
    let mut headers = HeaderMap::new();
    if let Some(versions) = versions {
        headers.insert(header::VERSIONS, versions);
    }
    let request = Request::new().headers(headers).payload(question(&Probe::Bytes(3)));
    let subject = subject::service(Service::History, Probe::NAME);
    let message = f.client.send_request(subject, request).await.unwrap();
    let own = message.headers.as_ref().and_then(|headers| headers.get(header::VERSIONS)).unwrap();
    assert_eq!(own.as_str(), WIRE.to_string(), "an answer names the versions of its process");
    postcard::from_bytes(&message.payload).unwrap()
}

#[tokio::test]
async fn a_caller_that_is_too_new_or_names_nonsense_is_refused() {
    let f = fixture().await;
    f.probe().await;
    let (newest, next) = (WIRE.newest(), WIRE.newest() + 1);
    assert_eq!(answer(&f, Some(&format!("{newest}-{next}"))).await.unwrap(), [7, 7, 7]);
    assert_eq!(answer(&f, None).await.is_ok(), WIRE.meet(Versions::UNNAMED));
    for other in [format!("{next}-{next}"), "newest".to_owned()] {
        assert_eq!(answer(&f, Some(&other)).await, Err(Code::Unavailable.into()), "{other}");
    }
}

#[tokio::test]
async fn an_answer_of_a_process_that_is_too_new_is_not_read() {
    let f = fixture().await;
    let mut calls = f.client.subscribe(subject::service(Service::History, Probe::NAME)).await.unwrap();
    let next = WIRE.newest() + 1;
    let (called, ()) = tokio::join!(f.rpc.call(&Probe::Bytes(3)), async {
        let call = futures_util::StreamExt::next(&mut calls).await.unwrap();
        let named = call.headers.as_ref().and_then(|headers| headers.get(header::VERSIONS)).unwrap();
        assert_eq!(named.as_str(), WIRE.to_string(), "a call names the versions of its process");
        let mut headers = HeaderMap::new();
        headers.insert(header::VERSIONS, format!("{next}-{next}"));
        let misread: Result<Vec<u8>, RpcError> = Ok(vec![1, 2, 3]);
        let payload = postcard::to_allocvec(&misread).unwrap().into();
        #[expect(clippy::disallowed_methods, reason = "as a process of that version answers")]
        f.client.publish_with_headers(call.reply.unwrap(), headers, payload).await.unwrap();
    });
    assert_eq!(called, Err(Code::Unavailable.into()));
}

//! A collector of OpenTelemetry: takes spans by OTLP over HTTP, as far as a test lets it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode as Outcome},
};
use parking_lot::Mutex;
use prost::Message;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{free_port, until};

/// A span as it arrived; ids are in hexadecimal.
#[derive(Debug, Clone)]
pub struct CollectedSpan {
    /// `natter-edge`
    pub service: String,
    pub trace: String,
    pub id: String,
    /// Empty for the root of a trace.
    pub parent: String,
    pub name: String,
    pub kind: i32,
    pub took: Duration,
    pub failed: bool,
    pub attributes: BTreeMap<String, String>,
    /// Traces and spans.
    pub links: Vec<(String, String)>,
}

pub struct Collector {
    pub url: String,
    taken: Arc<Taken>,
    /// Ends with it.
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Taken {
    spans: Mutex<Vec<CollectedSpan>>,
    refuses: AtomicBool,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", free_port())).await.expect("the port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let taken = Arc::<Taken>::default();
        let routes = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&taken));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { url, taken, _server: server }
    }

    /// Whether it answers 503 from now on.
    pub fn refuse(&self, refuses: bool) {
        self.taken.refuses.store(refuses, Ordering::SeqCst);
    }

    /// All that arrived.
    pub fn spans(&self) -> Vec<CollectedSpan> {
        self.taken.spans.lock().clone()
    }

    /// The first span of which this holds, when it is there.
    pub async fn wait_for(&self, what: &str, is: impl Fn(&CollectedSpan) -> bool) -> CollectedSpan {
        let find = || self.taken.spans.lock().iter().find(|span| is(span)).cloned();
        until(what, async || find().is_some()).await;
        find().expect("it was there")
    }
}

async fn take(State(taken): State<Arc<Taken>>, headers: HeaderMap, body: Bytes) -> (StatusCode, Vec<u8>) {
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    if taken.refuses.load(Ordering::SeqCst) {
        return (StatusCode::SERVICE_UNAVAILABLE, Vec::new());
    }
    let request = ExportTraceServiceRequest::decode(body).expect("a request of OTLP");
    for of_process in request.resource_spans {
        let resource = attributes(of_process.resource.expect("it is named").attributes);
        let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
        taken.spans.lock().extend(spans.map(|span| collected(&resource["service.name"], span)));
    }
    (StatusCode::OK, ExportTraceServiceResponse::default().encode_to_vec())
}

fn collected(service: &str, span: Span) -> CollectedSpan {
    CollectedSpan {
        service: service.to_owned(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        kind: span.kind,
        took: Duration::from_nanos(span.end_time_unix_nano - span.start_time_unix_nano),
        failed: span.status.is_some_and(|status| status.code == i32::from(Outcome::Error)),
        attributes: attributes(span.attributes),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
    }
}

fn attributes(all: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("an attribute of another type: {other:?}"),
    };
    all.into_iter().map(|one| (one.key, text(one.value.and_then(|value| value.value)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

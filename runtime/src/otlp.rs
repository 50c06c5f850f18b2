//! Spans to a collector, by OTLP over HTTP. What it does not take is dropped and counted: nothing waits for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use natter_schemas::{limits, trace_context::TraceContext};
use natter_spans::{Attribute, Finished, Kind, Recorder, Value};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span, status},
};
use prost::Message;
use reqwest::{Client, StatusCode, Url, header::CONTENT_TYPE};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::config::Otlp;

/// Spans of one request to the collector.
const BATCH: usize = 512;
/// A batch that is not full gathers so long.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector has for a batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for the last ones, which the end of the process waits for.
const LAST: Duration = Duration::from_secs(1);
/// Of an answer; what is above it is not read.
const ANSWER: usize = 64 * 1024;
/// Flag of a span whose parent is of this process or another (OTLP, `SPAN_FLAGS_CONTEXT_…`).
const PARENT_KNOWN: u32 = 0x100;
const PARENT_REMOTE: u32 = 0x200;

#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    #[error("OTLP_ENDPOINT: {0}")]
    Client(#[from] reqwest::Error),
    #[error(transparent)]
    Twice(#[from] natter_spans::Twice),
}

/// The export of this process's spans, if there is somewhere to.
#[derive(Debug, Default)]
pub struct SpanExport {
    tracker: TaskTracker,
    end: CancellationToken,
}

impl SpanExport {
    /// `role` and `instance` name this process among those of the deployment.
    pub fn start(settings: &Otlp, role: &str, instance: String) -> Result<Self, OtlpError> {
        let this = Self::default();
        let Some(collector) = &settings.endpoint else { return Ok(this) };
        let mut url = collector.clone();
        url.set_path("/v1/traces");
        let client = Client::builder().timeout(PATIENCE).no_proxy().build()?;
        let (queue, finished) = mpsc::channel(limits::SPANS_WAITING);
        natter_spans::start(Recorder::new(settings.sample_ratio, queue))?;
        let exporter = Exporter { client, url, resource: resource(role, instance), failing: false };
        this.tracker.spawn(exporter.run(finished, this.end.clone()));
        Ok(this)
    }

    /// Exports what is left, when all else has ended; gives up after two seconds.
    pub async fn finish(&self) {
        self.end.cancel();
        self.tracker.close();
        if timeout(LAST * 2, self.tracker.wait()).await.is_err() {
            warn!("the last spans were not exported");
        }
    }
}

struct Exporter {
    client: Client,
    url: Url,
    resource: Resource,
    /// The last batch was not taken.
    failing: bool,
}

impl Exporter {
    async fn run(mut self, mut finished: mpsc::Receiver<Finished>, end: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        while end.run_until_cancelled(gather(&mut finished, &mut batch)).await.is_some() {
            self.export(&mut batch, PATIENCE).await;
        }
        let rest = async {
            while !finished.is_empty() || !batch.is_empty() {
                while batch.len() < BATCH
                    && let Ok(span) = finished.try_recv()
                {
                    batch.push(span);
                }
                self.export(&mut batch, LAST).await;
            }
        };
        let _ = timeout(LAST, rest).await;
    }

    async fn export(&mut self, batch: &mut Vec<Finished>, patience: Duration) {
        let count = batch.len() as u64;
        let spans = batch.drain(..).map(span).collect();
        let scope = InstrumentationScope { name: "natter".to_owned(), ..InstrumentationScope::default() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: String::new() }];
        let request = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let sent = timeout(patience, self.send(request));
        let sent = sent.await.unwrap_or_else(|_| Err("no answer".to_owned()));
        match (&sent, self.failing) {
            (Err(error), false) => {
                warn!(error, "the collector takes no spans; those of meanwhile are lost ({})", self.url);
            }
            (Ok(_), true) => info!("the collector takes spans again"),
            _ => {}
        }
        self.failing = sent.is_err();
        let refused = sent.unwrap_or(count).min(count);
        metrics::counter!("natter_spans_exported_total").increment(count - refused);
        if refused > 0 {
            metrics::counter!("natter_spans_dropped_total", "reason" => "refused").increment(refused);
        }
    }

    /// Returns how many of the spans the collector refused.
    async fn send(&self, request: Vec<u8>) -> Result<u64, String> {
        let request =
            self.client.post(self.url.clone()).header(CONTENT_TYPE, "application/x-protobuf").body(request);
        let mut answer =
            request.send().await.map_err(|error| format!("{:#}", anyhow::Error::new(error.without_url())))?;
        if answer.status() != StatusCode::OK {
            return Err(answer.status().to_string());
        }
        let mut body = Vec::new();
        while let Ok(Some(part)) = answer.chunk().await
            && body.len() + part.len() <= ANSWER
        {
            body.extend_from_slice(&part);
        }
        // One that cannot be read is no refusal.
        let partial = ExportTraceServiceResponse::decode(body.as_slice())
            .ok()
            .and_then(|answer| answer.partial_success);
        Ok(partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0)))
    }
}

/// Returns when there is a batch, full or not. Nothing is lost if it is not waited for to the end.
async fn gather(finished: &mut mpsc::Receiver<Finished>, batch: &mut Vec<Finished>) {
    if finished.recv_many(batch, BATCH).await == 0 {
        // The recorder lives as long as the process.
        return std::future::pending().await;
    }
    let fill = async {
        while batch.len() < BATCH
            && let Some(span) = finished.recv().await
        {
            batch.push(span);
        }
    };
    let _ = timeout(GATHER, fill).await;
}

fn resource(role: &str, instance: String) -> Resource {
    let attributes = vec![
        attribute("service.namespace", "natter".to_owned()),
        attribute("service.name", format!("natter-{role}")),
        attribute("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        attribute("service.instance.id", instance),
    ];
    Resource { attributes, ..Resource::default() }
}

fn attribute(key: &str, text: String) -> KeyValue {
    key_value(key, any_value::Value::StringValue(text))
}

fn key_value(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn span(finished: Finished) -> Span {
    let Finished { name, kind, context, parent, begun, ended, failed, attributes, links } = finished;
    let full_name = full_name(name, &attributes);
    let mut attributes: Vec<_> = attributes
        .into_iter()
        .map(|(key, value)| match value {
            Value::Text(text) => attribute(key, text.into_owned()),
            Value::Number(number) => key_value(key, any_value::Value::IntValue(number)),
        })
        .collect();
    attributes.extend(failed.map(|code| attribute("error.type", code.to_owned())));
    let remote = parent.is_some_and(|_| kind == Kind::Server);
    Span {
        trace_id: context.trace.to_be_bytes().to_vec(),
        span_id: context.span.to_be_bytes().to_vec(),
        parent_span_id: parent.map_or_else(Vec::new, |parent| parent.context.span.to_be_bytes().to_vec()),
        flags: flags(context) | PARENT_KNOWN | if remote { PARENT_REMOTE } else { 0 },
        name: full_name,
        kind: match kind {
            Kind::Server => span::SpanKind::Server,
            Kind::Client => span::SpanKind::Client,
            Kind::Producer => span::SpanKind::Producer,
            Kind::Consumer => span::SpanKind::Consumer,
        }
        .into(),
        start_time_unix_nano: nanoseconds(begun),
        end_time_unix_nano: nanoseconds(ended),
        attributes,
        links: links.into_iter().map(link).collect(),
        status: failed
            .map(|code| Status { code: status::StatusCode::Error.into(), message: code.to_owned() }),
        ..Span::default()
    }
}

/// Of a request its method and its route, as `OpenTelemetry` has it.
fn full_name(name: &str, attributes: &[Attribute]) -> String {
    let route = attributes.iter().find(|(key, _)| *key == "http.route");
    match route {
        Some((_, Value::Text(route))) => format!("{name} {route}"),
        _ => name.to_owned(),
    }
}

fn link(to: TraceContext) -> span::Link {
    span::Link {
        trace_id: to.trace.to_be_bytes().to_vec(),
        span_id: to.span.to_be_bytes().to_vec(),
        flags: flags(to) | PARENT_KNOWN | PARENT_REMOTE,
        ..span::Link::default()
    }
}

fn flags(context: TraceContext) -> u32 {
    u32::from(context.sampled)
}

fn nanoseconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

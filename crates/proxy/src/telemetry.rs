//! Spans and figures over OTLP (HTTP, protobuf), in the words of OpenTelemetry's conventions for generative AI
//! (<https://opentelemetry.io/docs/specs/semconv/gen-ai/>).
//!
//! What is sent is made of receipts: names of models and providers, counts, times. No content, no keys, no names of users or sessions. Nothing
//! waits for it: what finds no room in the exporter's queue is dropped there.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use headroom::Receipt;
use headroom_wire::Dialect;
use opentelemetry::metrics::{Histogram, MeterProvider as _};
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{Key, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;

/// Who measures.
const SCOPE: &str = "headroom";

/// How long a collector gets to take a batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Upper ends of the buckets, as the conventions advise them: tokens, and seconds.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
const SECONDS: [f64; 14] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// Where to send what. Further settings (headers, sampling, resource attributes, intervals) are read by OpenTelemetry's SDK from the standard `OTEL_*`
/// variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// Full address for spans, as `http://localhost:4318/v1/traces`; `None`: none are sent.
    pub traces: Option<String>,
    /// Full address for metrics, as `http://localhost:4318/v1/metrics`; `None`: none are sent.
    pub metrics: Option<String>,
}

/// The exporters of a running proxy.
pub(crate) struct Telemetry {
    spans: Option<(SdkTracerProvider, SdkTracer)>,
    figures: Option<Figures>,
}

struct Figures {
    provider: SdkMeterProvider,
    tokens: Histogram<u64>,
    duration: Histogram<f64>,
}

impl Telemetry {
    /// Starts exporters on the runtime this is called from.
    pub(crate) fn start(export: &Export) -> Result<Self, ExporterBuildError> {
        let resource = resource();
        let spans = match &export.traces {
            Some(address) => {
                let exporter = SpanExporter::builder().with_http().with_http_client(Sender::new()?);
                let exporter = exporter.with_protocol(Protocol::HttpBinary).with_endpoint(address).build()?;
                let provider =
                    SdkTracerProvider::builder().with_resource(resource.clone()).with_batch_exporter(exporter).build();
                let tracer = provider.tracer(SCOPE);
                Some((provider, tracer))
            }
            None => None,
        };
        let figures = match &export.metrics {
            Some(address) => {
                let exporter = MetricExporter::builder().with_http().with_http_client(Sender::new()?);
                let exporter = exporter.with_protocol(Protocol::HttpBinary).with_endpoint(address).build()?;
                let provider =
                    SdkMeterProvider::builder().with_resource(resource).with_periodic_exporter(exporter).build();
                let meter = provider.meter(SCOPE);
                let tokens = meter.u64_histogram("gen_ai.client.token.usage").with_unit("{token}");
                let duration = meter.f64_histogram("gen_ai.client.operation.duration").with_unit("s");
                let tokens = tokens.with_boundaries(TOKENS.to_vec()).build();
                let duration = duration.with_boundaries(SECONDS.to_vec()).build();
                Some(Figures { provider, tokens, duration })
            }
            None => None,
        };
        Ok(Self { spans, figures })
    }

    /// Tells of a finished request.
    pub(crate) fn observe(&self, receipt: &Receipt) {
        let begun = UNIX_EPOCH + Duration::from_millis(receipt.at_ms);
        let ended = SystemTime::now().max(begun);
        let common = common(receipt);
        if let Some(figures) = &self.figures {
            let seconds = ended.duration_since(begun).unwrap_or_default().as_secs_f64();
            figures.duration.record(seconds, &common);
            if let Some(usage) = &receipt.usage {
                for (kind, tokens) in [("input", usage.prompt_tokens()), ("output", usage.output_tokens)] {
                    let labels = [&common[..], &[KeyValue::new("gen_ai.token.type", kind)]].concat();
                    figures.tokens.record(tokens, &labels);
                }
            }
        }
        if let Some((_, tracer)) = &self.spans {
            let name = format!("{} {}", operation(receipt), receipt.model);
            let builder = tracer.span_builder(name.trim_end().to_owned()).with_kind(SpanKind::Client);
            let mut span =
                builder.with_start_time(begun).with_attributes([common, details(receipt)].concat()).start(tracer);
            if fails(receipt).is_some() {
                span.set_status(Status::error(""));
            }
            span.end_with_timestamp(ended);
        }
    }

    /// Sends what is waiting, and stops. Blocks for as long as the collector takes, within bounds.
    pub(crate) fn close(&self) {
        if let Some((provider, _)) = &self.spans
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(%error, "the last spans could not be sent");
        }
        if let Some(figures) = &self.figures
            && let Err(error) = figures.provider.shutdown()
        {
            tracing::warn!(%error, "the last metrics could not be sent");
        }
    }
}

/// Who sends: what the standard variables say, else our own name.
fn resource() -> Resource {
    let said = Resource::builder().build();
    let name = said.get(&Key::from_static_str("service.name")).map(|name| name.to_string());
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    match name {
        Some(name) if !name.starts_with("unknown_service") => builder.build(),
        _ => builder.with_service_name(SCOPE).build(),
    }
}

/// What spans and figures have in common. Few values each, but for the model, whose number the SDK bounds.
fn common(receipt: &Receipt) -> Vec<KeyValue> {
    let mut common = vec![
        KeyValue::new("gen_ai.operation.name", operation(receipt)),
        KeyValue::new("gen_ai.provider.name", provider(receipt)),
    ];
    if !receipt.model.is_empty() {
        common.push(KeyValue::new("gen_ai.request.model", receipt.model.clone()));
    }
    if let Some(error) = fails(receipt) {
        common.push(KeyValue::new("error.type", error));
    }
    common
}

/// What only spans say.
fn details(receipt: &Receipt) -> Vec<KeyValue> {
    let count = |name: &'static str, value: u64| KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX));
    let mut details = vec![
        KeyValue::new("headroom.request.id", receipt.id.clone()),
        KeyValue::new("headroom.policy", receipt.policy.clone()),
        count("headroom.body.bytes_in", receipt.bytes_in),
        count("headroom.body.bytes_out", receipt.bytes_out),
        count("headroom.changed.tokens_before", receipt.tokens_before),
        count("headroom.changed.tokens_after", receipt.tokens_after),
        count("headroom.retrievals", receipt.retrievals.into()),
        count("headroom.added_us", receipt.added_us),
    ];
    if receipt.status != 0 {
        details.push(count("http.response.status_code", receipt.status.into()));
    }
    if let Some(usage) = &receipt.usage {
        details.extend([
            count("gen_ai.usage.input_tokens", usage.prompt_tokens()),
            count("gen_ai.usage.output_tokens", usage.output_tokens),
            count("gen_ai.usage.cache_read.input_tokens", usage.cache_read_tokens),
            count("gen_ai.usage.cache_creation.input_tokens", usage.cache_write_tokens + usage.cache_write_1h_tokens),
        ]);
    }
    details
}

fn operation(receipt: &Receipt) -> &'static str {
    if receipt.dialect == Dialect::Gemini.name() { "generate_content" } else { "chat" }
}

/// The provider whose API it is. Who serves it may be somebody else.
fn provider(receipt: &Receipt) -> &'static str {
    match receipt.dialect.parse() {
        Ok(Dialect::AnthropicMessages) => "anthropic",
        Ok(Dialect::Gemini) => "gcp.gemini",
        _ => "openai",
    }
}

/// How a request failed, if it did.
fn fails(receipt: &Receipt) -> Option<String> {
    match receipt.status {
        0 => Some("no_answer".to_owned()),
        400.. => Some(receipt.status.to_string()),
        _ if receipt.cut_off => Some("cut_off".to_owned()),
        _ => None,
    }
}

/// Sends batches. The SDK's threads have no runtime, so the work is done on ours.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    runtime: Handle,
}

impl Sender {
    fn new() -> Result<Self, ExporterBuildError> {
        let client = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build();
        let client = client.map_err(|error| ExporterBuildError::InternalFailure(error.to_string()))?;
        Ok(Self { client, runtime: Handle::current() })
    }
}

impl HttpClient for Sender {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: http::Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move {
            let response = client.execute(request.try_into()?).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut answer = http::Response::new(response.bytes().await?);
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok(answer)
        });
        Box::pin(async move { sending.await? })
    }
}

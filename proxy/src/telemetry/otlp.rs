//! Spans as OpenTelemetry writes them to files: OTLP's JSON encoding, a `TracesData` object a line
//! (<https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/>), attributes by the semantic conventions for
//! HTTP. Owns the line, not where it is written.
//!
//! A hop's stay is a server span; it is the child of the caller's attempt. Each attempt is a client span below it.
//! The ids of attempts are those that travel in `traceparent`; a server span's is known here alone, so it is drawn
//! here.

use std::time::SystemTime;

use serde::Serialize;

use super::calendar::since_epoch;
use super::{Attempt, Facts, Outcome, Span, SpanIds};
use crate::instant::Instant;

/// `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT` of OTLP.
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// `STATUS_CODE_ERROR` of OTLP.
const ERROR: u8 = 2;

/// Writes spans as lines.
#[derive(Debug)]
pub struct Exporter {
    ids: SpanIds,
    service: String,
}

impl Exporter {
    /// For a product that is called `service` and has that `seed`, from which its attempts' ids come. Those of server
    /// spans come from elsewhere, so that none is twice in a trace.
    pub fn new(service: impl Into<String>, seed: u64) -> Self {
        Self { ids: SpanIds::new(!seed), service: service.into() }
    }

    /// The line of `span` with its attempts, without its end; `None` when its trace is not recorded.
    pub fn line(&self, span: &Span) -> Option<String> {
        let facts = span.facts.as_ref().filter(|facts| facts.sampled)?;
        let clock = Clock { start: span.start, arrived: facts.arrived };
        let (trace, id) = (span.trace.to_string(), self.ids.span().to_string());
        let parent = Parent { trace: &trace, id: &id };
        let mut spans = vec![server(span, facts, clock, &id)];
        let attempts = span.attempts.iter().enumerate();
        spans.extend(attempts.map(|(place, attempt)| client(attempt, place, facts, clock, parent)));
        let resource = Resource { attributes: vec![text("service.name", &self.service)] };
        let scope = Scope { name: "hoplab", version: env!("CARGO_PKG_VERSION") };
        let scopes = [ScopeSpans { scope, spans }];
        serde_json::to_string(&TracesData {
            resource_spans: [ResourceSpans { resource, scope_spans: scopes }],
        })
        .ok()
    }
}

/// From a hop's clock to the calendar.
#[derive(Clone, Copy)]
struct Clock {
    start: Instant,
    arrived: SystemTime,
}

impl Clock {
    /// Nanoseconds since 1970, as text, since JSON's numbers do not hold them.
    fn unix_nanos(self, at: Instant) -> String {
        (since_epoch(self.arrived) + at.saturating_since(self.start)).as_nanos().to_string()
    }
}

/// Below what a client span stands.
#[derive(Clone, Copy)]
struct Parent<'a> {
    trace: &'a str,
    id: &'a str,
}

fn server(span: &Span, facts: &Facts, clock: Clock, id: &str) -> Wire {
    let mut attributes = vec![
        text("http.request.method", facts.method.as_str()),
        text("url.path", facts.target.path()),
        text("client.address", &facts.client.to_string()),
    ];
    // The client's port is known where the client itself connected; else the peer is another.
    if facts.client.to_canonical() == facts.peer.ip().to_canonical() {
        attributes.push(number("client.port", u64::from(facts.peer.port())));
    } else {
        attributes.push(text("network.peer.address", &facts.peer.ip().to_string()));
        attributes.push(number("network.peer.port", u64::from(facts.peer.port())));
    }
    attributes.push(text("hoplab.role", span.role.name()));
    let host = facts.host.as_ref().and_then(|host| host.to_str().ok());
    attributes.extend(host.map(|host| text("server.address", host)));
    attributes.extend(facts.upstream.as_deref().map(|upstream| text("hoplab.upstream", upstream)));
    attributes
        .extend(facts.status.map(|status| number("http.response.status_code", u64::from(status.as_u16()))));
    attributes.push(number("http.response.body.size", facts.bytes_sent));
    let failed = !span.outcome.is_ok();
    attributes.extend(failed.then(|| text("error.type", &error(span.outcome))));
    Wire {
        trace_id: span.trace.to_string(),
        span_id: id.to_owned(),
        parent_span_id: span.parent.map(|parent| parent.to_string()),
        name: facts.method.to_string(),
        kind: SERVER,
        start_time_unix_nano: clock.unix_nanos(span.start),
        end_time_unix_nano: clock.unix_nanos(span.end),
        attributes,
        status: Status::of(failed),
    }
}

fn client(attempt: &Attempt, place: usize, facts: &Facts, clock: Clock, parent: Parent<'_>) -> Wire {
    let mut attributes =
        vec![text("http.request.method", facts.method.as_str()), text("hoplab.upstream", &attempt.upstream)];
    if let Some((host, port)) = attempt.endpoint.as_deref().and_then(|endpoint| endpoint.rsplit_once(':')) {
        attributes.push(text("server.address", host.trim_matches(['[', ']'])));
        attributes.extend(port.parse().ok().map(|port| number("server.port", port)));
    }
    if place > 0 {
        attributes.push(number("http.request.resend_count", place as u64));
    }
    // To a client, an answer from 400 on is an error; to a server it is not.
    let failed = match attempt.outcome {
        Outcome::Answered(status) => {
            attributes.push(number("http.response.status_code", u64::from(status)));
            status >= 400
        }
        Outcome::Failed(_) => true,
    };
    attributes.extend(failed.then(|| text("error.type", &error(attempt.outcome))));
    Wire {
        trace_id: parent.trace.to_owned(),
        span_id: attempt.id.to_string(),
        parent_span_id: Some(parent.id.to_owned()),
        name: facts.method.to_string(),
        kind: CLIENT,
        start_time_unix_nano: clock.unix_nanos(attempt.start),
        end_time_unix_nano: clock.unix_nanos(attempt.end),
        attributes,
        status: Status::of(failed),
    }
}

fn error(outcome: Outcome) -> String {
    match outcome {
        Outcome::Answered(status) => status.to_string(),
        Outcome::Failed(fault) => fault.name().to_owned(),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TracesData {
    resource_spans: [ResourceSpans; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    resource: Resource,
    scope_spans: [ScopeSpans; 1],
}

#[derive(Serialize)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Serialize)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<Wire>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

/// A span on the wire.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

impl Status {
    /// What went well has none, as the conventions want it.
    fn of(failed: bool) -> Option<Self> {
        failed.then_some(Self { code: ERROR })
    }
}

#[derive(Serialize)]
struct Attribute {
    key: &'static str,
    value: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Value {
    StringValue(String),
    /// 64 bits go as text in protobuf's JSON.
    IntValue(String),
}

fn text(key: &'static str, value: &str) -> Attribute {
    Attribute { key, value: Value::StringValue(value.to_owned()) }
}

fn number(key: &'static str, value: u64) -> Attribute {
    Attribute { key, value: Value::IntValue(value.to_string()) }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use http::{HeaderValue, Method, StatusCode, Uri, Version};
    use serde_json::json;

    use super::*;
    use crate::telemetry::{AttemptKind, Fault, Owner, Role, Segment, SpanId, TraceId};

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    /// A request whose second attempt was answered.
    pub(in crate::telemetry) fn span() -> Span {
        let attempt = |id, endpoint: &str, start, end, outcome| Attempt {
            id: SpanId(id),
            upstream: "cart".into(),
            endpoint: Some(endpoint.into()),
            kind: if id == 0xa1 { AttemptKind::First } else { AttemptKind::Retry },
            is_sent: true,
            connection: None,
            start: at(start),
            end: at(end),
            outcome,
        };
        let attempts = vec![
            attempt(0xa1, "[::1]:8080", 101, 103, Outcome::Failed(Fault::Reset)),
            attempt(0xa2, "cart-1:8080", 104, 108, Outcome::Answered(200)),
        ];
        let segment = |owner, end| Segment { owner, end: at(end) };
        Span {
            trace: TraceId(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c),
            parent: Some(SpanId(0xb7)),
            role: Role::Gateway,
            start: at(100),
            end: at(109),
            segments: vec![
                segment(Owner::Queue, 101),
                segment(Owner::Upstream(SpanId(0xa1)), 103),
                segment(Owner::Backoff, 104),
                segment(Owner::Upstream(SpanId(0xa2)), 108),
            ],
            attempts,
            outcome: Outcome::Answered(200),
            facts: Some(Box::new(Facts {
                arrived: UNIX_EPOCH + Duration::from_micros(1_767_225_600_000_250),
                peer: "[::1]:5000".parse().unwrap(),
                client: "192.0.2.7".parse().unwrap(),
                sampled: true,
                method: Method::POST,
                target: Uri::from_static("/cart/\"1\"?token=1"),
                version: Version::HTTP_11,
                host: Some(HeaderValue::from_static("shop.example.com")),
                upstream: Some("cart".into()),
                status: Some(StatusCode::OK),
                attempt: Some(SpanId(0xa2)),
                bytes_received: 5,
                bytes_sent: 7,
            })),
        }
    }

    fn spans(span: &Span) -> Vec<serde_json::Value> {
        let line = Exporter::new("hoplab-gateway", 1).line(span).unwrap();
        let data: serde_json::Value = serde_json::from_str(&line).unwrap();
        let resource = &data["resourceSpans"][0];
        assert_eq!(
            resource["resource"]["attributes"],
            json!([{"key": "service.name", "value": {"stringValue": "hoplab-gateway"}}])
        );
        let scope = &resource["scopeSpans"][0];
        assert_eq!(scope["scope"]["name"], "hoplab");
        scope["spans"].as_array().unwrap().clone()
    }

    fn attribute<'a>(span: &'a serde_json::Value, key: &str) -> &'a serde_json::Value {
        let found = span["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == key);
        found.map_or(&serde_json::Value::Null, |attribute| &attribute["value"])
    }

    #[test]
    fn attempts_are_children_of_the_stay_and_the_stay_of_the_callers_attempt() {
        let spans = spans(&span());
        let [stay, first, second] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!(stay["parentSpanId"], "00000000000000b7");
        assert_eq!(stay["kind"], 2);
        assert_eq!(stay["startTimeUnixNano"], "1767225600000250000");
        assert_eq!(stay["endTimeUnixNano"], "1767225600000259000");
        assert_eq!(stay["status"], serde_json::Value::Null);
        assert_eq!(attribute(stay, "url.path"), &json!({"stringValue": "/cart/\"1\""}));
        assert_eq!(attribute(stay, "http.response.status_code"), &json!({"intValue": "200"}));
        for (attempt, id) in [(first, "00000000000000a1"), (second, "00000000000000a2")] {
            assert_eq!(attempt["spanId"], id);
            assert_eq!(attempt["parentSpanId"], stay["spanId"]);
            assert_eq!(attempt["traceId"], "0af7651916cd43dd8448eb211c80319c");
            assert_eq!(attempt["kind"], 3);
        }
        assert_eq!(first["status"]["code"], 2);
        assert_eq!(attribute(first, "error.type"), &json!({"stringValue": "reset"}));
        assert_eq!(attribute(first, "server.address"), &json!({"stringValue": "::1"}));
        assert_eq!(attribute(second, "server.port"), &json!({"intValue": "8080"}));
        assert_eq!(attribute(second, "http.request.resend_count"), &json!({"intValue": "1"}));
        assert_eq!(second["startTimeUnixNano"], "1767225600000254000");
    }

    #[test]
    fn what_is_not_sampled_is_not_recorded() {
        let mut quiet = span();
        quiet.facts.as_mut().unwrap().sampled = false;
        assert_eq!(Exporter::new("hoplab", 1).line(&quiet), None);
        quiet.facts = None;
        assert_eq!(Exporter::new("hoplab", 1).line(&quiet), None);
    }

    #[test]
    fn server_spans_have_ids_of_their_own() {
        let exporter = Exporter::new("hoplab", 1);
        assert_ne!(exporter.line(&span()), exporter.line(&span()));
        let attempts = SpanIds::new(1);
        let attempts: Vec<_> = (0..1_000).map(|_| attempts.span()).collect();
        assert!((0..1_000).all(|_| !attempts.contains(&exporter.ids.span())));
    }
}

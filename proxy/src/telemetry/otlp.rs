//! Spans as OpenTelemetry writes them to files: OTLP's JSON encoding, a `TracesData` object a line
//! (<https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/>), attributes by the semantic conventions for
//! HTTP. Owns what a line tells; how it is written is [`wire`]'s, and where, the caller's.
//!
//! A hop's stay is a server span; it is the child of the caller's attempt. Each attempt is a client span below it.
//! The ids of attempts are those that travel in `traceparent`; a server span's is known here alone, so it is drawn
//! here.

pub mod wire;

use std::time::SystemTime;

use super::calendar::since_epoch;
use super::{Attempt, Facts, Outcome, Span, SpanIds};
use crate::instant::Instant;
use wire::{Kind, ResourceSpans, Status, Traces, UnixNanos, number, text};

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
        let attributes = vec![text("service.name", self.service.as_str())];
        Some(Traces::new([ResourceSpans::new(attributes, spans)]).line())
    }
}

/// From a hop's clock to the calendar.
#[derive(Clone, Copy)]
struct Clock {
    start: Instant,
    arrived: SystemTime,
}

impl Clock {
    fn unix_nanos(self, at: Instant) -> UnixNanos {
        UnixNanos((since_epoch(self.arrived) + at.saturating_since(self.start)).as_nanos())
    }
}

/// Below what a client span stands.
#[derive(Clone, Copy)]
struct Parent<'a> {
    trace: &'a str,
    id: &'a str,
}

fn server(span: &Span, facts: &Facts, clock: Clock, id: &str) -> wire::Span {
    let mut attributes = vec![
        text("http.request.method", facts.method.as_str()),
        text("url.path", facts.target.path()),
        text("client.address", facts.client.to_string()),
    ];
    // The client's port is known where the client itself connected; else the peer is another.
    if facts.client.to_canonical() == facts.peer.ip().to_canonical() {
        attributes.push(number("client.port", facts.peer.port()));
    } else {
        attributes.push(text("network.peer.address", facts.peer.ip().to_string()));
        attributes.push(number("network.peer.port", facts.peer.port()));
    }
    attributes.push(text("hoplab.role", span.role.name()));
    let host = facts.host.as_ref().and_then(|host| host.to_str().ok());
    attributes.extend(host.map(|host| text("server.address", host)));
    attributes.extend(facts.upstream.as_deref().map(|upstream| text("hoplab.upstream", upstream)));
    attributes.extend(facts.status.map(|status| number("http.response.status_code", status.as_u16())));
    attributes.push(number("http.response.body.size", facts.bytes_sent));
    let failed = !span.outcome.is_ok();
    attributes.extend(failed.then(|| text("error.type", error(span.outcome))));
    wire::Span {
        trace_id: span.trace.to_string(),
        span_id: id.to_owned(),
        parent_span_id: span.parent.map(|parent| parent.to_string()),
        name: facts.method.to_string(),
        kind: Kind::Server,
        start_time_unix_nano: clock.unix_nanos(span.start),
        end_time_unix_nano: clock.unix_nanos(span.end),
        attributes,
        events: Vec::new(),
        status: Status::of(failed),
    }
}

fn client(attempt: &Attempt, place: usize, facts: &Facts, clock: Clock, parent: Parent<'_>) -> wire::Span {
    let mut attributes =
        vec![text("http.request.method", facts.method.as_str()), text("hoplab.upstream", &*attempt.upstream)];
    attributes.extend(attempt.endpoint.iter().flat_map(|endpoint| wire::server(endpoint)));
    attributes.extend(wire::resent(place));
    // To a client, an answer from 400 on is an error; to a server it is not.
    let failed = match attempt.outcome {
        Outcome::Answered(status) => {
            attributes.push(number("http.response.status_code", status));
            status >= 400
        }
        Outcome::Failed(_) => true,
    };
    attributes.extend(failed.then(|| text("error.type", error(attempt.outcome))));
    wire::Span {
        trace_id: parent.trace.to_owned(),
        span_id: attempt.id.to_string(),
        parent_span_id: Some(parent.id.to_owned()),
        name: facts.method.to_string(),
        kind: Kind::Client,
        start_time_unix_nano: clock.unix_nanos(attempt.start),
        end_time_unix_nano: clock.unix_nanos(attempt.end),
        attributes,
        events: Vec::new(),
        status: Status::of(failed),
    }
}

fn error(outcome: Outcome) -> String {
    match outcome {
        Outcome::Answered(status) => status.to_string(),
        Outcome::Failed(fault) => fault.name().to_owned(),
    }
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
                identity: Some("spiffe://shop/ns/default/sa/order".into()),
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

    /// Files are compared byte for byte by those who keep them.
    #[test]
    fn a_line_is_written_in_one_order() {
        let mut span = span();
        span.attempts.truncate(1);
        let line = Exporter::new("hoplab-gateway", 1).line(&span).unwrap();
        let expected = [
            r#"{"resourceSpans":[{"resource":{"attributes":["#,
            r#"{"key":"service.name","value":{"stringValue":"hoplab-gateway"}}]},"#,
            r#""scopeSpans":[{"scope":{"name":"hoplab","version":"VERSION"},"spans":["#,
            r#"{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"da26e52fa3730902","#,
            r#""parentSpanId":"00000000000000b7","name":"POST","kind":2,"#,
            r#""startTimeUnixNano":"1767225600000250000","endTimeUnixNano":"1767225600000259000","attributes":["#,
            r#"{"key":"http.request.method","value":{"stringValue":"POST"}},"#,
            r#"{"key":"url.path","value":{"stringValue":"/cart/\"1\""}},"#,
            r#"{"key":"client.address","value":{"stringValue":"192.0.2.7"}},"#,
            r#"{"key":"network.peer.address","value":{"stringValue":"::1"}},"#,
            r#"{"key":"network.peer.port","value":{"intValue":"5000"}},"#,
            r#"{"key":"hoplab.role","value":{"stringValue":"gateway"}},"#,
            r#"{"key":"server.address","value":{"stringValue":"shop.example.com"}},"#,
            r#"{"key":"hoplab.upstream","value":{"stringValue":"cart"}},"#,
            r#"{"key":"http.response.status_code","value":{"intValue":"200"}},"#,
            r#"{"key":"http.response.body.size","value":{"intValue":"7"}}]},"#,
            r#"{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"00000000000000a1","#,
            r#""parentSpanId":"da26e52fa3730902","name":"POST","kind":3,"#,
            r#""startTimeUnixNano":"1767225600000251000","endTimeUnixNano":"1767225600000253000","attributes":["#,
            r#"{"key":"http.request.method","value":{"stringValue":"POST"}},"#,
            r#"{"key":"hoplab.upstream","value":{"stringValue":"cart"}},"#,
            r#"{"key":"server.address","value":{"stringValue":"::1"}},"#,
            r#"{"key":"server.port","value":{"intValue":"8080"}},"#,
            r#"{"key":"error.type","value":{"stringValue":"reset"}}],"status":{"code":2}}]}]}]}"#,
        ];
        assert_eq!(line, expected.concat().replace("VERSION", env!("CARGO_PKG_VERSION")));
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

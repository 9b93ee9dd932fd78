//! Requests as OpenTelemetry's JSON (an `ExportTraceServiceRequest`): a resource a pod, a server span a stay, a client
//! span an attempt, as the live products write theirs, with segments and changes as events. Times are those of the
//! simulation's calendar.

use hoplab_sim::lens::{Attempt, AttemptKind, Moment, Outcome, Request, Seen, Visit};
use indexmap::IndexMap;
use serde_json::{Value, json};

use super::text::said;

/// `SPAN_KIND_INTERNAL`, `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT` of OTLP.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// `STATUS_CODE_ERROR` of OTLP.
const ERROR: u8 = 2;

/// The requests in `seen`.
pub fn otlp(seen: &Seen) -> String {
    let epoch = seen.epoch.as_nanos();
    let mut pods: IndexMap<&str, (&str, Vec<Value>)> = IndexMap::new();
    for request in &seen.requests {
        for (place, visit) in request.visits.iter().enumerate() {
            let service = visit.hop.split(" (").next().unwrap_or_default();
            let (_, spans) = pods.entry(&visit.pod).or_insert_with(|| (service, Vec::new()));
            // A pod's changes are told once, at the first stay there.
            let is_first = request.visits.iter().position(|other| other.pod == visit.pod) == Some(place);
            spans.push(stay(request, visit, epoch, is_first));
            let attempts = visit.attempts.iter().enumerate();
            spans.extend(attempts.map(|(place, attempt)| client(request, visit, attempt, place, epoch)));
        }
    }
    let resources = pods.into_iter().map(|(pod, (service, spans))| {
        let attributes = [text("service.name", service), text("service.instance.id", pod)];
        let scope = json!({ "name": "hoplab", "version": env!("CARGO_PKG_VERSION") });
        json!({
            "resource": { "attributes": attributes },
            "scopeSpans": [{ "scope": scope, "spans": spans }],
        })
    });
    json!({ "resourceSpans": resources.collect::<Vec<_>>() }).to_string()
}

fn stay(request: &Request, visit: &Visit, epoch: u128, with_changes: bool) -> Value {
    let mut attributes = vec![text("hoplab.hop", &visit.hop), text("hoplab.endpoint", &request.endpoint)];
    attributes.extend(answered(&visit.outcome));
    let mut events: Vec<Value> = Vec::new();
    let mut from = visit.start_nanos;
    for segment in &visit.segments {
        let took = segment.end_nanos - from;
        let attributes = [number("hoplab.nanoseconds", took)];
        events.push(event(segment.owner, epoch + u128::from(from), &attributes));
        from = segment.end_nanos;
    }
    let changes = request.moments.iter().filter(|moment| with_changes && moment.pod() == visit.pod);
    events.extend(changes.map(|moment| change(moment, epoch)));
    let mut span = json!({
        "traceId": request.id,
        "spanId": format!("{:016x}", visit.id),
        "name": visit.hop,
        "kind": if visit.is_client { INTERNAL } else { SERVER },
        "startTimeUnixNano": (epoch + u128::from(visit.start_nanos)).to_string(),
        "endTimeUnixNano": (epoch + u128::from(visit.end_nanos)).to_string(),
        "attributes": attributes,
        "events": events,
    });
    if let Some(parent) = visit.parent {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    if !visit.outcome.is_ok {
        span["status"] = json!({ "code": ERROR });
    }
    span
}

fn client(request: &Request, visit: &Visit, attempt: &Attempt, place: usize, epoch: u128) -> Value {
    let mut attributes = vec![text("hoplab.upstream", &attempt.upstream)];
    if let Some((host, port)) = attempt.endpoint.as_deref().and_then(|endpoint| endpoint.rsplit_once(':')) {
        attributes.push(text("server.address", host));
        attributes.extend(port.parse().ok().map(|port| number("server.port", port)));
    }
    if place > 0 {
        attributes.push(number("http.request.resend_count", place as u64));
    }
    let why = match attempt.kind {
        AttemptKind::First => "first",
        AttemptKind::Retry => "retry",
        AttemptKind::Hedge => "hedge",
    };
    attributes.push(text("hoplab.attempt", why));
    attributes.push(json!({ "key": "hoplab.sent", "value": { "boolValue": attempt.is_sent } }));
    attributes.extend(answered(&attempt.outcome));
    let mut span = json!({
        "traceId": request.id,
        "spanId": format!("{:016x}", attempt.id),
        "parentSpanId": format!("{:016x}", visit.id),
        "name": format!("→ {}", attempt.upstream),
        "kind": CLIENT,
        "startTimeUnixNano": (epoch + u128::from(attempt.start_nanos)).to_string(),
        "endTimeUnixNano": (epoch + u128::from(attempt.end_nanos)).to_string(),
        "attributes": attributes,
    });
    if !attempt.outcome.is_ok {
        span["status"] = json!({ "code": ERROR });
    }
    span
}

fn change(moment: &Moment, epoch: u128) -> Value {
    event(&said(moment), epoch + u128::from(moment.at_us()) * 1_000, &[])
}

fn event(name: &str, at: u128, attributes: &[Value]) -> Value {
    json!({ "timeUnixNano": at.to_string(), "name": name, "attributes": attributes })
}

/// The status, or what went wrong.
fn answered(outcome: &Outcome) -> Vec<Value> {
    let status = outcome.text.parse().ok().map(|status| number("http.response.status_code", status));
    let error = (!outcome.is_ok).then(|| text("error.type", &outcome.text));
    status.into_iter().chain(error).collect()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// 64 bits go as text in protobuf's JSON.
fn number(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

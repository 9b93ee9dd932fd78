//! Requests as OpenTelemetry's JSON (an `ExportTraceServiceRequest`): a resource a pod, a server span a stay, a client
//! span an attempt, written as the live products write theirs ([`wire`]), with segments and changes as events. Times
//! are those of the simulation's calendar.

use hoplab_proxy::telemetry::otlp::wire::{
    self, Attribute, Event, Kind, ResourceSpans, Span, Status, Traces, UnixNanos, flag, number, text,
};
use hoplab_sim::lens::{Attempt, AttemptKind, Moment, Outcome, Request, Seen, Visit};
use indexmap::IndexMap;

use super::text::said;

/// The requests in `seen`.
pub fn otlp(seen: &Seen) -> String {
    let epoch = seen.epoch.as_nanos();
    let mut pods: IndexMap<&str, (&str, Vec<Span>)> = IndexMap::new();
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
        ResourceSpans::new(vec![text("service.name", service), text("service.instance.id", pod)], spans)
    });
    Traces::new(resources).line()
}

fn stay(request: &Request, visit: &Visit, epoch: u128, with_changes: bool) -> Span {
    let mut attributes = vec![text("hoplab.hop", &*visit.hop), text("hoplab.endpoint", &*request.endpoint)];
    attributes.extend(answered(&visit.outcome));
    let mut events: Vec<Event> = Vec::new();
    let mut from = visit.start_nanos;
    for segment in &visit.segments {
        let took = segment.end_nanos - from;
        let attributes = vec![number("hoplab.nanoseconds", took)];
        events.push(event(segment.owner, epoch + u128::from(from), attributes));
        from = segment.end_nanos;
    }
    let changes = request.moments.iter().filter(|moment| with_changes && moment.pod() == visit.pod);
    events.extend(changes.map(|moment| change(moment, epoch)));
    Span {
        trace_id: request.id.clone(),
        span_id: id(visit.id),
        parent_span_id: visit.parent.map(id),
        name: visit.hop.clone(),
        kind: if visit.is_client { Kind::Internal } else { Kind::Server },
        start_time_unix_nano: UnixNanos(epoch + u128::from(visit.start_nanos)),
        end_time_unix_nano: UnixNanos(epoch + u128::from(visit.end_nanos)),
        attributes,
        events,
        status: Status::of(!visit.outcome.is_ok),
    }
}

fn client(request: &Request, visit: &Visit, attempt: &Attempt, place: usize, epoch: u128) -> Span {
    let mut attributes = vec![text("hoplab.upstream", &*attempt.upstream)];
    attributes.extend(attempt.endpoint.iter().flat_map(|endpoint| wire::server(endpoint)));
    attributes.extend(wire::resent(place));
    let why = match attempt.kind {
        AttemptKind::First => "first",
        AttemptKind::Retry => "retry",
        AttemptKind::Hedge => "hedge",
    };
    attributes.push(text("hoplab.attempt", why));
    attributes.push(flag("hoplab.sent", attempt.is_sent));
    attributes.extend(answered(&attempt.outcome));
    Span {
        trace_id: request.id.clone(),
        span_id: id(attempt.id),
        parent_span_id: Some(id(visit.id)),
        name: format!("→ {}", attempt.upstream),
        kind: Kind::Client,
        start_time_unix_nano: UnixNanos(epoch + u128::from(attempt.start_nanos)),
        end_time_unix_nano: UnixNanos(epoch + u128::from(attempt.end_nanos)),
        attributes,
        events: Vec::new(),
        status: Status::of(!attempt.outcome.is_ok),
    }
}

fn id(id: u64) -> String {
    format!("{id:016x}")
}

fn change(moment: &Moment, epoch: u128) -> Event {
    event(&said(moment), epoch + u128::from(moment.at_us()) * 1_000, Vec::new())
}

fn event(name: &str, at: u128, attributes: Vec<Attribute>) -> Event {
    Event { time_unix_nano: UnixNanos(at), name: name.to_owned(), attributes }
}

/// The status, or what went wrong.
fn answered(outcome: &Outcome) -> impl Iterator<Item = Attribute> {
    let status = outcome.text.parse::<u64>().ok().map(|status| number("http.response.status_code", status));
    let error = (!outcome.is_ok).then(|| text("error.type", &*outcome.text));
    status.into_iter().chain(error)
}

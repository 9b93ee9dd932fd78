//! The access log: one request, one line of JSON. Owns the line, not where it is written.
//!
//! `peer` is who connected, and `client` whose request it is: the same address, unless a trusted hop tells another.
//! `identity` is the workload that the peer has proven to be.
//! `status` is what the caller was told, `endpoint` who gave that answer, `fault` why the upstream's answer was not it
//! (or not all of it), and `time_us` says who owned the time between, in nanosecond precision cut to microseconds. The
//! query is left out of `path`, since queries carry what should not lie in logs: tokens, names, addresses.

use std::collections::BTreeMap;

use serde::Serialize;

use super::calendar::Rfc3339;
use super::{Outcome, Span};

/// A line, in the order of its keys.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    role: &'static str,
    trace: String,
    peer: String,
    client: String,
    identity: Option<&'a str>,
    method: &'a str,
    host: Option<&'a str>,
    path: &'a str,
    version: String,
    status: Option<u16>,
    fault: Option<&'static str>,
    upstream: Option<&'a str>,
    endpoint: Option<&'a str>,
    attempts: usize,
    bytes_received: u64,
    bytes_sent: u64,
    duration_us: u64,
    time_us: BTreeMap<&'static str, u64>,
}

/// The line of `span`, without its end; `None` when nobody took note of what was asked for.
pub fn line(span: &Span) -> Option<String> {
    let facts = span.facts.as_ref()?;
    let attempt = span.attempts.iter().find(|attempt| Some(attempt.id) == facts.attempt);
    let fault = match span.outcome {
        Outcome::Answered(_) => None,
        Outcome::Failed(fault) => Some(fault.name()),
    };
    let line = Line {
        time: Rfc3339(facts.arrived).to_string(),
        role: span.role.name(),
        trace: span.trace.to_string(),
        peer: facts.peer.to_string(),
        client: facts.client.to_string(),
        identity: facts.identity.as_deref(),
        method: facts.method.as_str(),
        host: facts.host.as_ref().and_then(|host| host.to_str().ok()),
        path: facts.target.path(),
        version: format!("{:?}", facts.version),
        status: facts.status.map(|status| status.as_u16()),
        fault,
        upstream: facts.upstream.as_deref(),
        endpoint: attempt.and_then(|attempt| attempt.endpoint.as_deref()),
        attempts: span.attempts.iter().filter(|attempt| attempt.is_sent).count(),
        bytes_received: facts.bytes_received,
        bytes_sent: facts.bytes_sent,
        duration_us: micros((span.end - span.start).as_nanos()),
        time_us: owners(span),
    };
    serde_json::to_string(&line).ok()
}

/// How long each owner had the time of `span`, if for a microsecond at all.
fn owners(span: &Span) -> BTreeMap<&'static str, u64> {
    let mut nanos: BTreeMap<&'static str, u128> = BTreeMap::new();
    let mut from = span.start;
    for segment in &span.segments {
        *nanos.entry(segment.owner.name()).or_default() += (segment.end - from).as_nanos();
        from = segment.end;
    }
    let micros = nanos.into_iter().map(|(owner, nanos)| (owner, micros(nanos)));
    micros.filter(|(_, micros)| *micros > 0).collect()
}

fn micros(nanos: u128) -> u64 {
    (nanos / 1_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Fault, otlp::tests::span};

    #[test]
    fn a_line_says_what_was_asked_and_what_came_of_it() {
        let line: serde_json::Value = serde_json::from_str(&line(&span()).unwrap()).unwrap();
        let expected = serde_json::json!({
            "time": "2026-01-01T00:00:00.000250Z",
            "role": "gateway",
            "trace": "0af7651916cd43dd8448eb211c80319c",
            "peer": "[::1]:5000",
            "client": "192.0.2.7",
            "identity": "spiffe://shop/ns/default/sa/order",
            "method": "POST",
            "host": "shop.example.com",
            "path": "/cart/\"1\"",
            "version": "HTTP/1.1",
            "status": 200,
            "fault": null,
            "upstream": "cart",
            "endpoint": "cart-1:8080",
            "attempts": 2,
            "bytes_received": 5,
            "bytes_sent": 7,
            "duration_us": 9,
            "time_us": {"queue": 1, "upstream": 6, "backoff": 1},
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn who_went_away_was_told_nothing() {
        let mut gone = span();
        gone.outcome = Outcome::Failed(Fault::Cancelled);
        let facts = gone.facts.as_mut().unwrap();
        (facts.status, facts.upstream) = (None, None);
        gone.attempts.clear();
        let line: serde_json::Value = serde_json::from_str(&line(&gone).unwrap()).unwrap();
        assert_eq!(line["status"], serde_json::Value::Null);
        assert_eq!(line["fault"], "cancelled");
        assert_eq!(line["endpoint"], serde_json::Value::Null);
        assert_eq!(line["attempts"], 0);
    }

    #[test]
    fn lines_are_lines_whatever_is_asked_for() {
        let mut odd = span();
        odd.facts.as_mut().unwrap().host = Some(http::HeaderValue::from_bytes(b"a\xffb").unwrap());
        let text = line(&odd).unwrap();
        assert!(!text.contains('\n') && !text.contains("token"), "{text}");
        odd.facts = None;
        assert_eq!(line(&odd), None);
    }
}

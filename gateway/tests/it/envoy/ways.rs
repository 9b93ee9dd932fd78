//! Keys that choose Envoy's way where hoplab's default is another: with the key both decide alike. What is so without it
//! stands in the other tables, as a row that [`super::row::Want::Differs`], or here before the row with the key.

use super::row::{Clients, Protocol, ROW, Request, Row, Want, first_saw, seen};
use super::upstream::Act;
use Act::{Abort, Answer, Close, GoAway, Late, Reset, Silence, Trailers, Unreachable, With};
use Clients::{AtOnce, BesideTheFirst, InTurn};
use Protocol::Http2;
use Request::{Grpc, Post};
use Want::{Alike, Differs};

pub(crate) fn rows() -> Vec<Row> {
    ROWS.to_vec()
}

/// The statuses of Envoy's faults.
const STATUSES: Row = Row { hoplab: "statuses = { reset = 503, connect-timeout = 503 }", on: "5xx", ..ROW };

/// Whatever the method.
const ANY: Row = Row { hoplab: "retry.methods = \"any\"\nstatuses = { reset = 503 }", request: Post, ..ROW };

/// How long an answer takes, so that all requests have come before.
const SLOW: &[Act] = &[Late(250, 200)];
const FAILS: &[Act] = &[Answer(500)];

/// An upstream's `Retry-After` is followed where it is in seconds.
const TOLD: Row = Row {
    on: "503",
    retry: "rate_limited_retry_back_off: { reset_headers: [{ name: Retry-After, format: SECONDS }], max_interval: 300s }",
    script: &[&[With(503, &[("Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT")])]],
    ..ROW
};

/// Of two endpoints, drawn for each request, the one with fewer requests is asked, and one is busy: it takes a quarter
/// of 120 when it may be drawn twice (in 99.999 % of all runs 10 to 52).
const TWO_DRAWN: Row = Row {
    cluster: "lb_policy: LEAST_REQUEST",
    script: &[&[Late(2_000, 200)], &[Answer(200)]],
    clients: BesideTheFirst(120),
    ..ROW
};

/// The first of two endpoints says once that it is well, and then the opposite.
const UNWELL: Row = Row {
    cluster: "health_checks: [{ timeout: 5s, interval: 0.02s, no_traffic_interval: 0.02s, unhealthy_threshold: 1000, \
              healthy_threshold: 1, http_health_check: { path: /healthz } }]",
    script: &[&[Answer(200)], &[Answer(200)]],
    health: &[&[200, 404], &[200]],
    clients: InTurn(6),
    ..ROW
};

/// The only endpoint is ejected after two failures.
const ALL_EJECTED: Row = Row {
    cluster: "outlier_detection: { consecutive_5xx: 2, base_ejection_time: 60s, max_ejection_percent: 100 }\n\
              common_lb_config: { healthy_panic_threshold: { value: 50 } }",
    script: &[FAILS],
    clients: InTurn(5),
    ..ROW
};

const ROWS: &[Row] = &[
    Row { name: "statuses: FIN", script: &[&[Close]], want: Alike(seen(&[3], "503")), ..STATUSES },
    Row { name: "statuses: RST", script: &[&[Abort]], want: Alike(seen(&[3], "503")), ..STATUSES },
    Row {
        name: "statuses: RST_STREAM",
        protocol: Http2,
        script: &[&[Reset(2)]],
        want: Alike(seen(&[3], "503")),
        ..STATUSES
    },
    Row {
        name: "statuses: GOAWAY",
        protocol: Http2,
        script: &[&[GoAway]],
        want: Alike(seen(&[3], "503")),
        ..STATUSES
    },
    Row {
        name: "statuses: cannot be connected to in time",
        on: "connect-failure",
        hoplab: "connect_timeout = \"150ms\"\nstatuses = { connect-timeout = 503 }",
        cluster: "connect_timeout: 0.15s",
        script: &[&[Unreachable]],
        want: Alike(seen(&[3], "503")),
        ..ROW
    },
    Row {
        name: "any method: 503",
        on: "5xx",
        script: &[&[Answer(503)]],
        want: Alike(seen(&[3], "503")),
        ..ANY
    },
    Row {
        name: "any method: 409",
        on: "retriable-4xx",
        script: &[&[Answer(409)]],
        want: Alike(seen(&[3], "409")),
        ..ANY
    },
    Row { name: "any method: FIN", on: "reset", script: &[&[Close]], want: Alike(seen(&[3], "503")), ..ANY },
    Row {
        name: "any method: silence",
        on: "gateway-error",
        hoplab: "retry.methods = \"any\"\nretry.per_try_timeout = \"150ms\"",
        retry: "per_try_timeout: 0.15s",
        script: &[&[Silence]],
        want: Alike(seen(&[3], "504")),
        ..ANY
    },
    Row {
        name: "trailers ignored: 14 in the trailers",
        on: "unavailable",
        hoplab: "retry.methods = \"any\"\nretry.trailers = \"ignore\"",
        request: Grpc,
        protocol: Http2,
        script: &[&[Trailers("14")]],
        want: Alike(seen(&[1], "200")),
        ..ROW
    },
    Row {
        name: "a connection is a local success: FIN",
        hoplab: "statuses = { reset = 503 }\noutlier = { consecutive_5xx = 0, consecutive_local = 2, \
                 local_success = \"connection\", base_ejection = \"60s\", max_ejected = \"100%\" }",
        cluster: "outlier_detection: { split_external_local_origin_errors: true, \
                  consecutive_local_origin_failure: 2, base_ejection_time: 60s, max_ejection_percent: 100 }",
        script: &[&[Close]],
        clients: InTurn(5),
        want: Alike(seen(&[5], "5 x 503")),
        ..ROW
    },
    Row {
        name: "changes of health are gathered",
        hoplab: "balance = { merge_window = \"1h\" }\n\
                 outlier = { consecutive_5xx = 2, base_ejection = \"60s\", max_ejected = \"100%\" }",
        cluster: "outlier_detection: { consecutive_5xx: 2, base_ejection_time: 60s, max_ejection_percent: 100 }\n\
                  common_lb_config: { healthy_panic_threshold: { value: 0 }, update_merge_window: 3600s }",
        script: &[FAILS; 3],
        clients: InTurn(18),
        want: Alike(seen(&[2, 8, 8], "18 x 500")),
        ..ROW
    },
    Row {
        name: "five requests of the upstream",
        hoplab: "pool = { upstream = { requests = 5 } }",
        cluster: "circuit_breakers: { thresholds: [{ max_requests: 5 }] }",
        script: &[SLOW; 2],
        clients: AtOnce(20),
        want: Alike(seen(&[2, 3], "5 x 200, 15 x 503")),
        ..ROW
    },
    Row {
        name: "five of the upstream wait",
        hoplab: "pool = { upstream = { pending = 5 } }",
        cluster: "circuit_breakers: { thresholds: [{ max_pending_requests: 5 }] }",
        script: &[SLOW; 2],
        clients: AtOnce(20),
        want: Alike(seen(&[2, 3], "5 x 200, 15 x 503")),
        ..ROW
    },
    Row {
        name: "one connection of the upstream, but every endpoint has one",
        hoplab: "pool = { upstream = { connections = 1 } }",
        cluster: "circuit_breakers: { thresholds: [{ max_connections: 1 }] }",
        script: &[&[Late(50, 200)], &[Late(50, 200)]],
        clients: AtOnce(6),
        want: Alike(seen(&[3, 3], "6 x 200")),
        ..ROW
    },
    Row {
        name: "three retries at a time",
        on: "503",
        hoplab: "retry.budget = { concurrent = 3 }",
        script: &[&[Late(250, 503)]],
        clients: AtOnce(10),
        want: Alike(seen(&[16], "10 x 503")),
        ..ROW
    },
    Row {
        name: "Retry-After is a date, followed where it can be",
        hoplab: "retry.retry_after = \"honour\"\nretry.retry_after_max = \"1000000h\"",
        want: Differs {
            envoy: seen(&[3], "503"),
            hoplab: seen(&[1], "503"),
            why: "Retry-After may be a date (RFC 9110, 10.2.3)",
        },
        ..TOLD
    },
    Row {
        name: "Retry-After is a date, which is not followed",
        hoplab: "retry.retry_after = \"seconds\"",
        want: Alike(seen(&[3], "503")),
        ..TOLD
    },
    Row {
        name: "Retry-After is longer than the request may take",
        hoplab: "timeout = \"150ms\"\nretry.retry_after = \"seconds\"",
        route: "timeout: 0.15s",
        script: &[&[With(503, &[("Retry-After", "1")])]],
        want: Differs {
            envoy: seen(&[1], "504"),
            hoplab: seen(&[1], "503"),
            why: "hoplab answers at once what can no longer be retried, Envoy when the time is over",
        },
        ..TOLD
    },
    Row {
        name: "two of two endpoints are drawn",
        hoplab: "balance = { kind = \"least-request\" }",
        want: Differs {
            envoy: first_saw(10, 52, "120 x 200"),
            hoplab: seen(&[1, 119], "120 x 200"),
            why: "with few endpoints the busy one would be chosen half as often as any",
        },
        ..TWO_DRAWN
    },
    Row {
        name: "one of two endpoints is drawn twice",
        hoplab: "balance = { kind = \"least-request\", replacement = true }",
        want: Alike(first_saw(10, 52, "120 x 200")),
        ..TWO_DRAWN
    },
    Row {
        name: "an unexpected answer about health counts",
        hoplab: "health = { http = \"/healthz\", interval = \"20ms\", fall = 1000 }",
        want: Differs {
            envoy: seen(&[0, 6], "6 x 200"),
            hoplab: seen(&[3, 3], "6 x 200"),
            why: "one hiccup takes no endpoint out",
        },
        ..UNWELL
    },
    Row {
        name: "an unexpected answer about health decides",
        hoplab: "health = { http = \"/healthz\", interval = \"20ms\", fall = 1000, unexpected = \"down\" }",
        want: Alike(seen(&[0, 6], "6 x 200")),
        ..UNWELL
    },
    Row {
        name: "all are ejected",
        hoplab: "outlier = { consecutive_5xx = 2, base_ejection = \"60s\", max_ejected = \"100%\" }",
        want: Differs {
            envoy: seen(&[5], "5 x 500"),
            hoplab: seen(&[2], "2 x 500, 3 x 503"),
            why: "who is out stays out unless a file says otherwise, as in Istio",
        },
        ..ALL_EJECTED
    },
    Row {
        name: "all are ejected: panic",
        hoplab: "outlier = { consecutive_5xx = 2, base_ejection = \"60s\", max_ejected = \"100%\" }\n\
                 balance = { panic = \"50%\" }",
        want: Alike(seen(&[5], "5 x 500")),
        ..ALL_EJECTED
    },
];

//! Keys that choose Envoy's way where hoplab's default is another: with the key both decide alike. What is so without it
//! stands in the other tables, as a row that [`super::row::Want::Differs`]. Not here: what takes a clock or a die to tell
//! (`retry.retry_after`, `balance.replacement`, `health.unexpected`), which `crate::ways` and the policies' own tests hold.

use super::row::{Clients, Protocol, ROW, Request, Row, Want, seen};
use super::upstream::Act;
use Act::{Abort, Answer, Close, GoAway, Late, Reset, Silence, Trailers, Unreachable};
use Clients::{AtOnce, InTurn};
use Protocol::Http2;
use Request::{Grpc, Post};
use Want::Alike;

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
];

//! What is over a limit of an upstream: requests, connections, what waits, retries at a time. All requests come at
//! once, to endpoints that take their time.

use super::row::{Clients, ROW, Row, Want, seen};
use super::upstream::Act;
use Act::Late;
use Clients::AtOnce;
use Want::{Alike, Differs};

pub(crate) fn rows() -> Vec<Row> {
    ROWS.to_vec()
}

/// How long an answer takes, so that all requests have come before.
const MS: u64 = 250;
const SLOW: &[Act] = &[Late(MS, 200)];

const PER_CLUSTER: &str = "limits are per endpoint in hoplab, per cluster in Envoy";

const ROWS: &[Row] = &[
    Row {
        name: "five requests",
        hoplab: "pool = { requests = 5 }",
        cluster: "circuit_breakers: { thresholds: [{ max_requests: 5 }] }",
        script: &[&[Late(MS, 200)]],
        clients: AtOnce(20),
        want: Alike(seen(&[5], "5 x 200, 15 x 503")),
        ..ROW
    },
    Row {
        name: "one request, what is over it is not sent again",
        on: "5xx",
        hoplab: "pool = { requests = 1 }",
        cluster: "circuit_breakers: { thresholds: [{ max_requests: 1 }] }",
        script: &[&[Late(MS, 200)]],
        clients: AtOnce(3),
        want: Alike(seen(&[1], "200, 2 x 503")),
        ..ROW
    },
    Row {
        name: "five requests, two endpoints",
        hoplab: "pool = { requests = 5 }",
        cluster: "circuit_breakers: { thresholds: [{ max_requests: 5 }] }",
        script: &[SLOW; 2],
        clients: AtOnce(20),
        want: Differs {
            envoy: seen(&[2, 3], "5 x 200, 15 x 503"),
            hoplab: seen(&[5, 5], "10 x 200, 10 x 503"),
            why: PER_CLUSTER,
        },
        ..ROW
    },
    Row {
        name: "two connections, all others wait",
        hoplab: "pool = { connections = 2 }",
        cluster: "circuit_breakers: { thresholds: [{ max_connections: 2 }] }",
        script: &[&[Late(50, 200)]],
        clients: AtOnce(6),
        want: Alike(seen(&[6], "6 x 200")),
        ..ROW
    },
    Row {
        name: "five wait, no connection is open yet",
        hoplab: "pool = { pending = 5 }",
        cluster: "circuit_breakers: { thresholds: [{ max_pending_requests: 5 }] }",
        script: &[&[Late(MS, 200)]],
        clients: AtOnce(50),
        want: Alike(seen(&[5], "5 x 200, 45 x 503")),
        ..ROW
    },
    Row {
        name: "ten connections, five wait",
        hoplab: "pool = { connections = 10, pending = 5 }",
        cluster: "circuit_breakers: { thresholds: [{ max_connections: 10, max_pending_requests: 5 }] }",
        script: &[&[Late(MS, 200)]],
        clients: AtOnce(50),
        want: Alike(seen(&[5], "5 x 200, 45 x 503")),
        ..ROW
    },
    Row {
        name: "ten connections, nobody waits",
        hoplab: "pool = { connections = 10, pending = 0 }",
        cluster: "circuit_breakers: { thresholds: [{ max_connections: 10, max_pending_requests: 0 }] }",
        script: &[&[Late(MS, 200)]],
        clients: AtOnce(20),
        want: Alike(seen(&[0], "20 x 503")),
        ..ROW
    },
    Row {
        name: "three retries at a time",
        on: "503",
        hoplab: "retry.budget = { concurrent = 3 }",
        cluster: "circuit_breakers: { thresholds: [{ max_retries: 3 }] }",
        script: &[&[Late(MS, 503)]],
        clients: AtOnce(10),
        want: Alike(seen(&[16], "10 x 503")),
        ..ROW
    },
    Row {
        name: "retries at a time, nothing said",
        on: "503",
        script: &[&[Late(MS, 503)]],
        clients: AtOnce(10),
        want: Differs {
            envoy: seen(&[16], "10 x 503"),
            hoplab: seen(&[30], "10 x 503"),
            why: "a budget is what a file says, and otherwise there is none; Envoy has three by default",
        },
        ..ROW
    },
    Row {
        name: "retries for 20 %, three at least",
        on: "503",
        hoplab: "retry.budget = { active = \"20%\", min = 3 }",
        cluster: "circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 20 }, \
                  min_retry_concurrency: 3 } }] }",
        script: &[&[Late(MS, 503)]],
        clients: AtOnce(10),
        want: Alike(seen(&[16], "10 x 503")),
        ..ROW
    },
];

//! Which failures speak against an endpoint, and when it is ejected. All are for a minute, so that none ends within a
//! row. Not here: how soon Envoy tells its own threads of several ejections, which it merges for a second.

use super::row::{Clients, Protocol, ROW, Request, Row, Want, seen};
use super::upstream::Act;
use Act::{Abort, Answer, BreakOff, Bytes, Close, Refuse, Reset, Silence, With};
use Clients::InTurn;
use Protocol::Http2;
use Want::{Alike, Differs};

pub(crate) fn rows() -> Vec<Row> {
    ROWS.to_vec()
}

/// Two failures in a row eject, everybody if need be.
const TWO: Row = Row {
    hoplab: "outlier = { consecutive_5xx = 2, base_ejection = \"60s\", max_ejected = \"100%\" }",
    cluster: "outlier_detection: { consecutive_5xx: 2, base_ejection_time: 60s, max_ejection_percent: 100 }",
    clients: InTurn(5),
    ..ROW
};

/// As [`TWO`], but the first ejects.
const ONE: Row = Row {
    hoplab: "outlier = { consecutive_5xx = 1, base_ejection = \"60s\", max_ejected = \"100%\" }",
    cluster: "outlier_detection: { consecutive_5xx: 1, base_ejection_time: 60s, max_ejection_percent: 100 }",
    clients: InTurn(3),
    ..ROW
};

/// As [`TWO`], but what fails without an answer counts by itself.
const TWO_LOCAL: Row = Row {
    hoplab: "outlier = { consecutive_5xx = 0, consecutive_local = 2, base_ejection = \"60s\", max_ejected = \"100%\" }",
    cluster: "outlier_detection: { split_external_local_origin_errors: true, consecutive_local_origin_failure: 2, \
              base_ejection_time: 60s, max_ejection_percent: 100 }",
    clients: InTurn(5),
    ..ROW
};

/// Gateway errors count by themselves, and nothing else.
const GATEWAY: (&str, &str) = (
    "outlier = { consecutive_5xx = 0, consecutive_gateway = 2, base_ejection = \"60s\", max_ejected = \"100%\" }",
    "outlier_detection: { enforcing_consecutive_5xx: 0, consecutive_gateway_failure: 2, \
     enforcing_consecutive_gateway_failure: 100, base_ejection_time: 60s, max_ejection_percent: 100 }",
);

const FAILS: &[Act] = &[Answer(500)];
const TIMEOUT: &str = "timeout: 0.15s";

const ROWS: &[Row] = &[
    Row {
        name: "two of 500 eject the only one",
        script: &[&[Answer(500)]],
        want: Alike(seen(&[2], "2 x 500, 3 x 503")),
        ..TWO
    },
    Row {
        name: "a good answer between two of 500",
        script: &[&[Answer(500), Answer(200), Answer(500), Answer(200), Answer(500)]],
        want: Alike(seen(&[5], "2 x 200, 3 x 500")),
        ..TWO
    },
    Row {
        name: "404 speaks against nobody",
        script: &[&[Answer(404)]],
        want: Alike(seen(&[5], "5 x 404")),
        ..TWO
    },
    Row {
        name: "429 speaks against nobody",
        script: &[&[Answer(429)]],
        want: Alike(seen(&[5], "5 x 429")),
        ..TWO
    },
    Row {
        name: "one of two fails",
        script: &[&[Answer(500)], &[Answer(200)]],
        clients: InTurn(8),
        want: Alike(seen(&[2, 6], "6 x 200, 2 x 500")),
        ..TWO
    },
    Row {
        name: "half of two may be ejected",
        hoplab: "outlier = { consecutive_5xx = 2, base_ejection = \"60s\", max_ejected = \"50%\" }",
        cluster: "outlier_detection: { consecutive_5xx: 2, base_ejection_time: 60s, max_ejection_percent: 50 }",
        script: &[&[Answer(500)], &[Answer(500)]],
        clients: InTurn(8),
        want: Alike(seen(&[2, 6], "8 x 500")),
        ..ROW
    },
    Row {
        name: "10 % of nine are nobody",
        hoplab: "outlier = { consecutive_5xx = 1, base_ejection = \"60s\", max_ejected = \"10%\" }",
        cluster: "outlier_detection: { consecutive_5xx: 1, base_ejection_time: 60s, max_ejection_percent: 10 }",
        script: &[FAILS; 9],
        clients: InTurn(18),
        want: Alike(seen(&[2; 9], "18 x 500")),
        ..ROW
    },
    Row {
        name: "10 % of ten are one",
        hoplab: "outlier = { consecutive_5xx = 1, base_ejection = \"60s\", max_ejected = \"10%\" }",
        cluster: "outlier_detection: { consecutive_5xx: 1, base_ejection_time: 60s, max_ejection_percent: 10 }",
        script: &[FAILS; 10],
        clients: InTurn(19),
        want: Alike(seen(&[1, 2, 2, 2, 2, 2, 2, 2, 2, 2], "19 x 500")),
        ..ROW
    },
    Row {
        name: "10 % by default of one are nobody",
        hoplab: "outlier = { consecutive_5xx = 1, base_ejection = \"60s\" }",
        cluster: "outlier_detection: { consecutive_5xx: 1, base_ejection_time: 60s }",
        script: &[&[Answer(500)]],
        want: Alike(seen(&[5], "5 x 500")),
        ..TWO
    },
    Row {
        name: "10 % of one, but one always may be",
        hoplab: "outlier = { consecutive_5xx = 1, base_ejection = \"60s\", always_eject_one = true }",
        cluster: "outlier_detection: { consecutive_5xx: 1, base_ejection_time: 60s, always_eject_one_host: true }",
        script: &[&[Answer(500)]],
        want: Alike(seen(&[1], "500, 4 x 503")),
        ..TWO
    },
    Row {
        name: "gateway errors count by themselves",
        hoplab: GATEWAY.0,
        cluster: GATEWAY.1,
        script: &[&[Answer(500), Answer(500), Answer(502), Answer(504)]],
        clients: InTurn(6),
        want: Alike(seen(&[4], "2 x 500, 502, 2 x 503, 504")),
        ..ROW
    },
    Row {
        name: "gateway errors: FIN before an answer",
        hoplab: GATEWAY.0,
        cluster: GATEWAY.1,
        script: &[&[Close]],
        want: Differs { envoy: seen(&[2], "5 x 503"), hoplab: seen(&[2], "2 x 502, 3 x 503"), why: STATUS },
        ..TWO
    },
    Row {
        name: "what comes is no HTTP",
        script: &[&[Bytes("SSH-2.0-OpenSSH_9.2\r\n")]],
        want: Alike(seen(&[2], "2 x 502, 3 x 503")),
        ..TWO
    },
    Row { name: "port refuses", script: &[&[Refuse]], want: Alike(seen(&[2], "5 x 503")), ..TWO },
    Row {
        name: "FIN before an answer",
        script: &[&[Close]],
        want: Differs { envoy: seen(&[2], "5 x 503"), hoplab: seen(&[2], "2 x 502, 3 x 503"), why: STATUS },
        ..TWO
    },
    Row {
        name: "RST before an answer",
        script: &[&[Abort]],
        want: Differs { envoy: seen(&[2], "5 x 503"), hoplab: seen(&[2], "2 x 502, 3 x 503"), why: STATUS },
        ..TWO
    },
    Row {
        name: "RST_STREAM with INTERNAL_ERROR",
        protocol: Http2,
        script: &[&[Reset(2)]],
        want: Differs { envoy: seen(&[2], "5 x 503"), hoplab: seen(&[2], "2 x 502, 3 x 503"), why: STATUS },
        ..TWO
    },
    Row {
        name: "silence until the route's timeout",
        hoplab: "timeout = \"150ms\"\n\
                 outlier = { consecutive_5xx = 2, base_ejection = \"60s\", max_ejected = \"100%\" }",
        route: TIMEOUT,
        script: &[&[Silence]],
        want: Alike(seen(&[2], "3 x 503, 2 x 504")),
        ..TWO
    },
    Row {
        name: "silence until an attempt's timeout",
        on: "connect-failure",
        hoplab: "retry.per_try_timeout = \"150ms\"\n\
                 outlier = { consecutive_5xx = 2, base_ejection = \"60s\", max_ejected = \"100%\" }",
        retry: "per_try_timeout: 0.15s",
        script: &[&[Silence]],
        want: Alike(seen(&[2], "3 x 503, 2 x 504")),
        ..TWO
    },
    Row {
        name: "one answer breaks off after its head",
        script: &[&[BreakOff]],
        want: Alike(seen(&[1], "200, 2 x 503")),
        ..ONE
    },
    Row {
        name: "one answer breaks off after its head",
        protocol: Http2,
        script: &[&[BreakOff]],
        want: Alike(seen(&[1], "200, 2 x 503")),
        ..ONE
    },
    Row {
        name: "two answers break off after their heads",
        script: &[&[BreakOff]],
        want: Differs { envoy: seen(&[5], "5 x 200"), hoplab: seen(&[2], "2 x 200, 3 x 503"), why: BEGUN },
        ..TWO
    },
    Row {
        name: "two answers break off after their heads",
        protocol: Http2,
        script: &[&[BreakOff]],
        want: Differs { envoy: seen(&[5], "5 x 200"), hoplab: seen(&[2], "2 x 200, 3 x 503"), why: BEGUN },
        ..TWO
    },
    Row {
        name: "a call of gRPC fails under 200",
        request: Request::Grpc,
        protocol: Http2,
        script: &[&[With(200, &[("content-type", "application/grpc"), ("grpc-status", "14")])]],
        want: Alike(seen(&[2], "5 x 200")),
        ..TWO
    },
    Row {
        name: "local: port refuses",
        script: &[&[Refuse]],
        want: Alike(seen(&[2], "5 x 503")),
        ..TWO_LOCAL
    },
    Row {
        name: "local: 500 is none of it",
        hoplab: "outlier = { consecutive_5xx = 0, consecutive_local = 2, base_ejection = \"60s\", max_ejected = \"100%\" }",
        cluster: "outlier_detection: { split_external_local_origin_errors: true, consecutive_local_origin_failure: 2, \
                  consecutive_5xx: 100, base_ejection_time: 60s, max_ejection_percent: 100 }",
        script: &[&[Answer(500)]],
        want: Alike(seen(&[5], "5 x 500")),
        ..TWO_LOCAL
    },
    Row {
        name: "local: FIN before an answer",
        script: &[&[Close]],
        want: Differs {
            envoy: seen(&[5], "5 x 503"),
            hoplab: seen(&[2], "2 x 502, 3 x 503"),
            why: CONNECTED,
        },
        ..TWO_LOCAL
    },
    Row {
        name: "clients stall in the middle of their content",
        hoplab: "idle_timeout = \"150ms\"\n\
                 outlier = { consecutive_5xx = 1, base_ejection = \"60s\", max_ejected = \"100%\" }",
        route: "idle_timeout: 0.15s",
        cluster: "outlier_detection: { consecutive_5xx: 1, base_ejection_time: 60s, max_ejection_percent: 100 }",
        request: Request::HalfAPost,
        clients: InTurn(3),
        want: Alike(seen(&[3], "3 x 408")),
        ..ROW
    },
];

const STATUS: &str = "where a connection breaks hoplab says 502, as nginx does; Envoy says 503";
const BEGUN: &str =
    "an attempt has one outcome, that of its end; for Envoy its head is a success, which ends the run";
const CONNECTED: &str =
    "a connection once made clears Envoy's count of local failures, so that what breaks later never ejects";

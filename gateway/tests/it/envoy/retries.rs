//! When a request is sent again: every condition with every failure, then what stands beside conditions.

use std::slice::from_ref;

use super::row::{Clients, Protocol, ROW, Request, Row, Want, seen};
use super::upstream::Act;
use Act::{
    Abort, Answer, BreakOff, Bytes, Close, GoAway, Refuse, Reset, Silence, Trailers, Unreachable, With,
};
use Protocol::{Http1, Http2};
use Request::{Grpc, HalfAPost, Post};
use Want::{Alike, Differs};

pub(crate) fn rows() -> Vec<Row> {
    FAILURES.iter().flat_map(Failure::rows).chain(BESIDE.iter().copied()).collect()
}

const CONDITIONS: [&str; 9] = [
    "",
    "5xx",
    "gateway-error",
    "reset",
    "connect-failure",
    "refused-stream",
    "retriable-4xx",
    "503",
    "reset-before-request",
];

/// What happens to GETs under each of [`CONDITIONS`].
struct Failure {
    name: &'static str,
    protocol: Protocol,
    script: &'static [&'static [Act]],
    clients: usize,
    /// How often the upstream sees them in all, from either.
    sends: [usize; CONDITIONS.len()],
    /// What clients get from Envoy.
    envoy: &'static str,
    /// What they get from hoplab.
    hoplab: &'static str,
}

const STATUS: &str = "where a connection breaks hoplab says 502, as nginx does; Envoy says 503";

static FAILURES: &[Failure] = &[
    Failure { name: "port refuses", script: &[&[Refuse]], sends: [1, 3, 3, 3, 3, 1, 1, 1, 3], ..FAILURE },
    Failure {
        name: "FIN before an answer",
        script: &[&[Close]],
        sends: [1, 3, 3, 3, 1, 1, 1, 1, 1],
        hoplab: "502",
        ..FAILURE
    },
    Failure {
        name: "RST before an answer",
        script: &[&[Abort]],
        sends: [1, 3, 3, 3, 1, 1, 1, 1, 1],
        hoplab: "502",
        ..FAILURE
    },
    Failure {
        name: "kept connection ends after a request",
        script: &[&[Answer(200), Close]],
        clients: 2,
        sends: [2, 4, 4, 4, 2, 2, 2, 2, 2],
        envoy: "200, 503",
        hoplab: "200, 502",
        ..FAILURE
    },
    Failure {
        name: "silence",
        script: &[&[Silence]],
        sends: [1, 3, 3, 3, 1, 1, 1, 1, 1],
        envoy: "504",
        hoplab: "504",
        ..FAILURE
    },
    Failure {
        name: "what comes is no HTTP",
        script: &[&[Bytes("SSH-2.0-OpenSSH_9.2\r\n")]],
        sends: [1, 3, 3, 3, 1, 1, 1, 1, 1],
        envoy: "502",
        hoplab: "502",
        ..FAILURE
    },
    Failure {
        name: "FIN in the middle of the head",
        script: &[&[Bytes("HTTP/1.1 200 OK\r\ncontent-le")]],
        sends: [1, 3, 3, 3, 1, 1, 1, 1, 1],
        envoy: "502",
        hoplab: "502",
        ..FAILURE
    },
    answered("500", &[&[Answer(500)]], [1, 3, 1, 1, 1, 1, 1, 1, 1]),
    answered("502", &[&[Answer(502)]], [1, 3, 3, 1, 1, 1, 1, 1, 1]),
    answered("503", &[&[Answer(503)]], [1, 3, 3, 1, 1, 1, 1, 3, 1]),
    answered("504", &[&[Answer(504)]], [1, 3, 3, 1, 1, 1, 1, 1, 1]),
    answered("409", &[&[Answer(409)]], [1, 1, 1, 1, 1, 1, 3, 1, 1]),
    answered("429", &[&[Answer(429)]], [1, 1, 1, 1, 1, 1, 1, 1, 1]),
    Failure {
        name: "REFUSED_STREAM",
        protocol: Http2,
        script: &[&[Reset(7)]],
        sends: [1, 3, 3, 3, 1, 3, 1, 1, 1],
        hoplab: "502",
        ..FAILURE
    },
    Failure {
        name: "GOAWAY with a lower last stream",
        protocol: Http2,
        script: &[&[GoAway]],
        sends: [1, 3, 3, 3, 1, 3, 1, 1, 1],
        hoplab: "502",
        ..FAILURE
    },
    Failure {
        name: "RST_STREAM with INTERNAL_ERROR",
        protocol: Http2,
        script: &[&[Reset(2)]],
        sends: [1, 3, 3, 3, 1, 1, 1, 1, 1],
        hoplab: "502",
        ..FAILURE
    },
    Failure {
        name: "connection ends before an answer",
        protocol: Http2,
        script: &[&[Close]],
        sends: [1, 3, 3, 3, 1, 1, 1, 1, 1],
        hoplab: "502",
        ..FAILURE
    },
];

const FAILURE: Failure = Failure {
    name: "",
    protocol: Http1,
    script: ROW.script,
    clients: 1,
    sends: [1; CONDITIONS.len()],
    envoy: "503",
    hoplab: "503",
};

const fn answered(
    status: &'static str,
    script: &'static [&'static [Act]],
    sends: [usize; CONDITIONS.len()],
) -> Failure {
    Failure { name: status, script, sends, envoy: status, hoplab: status, ..FAILURE }
}

impl Failure {
    fn rows(&'static self) -> impl Iterator<Item = Row> {
        CONDITIONS.iter().zip(&self.sends).map(|(&on, sends)| {
            let (envoy, hoplab) = (seen(from_ref(sends), self.envoy), seen(from_ref(sends), self.hoplab));
            let want =
                if self.envoy == self.hoplab { Alike(envoy) } else { Differs { envoy, hoplab, why: STATUS } };
            let (protocol, script) = (self.protocol, self.script);
            let (hoplab, route, retry) = match (script, on) {
                ([[Silence]], "") => ("timeout = \"150ms\"", "timeout: 0.15s", ""),
                ([[Silence]], _) => ("retry.per_try_timeout = \"150ms\"", "", "per_try_timeout: 0.15s"),
                _ => ("", "", ""),
            };
            let clients = Clients::InTurn(self.clients);
            Row { name: self.name, on, hoplab, route, retry, protocol, script, clients, want, ..ROW }
        })
    }
}

const ANY_METHOD: &str = "retry.methods = [\"POST\"]";

const BESIDE: &[Row] = &[
    Row {
        name: "connection cannot be established in time",
        on: "connect-failure",
        hoplab: "connect_timeout = \"150ms\"",
        cluster: "connect_timeout: 0.15s",
        script: &[&[Unreachable]],
        want: Differs {
            envoy: seen(&[3], "503"),
            hoplab: seen(&[3], "504"),
            why: "too late is 504 in hoplab, wherever",
        },
        ..ROW
    },
    Row {
        name: "503, then 200",
        on: "5xx",
        script: &[&[Answer(503), Answer(200)]],
        want: Alike(seen(&[2], "200")),
        ..ROW
    },
    Row {
        name: "answer breaks off after its head",
        on: "5xx",
        script: &[&[BreakOff]],
        want: Alike(seen(&[1], "200")),
        ..ROW
    },
    Row {
        name: "answer breaks off after its head",
        on: "5xx",
        protocol: Http2,
        script: &[&[BreakOff]],
        want: Alike(seen(&[1], "200")),
        ..ROW
    },
    Row {
        name: "FIN behind an interim answer",
        on: "5xx",
        script: &[&[Bytes("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")]],
        want: Differs { envoy: seen(&[1], "503"), hoplab: seen(&[3], "502"), why: BEGUN },
        ..ROW
    },
    Row {
        name: "answer has a length beside chunks",
        on: "5xx",
        script: &[&[Bytes(
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        )]],
        want: Alike(seen(&[3], "502")),
        ..ROW
    },
    Row {
        name: "a field that asks for it",
        on: "retriable-headers",
        hoplab: "retry.headers = [\"x-should-retry\"]",
        retry: "retriable_headers: [{ name: x-should-retry, present_match: true }]",
        script: &[&[With(200, &[("x-should-retry", "1")])]],
        want: Alike(seen(&[3], "200")),
        ..ROW
    },
    Row {
        name: "no field that asks for it",
        on: "retriable-headers",
        hoplab: "retry.headers = [\"x-should-retry\"]",
        retry: "retriable_headers: [{ name: x-should-retry, present_match: true }]",
        script: &[&[With(503, &[("x-other", "1")])]],
        want: Alike(seen(&[1], "503")),
        ..ROW
    },
    Row {
        name: "503",
        on: "5xx",
        request: Post,
        script: &[&[Answer(503)]],
        want: Differs { envoy: seen(&[3], "503"), hoplab: seen(&[1], "503"), why: POSTS },
        ..ROW
    },
    Row {
        name: "503, POST listed",
        on: "5xx",
        hoplab: ANY_METHOD,
        request: Post,
        script: &[&[Answer(503)]],
        want: Alike(seen(&[3], "503")),
        ..ROW
    },
    Row {
        name: "409",
        on: "retriable-4xx",
        request: Post,
        script: &[&[Answer(409)]],
        want: Differs { envoy: seen(&[3], "409"), hoplab: seen(&[1], "409"), why: POSTS },
        ..ROW
    },
    Row {
        name: "FIN before an answer",
        on: "reset",
        request: Post,
        script: &[&[Close]],
        want: Differs { envoy: seen(&[3], "503"), hoplab: seen(&[1], "502"), why: POSTS },
        ..ROW
    },
    Row {
        name: "FIN before an answer, POST listed",
        on: "reset",
        hoplab: ANY_METHOD,
        request: Post,
        script: &[&[Close]],
        want: Differs { envoy: seen(&[3], "503"), hoplab: seen(&[3], "502"), why: STATUS },
        ..ROW
    },
    Row {
        name: "port refuses",
        on: "connect-failure",
        request: Post,
        script: &[&[Refuse]],
        want: Alike(seen(&[3], "503")),
        ..ROW
    },
    Row {
        name: "port refuses",
        on: "5xx",
        request: Post,
        script: &[&[Refuse]],
        want: Alike(seen(&[3], "503")),
        ..ROW
    },
    Row {
        name: "REFUSED_STREAM",
        on: "refused-stream",
        request: Post,
        protocol: Http2,
        script: &[&[Reset(7)]],
        want: Differs { envoy: seen(&[3], "503"), hoplab: seen(&[3], "502"), why: STATUS },
        ..ROW
    },
    Row {
        name: "REFUSED_STREAM",
        on: "5xx",
        request: Post,
        protocol: Http2,
        script: &[&[Reset(7)]],
        want: Differs { envoy: seen(&[3], "503"), hoplab: seen(&[3], "502"), why: STATUS },
        ..ROW
    },
    Row {
        name: "GOAWAY with a lower last stream",
        on: "gateway-error",
        request: Post,
        protocol: Http2,
        script: &[&[GoAway]],
        want: Differs { envoy: seen(&[3], "503"), hoplab: seen(&[3], "502"), why: STATUS },
        ..ROW
    },
    Row {
        name: "silence",
        on: "gateway-error",
        hoplab: "retry.per_try_timeout = \"150ms\"",
        retry: "per_try_timeout: 0.15s",
        request: Post,
        script: &[&[Silence]],
        want: Differs { envoy: seen(&[3], "504"), hoplab: seen(&[1], "504"), why: POSTS },
        ..ROW
    },
    Row {
        name: "client stalls in the middle of its content",
        on: "5xx",
        hoplab: "idle_timeout = \"150ms\"\nretry.methods = [\"POST\"]",
        route: "idle_timeout: 0.15s",
        request: HalfAPost,
        want: Alike(seen(&[1], "408")),
        ..ROW
    },
    Row {
        name: "503 that is marked as an overload",
        on: "5xx",
        script: &[&[With(503, &[("x-envoy-overloaded", "true")])]],
        want: Alike(seen(&[3], "503")),
        ..ROW
    },
    Row {
        name: "503 that is marked as a rate limit",
        on: "5xx",
        script: &[&[With(503, &[("x-envoy-ratelimited", "true")])]],
        want: Alike(seen(&[1], "503")),
        ..ROW
    },
    Row {
        name: "503 that is marked as a rate limit",
        on: "envoy-ratelimited",
        script: &[&[With(503, &[("x-envoy-ratelimited", "true")])]],
        want: Alike(seen(&[3], "503")),
        ..ROW
    },
    Row {
        name: "kept connection ends after a request",
        request: Post,
        script: &[&[Answer(200), Close]],
        clients: Clients::InTurn(2),
        want: Differs { envoy: seen(&[2], "200, 503"), hoplab: seen(&[2], "200, 502"), why: STATUS },
        ..ROW
    },
    grpc("unavailable", "14 in the head", &[&[With(200, UNAVAILABLE)]], Alike(seen(&[3], "200"))),
    grpc("unavailable", "1 in the head", &[&[With(200, CANCELLED)]], Alike(seen(&[1], "200"))),
    grpc("cancelled", "1 in the head", &[&[With(200, CANCELLED)]], Alike(seen(&[3], "200"))),
    grpc("deadline-exceeded", "4 in the head", &[&[With(200, DEADLINE_EXCEEDED)]], Alike(seen(&[3], "200"))),
    grpc(
        "resource-exhausted",
        "8 in the head",
        &[&[With(200, RESOURCE_EXHAUSTED)]],
        Alike(seen(&[3], "200")),
    ),
    grpc("internal", "13 in the head", &[&[With(200, INTERNAL)]], Alike(seen(&[3], "200"))),
    grpc("5xx", "14 in the head", &[&[With(200, UNAVAILABLE)]], Alike(seen(&[1], "200"))),
    grpc("unavailable", "503 without a code", &[&[Answer(503)]], Alike(seen(&[1], "503"))),
    grpc(
        "unavailable",
        "14 in the trailers",
        &[&[Trailers("14")]],
        Differs {
            envoy: seen(&[1], "200"),
            hoplab: seen(&[3], "200"),
            why: "hoplab reads an answer of one message to its trailers, where services put the code",
        },
    ),
    Row {
        name: "14 in the head",
        on: "unavailable",
        protocol: Http2,
        script: &[&[With(200, UNAVAILABLE)]],
        want: Alike(seen(&[3], "200")),
        ..ROW
    },
];

const POSTS: &str = "hoplab sends POSTs again where they are listed in `methods`";
const BEGUN: &str = "an interim answer answers nothing, and any number may come; for Envoy it begins the answer, and ends retries";
const CANCELLED: Fields = &[CALL, ("grpc-status", "1")];
const DEADLINE_EXCEEDED: Fields = &[CALL, ("grpc-status", "4")];
const RESOURCE_EXHAUSTED: Fields = &[CALL, ("grpc-status", "8")];
const INTERNAL: Fields = &[CALL, ("grpc-status", "13")];
const UNAVAILABLE: Fields = &[CALL, ("grpc-status", "14")];

type Fields = &'static [(&'static str, &'static str)];
const CALL: (&str, &str) = ("content-type", "application/grpc");

const fn grpc(on: &'static str, name: &'static str, script: &'static [&'static [Act]], want: Want) -> Row {
    Row { name, on, hoplab: ANY_METHOD, request: Grpc, protocol: Http2, script, want, ..ROW }
}

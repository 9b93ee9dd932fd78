//! Time limits, and who owns the time of an exchange that ended early.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::exchange::Exchange;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Instant, Work};
use hoplab_proxy::telemetry::{Fault, Outcome, Owner, Report, Role, Span};
use hoplab_proxy::upstream::{Config, Upstream};
use http::{Method, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use rustls::crypto::CryptoProvider;

use crate::lab::{Lab, request, settings};

fn ended(exchange: Exchange, fault: Fault, lab: &Lab) -> Span {
    let span = exchange.into_span(Role::Client, Outcome::Failed(fault), lab.host.now());
    assert_eq!(span.segments.last().unwrap().end, span.end, "the time is owned to its end");
    assert!(span.segments.is_sorted_by(|a, b| a.end < b.end));
    span
}

fn owners(span: &Span) -> Vec<Owner> {
    span.segments.iter().map(|segment| segment.owner).collect()
}

#[tokio::test]
async fn the_callers_deadline_goes_before_the_policies() {
    let lab = Lab::new();
    let backend = lab.backend(|_| std::future::pending()).await;
    let upstream = lab.upstream(&backend.endpoint, "timeout = \"1h\"");
    let mut exchange = lab.exchange();
    exchange.deadline = Some(lab.host.now() + Duration::from_millis(20));
    let fault = upstream.send(&mut exchange, request(Method::GET, Body::empty())).await.unwrap_err();
    assert_eq!(fault, Fault::Timeout);
    let span = ended(exchange, fault, &lab);
    assert_eq!(span.attempts[0].outcome, Outcome::Failed(Fault::Timeout));
    let attempt = Owner::Upstream(span.attempts[0].id);
    assert_eq!(owners(&span).last(), Some(&attempt));
}

#[tokio::test]
async fn the_timeout_covers_the_answers_content() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |_| {
            let first = futures_util::stream::iter([Ok(Frame::data(Bytes::from("first")))]);
            let never = futures_util::stream::pending();
            Response::new(Body::boxed(StreamBody::new(futures_util::StreamExt::chain(first, never))))
        })
        .await;
    let upstream = lab.upstream(&backend.endpoint, "timeout = \"50ms\"");
    let answer = upstream.send(&mut lab.exchange(), request(Method::GET, Body::empty())).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap_err(), Fault::Timeout);
}

#[tokio::test]
async fn a_dropped_exchange_keeps_what_was_measured() {
    let lab = Lab::new();
    let backend = lab.backend(|_| std::future::pending()).await;
    let upstream = lab.upstream(&backend.endpoint, "");
    let mut exchange = lab.exchange();
    tokio::select! {
        biased;
        _ = upstream.send(&mut exchange, request(Method::GET, Body::empty())) => panic!("nobody answers"),
        () = lab.wait_ms(20) => {}
    }
    let span = ended(exchange, Fault::Cancelled, &lab);
    assert_eq!(span.attempts[0].outcome, Outcome::Failed(Fault::Cancelled));
    assert_eq!(span.attempts[0].end, span.end);
    assert_eq!(owners(&span).last(), Some(&Owner::Upstream(span.attempts[0].id)));
}

#[tokio::test]
async fn back_off_and_each_attempt_have_their_owners() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |_| {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        })
        .await;
    let policies = "retry = { attempts = 2, on = [\"gateway-error\"], backoff = \"5ms..10ms\" }";
    let upstream = lab.upstream(&backend.endpoint, policies);
    let mut exchange = lab.exchange();
    let answer = upstream.send(&mut exchange, request(Method::GET, Body::empty())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let span = ended(exchange, Fault::Reset, &lab);
    assert_eq!(span.attempts.len(), 3);
    for attempt in &span.attempts {
        assert!(owners(&span).contains(&Owner::Upstream(attempt.id)));
    }
    assert!(owners(&span).contains(&Owner::Backoff));
    assert_eq!(backend.connections(), 1, "an answer without content leaves its connection");
}

#[tokio::test]
async fn a_budget_bounds_the_retries_of_a_storm() {
    let lab = Lab::new();
    let backend = lab
        .backend(async |_| {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            answer
        })
        .await;
    let policies = |budget: &str| {
        format!("retry = {{ attempts = 1, on = [\"503\"], backoff = \"50ms..50ms\", {budget} }}")
    };
    let storm = async |upstream: &Arc<Upstream<Live>>| {
        let attempts = (0..50).map(|_| async {
            let mut exchange = lab.exchange();
            upstream.send(&mut exchange, request(Method::GET, Body::empty())).await.unwrap();
            exchange.attempts.len()
        });
        futures_util::future::join_all(attempts).await.into_iter().sum::<usize>()
    };
    let unbounded = lab.upstream(&backend.endpoint, &policies(""));
    assert_eq!(storm(&unbounded).await, 100);
    let bounded = lab.upstream(&backend.endpoint, &policies("budget = \"20%\""));
    let attempts = storm(&bounded).await;
    assert!((53..=60).contains(&attempts), "at most a fifth of 50 in flight: {attempts}");
}

#[tokio::test]
async fn without_an_endpoint_there_is_no_attempt_to_connect() {
    let lab = Lab::new();
    let upstream = Upstream::new(lab.host.clone(), &lab.spawner(), Config::new("none", Vec::new()), 1);
    assert_eq!(lab.get(&upstream).await, Err(Fault::NoEndpoint));
}

/// A machine whose network swallows every connection, or where none can be opened for a reason of its own.
#[derive(Clone)]
struct Unconnected(Live, Option<i32>);

impl Host for Unconnected {
    type Stream = <Live as Host>::Stream;
    type Listener = <Live as Host>::Listener;

    async fn bind(&self, address: SocketAddr) -> io::Result<Self::Listener> {
        self.0.bind(address).await
    }

    async fn connect(&self, _: &Endpoint) -> io::Result<Self::Stream> {
        match self.1 {
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => std::future::pending().await,
        }
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.0.sleep_until(deadline)
    }

    fn wall(&self) -> SystemTime {
        self.0.wall()
    }

    async fn work(&self, work: Work, enters: impl FnMut(Owner, Instant) + Send) {
        self.0.work(work, enters).await;
    }

    fn crypto(&self) -> Arc<CryptoProvider> {
        self.0.crypto()
    }

    fn report(&self, report: Report) {
        self.0.report(report);
    }
}

#[tokio::test]
async fn connecting_has_a_time_limit_of_its_own() {
    let lab = Lab::new();
    let host = Unconnected(lab.host.clone(), None);
    let tasks = hoplab_proxy::tasks::Tasks::default();
    for protocol in [hoplab_proxy::upstream::Protocol::Http1, hoplab_proxy::upstream::Protocol::Http2] {
        let mut config = Config::new("far", vec![Endpoint::new("10.0.0.1", 80)]);
        config.protocol = protocol;
        config.settings =
            settings("connect_timeout = \"20ms\"\nretry = { attempts = 1, backoff = \"0ms..1ms\" }");
        let upstream = Upstream::new(host.clone(), &tasks.spawner(host.clone()), config, 1);
        let mut exchange = lab.exchange();
        // A connection that was never there is safe to retry, whatever the method.
        let mut post = request(Method::POST, Body::from(Bytes::from("x")));
        *post.uri_mut() = "/".parse().unwrap();
        let sent: Result<Response<Body>, Fault> = upstream.send(&mut exchange, post).await;
        assert_eq!(sent.unwrap_err(), Fault::ConnectTimeout);
        let span = ended(exchange, Fault::ConnectTimeout, &lab);
        assert_eq!(span.attempts.len(), 2);
        assert!(owners(&span).contains(&Owner::Connect));
    }
}

#[tokio::test]
async fn running_out_of_descriptors_blames_nobody() {
    let lab = Lab::new();
    let tasks = hoplab_proxy::tasks::Tasks::default();
    for code in [12, 23, 24, 105, 99] {
        let host = Unconnected(lab.host.clone(), Some(code));
        for protocol in [hoplab_proxy::upstream::Protocol::Http1, hoplab_proxy::upstream::Protocol::Http2] {
            let mut config = Config::new("near", vec![Endpoint::new("10.0.0.1", 80)]);
            config.protocol = protocol;
            config.settings = settings(
                "breaker = { failures = 1 }\n\
                 retry = { attempts = 3, on = [\"connect-failure\"], backoff = \"0ms..1ms\" }\n\
                 outlier = { consecutive_local = 1, max_ejected = \"100%\" }",
            );
            let upstream = Upstream::new(host.clone(), &tasks.spawner(host.clone()), config, 1);
            for _ in 0..3 {
                let mut exchange = lab.exchange();
                let sent = upstream.send(&mut exchange, request(Method::GET, Body::empty())).await;
                assert_eq!(sent.unwrap_err(), Fault::Exhausted, "{code} {protocol:?}");
                assert_eq!(exchange.attempts.len(), 4, "there may be room again");
            }
        }
    }
}

//! A ring of pods: each serves HTTP, and passes a request on to the next pod until it has made its
//! hops. Walkers start at pods all around and send one request after the other.
//!
//! The same on every kind of [`Host`]. Walkers start a little apart, so that the events of a world do not
//! fall into the same instants, which would make it look faster than it is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::exchange::Exchange;
use hoplab_proxy::forward::Forwarder;
use hoplab_proxy::host::{Endpoint, Host, Instant};
use hoplab_proxy::load_control::{LimitsPolicy, LoadControl};
use hoplab_proxy::server::{self, Connection, Handler, Security, Settings};
use hoplab_proxy::tasks::Tasks;
use hoplab_proxy::telemetry::{Outcome, Report, Role, SpanIds};
use hoplab_proxy::tls::{Authority, Identity, ServerTls, SpiffeId, Terms};
use hoplab_proxy::upstream::{self, Policies, Protocol, Upstream};
use http::header::{HOST, HeaderName};
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use tokio::sync::Notify;

const PORT: u16 = 8080;

/// How many hops a request has yet to make.
const HOPS: HeaderName = HeaderName::from_static("x-hops");

/// The content of every answer.
const ANSWER: Bytes = Bytes::from_static(&[b'x'; 1_024]);

/// When the first walker starts; every pod listens by then.
const START: Instant = Instant::from_nanos(10_000_000);

/// How far apart walkers start.
const APART: Duration = Duration::from_micros(7);

/// A ring, and what goes around in it.
#[derive(Debug, Clone, Copy)]
pub struct Ring {
    /// How many pods stand in it.
    pub pods: usize,
    /// How many requests are in flight at a time.
    pub walkers: usize,
    /// How many requests each walker sends, one after the other.
    pub requests: usize,
    /// How many hops a request makes.
    pub hops: usize,
    /// What pods speak to each other.
    pub wires: Wires,
    /// What stands between a pod and the next.
    pub policies: Policing,
}

/// What pods speak to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wires {
    /// HTTP/1.1 in the clear.
    Plain,
    /// HTTP/2 over mutual TLS.
    Mutual,
}

/// Under which policies pods pass requests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policing {
    /// The defaults, most of which are off.
    Defaults,
    /// One of every kind, none of which has to act.
    All,
}

/// One policy of every kind.
const ALL: &str = r#"
timeout = "5s"
retry   = { attempts = 2, on = ["connect-failure", "5xx"], per_try_timeout = "2s", budget = "20%" }
hedge   = { after = "1s" }
breaker = { failures = 5, failure_rate = "50%" }
queue   = { length = 100, failfast = "3s" }
idle_timeout = "3s"
deadline = { reserve = "1ms" }
balance = { kind = "peak-ewma", penalty = "5s", panic = "50%", slow_start = "30s", zone = "prefer" }
"#;

/// One limit of every kind.
const ALL_LIMITS: &str = r#"
rate        = { rate = "1000000 rps", by = "source" }
admission   = { success_rate = "50%" }
concurrency = 100000
priority    = {}
"#;

impl Policing {
    fn limits(self) -> LimitsPolicy {
        match self {
            Self::Defaults => LimitsPolicy::default(),
            Self::All => hoplab_config::read("test.toml", ALL_LIMITS).expect("the limits are well-formed"),
        }
    }

    fn policies(self) -> Policies {
        match self {
            Self::Defaults => Policies::default(),
            Self::All => hoplab_config::read("test.toml", ALL).expect("the policies are well-formed"),
        }
    }
}

impl Ring {
    /// How many crossings it makes.
    pub fn crossings(&self) -> u64 {
        (self.walkers * self.requests * self.hops) as u64
    }
}

/// The name of a pod.
pub fn name(pod: usize) -> String {
    format!("relay-{pod}")
}

/// How far a ring has come.
pub struct Turns {
    ring: Ring,
    /// Per walker, the microseconds of each of its requests.
    latencies_us: Mutex<Vec<Vec<u64>>>,
    walked: Notify,
}

impl Turns {
    /// A ring that has not begun to turn.
    pub fn new(ring: Ring) -> Arc<Self> {
        let latencies_us = Mutex::new(vec![Vec::with_capacity(ring.requests); ring.walkers]);
        Arc::new(Self { ring, latencies_us, walked: Notify::new() })
    }

    /// Waits for all walkers; the microseconds of each request, walker by walker.
    pub async fn finished(&self) -> Vec<u64> {
        loop {
            let latencies = self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if latencies.iter().all(|walker| walker.len() == self.ring.requests) {
                return latencies.concat();
            }
            self.walked.notified().await;
        }
    }

    fn note(&self, walker: usize, latency: Duration) {
        let mut latencies = self.latencies_us.lock().unwrap_or_else(PoisonError::into_inner);
        latencies[walker].push(latency.as_micros() as u64);
        if latencies[walker].len() == self.ring.requests {
            self.walked.notify_one();
        }
    }
}

/// What runs in a pod: a relay, and the walkers that start there. Never ends by itself.
pub async fn pod<H: Host>(host: H, turns: Arc<Turns>, index: usize) {
    let ring = turns.ring;
    let tasks = Tasks::default();
    let spawner = tasks.spawner(host.clone());
    let (server, client) = wires(&host, ring, index);
    let next = Endpoint::new(name((index + 1) % ring.pods), PORT);
    let next = upstream::Config {
        protocol: if client.is_some() { Protocol::Http2 } else { Protocol::Http1 },
        tls: client,
        settings: ring.policies.policies().resolve().expect("the policies agree with each other"),
        ..upstream::Config::new("relay", vec![next])
    };
    let seed = index as u64 + 1;
    let next = Upstream::new(host.clone(), &spawner, next, seed << 32);
    for walker in (0..ring.walkers).filter(|walker| walker * ring.pods / ring.walkers == index) {
        spawner.spawn(walk(host.clone(), Arc::clone(&turns), Arc::clone(&next), walker));
    }
    let limits = ring.policies.limits().resolve().expect("the limits agree with each other");
    let limits = LoadControl::new(host.clone(), "relay", limits, seed);
    let relay = Relay { forwarder: Forwarder::new(host.clone(), Role::Gateway, seed), next, limits };
    let listener = host.bind(SocketAddr::from(([0, 0, 0, 0], PORT))).await.expect("the port is free");
    let settings = Settings { security: server, ..Settings::default() };
    server::serve(host, spawner, listener, Arc::new(relay), settings, std::future::pending()).await;
}

/// How a pod's connections are secured, on either side.
fn wires<H: Host>(host: &H, ring: Ring, index: usize) -> (Security, Option<Terms>) {
    if ring.wires == Wires::Plain {
        return (Security::Plain, None);
    }
    let trust_domain = "hoplab".parse().expect("the name is a trust domain's");
    let authority = Authority::new(1, trust_domain, host.wall());
    let id = SpiffeId::of_service(authority.trust_domain(), "relay").expect("the name is a DNS label");
    let credentials = authority.issue(&id, &name(index), host.wall());
    let identity = Identity::from_pem(&credentials).expect("the authority's certificates are sound");
    let server = ServerTls::new(host, &identity);
    let client = Terms::mutual(&identity, id);
    (Security::Strict(server), Some(client))
}

/// Passes requests on until they have made their hops.
struct Relay<H: Host> {
    forwarder: Forwarder<H>,
    next: Arc<Upstream<H>>,
    limits: Option<Arc<LoadControl<H>>>,
}

impl<H: Host> Handler for Relay<H> {
    async fn handle(
        self: Arc<Self>,
        mut request: Request<Body>,
        connection: Arc<Connection>,
    ) -> Response<Body> {
        let mut visit = self.forwarder.arrive(&mut request, &connection).await;
        if let Some(limits) = &self.limits
            && let Err(refusal) = visit.pass(limits, request.headers(), &connection).await
        {
            return self.forwarder.turn_away(visit, refusal);
        }
        let hops = request.headers().get(HOPS).and_then(|hops| hops.to_str().ok()?.parse::<u64>().ok());
        match hops {
            Some(hops @ 2..) => {
                request.headers_mut().insert(HOPS, HeaderValue::from(hops - 1));
                self.forwarder.forward(visit, request, &self.next).await
            }
            _ => self.forwarder.decline(visit, Response::new(Body::from(ANSWER))),
        }
    }
}

/// Sends a walker's requests, one after the other.
async fn walk<H: Host>(host: H, turns: Arc<Turns>, next: Arc<Upstream<H>>, walker: usize) {
    let ids = SpanIds::new(walker as u64);
    host.sleep_until(START + APART * walker as u32).await;
    for _ in 0..turns.ring.requests {
        let began = host.now();
        let mut exchange = Exchange::of(None, &ids, began);
        let request = Request::get("/")
            .header(HOST, "relay")
            .header(HOPS, turns.ring.hops as u64)
            .body(Body::empty())
            .expect("the request is well-formed");
        let answer = next.send(&mut exchange, request).await.expect("every relay answers");
        let status = answer.status().as_u16();
        let content = answer.into_body().collect().await.expect("answers are complete").to_bytes();
        assert_eq!((status, content.len()), (200, ANSWER.len()));
        turns.note(walker, host.now() - began);
        let span = exchange.into_span(Role::Client, Outcome::Answered(status), host.now());
        host.report(Report::Span(span));
    }
}

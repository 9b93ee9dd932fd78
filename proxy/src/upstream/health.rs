//! Active health checks: asks each endpoint every so often whether it is well, over a connection of its own that
//! is kept as long as checks pass. One task a member, among those of the upstream's owner, ends with either.
//!
//! A check is no request: it has no span and no trace context, passes no breaker, takes no place in the pool
//! and spends no budget. Not here: what a check makes of an endpoint ([`crate::policy::health`]).

mod grpc;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, TE, USER_AGENT};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, response};
use http_body_util::BodyExt;

use super::member::Member;
use super::pool::{Connector, Freshness, Lease, Pool, Site, is_of_this_machine};
use super::settings::{self, Check, Limits};
use super::state::{Checks, State};
use super::{ClientTls, Config, Protocol, secured};
use crate::body::Body;
use crate::exchange::Exchange;
use crate::host::{Endpoint, Host};
use crate::policy::health::Outcome;
use crate::tasks::Spawner;
use crate::telemetry::{Fault, TraceId};
use crate::timer::before;

/// How much of an answer is read; more is not what a check answers.
const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// How checks introduce themselves.
const AGENT: HeaderValue = HeaderValue::from_static("hoplab-health-check");

/// Checks one member.
struct Checker<H: Host> {
    host: H,
    endpoint: Endpoint,
    /// Only for checks; not used by those that merely connect.
    pool: Arc<Pool<H>>,
    protocol: Protocol,
    target: Target,
    settings: settings::Health,
    checks: Checks<H>,
}

/// How an endpoint is addressed.
#[derive(Clone)]
struct Target {
    name: Arc<str>,
    scheme: Scheme,
}

/// How all members of an upstream are checked.
pub(super) struct Checking<H: Host> {
    host: H,
    spawner: Spawner<H>,
    protocol: Protocol,
    tls: Option<ClientTls>,
    target: Target,
    settings: settings::Health,
}

impl<H: Host> Checking<H> {
    pub(super) fn new(
        host: &H,
        spawner: &Spawner<H>,
        config: &Config,
        tls: Option<ClientTls>,
        health: &settings::Health,
    ) -> Self {
        // gRPC is HTTP/2 wherever it is spoken.
        let is_grpc = matches!(health.check, Check::Grpc { .. });
        let protocol = if is_grpc { Protocol::Http2 } else { config.protocol };
        let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        Self {
            host: host.clone(),
            spawner: spawner.clone(),
            protocol,
            tls,
            target: Target { name: Arc::clone(&config.name), scheme },
            settings: health.clone(),
        }
    }

    /// Starts the checks of `member`, which go on until it leaves.
    pub(super) fn begin(&self, member: &Member<H>, state: &State<H>) {
        let connector = Connector {
            host: self.host.clone(),
            endpoint: member.endpoint.clone(),
            protocol: self.protocol,
            tls: secured(self.tls.as_ref(), self.protocol),
            timeout: self.settings.timeout,
            keep_alive: None,
        };
        let checker = Checker {
            host: self.host.clone(),
            endpoint: member.endpoint.clone(),
            pool: {
                let limits = limits(&self.settings);
                Pool::new(connector, self.spawner.clone(), limits, Site::new(&limits, self.protocol), None)
            },
            protocol: self.protocol,
            target: self.target.clone(),
            settings: self.settings.clone(),
            checks: state.checks_of(member.seat),
        };
        let left = Arc::clone(&member.left);
        self.spawner.spawn(async move {
            tokio::select! {
                biased;
                () = left.notified() => {}
                () = checker.run() => {}
            }
        });
    }
}

/// One connection, which outlives the time between two checks.
fn limits(health: &settings::Health) -> Limits {
    let between = health.interval + health.jitter;
    Limits { connections: Some(1), idle_timeout: Some(between.saturating_mul(2)), ..Limits::default() }
}

impl<H: Host> Checker<H> {
    async fn run(self) {
        let interval = self.settings.interval;
        loop {
            let began = self.host.now();
            let outcome = self.check(self.settings.timeout).await;
            let Some(longer) = self.checks.observe(outcome) else { return };
            self.host.sleep_until(began + interval + longer).await;
        }
    }

    /// Whether the endpoint is well, as far as can be told within `timeout`; `None` when this machine could not even ask.
    async fn check(&self, timeout: Duration) -> Option<Outcome> {
        let deadline = self.host.now() + timeout;
        if self.settings.check == Check::Tcp {
            return match before(&self.host, deadline, self.host.connect(&self.endpoint)).await {
                Some(Ok(_)) => Some(Outcome::Passed),
                Some(Err(error)) if is_of_this_machine(&error) => None,
                Some(Err(_)) | None => Some(Outcome::Failed),
            };
        }
        let mut lease = None;
        let asked = before(&self.host, deadline, self.ask(&mut lease)).await;
        let outcome = match asked {
            Some(Ok(true)) => Outcome::Passed,
            Some(Ok(false)) => Outcome::Unexpected,
            Some(Err(Fault::Exhausted)) => return None,
            Some(Err(_)) | None => Outcome::Failed,
        };
        match lease {
            Some(lease) if outcome == Outcome::Passed => lease.give_back(deadline),
            // The next check shall not depend on what became of this connection.
            Some(lease) => lease.retire(),
            None => {}
        }
        Some(outcome)
    }

    /// Asks once; anew when a connection that was kept turns out to be closed.
    async fn ask(&self, kept: &mut Option<Lease<H>>) -> Result<bool, Fault> {
        let mut freshness = Freshness::Any;
        loop {
            let mut exchange = Exchange::start(TraceId(1), None, self.host.now());
            let lease = kept.insert(self.pool.acquire(&mut exchange, freshness).await?);
            match lease.send(self.request(), None).await {
                Ok(answer) => {
                    let (head, content) = answer.into_parts();
                    return self.is_well(&head, content).await;
                }
                Err(_) if lease.reused && freshness == Freshness::Any => {
                    lease.retire();
                    *kept = None;
                    freshness = Freshness::New;
                }
                Err(error) => return Err(error.fault),
            }
        }
    }

    async fn is_well(&self, head: &response::Parts, content: Body) -> Result<bool, Fault> {
        let content = http_body_util::Limited::new(content, CONTENT_BYTES_MAX);
        let content = content.collect().await.map_err(|_| Fault::Reset)?;
        Ok(match &self.settings.check {
            Check::Http { expect, .. } => expect.contains(head.status.as_u16()),
            Check::Grpc { .. } => {
                let trailers = content.trailers().cloned();
                grpc::is_serving(head, trailers.as_ref(), &content.to_bytes())
            }
            Check::Tcp => true,
        })
    }

    fn request(&self) -> Request<Body> {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, AGENT);
        let (method, path, content) = match &self.settings.check {
            Check::Grpc { service } => {
                headers.insert(CONTENT_TYPE, crate::grpc::CONTENT);
                headers.insert(TE, HeaderValue::from_static("trailers"));
                (Method::POST, grpc::PATH, grpc::request(service))
            }
            Check::Http { path, .. } => (Method::GET, path.as_str(), Bytes::new()),
            Check::Tcp => (Method::GET, "/", Bytes::new()),
        };
        let mut request = Request::new(Body::from(content));
        *request.method_mut() = method;
        *request.uri_mut() = match self.protocol {
            Protocol::Http1 => {
                let host = HeaderValue::from_str(&self.target.name);
                headers.insert(HOST, host.unwrap_or(HeaderValue::from_static("")));
                path.parse().unwrap_or_default()
            }
            Protocol::Http2 => self.target.uri(path),
        };
        if self.protocol == Protocol::Http2 {
            *request.version_mut() = Version::HTTP_2;
        }
        *request.headers_mut() = headers;
        request
    }
}

impl Target {
    fn uri(&self, path: &str) -> Uri {
        let uri = Uri::builder().scheme(self.scheme.clone()).path_and_query(path);
        let named = self.name.parse::<Authority>().ok();
        let uri = named.map_or_else(Uri::builder, |authority| uri.authority(authority));
        uri.build().unwrap_or_else(|_| path.parse().unwrap_or_default())
    }
}

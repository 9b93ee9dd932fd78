//! The admin port: `/metrics` for Prometheus, `/healthz` for whoever restarts what hangs, `/ready` for whoever sends
//! requests here. Answers over the same accept loop as everything else; owns no count and no state of the product.
//!
//! It has neither TLS nor a password: bind it to loopback, or to where only the scraper comes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use crate::body::Body;
use crate::host::Host;
use crate::message;
use crate::server::{self, Connection, Drained, Handler, Settings};
use crate::tasks::Tasks;
use crate::telemetry::metrics::{self, Metrics};

/// Connections at a time: some scrapers, some probes, and a person. What comes on top waits.
const CONNECTIONS_MAX: u32 = 32;

/// How long an answer that is under way may take when the product has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// What is answered here.
const PATHS: &str = "there are /metrics, /healthz and /ready";

/// Whether a product takes requests, or finishes what it has. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    draining: Arc<AtomicBool>,
}

impl Readiness {
    /// From here on, requests should go elsewhere.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether requests should go elsewhere.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

/// What an admin port tells.
#[derive(Debug, Clone, Default)]
pub struct Admin {
    /// What was counted.
    pub metrics: Metrics,
    /// Whether the product takes requests.
    pub readiness: Readiness,
}

impl Admin {
    /// Answers on `listener` until `shutdown` completes: later than the product, whose end it tells of.
    pub async fn serve<H: Host>(
        self,
        host: H,
        listener: H::Listener,
        shutdown: impl Future<Output = ()>,
    ) -> Drained {
        let tasks = Tasks::default();
        let spawner = tasks.spawner(host.clone());
        let settings = Settings {
            connections_max: CONNECTIONS_MAX,
            drain_timeout: DRAIN_TIMEOUT,
            ..Settings::default()
        };
        server::serve(host, spawner, listener, Arc::new(self), settings, shutdown).await
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Body> {
        if !matches!(path, "/metrics" | "/healthz" | "/ready") {
            return message::plain(StatusCode::NOT_FOUND, PATHS);
        }
        match (method, path) {
            (&Method::GET | &Method::HEAD, "/metrics") => {
                let mut answer = Response::new(Body::from(Bytes::from(self.metrics.text())));
                let media_type = HeaderValue::from_static(metrics::CONTENT_TYPE);
                answer.headers_mut().insert(CONTENT_TYPE, media_type);
                answer
            }
            (&Method::GET | &Method::HEAD, "/ready") if self.readiness.is_draining() => {
                message::plain(StatusCode::SERVICE_UNAVAILABLE, "draining")
            }
            (&Method::GET | &Method::HEAD, "/ready") => message::plain(StatusCode::OK, "ready"),
            (&Method::GET | &Method::HEAD, _) => message::plain(StatusCode::OK, "alive"),
            _ => message::allow(StatusCode::METHOD_NOT_ALLOWED, &[Method::GET, Method::HEAD]),
        }
    }
}

impl Handler for Admin {
    async fn handle(self: Arc<Self>, request: Request<Body>, _: Arc<Connection>) -> Response<Body> {
        self.answer(request.method(), request.uri().path())
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    #[test]
    fn each_path_has_its_answer() {
        let admin = Admin::default();
        let status = |method: Method, path: &str| admin.answer(&method, path).status().as_u16();
        for path in ["/metrics", "/healthz", "/ready"] {
            assert_eq!(status(Method::GET, path), 200, "{path}");
            assert_eq!(status(Method::HEAD, path), 200, "{path}");
            assert_eq!(status(Method::POST, path), 405, "{path}");
        }
        for path in ["/", "/metrics/", "/readyz"] {
            assert_eq!(status(Method::GET, path), 404, "{path}");
        }
        admin.readiness.drain();
        assert_eq!(status(Method::GET, "/ready"), 503);
        assert_eq!(status(Method::GET, "/healthz"), 200, "who finishes what it has must not be restarted");
    }

    #[test]
    fn metrics_are_of_prometheus_media_type() {
        let answer = Admin::default().answer(&Method::GET, "/metrics");
        assert_eq!(answer.headers()[CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
        assert!(answer.body().size_hint().exact().is_some_and(|bytes| bytes > 0));
    }
}

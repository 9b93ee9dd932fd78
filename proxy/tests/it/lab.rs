//! A machine to test on: the live host, and scripted backends that count
//! their connections.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplab_proxy::body::Body;
use hoplab_proxy::exchange::Exchange;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use hoplab_proxy::server::{self, Connection, Drained, Handler};
use hoplab_proxy::tasks::{Spawner, Tasks};
use hoplab_proxy::telemetry::{Fault, Observer, Report, TraceId};
use hoplab_proxy::upstream::{Config, Policies, Settings, Upstream};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

/// The machine. Dropping it ends everything on it.
pub(crate) struct Lab {
    pub(crate) host: Live,
    tasks: Tasks,
    panicked: Arc<AtomicBool>,
}

impl Drop for Lab {
    fn drop(&mut self) {
        assert!(!self.panicked.load(Ordering::Relaxed) || std::thread::panicking(), "a task panicked");
    }
}

/// Takes no note of anything but of what must not be.
struct Strict(Arc<AtomicBool>);

impl Observer for Strict {
    fn observe(&self, report: Report) {
        // A task is unwinding: another panic would end the process, and the first is printed already.
        if matches!(report, Report::Panicked) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// A server that runs.
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    /// Different connections that requests came over.
    pub(crate) connections: Arc<Mutex<Vec<std::net::SocketAddr>>>,
    stop: Option<oneshot::Sender<()>>,
    drained: oneshot::Receiver<Drained>,
}

impl Backend {
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// Tells it to stop; the end says how.
    pub(crate) async fn drain(&mut self) -> Drained {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.drained).await.unwrap()
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        let panicked = Arc::default();
        Self { host: Live::new(Strict(Arc::clone(&panicked))), tasks: Tasks::default(), panicked }
    }

    pub(crate) fn spawner(&self) -> Spawner<Live> {
        self.tasks.spawner(self.host.clone())
    }

    pub(crate) fn exchange(&self) -> Exchange {
        Exchange::start(TraceId(1), None, self.host.now())
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.host.now().micros() / 1_000
    }

    /// Lets time pass, for what counts it.
    pub(crate) async fn wait_ms(&self, ms: u64) {
        self.host.sleep_until(self.host.now() + Duration::from_millis(ms)).await;
    }

    /// A server that answers as `script` says.
    pub(crate) async fn backend<F>(
        &self,
        script: impl Fn(Request<Body>) -> F + Send + Sync + 'static,
    ) -> Backend
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = self.host.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let connections = Arc::default();
        let handler = Arc::new(Script { script, connections: Arc::clone(&connections) });
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, drained) = oneshot::channel();
        let (host, spawner) = (self.host.clone(), self.spawner());
        self.spawner().spawn(async move {
            let shutdown = async move {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let settings = server::Settings::default();
            let _ = tell.send(server::serve(host, spawner, listener, handler, settings, shutdown).await);
        });
        Backend { endpoint, connections, stop: Some(stop), drained }
    }

    /// A server that reads something from each connection, answers `bytes` and closes it without a word.
    pub(crate) async fn curt_backend(&self, bytes: &'static [u8]) -> (Endpoint, Arc<AtomicUsize>) {
        let mut listener = self.host.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        self.spawner().spawn(async move {
            while let Ok(accepted) = listener.accept().await {
                let mut stream = accepted.stream;
                if stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                    count.fetch_add(1, Ordering::Relaxed);
                    let _ = stream.write_all(bytes).await;
                }
            }
        });
        (endpoint, requests)
    }

    /// An upstream with one endpoint, under the policies in `text`.
    pub(crate) fn upstream(&self, endpoint: &Endpoint, text: &str) -> Arc<Upstream<Live>> {
        let config = Config { settings: settings(text), ..Config::new("it", vec![endpoint.clone()]) };
        Upstream::new(self.host.clone(), &self.spawner(), config, 1)
    }

    /// Sends a request and reads its whole answer.
    pub(crate) async fn get(&self, upstream: &Arc<Upstream<Live>>) -> Result<u16, Fault> {
        let answer = upstream.send(&mut self.exchange(), request(Method::GET, Body::empty())).await?;
        let status = answer.status().as_u16();
        answer.into_body().collect().await?;
        Ok(status)
    }
}

pub(crate) fn request(method: Method, body: Body) -> Request<Body> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    request
}

struct Script<S> {
    script: S,
    connections: Arc<Mutex<Vec<std::net::SocketAddr>>>,
}

impl<S> Script<S> {
    fn note(&self, connection: &Connection) {
        let mut connections = self.connections.lock().unwrap();
        if !connections.contains(&connection.peer) {
            connections.push(connection.peer);
        }
    }
}

impl<S, F> Handler for Script<S>
where
    S: Fn(Request<Body>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    async fn handle(self: Arc<Self>, request: Request<Body>, connection: Arc<Connection>) -> Response<Body> {
        self.note(&connection);
        (self.script)(request).await
    }
}

/// What policies mean that are written as in a file.
pub(crate) fn settings(text: &str) -> Settings {
    hoplab_config::read::<Policies>("test.toml", text).unwrap().resolve().unwrap()
}

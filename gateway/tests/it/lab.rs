//! A machine to test on: the live host with its reports kept, scripted backends, a gateway in front
//! of them, and clients that write and read bytes as they are.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hoplab_gateway::{Control, Gateway, Plan};
use hoplab_proxy::body::Body;
use hoplab_proxy::exchange::Exchange;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use hoplab_proxy::server::{self, Connection, Drained, Handler};
use hoplab_proxy::tasks::{Spawner, Tasks};
use hoplab_proxy::telemetry::{Interest, Observer, Report, Span, TraceId};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;

/// How long to wait for what comes at once unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The machine. Dropping it ends everything on it.
pub(crate) struct Lab {
    pub(crate) host: Live,
    tasks: Tasks,
    reports: Arc<Mutex<Vec<Report>>>,
    /// Ports that are taken, and listened on by nobody.
    taken: Mutex<Vec<TcpSocket>>,
}

struct Kept(Arc<Mutex<Vec<Report>>>);

impl Observer for Kept {
    fn observe(&self, report: Report) {
        self.0.lock().unwrap().push(report);
    }

    fn wants(&self, interest: Interest) -> bool {
        interest == Interest::Facts
    }
}

impl Lab {
    pub(crate) fn new() -> Self {
        let reports = Arc::default();
        let host = Live::new(Kept(Arc::clone(&reports)));
        Self { host, tasks: Tasks::default(), reports, taken: Mutex::default() }
    }

    pub(crate) fn spawner(&self) -> Spawner<Live> {
        self.tasks.spawner(self.host.clone())
    }

    /// Every report so far.
    pub(crate) fn reports(&self) -> Vec<Report> {
        self.reports.lock().unwrap().clone()
    }

    /// The reports since this was last asked, for tests that would collect too many.
    pub(crate) fn take_reports(&self) -> Vec<Report> {
        std::mem::take(&mut *self.reports.lock().unwrap())
    }

    /// What comes of `future`; `None` when it has to be waited for longer than for anything that is not broken.
    pub(crate) async fn patiently<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.within(PATIENCE, future).await
    }

    /// What comes of `future` in that time.
    pub(crate) async fn within<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = self.host.sleep_until(self.host.now() + time) => None,
        }
    }

    /// The spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let span = |report| if let Report::Span(span) = report { Some(span) } else { None };
        self.reports().into_iter().filter_map(span).collect()
    }

    /// Waits until so many requests have ended.
    pub(crate) async fn has_spans(&self, count: usize) {
        while self.spans().len() < count {
            self.wait_ms(5).await;
        }
    }

    /// An exchange of a client.
    pub(crate) fn exchange(&self) -> Exchange {
        Exchange::start(TraceId(1), None, self.host.now())
    }

    /// Lets time pass, for policies that count it.
    pub(crate) async fn wait_ms(&self, ms: u64) {
        self.host.sleep_until(self.host.now() + Duration::from_millis(ms)).await;
    }

    /// A server that answers each connection with `bytes` once it has read something, and closes it.
    pub(crate) async fn raw_backend(&self, bytes: &'static [u8]) -> Endpoint {
        let (mut listener, endpoint) = self.bind().await;
        self.spawner().spawn(async move {
            while let Ok(accepted) = listener.accept().await {
                let mut stream = accepted.stream;
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(bytes).await;
            }
        });
        endpoint
    }

    /// A port of this machine.
    pub(crate) async fn bind(&self) -> (impl Listener<Stream = <Live as Host>::Stream>, Endpoint) {
        let listener = self.host.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        (listener, endpoint)
    }

    /// A port of this machine on which nobody listens, as long as the lab is there: one that was merely given back may be
    /// the next one of another test.
    pub(crate) fn nobody(&self) -> Endpoint {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let endpoint = Endpoint::from(socket.local_addr().unwrap());
        self.taken.lock().unwrap().push(socket);
        endpoint
    }

    /// A server that answers as `script` says.
    pub(crate) async fn backend<F>(
        &self,
        script: impl Fn(Request<Body>) -> F + Send + Sync + 'static,
    ) -> Endpoint
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = self.host.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let (host, spawner) = (self.host.clone(), self.spawner());
        let settings = server::Settings::default();
        let serving = server::serve(
            host,
            spawner,
            listener,
            Arc::new(Script(script)),
            settings,
            std::future::pending(),
        );
        self.spawner().spawn(async move {
            serving.await;
        });
        endpoint
    }

    /// A gateway with the configuration in `text`, whose port is chosen by the machine.
    pub(crate) async fn gateway(&self, text: &str) -> Running {
        self.gateway_of(Plan::read(&format!("listen = \"127.0.0.1:0\"\n{text}")).unwrap()).await
    }

    /// A gateway that does what `plan` says.
    pub(crate) async fn gateway_of(&self, plan: Plan) -> Running {
        let gateway = Gateway::bind(self.host.clone(), plan, 1).await.unwrap();
        let (address, control) = (gateway.local_addr().unwrap(), gateway.control());
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, drained) = oneshot::channel();
        self.spawner().spawn(async move {
            let shutdown = async move { drop(stopped.await) };
            let _ = tell.send(gateway.run(shutdown).await);
        });
        Running { address, control, host: self.host.clone(), stop, drained }
    }
}

/// A gateway that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) control: Control<Live>,
    host: Live,
    stop: oneshot::Sender<()>,
    drained: oneshot::Receiver<Drained>,
}

impl Running {
    /// Sends `request` as it is and reads until the gateway closes.
    pub(crate) async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let request = request.as_ref();
        let mut stream = self.connect().await;
        // The gateway may close before it has read everything.
        let _ = stream.write_all(request).await;
        self.read_all(stream, request).await
    }

    /// As [`Running::exchange`], but says at once that nothing more will come.
    pub(crate) async fn exchange_half(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        let _ = stream.write_all(request).await;
        let _ = stream.shutdown().await;
        self.read_all(stream, request).await
    }

    pub(crate) async fn read_all(&self, mut stream: <Live as Host>::Stream, request: &[u8]) -> String {
        let mut answer = Vec::new();
        tokio::select! {
            biased;
            _ = stream.read_to_end(&mut answer) => String::from_utf8_lossy(&answer).into_owned(),
            () = self.host.sleep_until(self.host.now() + PATIENCE) => {
                panic!("the gateway neither ends nor closes: {:?}", String::from_utf8_lossy(request))
            }
        }
    }

    pub(crate) async fn connect(&self) -> <Live as Host>::Stream {
        self.host.connect(&Endpoint::from(self.address)).await.unwrap()
    }

    /// Tells the gateway to stop.
    pub(crate) fn stop(self) -> oneshot::Receiver<Drained> {
        self.stop.send(()).unwrap();
        self.drained
    }
}

/// Reads one answer whose head says how long its content is.
pub(crate) async fn read_answer(stream: &mut <Live as Host>::Stream) -> String {
    let mut answer = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        answer.push(byte[0]);
        if answer.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(answer).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut content = vec![0; length.unwrap().parse().unwrap()];
    stream.read_exact(&mut content).await.unwrap();
    head + std::str::from_utf8(&content).unwrap()
}

struct Script<S>(S);

impl<S, F> Handler for Script<S>
where
    S: Fn(Request<Body>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    async fn handle(self: Arc<Self>, request: Request<Body>, _: Arc<Connection>) -> Response<Body> {
        (self.0)(request).await
    }
}

/// An answer that tells what the backend saw: the request line, sorted fields, content and trailers.
pub(crate) async fn mirror(request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut text = format!("{} {} {:?}\n", head.method, head.uri, head.version);
    let mut fields: Vec<_> =
        head.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
    fields.sort();
    text.extend(fields);
    match body.collect().await {
        Err(fault) => text.extend([format!("broken: {fault}\n")]),
        Ok(content) => {
            let trailers = content.trailers().cloned();
            text.push_str(&String::from_utf8_lossy(&content.to_bytes()));
            for (name, value) in trailers.iter().flatten() {
                text.extend([format!("\ntrailer {name}: {}", value.to_str().unwrap())]);
            }
        }
    }
    Response::new(Body::from(Bytes::from(text)))
}

//! Endpoints that come and go while a gateway is under load: no request is lost, and who stays keeps its connections.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoplab_gateway::Plan;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use hoplab_proxy::server::{self, Connection, Handler};
use hoplab_proxy::telemetry::{Decision, Report};
use hoplab_proxy::upstream::Source;
use http::{Request, Response};
use tokio::io::AsyncWriteExt;

use crate::lab::{Lab, Running, read_answer};

const CLIENTS: usize = 8;

/// A backend that knows which connections requests came over, and takes a moment for each.
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    connections: Arc<Mutex<BTreeSet<SocketAddr>>>,
}

struct Counting<H> {
    host: H,
    connections: Arc<Mutex<BTreeSet<SocketAddr>>>,
}

impl<H: Host> Handler for Counting<H> {
    async fn handle(self: Arc<Self>, _: Request<Body>, connection: Arc<Connection>) -> Response<Body> {
        self.connections.lock().unwrap().insert(connection.peer);
        self.host.sleep_until(self.host.now() + Duration::from_millis(1)).await;
        Response::new(Body::from(bytes::Bytes::from("well")))
    }
}

impl Backend {
    pub(crate) async fn start(lab: &Lab) -> Self {
        let listener = lab.host.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let connections = Arc::default();
        let handler = Arc::new(Counting { host: lab.host.clone(), connections: Arc::clone(&connections) });
        let (host, spawner) = (lab.host.clone(), lab.spawner());
        lab.spawner().spawn(async move {
            let settings = server::Settings::default();
            server::serve(host, spawner, listener, handler, settings, std::future::pending()).await;
        });
        Self { endpoint, connections }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }
}

/// The file that lists the endpoints, replaced as a whole each time.
pub(crate) struct List(pub(crate) PathBuf);

impl List {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let list = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        list.write(text);
        list
    }

    pub(crate) fn write(&self, text: &str) {
        let new = self.0.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.0).unwrap();
    }

    fn name(&self, backends: &[&Backend]) {
        let lines: Vec<String> = backends.iter().map(|backend| backend.endpoint.to_string()).collect();
        self.write(&(lines.join("\n") + "\n"));
    }
}

async fn gateway(lab: &Lab, policies: &str, list: &List) -> Running {
    let text =
        format!("listen = \"127.0.0.1:0\"\n[upstreams.svc]\nendpoints = [\"127.0.0.1:9\"]\n{policies}");
    let mut plan = Plan::read(&text).unwrap();
    plan.upstreams[0].source = Source::File { path: list.0.clone(), every: Duration::from_millis(5) };
    let gateway = lab.gateway_of(plan).await;
    lab.patiently(has_changed(lab, (1, 1))).await.expect("the list is taken up");
    gateway
}

/// Completes when so many have joined and left.
pub(crate) async fn has_changed(lab: &Lab, times: (usize, usize)) {
    while changes(lab) != times {
        lab.wait_ms(2).await;
    }
}

/// The endpoints that joined and those that left, so far.
fn changes(lab: &Lab) -> (usize, usize) {
    let reports = lab.reports();
    let count = |decision: Decision| {
        let is = |report: &&Report| matches!(report, Report::Policy(event) if event.decision == decision);
        reports.iter().filter(is).count()
    };
    (count(Decision::Joined), count(Decision::Left))
}

/// Asks over one connection until it is told to stop; how many were answered, all of them well.
pub(crate) async fn ask(mut stream: <Live as Host>::Stream, stop: &Cell<bool>) -> usize {
    let mut answered = 0;
    while !stop.get() {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: svc\r\n\r\n").await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answered += 1;
    }
    answered
}

async fn come_and_go(policies: &str, name: &str) {
    let lab = Lab::new();
    let mut backends = Vec::new();
    for _ in 0..4 {
        backends.push(Backend::start(&lab).await);
    }
    let [stays, b, c, d] = &backends[..] else { panic!("there are four") };
    let list = List::new(name, &format!("{}\n", stays.endpoint));
    let gateway = gateway(&lab, policies, &list).await;
    let stop = Cell::new(false);
    let clients =
        futures_util::future::join_all((0..CLIENTS).map(async |_| ask(gateway.connect().await, &stop).await));
    let churn = async {
        let (mut known, mut before) = (vec![stays.endpoint.clone()], changes(&lab));
        for round in 0..15 {
            let members = match round % 5 {
                0 => vec![stays, b],
                1 => vec![c, stays, d, b],
                2 => vec![d, stays],
                3 => vec![stays, c, d],
                _ => vec![stays],
            };
            list.name(&members);
            let now: Vec<_> = members.iter().map(|backend| backend.endpoint.clone()).collect();
            before.0 += now.iter().filter(|endpoint| !known.contains(endpoint)).count();
            before.1 += known.iter().filter(|endpoint| !now.contains(endpoint)).count();
            known = now;
            let taken_up = lab.patiently(has_changed(&lab, before)).await;
            taken_up.unwrap_or_else(|| panic!("round {round}: {:?}", changes(&lab)));
            // As long as there are a few requests to everybody.
            lab.wait_ms(20).await;
        }
        stop.set(true);
    };
    let (answered, ()) = tokio::join!(clients, churn);
    let answered: usize = answered.iter().sum();
    assert!(answered > 200, "{answered}");
    assert!(stays.connections() <= CLIENTS, "{} connections to the one who stayed", stays.connections());
    assert!([b, c, d].iter().all(|backend| backend.connections() > 0));
}

#[tokio::test]
async fn no_request_is_lost_when_endpoints_come_and_go() {
    come_and_go("", "come-and-go.endpoints").await;
}

#[tokio::test]
async fn nor_is_any_over_http2_under_policies_that_count() {
    let policies = "protocol = \"http2\"\nbalance = \"peak-ewma\"\n\
                    outlier = {}\nbreaker = { failures = 5 }\nhealth = { tcp = true, interval = \"50ms\", timeout = \"50ms\" }";
    come_and_go(policies, "come-and-go-http2.endpoints").await;
}

#[tokio::test]
async fn a_list_that_is_wrong_leaves_all_as_it_was_and_is_told() {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let list = List::new("wrong.endpoints", &format!("{} # the one\n", backend.endpoint));
    let gateway = gateway(&lab, "", &list).await;
    let stop = Cell::new(false);
    let churn = async {
        list.write("payment\n");
        let facts = || {
            let fact = |report| if let Report::Source(trouble) = report { Some(trouble.fact) } else { None };
            lab.reports().into_iter().filter_map(fact).collect::<Vec<_>>()
        };
        while facts().is_empty() {
            lab.wait_ms(2).await;
        }
        lab.wait_ms(30).await;
        let told = facts();
        assert!(told.len() == 1 && told[0].ends_with("line 1: `payment` is not host:port"), "{told:?}");
        stop.set(true);
    };
    let (answered, _) = tokio::join!(ask(gateway.connect().await, &stop), lab.patiently(churn));
    assert!(stop.get() && answered > 0);
}

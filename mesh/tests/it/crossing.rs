//! Requests that cross two sidecars: what arrives, what comes back, and what is reported.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hoplab_proxy::body::Body;
use hoplab_proxy::server::{Connection, Handler, Security};
use hoplab_proxy::telemetry::{Fault, Outcome, Role, Span};
use hoplab_proxy::tls::ServerTls;
use hoplab_proxy::upstream::{DeadlinePolicy, Protocol, Settings};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::{Barrier, mpsc};

use crate::bench::{Bench, Echo, post};

/// Content that is sent piece by piece.
fn stream() -> (mpsc::UnboundedSender<Frame<Bytes>>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|frame| (Ok::<_, Fault>(frame), receiver))
    });
    (sender, Body::boxed(StreamBody::new(frames)))
}

fn assert_tiled(span: &Span) {
    let mut last = span.start;
    for segment in &span.segments {
        assert!(segment.end > last, "{span:?}");
        last = segment.end;
    }
    assert_eq!(last, span.end, "{span:?}");
}

#[tokio::test]
async fn a_request_crosses_two_sidecars_and_everyone_learns_who_called() {
    let bench = Bench::new();
    let payment = bench.before("payment", bench.app(Echo).await).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    let fields = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("baggage", "user=7"),
        ("x-forwarded-client-cert", "URI=spiffe://hoplab/ns/default/sa/admin"),
        ("connection", "x-secret"),
        ("x-secret", "1"),
    ];
    let answer = client.send(post("payment:8080", &fields, Body::from(Bytes::from("42")))).await.unwrap();
    assert_eq!(answer.status(), 200);
    let echo = |name: &str| answer.headers().get(format!("echo-{name}")).map(|value| value.to_str().unwrap());
    assert_eq!(echo("target"), Some("POST /charge?times=2"));
    assert_eq!(echo("host"), Some("payment:8080"));
    assert_eq!(echo("baggage"), Some("user=7"));
    assert_eq!(echo("x-secret"), None);
    assert_eq!(
        echo("x-forwarded-client-cert"),
        Some("By=spiffe://hoplab/ns/default/sa/payment;URI=spiffe://hoplab/ns/default/sa/frontend")
    );
    let parent = echo("traceparent").unwrap().to_owned();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "42");

    let (outbound, inbound) = (bench.spans(Role::Outbound), bench.spans(Role::Inbound));
    let ([outbound], [inbound]) = (outbound.as_slice(), inbound.as_slice()) else { panic!("one span each") };
    for span in [outbound, inbound] {
        assert_tiled(span);
        assert_eq!(span.outcome, Outcome::Answered(200));
        assert_eq!(span.trace.to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span.attempts.len(), 1);
        assert_eq!(&*span.attempts[0].upstream, "payment");
    }
    assert_eq!(outbound.parent.unwrap().to_string(), "b7ad6b7169203331");
    assert_eq!(inbound.parent, Some(outbound.attempts[0].id));
    assert_eq!(parent, format!("00-{}-{}-01", inbound.trace, inbound.attempts[0].id));
}

#[tokio::test]
async fn what_is_said_of_the_client_passes_sidecars_as_it_is_and_cannot_be_named_away() {
    let bench = Bench::new();
    let payment = bench.before("payment", bench.app(Echo).await).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    let fields = [
        ("x-forwarded-for", "192.0.2.7, 10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example.com"),
        ("x-forwarded-port", "443"),
        ("forwarded", "for=192.0.2.7"),
        ("x-real-ip", "192.0.2.7"),
        ("x-envoy-internal", "true"),
        ("x-request-id", "1"),
        ("authorization", "me"),
        ("x-mine", "1"),
    ];
    let named = fields.map(|(name, _)| name).join(", ") + ", x-forwarded-client-cert";
    let all: Vec<_> = fields.into_iter().chain([("connection", named.as_str())]).collect();
    let answer = client.send(post("payment", &all, Body::empty())).await.unwrap();
    let echo = |name: &str| answer.headers().get(format!("echo-{name}")).map(|value| value.to_str().unwrap());
    for (name, value) in &fields[..9] {
        assert_eq!(echo(name), Some(*value), "{name}");
    }
    assert_eq!(echo("x-mine"), None);
    assert_eq!(
        echo("x-forwarded-client-cert"),
        Some("By=spiffe://hoplab/ns/default/sa/payment;URI=spiffe://hoplab/ns/default/sa/frontend")
    );
}

#[tokio::test]
async fn content_streams_both_ways_at_once() {
    let bench = Bench::new();
    let payment = bench.before("payment", bench.app(Echo).await).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    let (send, body) = stream();
    send.send(Frame::data("first".into())).unwrap();
    let mut answer = client.send(post("payment", &[], body)).await.unwrap();
    for piece in ["first", "second", "third"] {
        // Each piece comes back before the next one is sent.
        let frame = answer.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
        let next = if piece == "first" { "second" } else { "third" };
        send.send(Frame::data(next.into())).unwrap();
    }
    drop(send);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "third");
}

#[tokio::test]
async fn trailers_pass_when_http2_is_spoken_to_the_end() {
    let bench = Bench::new();
    let mut plan = bench.plan("payment");
    plan.inbound.app = bench.app(Echo).await.into();
    plan.inbound.protocol = Protocol::Http2;
    let payment = bench.pod(plan).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let mut client = bench.client2(frontend.outbound).await;

    let (send, body) = stream();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    send.send(Frame::data("question".into())).unwrap();
    send.send(Frame::trailers(trailers.clone())).unwrap();
    drop(send);
    let request = Request::post("http://payment/bank.Payment/Charge").header("te", "trailers");
    let answer = client.send_request(request.body(body).unwrap()).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.headers()["echo-te"], "trailers");
    assert_eq!(answer.headers()["echo-host"], "payment");
    let answer = answer.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers(), Some(&trailers));
    assert_eq!(answer.to_bytes(), "question");
}

/// Answers nobody until everybody is there; remembers over which connections they came.
struct Meeting {
    barrier: Barrier,
    peers: Arc<Mutex<BTreeSet<std::net::SocketAddr>>>,
}

impl Handler for Meeting {
    async fn handle(self: Arc<Self>, _: Request<Body>, connection: Arc<Connection>) -> Response<Body> {
        self.peers.lock().unwrap().insert(connection.peer);
        self.barrier.wait().await;
        Response::new(Body::empty())
    }
}

#[tokio::test]
async fn many_requests_share_one_connection_between_sidecars() {
    const REQUESTS: usize = 40;
    let bench = Bench::new();
    let peers = Arc::default();
    let meeting = Meeting { barrier: Barrier::new(REQUESTS), peers: Arc::clone(&peers) };
    let tls = ServerTls::new(&bench.host, &bench.identity("payment"));
    let payment = bench.server(Security::Strict(tls), meeting).await;
    let frontend = bench.calling(&[payment], Settings::default()).await;
    let requests = (0..REQUESTS).map(|_| async {
        let mut client = bench.client(frontend.outbound).await;
        client.send(post("payment", &[], Body::empty())).await.unwrap().status()
    });
    for status in join_all(requests).await {
        assert_eq!(status, 200);
    }
    assert_eq!(peers.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let bench = Bench::new();
    let payment = bench.before("payment", bench.app(Echo).await).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    for number in 0..50 {
        let text = format!("request {number}").repeat(number * 100);
        let body = Body::from(Bytes::from(text.clone()));
        let answer = client.send(post("payment", &[], body)).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), text);
    }
    assert_eq!(bench.spans(Role::Inbound).len(), 50);
    bench.spans(Role::Outbound).iter().for_each(assert_tiled);
}

#[tokio::test]
async fn a_service_that_the_mesh_does_not_know_is_not_found() {
    let bench = Bench::new();
    let frontend = bench.calling(&[], Settings::default()).await;
    let mut client = bench.client(frontend.outbound).await;
    let answer = client.send(post("elsewhere", &[], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 404);
    let answer = client.send(post("payment", &[], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 503, "known, but nobody is there");
    let outcomes: Vec<_> = bench.spans(Role::Outbound).iter().map(|span| span.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed(Fault::NoRoute), Outcome::Failed(Fault::NoEndpoint)]);
}

#[tokio::test]
async fn a_service_that_takes_too_long_is_given_up() {
    let bench = Bench::new();
    let peers = Arc::default();
    let app = bench.app(Meeting { barrier: Barrier::new(2), peers }).await;
    let payment = bench.before("payment", app).await;
    let policies = Settings { timeout: Some(Duration::from_millis(30)), ..Settings::default() };
    let frontend = bench.calling(&[payment.inbound], policies).await;
    let mut client = bench.client(frontend.outbound).await;
    let answer = client.send(post("payment", &[], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 504);
    let outbound = bench.spans(Role::Outbound);
    assert_eq!(outbound[0].outcome, Outcome::Failed(Fault::Timeout));
    assert_tiled(&outbound[0]);
}

#[tokio::test]
async fn both_sidecars_pass_on_what_is_left_of_a_deadline() {
    let bench = Bench::new();
    let policy = DeadlinePolicy { reserve: Some(Duration::from_millis(100)), ..DeadlinePolicy::default() };
    let policy = policy.resolve().unwrap();
    let mut plan = bench.plan("payment");
    plan.inbound.app = bench.app(Echo).await.into();
    plan.deadline = Some(policy.clone());
    let payment = bench.pod(plan).await;
    let policies = Settings { deadline: Some(policy), ..Settings::default() };
    let frontend = bench.calling(&[payment.inbound], policies).await;
    let mut client = bench.client(frontend.outbound).await;
    for (told, most_us) in [(Some("2S"), 1_900_000), (None, 14_900_000)] {
        let fields: Vec<_> = told.into_iter().map(|told| ("grpc-timeout", told)).collect();
        let answer = client.send(post("payment:8080", &fields, Body::empty())).await.unwrap();
        let echo = answer.headers()["echo-grpc-timeout"].to_str().unwrap().to_owned();
        let left: u64 = echo.strip_suffix('u').unwrap().parse().unwrap();
        assert!((most_us - 900_000..most_us).contains(&left), "{told:?}: {echo}");
        answer.into_body().collect().await.unwrap();
    }
    let answer = client.send(post("payment:8080", &[("grpc-timeout", "50m")], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), 504);
    let outbound = bench.spans(Role::Outbound);
    assert_eq!(outbound.last().unwrap().outcome, Outcome::Failed(Fault::DeadlinePassed));
    assert_eq!(bench.spans(Role::Inbound).len(), 2, "what is too late does not cross");
}

#[tokio::test]
async fn sidecars_speak_http1_with_each_other_where_they_are_told_to() {
    let bench = Bench::new();
    let payment = bench.before("payment", bench.app(Echo).await).await;
    for (protocol, via) in [(Protocol::Http1, "1.1"), (Protocol::Http2, "2")] {
        let policies = Settings { protocol: Some(protocol), ..Settings::default() };
        let frontend = bench.calling(&[payment.inbound], policies).await;
        let mut client = bench.client(frontend.outbound).await;
        let answer = client.send(post("payment:8080", &[], Body::from(Bytes::from("42")))).await.unwrap();
        let echoed: Vec<_> = answer.headers().get_all("echo-via").iter().map(HeaderValue::as_bytes).collect();
        assert_eq!(echoed.join(&b", "[..]), format!("1.1 hoplab-sidecar, {via} hoplab-sidecar").as_bytes());
        assert_eq!(
            answer.headers()["echo-x-forwarded-client-cert"],
            "By=spiffe://hoplab/ns/default/sa/payment;URI=spiffe://hoplab/ns/default/sa/frontend"
        );
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "42");
    }
}

//! What the gateway answers itself: in the caller's own words, marked where it is an overload, and told in the log.

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::telemetry::{Fault, Outcome, access_log};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

use crate::lab::Lab;

const CALL: &str = "POST /shop.Cart/Add HTTP/1.1\r\nHost: it\r\nContent-Type: application/grpc\r\nTE: trailers\r\n\
                    Connection: close, te\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0";

async fn failing(_: Request<Body>) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer
}

fn has(answer: &str, field: &str) -> bool {
    answer.to_ascii_lowercase().contains(&format!("\r\n{field}\r\n"))
}

#[tokio::test]
async fn a_call_of_grpc_that_the_gateway_fails_itself_is_told_so_as_grpc() {
    let lab = Lab::new();
    let nobody = lab.nobody();
    let cut = lab.raw_backend(b"").await;
    let down = lab.backend(failing).await;
    let slow = lab.backend(async |_| std::future::pending().await).await;
    // An upstream with its policies, calls before the one that counts, and what that is told.
    for (upstream, policies, calls, status, overload) in [
        (&nobody, "", 0, 14, false),
        (&cut, "", 0, 14, false),
        (&slow, "timeout = \"50ms\"", 0, 4, false),
        (&down, "breaker = { failures = 1 }", 1, 14, true),
        (&down, "limits = { rate = { rate = \"1/h\", burst = 1 } }", 1, 8, false),
        (&down, "limits = { admission = { min_rate = \"0 rps\", max_rejection = \"100%\" } }", 60, 14, true),
    ] {
        let (limits, policies) = if policies.starts_with("limits") { (policies, "") } else { ("", policies) };
        let gateway =
            lab.gateway(&format!("{limits}\n[upstreams.it]\nendpoints = [\"{upstream}\"]\n{policies}")).await;
        for _ in 0..calls {
            gateway.exchange(CALL).await;
        }
        let answer = gateway.exchange(CALL).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{policies}{limits}: {answer}");
        assert!(has(&answer, "content-type: application/grpc"), "{policies}{limits}: {answer}");
        assert!(has(&answer, &format!("grpc-status: {status}")), "{policies}{limits}: {answer}");
        assert_eq!(has(&answer, "x-envoy-overloaded: true"), overload, "{policies}{limits}: {answer}");
    }
}

#[tokio::test]
async fn the_access_log_says_what_was_received_and_who_answered() {
    let lab = Lab::new();
    let count = async |request: Request<Body>| {
        let content = request.into_body().collect().await;
        let length = content.map_or(0, |content| content.to_bytes().len());
        Response::new(Body::from(Bytes::from(length.to_string())))
    };
    let good = lab.backend(count).await;
    let gateway =
        lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{good}\"]\ntimeout = \"100ms\"")).await;
    gateway
        .exchange("POST / HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfour")
        .await;
    let mut stalled = gateway.connect().await;
    let head = b"POST / HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: 100000\r\n\r\nfour";
    stalled.write_all(head).await.unwrap();
    gateway.read_all(stalled, head).await;
    let spans = lab.spans();
    let told = |place: usize| {
        let facts = spans[place].facts.as_ref().unwrap();
        (facts.status.unwrap().as_u16(), facts.bytes_received)
    };
    assert_eq!([told(0), told(1)], [(200, 4), (408, 4)]);
    let line = access_log::line(&spans[0]).unwrap();
    assert!(line.contains(&format!("\"endpoint\":\"{good}\"")), "{line}");
}

#[tokio::test]
async fn a_request_that_is_refused_while_it_is_read_leaves_a_line() {
    let lab = Lab::new();
    let nobody = lab.nobody();
    let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{nobody}\"]")).await;
    let fields = |count| format!("GET /many HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(count));
    let (many, countless) = (fields(110), fields(150));
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(66_000));
    for (request, status, target) in [
        ("GET /two HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "/two"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "*"),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "*"),
        ("nonsense\r\n\r\n", 400, "*"),
        (&many, 431, "/many"),
        (&countless, 431, "*"),
        (&long, 414, "*"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501, ""),
        // A call of gRPC is told in its own words.
        ("POST /x HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Type: application/grpc\r\n\r\n", 200, "/x"),
    ] {
        let before = lab.spans().len();
        let answer = gateway.exchange(request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        let spans = lab.spans();
        assert_eq!(spans.len(), before + 1, "{request}");
        let span = spans.last().unwrap();
        let facts = span.facts.as_ref().unwrap();
        assert_eq!(span.outcome, Outcome::Failed(Fault::Malformed));
        assert_eq!((facts.status.unwrap().as_u16(), facts.target.path()), (status, target), "{request}");
        assert!(access_log::line(span).is_some());
    }
}

#[tokio::test]
async fn a_head_that_is_not_complete_in_time_is_told_so_and_silence_is_not() {
    let lab = Lab::new();
    let nobody = lab.nobody();
    let gateway =
        lab.gateway(&format!("keep_alive = \"200ms\"\n[upstreams.it]\nendpoints = [\"{nobody}\"]")).await;
    assert_eq!(gateway.exchange("").await, "");
    assert_eq!(lab.spans().len(), 0);
    let answer = gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nX-").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let span = &lab.spans()[0];
    assert_eq!(span.outcome, Outcome::Failed(Fault::RequestTimeout));
    assert_eq!(span.facts.as_ref().unwrap().status, Some(http::StatusCode::REQUEST_TIMEOUT));
}

#[tokio::test]
async fn what_this_hop_does_not_do_is_told_to_a_call_of_grpc_in_its_words() {
    let lab = Lab::new();
    let nobody = lab.nobody();
    let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{nobody}\"]")).await;
    for (field, status, code) in [("Expect: something", 417, 12), ("Host: another", 400, 13)] {
        let ask = |kind: &str| {
            format!(
                "POST / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{field}\r\nContent-Type: {kind}\r\n\r\n"
            )
        };
        let answer = gateway.exchange(&(ask("text/plain"))).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{field}: {answer}");
        let answer = gateway.exchange(&ask("application/grpc")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{field}: {answer}");
        assert!(answer.contains(&format!("grpc-status: {code}\r\n")), "{field}: {answer}");
    }
}

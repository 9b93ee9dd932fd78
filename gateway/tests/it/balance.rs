//! Balancing over real sockets: what counts as a request on an endpoint and for how long, and who belongs where.

use std::collections::BTreeMap;

use bytes::Bytes;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::Endpoint;
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, Running};

/// More than the buffers between a backend and a client that reads nothing can hold.
const LARGE: usize = 64 * 1024 * 1024;

/// A backend that says its name; at `/large` over and over, at `/never` not at all.
async fn backend(lab: &Lab, name: &'static str) -> Endpoint {
    lab.backend(move |request: Request<Body>| async move {
        match request.uri().path() {
            "/large" => Response::new(Body::from(Bytes::from(name.repeat(LARGE)))),
            "/never" => std::future::pending().await,
            _ => Response::new(Body::from(Bytes::from_static(name.as_bytes()))),
        }
    })
    .await
}

/// How many of `count` requests with these fields each backend answered.
async fn answered(gateway: &Running, count: usize, fields: &str) -> BTreeMap<char, usize> {
    let mut seen = BTreeMap::new();
    for _ in 0..count {
        let request = format!("GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{fields}\r\n");
        let answer = gateway.exchange(request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        *seen.entry(answer.chars().last().unwrap()).or_default() += 1;
    }
    seen
}

#[tokio::test]
async fn a_request_counts_until_the_last_byte_and_no_longer() {
    let lab = Lab::new();
    let (a, b) = (backend(&lab, "a").await, backend(&lab, "b").await);
    let text = format!("[upstreams.it]\nendpoints = [\"{a}\", \"{b}\"]\nbalance = \"least-request\"");
    let gateway = lab.gateway(&text).await;
    let mut client = gateway.connect().await;
    client.write_all(b"GET /large HTTP/1.1\r\nHost: it\r\n\r\n").await.unwrap();
    let mut begun = vec![0; 1_024];
    client.read_exact(&mut begun).await.unwrap();
    let busy = char::from(*begun.last().unwrap());
    let seen = answered(&gateway, 10, "").await;
    assert!(!seen.contains_key(&busy), "{busy} is still busy: {seen:?}");
    drop(client);
    lab.wait_ms(200).await;
    let seen = answered(&gateway, 40, "").await;
    assert_eq!(seen.len(), 2, "nobody is busy any more: {seen:?}");
}

#[tokio::test]
async fn what_is_given_up_does_not_count() {
    let lab = Lab::new();
    let (a, b) = (backend(&lab, "a").await, backend(&lab, "b").await);
    let gateway = lab
        .gateway(&format!(
            "[upstreams.it]\nendpoints = [\"{a}\", \"{b}\"]\nbalance = \"least-request\"\ntimeout = \"100ms\""
        ))
        .await;
    for _ in 0..3 {
        let answer = gateway.exchange("GET /never HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    }
    let seen = answered(&gateway, 40, "").await;
    assert_eq!(seen.len(), 2, "an odd number of attempts would still weigh on one of them: {seen:?}");
}

#[tokio::test]
async fn who_is_told_apart_by_something_stays_where_it_belongs() {
    let lab = Lab::new();
    let mut endpoints = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        endpoints.push(format!("\"{}\"", backend(&lab, name).await));
    }
    let endpoints = endpoints.join(", ");
    for (kind, by, field) in [
        ("ring", "{ header = \"x-user\" }", "X-User: "),
        ("maglev", "{ cookie = \"user\" }", "Cookie: a=b; user="),
    ] {
        let balance = format!("balance = {{ kind = \"{kind}\", by = {by} }}");
        let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [{endpoints}]\n{balance}")).await;
        let mut all = BTreeMap::new();
        for user in 0..20 {
            let seen = answered(&gateway, 3, &format!("{field}{user}\r\n")).await;
            assert_eq!(seen.len(), 1, "{kind}: user {user} went to {seen:?}");
            all.extend(seen);
        }
        assert!(all.len() >= 3, "{kind}: 20 users are spread over {all:?}");
        let anonymous = answered(&gateway, 40, "").await;
        assert!(anonymous.len() >= 3, "{kind}: who has no key goes anywhere: {anonymous:?}");
    }
    let text = format!(
        "[upstreams.it]\nendpoints = [{endpoints}]\nbalance = {{ kind = \"ring\", by = \"source\" }}"
    );
    let seen = answered(&lab.gateway(&text).await, 10, "").await;
    assert_eq!(seen.len(), 1, "one source: {seen:?}");
}

#[tokio::test]
async fn weights_and_zones_stand_beside_endpoints() {
    let lab = Lab::new();
    let (a, b, c) = (backend(&lab, "a").await, backend(&lab, "b").await, backend(&lab, "c").await);
    let endpoints = format!(
        "endpoints = [{{ at = \"{a}\", zone = \"near\" }}, {{ at = \"{b}\", weight = 3, zone = \"near\" }}, \"{c}\"]"
    );
    let gateway = lab.gateway(&format!("[upstreams.it]\n{endpoints}")).await;
    assert_eq!(answered(&gateway, 20, "").await, BTreeMap::from([('a', 4), ('b', 12), ('c', 4)]));
    let text = format!("zone = \"near\"\n[upstreams.it]\n{endpoints}\nbalance = {{ zone = \"prefer\" }}");
    assert_eq!(answered(&lab.gateway(&text).await, 20, "").await, BTreeMap::from([('a', 5), ('b', 15)]));
}

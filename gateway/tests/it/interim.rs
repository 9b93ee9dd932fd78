//! Interim answers (1xx) on their way through the gateway (RFC 9110, 15.2: a proxy must forward them), over HTTP/1.1.

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::answers::peers::{Backend, Client, Reply};
use crate::lab::{Lab, Running};

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
     Content-Length: 5\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async fn answering(lab: &Lab, bytes: &str) -> (Backend, Running) {
    let backend = Backend::start(lab).await;
    backend.say(Reply { bytes: bytes.as_bytes().to_vec(), closes: false });
    let gateway = lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{}\"]", backend.endpoint)).await;
    (backend, gateway)
}

#[tokio::test]
async fn interim_answers_come_before_the_answer_without_the_fields_of_one_hop() {
    let lab = Lab::new();
    let processing = "HTTP/1.1 102 Processing\r\n\r\n";
    let (_backend, gateway) = answering(&lab, &format!("{processing}{HINTS}{HINTS}{OK}")).await;
    let mut client = Client::http1(&gateway);
    for _ in 0..3 {
        let seen = client.ask(&lab, &Method::GET, "/bad").await;
        assert_eq!((seen.status, seen.content.as_str()), (Some(200), "ok"));
        let statuses: Vec<_> = seen.interim.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [102, 103, 103]);
        for (_, fields) in &seen.interim[1..] {
            assert_eq!(fields.len(), 1, "{fields:?}");
            assert_eq!(fields["link"], "</s.css>; rel=preload");
        }
    }
    assert!(client.ask(&lab, &Method::GET, "/good").await.interim.is_empty());
}

#[tokio::test]
async fn an_interim_answer_does_not_wait_for_the_answer() {
    let lab = Lab::new();
    let (backend, gateway) = answering(&lab, HINTS).await;
    let mut client = gateway.connect().await;
    client.write_all(b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        assert!(client.read_buf(&mut seen).await.unwrap() > 0);
    }
    assert_eq!(seen, b"HTTP/1.1 103 Early Hints\r\nlink: </s.css>; rel=preload\r\n\r\n");
    backend.say(Reply { bytes: OK.as_bytes().to_vec(), closes: false });
    backend.speak();
    seen.clear();
    while !seen.ends_with(b"ok") {
        assert!(client.read_buf(&mut seen).await.unwrap() > 0);
    }
    assert!(seen.starts_with(b"HTTP/1.1 200 OK\r\n"), "{seen:?}");
}

#[tokio::test]
async fn continue_is_each_hops_own_and_switching_is_refused() {
    let lab = Lab::new();
    for (interim, status) in [("100 Continue", 200), ("101 Switching Protocols", 502)] {
        let (_backend, gateway) =
            answering(&lab, &format!("HTTP/1.1 {interim}\r\nUpgrade: x\r\n\r\n{OK}")).await;
        let seen = Client::http1(&gateway).ask(&lab, &Method::GET, "/bad").await;
        assert_eq!((seen.status, seen.interim.len()), (Some(status), 0));
    }
}

#[tokio::test]
async fn old_clients_are_sent_no_interim_answers() {
    let lab = Lab::new();
    let (_backend, gateway) = answering(&lab, &format!("{HINTS}{OK}")).await;
    let answer = gateway.exchange("GET /bad HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && !answer.contains("103"), "{answer}");
}

#[tokio::test]
async fn pipelined_requests_get_each_their_own_interim_answers() {
    let lab = Lab::new();
    let (_backend, gateway) = answering(&lab, &format!("{HINTS}{OK}")).await;
    let request = "GET /bad HTTP/1.1\r\nHost: a\r\n\r\nGET /good HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /bad HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = gateway.exchange(format!("{request}{request}{last}")).await;
    let statuses: Vec<_> = answer.split("HTTP/1.1 ").skip(1).map(|rest| &rest[..3]).collect();
    assert_eq!(statuses, ["103", "200", "200", "103", "200", "200", "103", "200"], "{answer}");
}

#[tokio::test]
async fn a_client_that_waits_to_go_on_is_told_so_and_then_what_its_upstream_says() {
    let lab = Lab::new();
    let (backend, gateway) = answering(&lab, "").await;
    let mut client = gateway.connect().await;
    let head = "POST /bad HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    let mut seen = [0; 25];
    client.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").await.unwrap();
    backend.say(Reply { bytes: format!("{HINTS}{OK}").into_bytes(), closes: false });
    backend.speak();
    let answer = gateway.read_all(client, head.as_bytes()).await;
    assert!(
        answer.starts_with(
            "HTTP/1.1 103 Early Hints\r\nlink: </s.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n"
        ),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}

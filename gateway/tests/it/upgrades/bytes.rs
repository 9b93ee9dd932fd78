//! What is asked for, answered and passed, byte by byte, over HTTP/1.1.

use std::time::Duration;

use hoplab_proxy::telemetry::{Fault, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ASKED, Backend, SWITCHED, fields, read, read_head, rest, tunnel};
use crate::lab::{Lab, read_answer};

#[tokio::test]
async fn a_websocket_is_asked_for_agreed_on_and_its_bytes_pass_as_they_are() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let mut client = gateway.connect().await;
    client.write_all(ASKED.as_bytes()).await.unwrap();
    let (mut server, asked) = backend.next().await;
    assert!(asked.starts_with("GET /chat HTTP/1.1\r\n"), "{asked}");
    assert_eq!(
        fields(&asked),
        [
            "connection: Upgrade",
            "host: a",
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            "sec-websocket-version: 13",
            "upgrade: websocket",
            "via: 1.1 hoplab-gateway",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-proto: http",
        ]
    );
    // What comes with the answer is no part of it.
    server.write_all(format!("{SWITCHED}HTTP/1.1 200 OK\r\n\r\n").as_bytes()).await.unwrap();
    let answer = read_head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
    assert_eq!(
        fields(&answer),
        [
            "connection: Upgrade",
            "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "upgrade: websocket",
            "via: 1.1 hoplab-gateway",
        ]
    );
    assert_eq!(read(&mut client, 19).await, b"HTTP/1.1 200 OK\r\n\r\n");
    let odd = b"\0\n\nPOST / HTTP/1.1\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    for _ in 0..3 {
        client.write_all(odd).await.unwrap();
        assert_eq!(read(&mut server, odd.len()).await, odd);
        server.write_all(odd).await.unwrap();
        assert_eq!(read(&mut client, odd.len()).await, odd);
    }
}

/// The request of the case `websocket`.
#[tokio::test]
async fn the_case_is_answered_as_its_upstream_does() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let asked = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut client = gateway.connect().await;
    client.write_all(asked.as_bytes()).await.unwrap();
    let (mut server, seen) = backend.next().await;
    assert!(seen.contains("\r\nupgrade: websocket\r\n"), "{seen}");
    server.write_all(b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await.unwrap();
    let answer = read_head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
}

#[tokio::test]
async fn each_way_ends_by_itself() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
    client.write_all(b"all that I say").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut server).await, b"all that I say");
    server.write_all(b"and my answer").await.unwrap();
    assert_eq!(read(&mut client, 13).await, b"and my answer");
    drop(server);
    assert_eq!(rest(&mut client).await, b"");
    lab.has_spans(1).await;
    let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
    server.write_all(b"goodbye").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, b"goodbye");
    client.write_all(b"a long farewell").await.unwrap();
    assert_eq!(read(&mut server, 15).await, b"a long farewell");
    drop(client);
    assert_eq!(rest(&mut server).await, b"");
    lab.has_spans(2).await;
    for (span, bytes) in lab.spans().iter().zip([(14, 13), (15, 7)]) {
        let facts = span.facts.as_ref().unwrap();
        assert_eq!(span.outcome, Outcome::Answered(101));
        assert_eq!(facts.status.unwrap(), 101);
        assert_eq!((facts.bytes_received, facts.bytes_sent), bytes);
    }
}

#[tokio::test]
async fn who_does_not_read_stops_who_sends() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
    let piece = vec![b'x'; 64 * 1024];
    for from_client in [true, false] {
        let (from, to) = if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
        let mut sent = 0;
        while lab.within(Duration::from_millis(300), from.write_all(&piece)).await.is_some() {
            sent += piece.len();
            assert!(sent < 64 << 20, "somebody keeps what nobody reads");
        }
        // What was written of the last piece is not known: it is read as long as something comes.
        let mut read = 0;
        let mut buffer = vec![0; 1 << 20];
        while let Some(count) = lab.within(Duration::from_millis(300), to.read(&mut buffer)).await {
            read += count.unwrap();
        }
        assert!((sent..sent + piece.len()).contains(&read), "{sent} {read}");
    }
}

#[tokio::test]
async fn what_an_upstream_said_last_is_told_though_it_takes_no_more() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
    let piece = vec![b'x'; 64 * 1024];
    while lab.within(Duration::from_millis(100), client.write_all(&piece)).await.is_some() {}
    server.write_all(b"farewell").await.unwrap();
    // A socket that is closed with something unread resets the connection.
    drop(server);
    assert_eq!(read(&mut client, 8).await, b"farewell");
    lab.has_spans(1).await;
    assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::Reset));
}

#[tokio::test]
async fn an_offer_that_is_none_is_ignored() {
    let lab = Lab::new();
    let backend = lab.backend(crate::lab::mirror).await;
    let gateway = lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{backend}\"]")).await;
    for (start, fields, content) in [
        ("GET / HTTP/1.0", "Connection: upgrade\r\nUpgrade: websocket", ""),
        ("GET / HTTP/1.1", "Connection: close\r\nUpgrade: websocket", ""),
        (
            "GET / HTTP/1.1",
            "Connection: close, upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA",
            "",
        ),
        ("GET / HTTP/1.1", "Connection: close, upgrade\r\nUpgrade: TLS/1.0, HTTP/2.0", ""),
        ("GET / HTTP/1.1", "Connection: close, upgrade\r\nUpgrade: websocket\r\nContent-Length: 4", "body"),
        ("POST / HTTP/1.1", "Connection: close, upgrade\r\nUpgrade: websocket\r\nContent-Length: 4", "body"),
        ("POST / HTTP/1.1", "Connection: close, upgrade\r\nUpgrade: websocket\r\nContent-Length: 0", ""),
        ("GET / HTTP/1.1", "Connection: close, upgrade", ""),
    ] {
        let answer = gateway.exchange(format!("{start}\r\nHost: a\r\n{fields}\r\n\r\n{content}")).await;
        assert!(answer.contains(" 200 OK\r\n") && answer.ends_with(content), "{fields}: {answer}");
        let seen = answer.split_once("\r\n\r\n").unwrap().1;
        assert!(!seen.contains("upgrade:") && !seen.contains("http2-settings:"), "{fields}: {answer}");
    }
}

#[tokio::test]
async fn who_refuses_answers_as_to_any_request_and_is_asked_again_over_the_same_connection() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let mut client = gateway.connect().await;
    client.write_all(ASKED.as_bytes()).await.unwrap();
    let (mut server, _) = backend.next().await;
    for answered in 0..3 {
        server.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!\n").await.unwrap();
        let answer = read_answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n") && answer.ends_with("no!\n"), "{answer}");
        assert!(!answer.contains("upgrade"), "{answer}");
        let next = if answered == 0 { "GET / HTTP/1.1\r\nHost: a\r\n\r\n" } else { ASKED };
        client.write_all(next.as_bytes()).await.unwrap();
        let head = read_head(&mut server).await;
        assert_eq!(head.contains("\r\nupgrade: "), answered > 0, "{head}");
    }
    server.write_all(SWITCHED.as_bytes()).await.unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 101 "));
    client.write_all(b"?").await.unwrap();
    assert_eq!(read(&mut server, 1).await, b"?");
    assert!(backend.connections.try_recv().is_err(), "one connection was enough");
}

#[tokio::test]
async fn another_protocol_than_was_asked_for_is_no_answer() {
    let lab = Lab::new();
    let ordinary = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (asked, answer) in [
        (ordinary, SWITCHED),
        (ASKED, "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: irc\r\n\r\n"),
        (ASKED, "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket, irc\r\n\r\n"),
        (ASKED, "HTTP/1.1 101 x\r\nConnection: Upgrade\r\n\r\n"),
        (ASKED, "HTTP/1.0 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        (ASKED, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nno"),
        (ASKED, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ] {
        let mut backend = Backend::start(&lab).await;
        let gateway = backend.gateway(&lab, "").await;
        let mut client = gateway.connect().await;
        client.write_all(asked.as_bytes()).await.unwrap();
        let (mut server, _) = backend.next().await;
        server.write_all(answer.as_bytes()).await.unwrap();
        let told = read_answer(&mut client).await;
        assert!(told.starts_with("HTTP/1.1 502 "), "{answer}: {told}");
        assert_eq!(lab.spans().last().unwrap().outcome, Outcome::Failed(Fault::ProtocolError), "{answer}");
        assert_eq!(rest(&mut server).await, b"", "{answer}: the connection is not used again");
    }
}

#[tokio::test]
async fn what_is_said_before_the_answer_is_no_request_and_ends_the_connection() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let mut client = gateway.connect().await;
    client.write_all(format!("{ASKED}\0\nsmuggled\n\n").as_bytes()).await.unwrap();
    let (mut server, _) = backend.next().await;
    server.write_all(SWITCHED.as_bytes()).await.unwrap();
    assert_eq!(rest(&mut server).await, b"", "none of it arrives");
    lab.has_spans(1).await;
    assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::Cancelled));
}

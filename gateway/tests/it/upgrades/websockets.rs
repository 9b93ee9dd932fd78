//! WebSockets as others speak them, through the gateway: from HTTP/1.1 and HTTP/2 to HTTP/1.1 and HTTP/2 (RFC 6455, RFC
//! 8441), and what upstreams answer that do not take them.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use hoplab_proxy::host::{Endpoint, Listener};
use hoplab_proxy::telemetry::{Fault, Outcome};
use http::{Method, Request, Response, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{ASKED, Backend, Stream, read_head};
use crate::lab::{Lab, Running, read_answer};

const MESSAGES: usize = 10_000;
const LARGE_BYTES: usize = 1 << 20;

#[tokio::test]
async fn messages_pass_in_all_four_combinations() {
    let lab = Lab::new();
    for (protocol, upstream) in [("http1", echo_http1(&lab).await), ("http2", echo_http2(&lab).await)] {
        let gateway = to(&lab, &upstream, protocol).await;
        let (socket, answer) =
            tokio_tungstenite::client_async("ws://a/chat", gateway.connect().await).await.unwrap();
        assert_eq!(answer.status(), 101);
        converse(socket).await;
        lab.has_spans(1).await;
        let stream = connect(&lab, &gateway, "websocket").await.unwrap();
        converse(WebSocketStream::from_raw_socket(stream, Role::Client, None).await).await;
        lab.has_spans(2).await;
        let told: Vec<_> = lab
            .spans()
            .iter()
            .map(|span| (span.outcome, span.facts.as_ref().unwrap().status.unwrap().as_u16()))
            .collect();
        assert_eq!(told, [(Outcome::Answered(101), 101), (Outcome::Answered(101), 200)], "{protocol}");
        for span in lab.take_reports() {
            let hoplab_proxy::telemetry::Report::Span(span) = span else { continue };
            let facts = span.facts.unwrap();
            assert!(
                facts.bytes_received > 4 * LARGE_BYTES as u64 && facts.bytes_sent > 4 * LARGE_BYTES as u64
            );
        }
    }
}

/// Sends messages, small and large, whose echoes are awaited in their order; then says goodbye.
async fn converse(socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) {
    let (mut write, mut read) = socket.split();
    let message = |number: usize| match number % 2500 {
        0 => Message::binary(vec![number as u8; LARGE_BYTES]),
        _ => Message::text(format!("message {number}")),
    };
    let say = async {
        for number in 0..MESSAGES {
            write.send(message(number)).await.unwrap();
        }
    };
    let hear = async {
        for number in 0..MESSAGES {
            assert_eq!(read.next().await.unwrap().unwrap(), message(number), "{number}");
        }
    };
    tokio::join!(say, hear);
    write.send(Message::Close(None)).await.unwrap();
    assert!(read.next().await.unwrap().unwrap().is_close());
    assert!(read.next().await.is_none());
}

/// Answers all messages with themselves.
async fn echo(socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>) {
    let (write, read) = socket.split();
    let _ = read.try_filter(|message| std::future::ready(!message.is_close())).forward(write).await;
}

async fn echo_http1(lab: &Lab) -> Endpoint {
    let (mut listener, endpoint) = lab.bind().await;
    let spawner = lab.spawner();
    lab.spawner().spawn(async move {
        while let Ok(accepted) = listener.accept().await {
            spawner.spawn(async move {
                if let Ok(socket) = tokio_tungstenite::accept_async(accepted.stream).await {
                    echo(socket).await;
                }
            });
        }
    });
    endpoint
}

/// A server of HTTP/2 that takes WebSockets.
async fn echo_http2(lab: &Lab) -> Endpoint {
    let (mut listener, endpoint) = lab.bind().await;
    let spawner = lab.spawner();
    lab.spawner().spawn(async move {
        while let Ok(accepted) = listener.accept().await {
            let mut builder = h2::server::Builder::new();
            builder.enable_connect_protocol();
            let mut connection = builder.handshake::<_, Bytes>(accepted.stream).await.unwrap();
            let spawn = spawner.clone();
            spawner.spawn(async move {
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    assert_eq!(request.method(), Method::CONNECT);
                    assert_eq!(request.extensions().get::<Protocol>().unwrap().as_str(), "websocket");
                    assert_eq!(
                        (request.uri().path(), request.uri().authority().unwrap().as_str()),
                        ("/chat", "a")
                    );
                    assert_eq!(request.headers()["sec-websocket-version"], "13");
                    assert!(!request.headers().contains_key("sec-websocket-key"));
                    let send = respond.send_response(Response::new(()), false).unwrap();
                    let stream = bytes_of(&spawn, send, request.into_body());
                    spawn.spawn(async move {
                        echo(WebSocketStream::from_raw_socket(stream, Role::Server, None).await).await;
                    });
                }
            });
        }
    });
    endpoint
}

async fn to(lab: &Lab, upstream: &Endpoint, protocol: &str) -> Running {
    lab.gateway(&format!("[upstreams.a]\nendpoints = [\"{upstream}\"]\nprotocol = \"{protocol}\"")).await
}

/// A stream of HTTP/2 as bytes.
fn bytes_of(
    spawner: &hoplab_proxy::tasks::Spawner<hoplab_proxy::host::live::Live>,
    mut send: SendStream<Bytes>,
    mut receive: RecvStream,
) -> DuplexStream {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (mut read, mut write) = tokio::io::split(far);
    spawner.spawn(async move {
        while let Some(Ok(data)) = receive.data().await {
            receive.flow_control().release_capacity(data.len()).unwrap();
            if write.write_all(&data).await.is_err() {
                return;
            }
        }
        let _ = write.shutdown().await;
    });
    spawner.spawn(async move {
        let mut piece = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = read.read(&mut piece).await {
            let mut data = Bytes::copy_from_slice(&piece[..count]);
            while !data.is_empty() {
                send.reserve_capacity(data.len());
                let Some(Ok(room)) = std::future::poll_fn(|cx| send.poll_capacity(cx)).await else { return };
                let now = data.split_to(room.min(data.len()));
                if send.send_data(now, false).is_err() {
                    return;
                }
            }
        }
        let _ = send.send_data(Bytes::new(), true);
    });
    near
}

async fn client(lab: &Lab, gateway: &Running) -> SendRequest<Bytes> {
    let (client, connection) = h2::client::handshake(gateway.connect().await).await.unwrap();
    lab.spawner().spawn(async move { drop(connection.await) });
    client
}

fn extended(protocol: &'static str) -> Request<()> {
    let mut request =
        Request::builder().method(Method::CONNECT).version(Version::HTTP_2).uri("http://a/chat");
    request = request.header("sec-websocket-version", "13");
    request.extension(Protocol::from_static(protocol)).body(()).unwrap()
}

/// Asks for a tunnel with extended CONNECT; the status and content of another answer than consent.
async fn connect(
    lab: &Lab,
    gateway: &Running,
    protocol: &'static str,
) -> Result<DuplexStream, (StatusCode, Bytes)> {
    let mut client = client(lab, gateway).await.ready().await.unwrap();
    while !client.is_extended_connect_protocol_enabled() {
        lab.wait_ms(1).await;
    }
    let (answer, send) = client.send_request(extended(protocol), false).unwrap();
    let (head, mut content) = answer.await.unwrap().into_parts();
    assert!(!head.headers.contains_key("sec-websocket-accept") && !head.headers.contains_key("upgrade"));
    if head.status == 200 {
        assert!(!head.headers.contains_key("content-length"), "{head:?}");
        return Ok(bytes_of(&lab.spawner(), send, content));
    }
    Err((head.status, content.data().await.transpose().unwrap().unwrap_or_default()))
}

/// The value of a field of a head.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn an_http1_upstream_of_an_http2_caller_must_have_seen_the_gateway_s_own_key() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let mut keys = Vec::new();
    for (answer, told) in [("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", 502), ("", 502)] {
        let (ended, mut server) = tokio::join!(connect(&lab, &gateway, "websocket"), async {
            let (mut server, asked) = backend.next().await;
            assert!(asked.starts_with("GET /chat HTTP/1.1\r\n"), "{asked}");
            assert_eq!(field(&asked, "connection"), Some("Upgrade"));
            assert_eq!(field(&asked, "upgrade"), Some("websocket"));
            assert_eq!(field(&asked, "sec-websocket-version"), Some("13"));
            assert_eq!((field(&asked, "content-length"), field(&asked, "transfer-encoding")), (None, None));
            keys.push(field(&asked, "sec-websocket-key").unwrap().to_owned());
            let head = format!("HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{answer}\r\n");
            server.write_all(head.as_bytes()).await.unwrap();
            server
        });
        assert_eq!(ended.unwrap_err().0, told, "{answer}");
        assert_eq!(server.read(&mut [0; 1]).await.unwrap_or(0), 0);
    }
    assert!(keys[0] != keys[1] && keys.iter().all(|key| key.len() == 24), "{keys:?}");
    // Other protocols know no key.
    let (ended, _server) = tokio::join!(connect(&lab, &gateway, "irc"), async {
        let (mut server, asked) = backend.next().await;
        assert_eq!((field(&asked, "upgrade"), field(&asked, "sec-websocket-key")), (Some("irc"), None));
        server.write_all(b"HTTP/1.1 101 x\r\nUpgrade: irc\r\n\r\n").await.unwrap();
        server
    });
    ended.unwrap();
}

#[tokio::test]
async fn a_refusal_is_told_to_callers_of_either_version_with_its_content() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let refused = async |server: &mut Stream| {
        server.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!").await.unwrap();
    };
    let (ended, mut server) = tokio::join!(connect(&lab, &gateway, "websocket"), async {
        let (mut server, _) = backend.next().await;
        refused(&mut server).await;
        server
    });
    assert_eq!(ended.unwrap_err(), (StatusCode::FORBIDDEN, Bytes::from("no!")));
    // The connection is used again, and over HTTP/2 nobody is told that he has what he has not.
    let (ended, ()) = tokio::join!(connect(&lab, &gateway, "websocket"), async {
        read_head(&mut server).await;
        server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes").await.unwrap();
    });
    assert_eq!(ended.unwrap_err().0, 501);
    assert_eq!(lab.spans().last().unwrap().outcome, Outcome::Failed(Fault::UpgradeUnsupported));
    let mut client = gateway.connect().await;
    client.write_all(ASKED.as_bytes()).await.unwrap();
    let mut server = match lab.within(Duration::from_millis(100), backend.next()).await {
        Some((server, _)) => server,
        None => server,
    };
    server.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes").await.unwrap();
    assert!(
        read_answer(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"),
        "over HTTP/1.1 it is what it is"
    );
}

#[tokio::test]
async fn an_http2_upstream_that_takes_no_tunnels_is_not_asked_for_one() {
    // 99 is as many streams as are opened before the peer has said how many it takes.
    for streams in [None, Some(99)] {
        takes_no_tunnels(streams).await;
    }
}

async fn takes_no_tunnels(streams: Option<u32>) {
    let lab = Lab::new();
    let (mut listener, endpoint) = lab.bind().await;
    let spawner = lab.spawner();
    lab.spawner().spawn(async move {
        while let Ok(accepted) = listener.accept().await {
            let mut builder = h2::server::Builder::new();
            if let Some(streams) = streams {
                builder.max_concurrent_streams(streams);
            }
            let mut connection = builder.handshake::<_, Bytes>(accepted.stream).await.unwrap();
            spawner.spawn(async move {
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    assert_eq!(request.method(), Method::GET);
                    respond.send_response(Response::new(()), true).unwrap();
                }
            });
        }
    });
    let gateway = to(&lab, &endpoint, "http2").await;
    for _ in 0..2 {
        let mut client = gateway.connect().await;
        client.write_all(ASKED.as_bytes()).await.unwrap();
        let answer = read_answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 501 ") && answer.contains("does not switch"), "{answer}");
        let span = lab.spans().pop().unwrap();
        assert_eq!(span.outcome, Outcome::Failed(Fault::UpgradeUnsupported));
        assert!(!span.attempts[0].is_sent);
        assert_eq!(connect(&lab, &gateway, "websocket").await.unwrap_err().0, 501);
    }
    let answer = gateway.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_websocket_without_a_key_cannot_be_told_an_http2_upstream() {
    let lab = Lab::new();
    let upstream = echo_http2(&lab).await;
    let gateway = to(&lab, &upstream, "http2").await;
    let mut client = gateway.connect().await;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await
        .unwrap();
    assert!(read_answer(&mut client).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn connect_stays_refused_and_so_is_http_in_a_tunnel() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let mut client = client(&lab, &gateway).await.ready().await.unwrap();
    let plain = Request::builder().method(Method::CONNECT).uri("a:80").body(()).unwrap();
    let (answer, _send) = client.send_request(plain, false).unwrap();
    assert_eq!(answer.await.unwrap().status(), 501);
    for protocol in ["h2c", "HTTP/1.1", "tls"] {
        assert_eq!(connect(&lab, &gateway, protocol).await.unwrap_err().0, 501, "{protocol}");
    }
    assert!(backend.connections.try_recv().is_err());
}

#[tokio::test]
async fn each_way_of_an_http2_stream_ends_by_itself_and_a_reset_ends_both() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let open = async |backend: &mut Backend| {
        tokio::join!(connect(&lab, &gateway, "irc"), async {
            let (mut server, _) = backend.next().await;
            server.write_all(b"HTTP/1.1 101 x\r\nUpgrade: irc\r\n\r\n").await.unwrap();
            server
        })
    };
    let (client, mut server) = open(&mut backend).await;
    let mut client = client.unwrap();
    server.write_all(b"all").await.unwrap();
    server.shutdown().await.unwrap();
    let mut told = Vec::new();
    client.read_to_end(&mut told).await.unwrap();
    assert_eq!(told, b"all");
    client.write_all(b"a long farewell").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(super::rest(&mut server).await, b"a long farewell");
    lab.has_spans(1).await;
    assert_eq!(lab.spans()[0].outcome, Outcome::Answered(101));
    // A client that is gone has nothing more to say, and resets what it is still told.
    let (client, mut server) = open(&mut backend).await;
    drop(client.unwrap());
    assert_eq!(super::rest(&mut server).await, b"");
    server.write_all(b"to nobody").await.unwrap();
    lab.has_spans(2).await;
    assert_eq!(lab.spans()[1].outcome, Outcome::Failed(Fault::Cancelled));
}

#[tokio::test]
async fn what_an_http2_upstream_said_last_is_told_though_it_takes_no_more() {
    let lab = Lab::new();
    let (mut listener, endpoint) = lab.bind().await;
    lab.spawner().spawn(async move {
        let mut builder = h2::server::Builder::new();
        builder.enable_connect_protocol();
        let stream = listener.accept().await.unwrap().stream;
        let mut connection = builder.handshake::<_, Bytes>(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            send.send_data(Bytes::from("farewell"), true).unwrap();
            // What the caller still says is not read: h2 resets the stream, without an error.
            drop(request);
        }
    });
    let gateway = to(&lab, &endpoint, "http2").await;
    let mut client = gateway.connect().await;
    client.write_all(ASKED.as_bytes()).await.unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 101 "));
    assert_eq!(super::rest(&mut client).await, b"farewell");
    lab.has_spans(1).await;
    assert_eq!(lab.spans()[0].outcome, Outcome::Answered(101));
}

#[tokio::test]
async fn an_http2_caller_is_told_of_a_broken_tunnel_in_the_words_of_its_protocol() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    for (protocol, reason) in [("websocket", Reason::CANCEL), ("irc", Reason::CONNECT_ERROR)] {
        let mut client = client(&lab, &gateway).await.ready().await.unwrap();
        while !client.is_extended_connect_protocol_enabled() {
            lab.wait_ms(1).await;
        }
        let (answer, mut send) = client.send_request(extended(protocol), false).unwrap();
        let (mut server, asked) = backend.next().await;
        let accept = field(&asked, "sec-websocket-key").map(|key| derive_accept_key(key.as_bytes()));
        let head = format!(
            "HTTP/1.1 101 x\r\nUpgrade: {protocol}\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            accept.unwrap_or_default()
        );
        server.write_all(head.as_bytes()).await.unwrap();
        let mut content = answer.await.unwrap().into_body();
        send.send_data(Bytes::from("two"), false).unwrap();
        assert_eq!(super::read(&mut server, 1).await, b"t");
        // A socket that is closed with something unread resets the connection.
        drop(server);
        let broken = content.data().await.unwrap().unwrap_err();
        assert_eq!((broken.is_remote(), broken.reason()), (true, Some(reason)), "{protocol}");
    }
}

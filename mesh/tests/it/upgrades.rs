//! WebSockets across two sidecars: over HTTP/1.1 from app to sidecar and from sidecar to app, over HTTP/2 and mutual TLS
//! between the two (RFC 8441), each end with the key that it knows.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt, TryStreamExt};
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Host, Listener};
use hoplab_proxy::telemetry::{Fault, Outcome, Role};
use hoplab_proxy::upstream::Settings;
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use crate::bench::{ANY_PORT, Bench, Pod};

type Stream = <Live as Host>::Stream;

const MESSAGES: usize = 10_000;

/// An app that answers the messages of each WebSocket with themselves, and what it was asked with.
async fn echo(bench: &Bench) -> (SocketAddr, Arc<Mutex<Vec<HeaderMap>>>) {
    let mut listener = bench.host.bind(ANY_PORT).await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<HeaderMap>>>::default());
    let (spawner, note) = (bench.spawner(), Arc::clone(&asked));
    bench.spawner().spawn(async move {
        while let Ok(accepted) = listener.accept().await {
            let note = Arc::clone(&note);
            spawner.spawn(async move {
                #[expect(clippy::result_large_err, reason = "tungstenite wants it so")]
                let look = |request: &Request, answer: Response| -> Result<Response, ErrorResponse> {
                    note.lock().unwrap().push(request.headers().clone());
                    Ok(answer)
                };
                let socket = tokio_tungstenite::accept_hdr_async(accepted.stream, look).await.unwrap();
                let (write, read) = socket.split();
                let _ =
                    read.try_filter(|message| std::future::ready(!message.is_close())).forward(write).await;
            });
        }
    });
    (address, asked)
}

async fn open(bench: &Bench, frontend: &Pod) -> WebSocketStream<Stream> {
    let stream = bench.host.connect(&frontend.outbound.into()).await.unwrap();
    let (socket, answer) = tokio_tungstenite::client_async("ws://payment/chat", stream).await.unwrap();
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.headers().get_all("via").iter().count(), 2);
    socket
}

async fn say(socket: &mut WebSocketStream<Stream>, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
}

async fn has_spans(bench: &Bench, role: Role, count: usize) {
    while bench.spans(role).len() < count {
        bench.host.sleep_until(bench.host.now() + std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn messages_cross_two_sidecars() {
    let bench = Bench::new();
    let (app, asked) = echo(&bench).await;
    let payment = bench.before("payment", app).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    // At the same time, so that they share a connection between the sidecars.
    let sockets = [open(&bench, &frontend).await, open(&bench, &frontend).await];
    let conversations = sockets.into_iter().map(|socket| async move {
        let (mut write, mut read) = socket.split();
        let message = |number: usize| match number % 2500 {
            0 => Message::binary(vec![number as u8; 1 << 20]),
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
        while read.next().await.is_some() {}
    });
    futures_util::future::join_all(conversations).await;
    for role in [Role::Outbound, Role::Inbound] {
        has_spans(&bench, role, 2).await;
        for span in bench.spans(role) {
            assert_eq!(span.outcome, Outcome::Answered(101), "{role:?}");
            let mut last = span.start;
            for segment in &span.segments {
                assert!(segment.end > last, "{span:?}");
                last = segment.end;
            }
            assert_eq!(last, span.end, "{span:?}");
            assert!(span.segments.len() < 20, "the time of a tunnel has one owner");
        }
    }
    for asked in &*asked.lock().unwrap() {
        assert_eq!(asked["host"], "payment");
        assert!(asked["x-forwarded-client-cert"].to_str().unwrap().ends_with("/sa/frontend"));
        assert!(asked.contains_key("sec-websocket-key") && !asked.contains_key("content-length"));
    }
}

#[tokio::test]
async fn an_app_that_refuses_is_heard_and_one_that_does_not_switch_is_told_apart() {
    let bench = Bench::new();
    let mut listener = bench.host.bind(ANY_PORT).await.unwrap();
    let payment = bench.before("payment", listener.local_addr().unwrap()).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    bench.spawner().spawn(async move {
        let mut stream = listener.accept().await.unwrap().stream;
        for answer in ["403 Forbidden", "200 OK"] {
            while stream.read_u8().await.unwrap() != b'\n' || stream.read_u16().await.unwrap() != 0x0d0a {}
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 3\r\n\r\nno!");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    for (status, content) in
        [(403, b"no!".to_vec()), (501, Fault::UpgradeUnsupported.to_string().into_bytes())]
    {
        let stream = bench.host.connect(&frontend.outbound.into()).await.unwrap();
        let mut stream = tokio::io::BufStream::new(stream);
        let ask = "GET / HTTP/1.1\r\nHost: payment\r\nConnection: close, upgrade\r\nUpgrade: irc\r\n\r\n";
        stream.write_all(ask.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(answer.windows(content.len()).any(|part| part == content), "{text}");
    }
}

#[tokio::test]
async fn an_app_that_dies_takes_its_callers_with_it_and_a_sidecar_that_stops_lets_them_finish() {
    let bench = Bench::new();
    let (app, _) = echo(&bench).await;
    let mut payment = bench.before("payment", app).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let mut socket = open(&bench, &frontend).await;
    say(&mut socket, "before").await;
    payment.stop();
    say(&mut socket, "while it stops").await;
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    drop(socket);
    payment.ended().await;

    let mut listener = bench.host.bind(ANY_PORT).await.unwrap();
    let payment = bench.before("payment", listener.local_addr().unwrap()).await;
    let frontend = bench.calling(&[payment.inbound], Settings::default()).await;
    let (mut socket, mut app) = tokio::join!(open(&bench, &frontend), async {
        let stream = listener.accept().await.unwrap().stream;
        tokio_tungstenite::accept_async(stream).await.unwrap()
    });
    socket.send(Message::text("the last word")).await.unwrap();
    assert!(app.next().await.unwrap().is_ok());
    drop(app);
    assert!(socket.next().await.is_none_or(|message| message.is_err()));
}

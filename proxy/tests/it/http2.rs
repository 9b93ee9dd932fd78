//! The accepting side of HTTP/2: peers that are silent or gone, and readers that stall.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hoplab_proxy::body::{Body, Breakable};
use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use hoplab_proxy::server::{self, Connection, Handler, Settings};
use hoplab_proxy::telemetry::Fault;
use http::{Request, Response};
use http_body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::Lab;

const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// `GET /` of `http://a` on stream 1.
const GET: &[u8] = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0";

/// Answers `/never` never, `/stalls` with what breaks off after a while, all else with `hello`.
struct Odd(Live);

impl Handler for Odd {
    async fn handle(self: Arc<Self>, request: Request<Body>, _: Arc<Connection>) -> Response<Body> {
        match request.uri().path() {
            "/never" => std::future::pending().await,
            "/stalls" => {
                let sleep = self.0.sleep_until(self.0.now() + Duration::from_millis(50));
                Response::new(Body::breakable(Stalling { sleep: Box::pin(sleep) }))
            }
            _ => Response::new(Body::from(Bytes::from("hello"))),
        }
    }
}

/// Content without an end that breaks off while nobody reads it.
struct Stalling {
    sleep: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl http_body::Body for Stalling {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))))
    }
}

impl Breakable for Stalling {
    fn poll_broken(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fault> {
        self.sleep.as_mut().poll(cx).map(|()| Fault::Timeout)
    }
}

async fn serve(lab: &Lab, settings: Settings) -> Endpoint {
    let listener = lab.host.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let endpoint = Endpoint::from(listener.local_addr().unwrap());
    let (host, spawner) = (lab.host.clone(), lab.spawner());
    let handler = Arc::new(Odd(lab.host.clone()));
    lab.spawner().spawn(async move {
        server::serve(host, spawner, listener, handler, settings, std::future::pending()).await;
    });
    endpoint
}

#[tokio::test]
async fn content_that_breaks_off_while_its_reader_stalls_resets_its_stream_alone() {
    let lab = Lab::new();
    let endpoint = serve(&lab, Settings::default()).await;
    let stream = lab.host.connect(&endpoint).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    lab.spawner().spawn(async move { drop(connection.await) });
    let request = |path: &str| Request::get(format!("http://a{path}")).body(()).unwrap();
    let (answer, _) = client.send_request(request("/stalls"), true).unwrap();
    let mut content = answer.await.unwrap().into_body();
    // The window is never opened again.
    let error = loop {
        match content.data().await {
            Some(Ok(_)) => {}
            other => break other.unwrap().unwrap_err(),
        }
    };
    assert_eq!(error.reason(), Some(h2::Reason::INTERNAL_ERROR));
    content.flow_control().release_capacity(65_535).unwrap();
    let (answer, _) = client.send_request(request("/"), true).unwrap();
    assert_eq!(answer.await.unwrap().into_body().data().await.unwrap().unwrap(), "hello");
}

#[tokio::test]
async fn silent_connections_do_not_keep_others_out() {
    let lab = Lab::new();
    let idle_timeout = Duration::from_millis(100);
    let endpoint = serve(&lab, Settings { connections_max: 8, idle_timeout, ..Settings::default() }).await;
    let mut silent = Vec::new();
    for number in 0..16 {
        let mut stream = lab.host.connect(&endpoint).await.unwrap();
        stream.write_all(&GREETING[..[0, 10, 24, 33][number % 4]]).await.unwrap();
        silent.push(stream);
    }
    let begun = lab.now_ms();
    let mut client = lab.host.connect(&endpoint).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
    assert!(lab.now_ms() - begun < 2_000);
}

#[tokio::test]
async fn a_peer_that_is_silent_while_it_waits_is_pinged() {
    let lab = Lab::new();
    let http2_keep_alive = Duration::from_millis(50);
    let endpoint = serve(&lab, Settings { http2_keep_alive, ..Settings::default() }).await;
    let mut stream = lab.host.connect(&endpoint).await.unwrap();
    let mut never = GET.to_vec();
    // The same with the path /never, as a literal.
    never.splice(..9, *b"\0\0\x0d\x01\x05\0\0\0\x01");
    never.splice(11..12, *b"\x44\x06/never");
    stream.write_all(&[GREETING, &never].concat()).await.unwrap();
    let mut read = Vec::new();
    while !read.windows(PING.len()).any(|bytes| bytes == PING) {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the connection ended");
        read.extend_from_slice(&buffer[..count]);
    }
}

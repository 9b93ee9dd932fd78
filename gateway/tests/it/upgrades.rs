//! Requests for another protocol, and the tunnels that follow: byte by byte ([`bytes`]), who holds what and for how long
//! ([`owners`]), and WebSockets of others through HTTP/1.1 and HTTP/2 in all four combinations ([`websockets`]). Here is
//! what they share.

mod bytes;
mod owners;
mod websockets;

use hoplab_proxy::host::live::Live;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::lab::{Lab, Running};

type Stream = <Live as Host>::Stream;

/// The request of RFC 6455, 1.3, and the answer to it.
const ASKED: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A backend whose connections are given to the test, each once the head of a request was read from it.
struct Backend {
    endpoint: Endpoint,
    connections: mpsc::UnboundedReceiver<(Stream, String)>,
}

impl Backend {
    async fn start(lab: &Lab) -> Self {
        let (mut listener, endpoint) = lab.bind().await;
        let (give, connections) = mpsc::unbounded_channel();
        lab.spawner().spawn(async move {
            while let Ok(accepted) = listener.accept().await {
                let mut stream = accepted.stream;
                let head = read_head(&mut stream).await;
                let _ = give.send((stream, head));
            }
        });
        Self { endpoint, connections }
    }

    async fn next(&mut self) -> (Stream, String) {
        self.connections.recv().await.unwrap()
    }

    /// A gateway in front of it, with these policies.
    async fn gateway(&self, lab: &Lab, policies: &str) -> Running {
        let endpoint = &self.endpoint;
        lab.gateway(&format!("{policies}\n[upstreams.a]\nendpoints = [\"{endpoint}\"]")).await
    }
}

/// Reads to the end of a head.
async fn read_head(stream: &mut Stream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

async fn read(stream: &mut Stream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// What comes until the other side has ended.
async fn rest(stream: &mut Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

/// A tunnel through `gateway`: its caller's end and its upstream's.
async fn tunnel(gateway: &Running, backend: &mut Backend) -> (Stream, Stream) {
    let mut client = gateway.connect().await;
    client.write_all(ASKED.as_bytes()).await.unwrap();
    let (mut server, _) = backend.next().await;
    server.write_all(SWITCHED.as_bytes()).await.unwrap();
    let answer = read_head(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
    (client, server)
}

/// The fields of a head, sorted, without those that differ each time.
fn fields(head: &str) -> Vec<&str> {
    let mut fields: Vec<_> = head.lines().skip(1).filter(|line| !line.is_empty()).collect();
    fields.retain(|field| !field.starts_with("date: ") && !field.starts_with("traceparent: "));
    fields.sort_unstable();
    fields
}

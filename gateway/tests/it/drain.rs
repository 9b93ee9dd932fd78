//! A gateway that is told to stop finishes what is in flight, takes nothing new, and then ends.

use std::sync::Arc;

use hoplab_proxy::body::Body;
use hoplab_proxy::host::{Endpoint, Host};
use hoplab_proxy::server::Drained;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};

use crate::lab::{Lab, read_answer};

#[tokio::test]
async fn no_request_in_flight_is_lost() {
    const CLIENTS: usize = 50;
    let lab = Lab::new();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let go_on = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&go_on);
    let script = move |_| {
        let (arrived, gate) = (arrived.clone(), Arc::clone(&gate));
        async move {
            arrived.send(()).unwrap();
            gate.acquire().await.unwrap().forget();
            Response::new(Body::from(bytes::Bytes::from("done")))
        }
    };
    let backend = lab.backend(script).await;
    let gateway = lab.gateway(&format!("[upstreams.slow]\nendpoints = [\"{backend}\"]")).await;
    let address = gateway.address;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = gateway.connect().await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: slow\r\n\r\n").await.unwrap();
        arrivals.recv().await.unwrap();
        clients.push(client);
    }
    let mut idle = gateway.connect().await;
    idle.write_all(b"GET /404 HTTP/1.1\r\nHost: none\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut idle).await.starts_with("HTTP/1.1 404"));

    let drained = gateway.stop();
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap(), 0, "idle connections are closed");
    assert!(lab.host.connect(&Endpoint::from(address)).await.is_err(), "nothing new is accepted");
    go_on.add_permits(CLIENTS);
    for mut client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
    }
    assert_eq!(drained.await.unwrap(), Drained::Clean);
}

#[tokio::test]
async fn draining_has_an_end() {
    let lab = Lab::new();
    let backend = lab.backend(|_| std::future::pending()).await;
    let text = format!("drain_timeout = \"20ms\"\n[upstreams.never]\nendpoints = [\"{backend}\"]");
    let gateway = lab.gateway(&text).await;
    let mut client = gateway.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: never\r\n\r\n").await.unwrap();
    // A second answer on the same thread of events shows that the first request has arrived.
    assert!(
        gateway.exchange("GET / HTTP/1.1\r\nHost: none\r\nConnection: close\r\n\r\n").await.contains("404")
    );
    assert_eq!(gateway.stop().await.unwrap(), Drained::Cut(1));
    assert_eq!(client.read(&mut [0; 16]).await.unwrap_or(0), 0);
}

//! One owner per tunnel: what it holds and for how long, who is told of its end, and what does not end it.

use std::time::Duration;

use hoplab_gateway::Plan;
use hoplab_proxy::host::{Host, Listener};
use hoplab_proxy::server::Drained;
use hoplab_proxy::telemetry::gauges::Gauge;
use hoplab_proxy::telemetry::{Fault, Outcome, Report};
use hoplab_proxy::upstream::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ASKED, Backend, SWITCHED, read, read_head, rest, tunnel};
use crate::fleet::{List, has_changed};
use crate::lab::{Lab, read_answer};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn an_upstream_that_dies_takes_the_caller_with_it() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    // No policy blames who has once consented.
    let gateway = backend.gateway(&lab, "defaults = { breaker = { failures = 1 } }").await;
    for _ in 0..3 {
        let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
        client.write_all(b"unread").await.unwrap();
        lab.wait_ms(20).await;
        // Closed with something unread, the connection is reset.
        let _ = server.read(&mut [0; 1]).await;
        drop(server);
        rest(&mut client).await;
        lab.has_spans(1).await;
        assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::Reset));
        lab.take_reports();
    }
}

#[tokio::test]
async fn a_caller_that_dies_takes_the_upstream_with_it() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
    server.write_all(b"unread").await.unwrap();
    lab.wait_ms(20).await;
    let _ = client.read(&mut [0; 1]).await;
    drop(client);
    assert_eq!(rest(&mut server).await, b"");
    lab.has_spans(1).await;
    assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::Cancelled));
}

#[tokio::test]
async fn the_request_s_time_ends_with_the_consent() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "defaults = { timeout = \"100ms\" }").await;
    let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
    lab.wait_ms(300).await;
    client.write_all(b"?").await.unwrap();
    assert_eq!(read(&mut server, 1).await, b"?");
    let mut client = gateway.connect().await;
    client.write_all(ASKED.as_bytes()).await.unwrap();
    let (_server, _) = backend.next().await;
    let told = read_answer(&mut client).await;
    assert!(told.starts_with("HTTP/1.1 504 "), "without it, it is late: {told}");
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_passes_either_way_ends() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "defaults = { idle_timeout = \"300ms\" }").await;
    let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
    for from_client in [true, false, false, true, true, false] {
        lab.wait_ms(150).await;
        let (from, to) = if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
        from.write_all(b"x").await.unwrap();
        assert_eq!(read(to, 1).await, b"x");
    }
    let since = lab.host.now();
    assert_eq!(rest(&mut client).await, b"");
    assert!(lab.host.now() - since > Duration::from_millis(250));
    assert_eq!(rest(&mut server).await, b"");
    lab.has_spans(1).await;
    assert_eq!(lab.spans()[0].outcome, Outcome::Failed(Fault::TunnelIdle));
}

#[tokio::test]
async fn a_tunnel_holds_its_place_in_the_pool_as_long_as_it_lives() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let pool = "connections = 1, pending = 1, pending_timeout = \"100ms\"";
    let gateway = backend.gateway(&lab, &format!("defaults = {{ pool = {{ {pool} }} }}")).await;
    for ended in [2, 4] {
        let (client, mut server) = tunnel(&gateway, &mut backend).await;
        assert_eq!(gauges(&lab), (1, 1));
        let answer = gateway.exchange(GET).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        drop(client);
        rest(&mut server).await;
        drop(server);
        lab.has_spans(ended).await;
        assert_eq!(gauges(&lab), (0, 0));
    }
}

#[tokio::test]
async fn a_tunnel_counts_as_a_request_in_progress() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "limits.concurrency = 1").await;
    let (client, mut server) = tunnel(&gateway, &mut backend).await;
    let answer = gateway.exchange(GET).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    drop(client);
    rest(&mut server).await;
    drop(server);
    lab.has_spans(2).await;
    tunnel(&gateway, &mut backend).await;
}

#[tokio::test]
async fn a_tunnel_outlives_its_endpoint_s_membership() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let endpoint = &backend.endpoint;
    let list = List::new("endpoints-of-tunnels", &format!("{endpoint}\n"));
    let text = format!("listen = \"127.0.0.1:0\"\n[upstreams.a]\nendpoints = [\"{endpoint}\"]");
    let mut plan = Plan::read(&text).unwrap();
    plan.upstreams[0].source = Source::File { path: list.0.clone(), every: Duration::from_millis(5) };
    let gateway = lab.gateway_of(plan).await;
    let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
    list.write("127.0.0.1:9\n");
    lab.patiently(has_changed(&lab, (1, 1))).await.expect("the list is taken up");
    for _ in 0..2 {
        client.write_all(b"?").await.unwrap();
        assert_eq!(read(&mut server, 1).await, b"?");
        server.write_all(b"!").await.unwrap();
        assert_eq!(read(&mut client, 1).await, b"!");
        lab.wait_ms(20).await;
    }
    drop(client);
    assert_eq!(rest(&mut server).await, b"");
    drop(server);
    lab.has_spans(1).await;
    assert_eq!(lab.spans()[0].outcome, Outcome::Answered(101));
}

#[tokio::test]
async fn what_failed_before_the_consent_is_tried_again() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let refusing = {
        // Nobody listens there any more.
        let (listener, endpoint) = lab.bind().await;
        assert!(listener.local_addr().is_ok());
        endpoint
    };
    let endpoint = &backend.endpoint;
    let retry = "retry = { attempts = 2, on = [\"connect-failure\", \"503\"], backoff = \"1ms..2ms\" }";
    let gateway = lab
        .gateway(&format!(
            "defaults = {{ balance = \"round-robin\", {retry} }}\n[upstreams.a]\nendpoints = [\"{refusing}\", \"{endpoint}\"]"
        ))
        .await;
    for _ in 0..2 {
        let mut client = gateway.connect().await;
        client.write_all(ASKED.as_bytes()).await.unwrap();
        let (mut server, asked) = backend.next().await;
        assert!(asked.contains("\r\nupgrade: websocket\r\n"), "{asked}");
        server.write_all(SWITCHED.as_bytes()).await.unwrap();
        assert!(read_head(&mut client).await.starts_with("HTTP/1.1 101 "));
        client.write_all(b"once").await.unwrap();
        assert_eq!(read(&mut server, 4).await, b"once");
    }
}

#[tokio::test]
async fn a_drain_lets_a_tunnel_go_on_and_cuts_it_when_its_time_is_up() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "drain_timeout = \"400ms\"").await;
    let (mut client, mut server) = tunnel(&gateway, &mut backend).await;
    // One that is agreed on while the gateway drains is a tunnel like any other.
    let mut late = gateway.connect().await;
    late.write_all(ASKED.as_bytes()).await.unwrap();
    let (mut late_server, _) = backend.next().await;
    let mut drained = gateway.stop();
    lab.wait_ms(50).await;
    late_server.write_all(SWITCHED.as_bytes()).await.unwrap();
    let answer = read_head(&mut late).await;
    assert!(
        answer.starts_with("HTTP/1.1 101 ") && answer.contains("\r\nconnection: Upgrade\r\n"),
        "{answer}"
    );
    for (client, server) in [(&mut client, &mut server), (&mut late, &mut late_server)] {
        client.write_all(b"?").await.unwrap();
        assert_eq!(read(server, 1).await, b"?");
    }
    assert!(drained.try_recv().is_err(), "it is not over");
    drop(late);
    rest(&mut late_server).await;
    drop(late_server);
    assert_eq!(drained.await.unwrap(), Drained::Cut(1));
    assert_eq!(rest(&mut client).await, b"");
    assert_eq!(rest(&mut server).await, b"");
}

#[tokio::test]
async fn a_drain_ends_with_the_last_tunnel() {
    let lab = Lab::new();
    let mut backend = Backend::start(&lab).await;
    let gateway = backend.gateway(&lab, "").await;
    let (client, mut server) = tunnel(&gateway, &mut backend).await;
    let drained = gateway.stop();
    drop(client);
    rest(&mut server).await;
    drop(server);
    assert_eq!(drained.await.unwrap(), Drained::Clean);
}

/// How many connections and requests the upstream has.
fn gauges(lab: &Lab) -> (u32, u32) {
    let gauges = lab.reports().into_iter().find_map(|report| match report {
        Report::Gauges(gauges) => gauges.upgrade(),
        _ => None,
    });
    let counts = gauges.unwrap().read().into_iter().find_map(|gauge| match gauge {
        Gauge::Endpoint(endpoint) => Some((endpoint.connections, endpoint.in_flight)),
        Gauge::Limit(_) => None,
    });
    counts.unwrap()
}

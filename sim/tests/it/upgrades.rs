//! WebSockets in a world: through the gateway and two sidecars, which are the live ones. What passes takes the time of
//! the wire, and the same each time.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt, TryStreamExt};
use hoplab_mesh::plan::Plan;
use hoplab_proxy::host::{Endpoint, Host, Listener};
use hoplab_proxy::tls::{Authority, Identity, SpiffeId};
use hoplab_proxy::upstream::Settings;
use hoplab_sim::world::{PodId, SimHost, World, run};
use tokio_tungstenite::tungstenite::Message;

use crate::worlds::{host, network, pods};

const LATENCY: Duration = Duration::from_millis(1);
const OUTBOUND: u16 = 15_001;
const INBOUND: u16 = 15_006;
const APP: u16 = 8_080;

fn any(port: u16) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], port))
}

fn plan(authority: &Authority, service: &str, host: &SimHost) -> Plan {
    let id = SpiffeId::of_service(authority.trust_domain(), service).unwrap();
    let mut plan =
        Plan::new(service, Identity::from_pem(&authority.issue(&id, service, host.wall())).unwrap());
    plan.inbound.listen = any(INBOUND);
    plan.outbound = any(OUTBOUND);
    plan.inbound.app = Endpoint::new("127.0.0.1", APP);
    plan
}

/// A gateway in pod 1, a sidecar that calls `chat` in pod 2, and one before the app in pod 3.
fn start(world: &World) {
    let hosts: Vec<_> = (0..4).map(|pod| host(world, pod)).collect();
    let authority = Authority::new(1, "hoplab".parse().unwrap(), hosts[0].wall());
    let text = "listen = \"0.0.0.0:80\"\n[upstreams.chat]\nendpoints = [\"pod-2:15001\"]";
    let gateway = hoplab_gateway::Plan::read(text).unwrap();
    let serving = hoplab_gateway::serve(hosts[1].clone(), gateway, 1, std::future::pending());
    world.spawn(PodId(1), &hosts[1], async move {
        let _ = serving.await.unwrap();
    });
    let called = vec![Endpoint::new("pod-3", INBOUND).into()];
    let mut calling = plan(&authority, "front", &hosts[2]);
    calling.service("chat", called, Settings::default()).unwrap();
    for (pod, plan, seed) in [(2, calling, 2), (3, plan(&authority, "chat", &hosts[3]), 3)] {
        let serving = hoplab_mesh::sidecar::serve(hosts[pod].clone(), plan, seed, std::future::pending());
        world.spawn(PodId(pod), &hosts[pod], async move { serving.await.unwrap() });
    }
    let (app, world) = (hosts[3].clone(), world.clone());
    world.clone().spawn(PodId(3), &app.clone(), async move {
        let mut listener = app.bind(any(APP)).await.unwrap();
        loop {
            let stream = listener.accept().await.unwrap().stream;
            world.spawn(PodId(3), &app, async move {
                let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                let (write, read) = socket.split();
                let said = read.try_filter(|message| std::future::ready(!message.is_close()));
                let _ = said.forward(write).await;
            });
        }
    });
}

/// How long each message took, there and back.
fn times(seed: u64) -> Vec<u128> {
    run(pods(network(LATENCY), seed, 4), |world| async move {
        start(&world);
        let client = host(&world, 0);
        client.sleep_until(client.now() + LATENCY).await;
        let stream = client.connect(&Endpoint::new("pod-1", 80)).await.unwrap();
        let (mut socket, answer) = tokio_tungstenite::client_async("ws://chat/room", stream).await.unwrap();
        assert_eq!(answer.status(), 101);
        let mut times = Vec::new();
        for number in 0..100 {
            let message = Message::text(format!("message {number}"));
            let sent = client.now();
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.next().await.unwrap().unwrap(), message);
            times.push((client.now() - sent).as_nanos());
        }
        socket.send(Message::binary(vec![7; 1 << 20])).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().len(), 1 << 20);
        socket.close(None).await.unwrap();
        while socket.next().await.is_some() {}
        times
    })
}

#[test]
fn messages_cross_a_gateway_and_two_sidecars_in_the_time_of_the_wire() {
    let first = times(1);
    assert_eq!(first, times(1));
    // Three wires there and three back, and nothing else in between.
    for time in first {
        assert!((6_000_000..6_100_000).contains(&time), "{time}");
    }
}

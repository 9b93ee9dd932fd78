//! A gateway whose plan is changed while it runs: no request is lost, and what is not concerned stays as it is.

use std::cell::Cell;

use hoplab_gateway::Plan;
use hoplab_proxy::body::Body;
use hoplab_proxy::host::{Endpoint, Host};
use http::Response;
use tokio::io::AsyncWriteExt;

use crate::fleet::{Backend, ask};
use crate::lab::{Lab, read_answer};

const CLIENTS: usize = 8;

fn plan(text: &str) -> Plan {
    Plan::read(&format!("listen = \"127.0.0.1:0\"\n{text}")).unwrap()
}

/// A gateway's upstream `svc` at these endpoints, called by these policies.
fn svc(endpoints: &[&Endpoint], policies: &str) -> String {
    let endpoints: Vec<_> = endpoints.iter().map(|endpoint| format!("\"{endpoint}\"")).collect();
    format!("[upstreams.svc]\nendpoints = [{}]\n{policies}\n", endpoints.join(", "))
}

#[tokio::test]
async fn no_request_is_lost_when_plans_change() {
    let lab = Lab::new();
    let mut backends = Vec::new();
    for _ in 0..3 {
        backends.push(Backend::start(&lab).await);
    }
    let [a, b, c] = &backends[..] else { panic!("there are three") };
    let [a, b, c] = [&a.endpoint, &b.endpoint, &c.endpoint];
    let gateway = lab.gateway(&svc(&[a], "")).await;
    let mut control = gateway.control.clone();
    let stop = Cell::new(false);
    let clients =
        futures_util::future::join_all((0..CLIENTS).map(async |_| ask(gateway.connect().await, &stop).await));
    let changes = async {
        for round in 0..20 {
            let text = match round % 5 {
                0 => svc(&[a, b], ""),
                1 => svc(&[b, c], "timeout = \"4s\""),
                2 => {
                    svc(&[c, a], "timeout = \"4s\"")
                        + "[[routes]]\nupstream = \"svc\"\nretry = { attempts = 2 }\n"
                }
                3 => svc(&[b], "breaker = { failures = 5 }\n") + "[limits]\nconcurrency = 100\n",
                _ => svc(&[a], ""),
            };
            control.apply(plan(&text)).await.unwrap();
            lab.wait_ms(15).await;
        }
        stop.set(true);
    };
    let (answered, ()) = tokio::join!(clients, changes);
    assert!(answered.iter().sum::<usize>() > 200, "{answered:?}");
    assert!(backends.iter().all(|backend| backend.connections() > 0));
}

#[tokio::test]
async fn who_is_called_as_before_stays_who_it_is() {
    let lab = Lab::new();
    let (stays, other) = (Backend::start(&lab).await, Backend::start(&lab).await);
    let gateway = lab.gateway(&svc(&[&stays.endpoint], "")).await;
    let ask = async || {
        let answer = gateway.exchange("GET / HTTP/1.1\r\nhost: svc\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    };
    ask().await;
    let mut control = gateway.control.clone();
    let both = svc(&[&stays.endpoint], "") + &svc(&[&other.endpoint], "").replace("svc", "another");
    control.apply(plan(&both)).await.unwrap();
    ask().await;
    assert_eq!(stays.connections(), 1, "its connection is used again");
    // Called in another way, it is another: what is known of it may not hold.
    control.apply(plan(&svc(&[&stays.endpoint], "timeout = \"3s\""))).await.unwrap();
    ask().await;
    assert_eq!(stays.connections(), 2);
}

#[tokio::test]
async fn who_counts_as_down_until_checked_is_checked_before_anybody_is_sent_there() {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let gateway = lab.gateway(&svc(&[&backend.endpoint], "")).await;
    let mut control = gateway.control.clone();
    for round in 1..=5 {
        let checked = format!(
            "timeout = \"{round}s\"\nhealth = {{ tcp = true, interval = \"1m\", initial = \"unhealthy\" }}"
        );
        control.apply(plan(&svc(&[&backend.endpoint], &checked))).await.unwrap();
        let answer = gateway.exchange("GET / HTTP/1.1\r\nhost: svc\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test]
async fn a_bucket_that_is_empty_stays_empty() {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let text = svc(&[&backend.endpoint], "") + "[limits]\nrate = { rate = \"1 /h\", burst = 1 }\n";
    let gateway = lab.gateway(&text).await;
    let ask = async || {
        let answer = gateway.exchange("GET / HTTP/1.1\r\nhost: svc\r\nconnection: close\r\n\r\n").await;
        answer[9..12].to_owned()
    };
    assert_eq!((ask().await.as_str(), ask().await.as_str()), ("200", "429"));
    let mut control = gateway.control.clone();
    control.apply(plan(&text.replace("[limits]", "timeout = \"3s\"\n[limits]"))).await.unwrap();
    assert_eq!(ask().await, "429");
    control.apply(plan(&text.replace("burst = 1", "burst = 2"))).await.unwrap();
    assert_eq!(ask().await, "200", "another limit begins anew");
}

#[tokio::test]
async fn the_limit_of_a_route_to_an_upstream_called_gateway_is_another_than_that_of_all() {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let limit = "limits = { rate = { rate = \"1 /h\", burst = 1 } }\n";
    let upstream = svc(&[&backend.endpoint], "").replace("svc", "gateway");
    let gateway = lab.gateway(&format!("{limit}{upstream}[[routes]]\nupstream = \"gateway\"\n")).await;
    let ask = async || {
        let answer = gateway.exchange("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        answer[9..12].to_owned()
    };
    assert_eq!(ask().await, "200");
    let mut control = gateway.control.clone();
    let by_route = format!("{upstream}[[routes]]\nupstream = \"gateway\"\n{limit}");
    control.apply(plan(&by_route)).await.unwrap();
    assert_eq!((ask().await.as_str(), ask().await.as_str()), ("200", "429"), "it has counted nothing yet");
}

#[tokio::test]
async fn a_port_is_left_when_the_other_is_there_and_not_otherwise() {
    let lab = Lab::new();
    let backend = Backend::start(&lab).await;
    let (_taken, occupied) = lab.bind().await;
    let gateway = lab.gateway(&svc(&[&backend.endpoint], "")).await;
    let mut control = gateway.control.clone();
    let mut open = gateway.connect().await;
    let moved = |address: &Endpoint| {
        let mut plan = plan(&svc(&[&backend.endpoint], "timeout = \"3s\""));
        plan.listen = address.to_string().parse().unwrap();
        plan
    };
    let refused = control.apply(moved(&occupied)).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);
    let (free, address) = lab.bind().await;
    drop(free);
    control.apply(moved(&address)).await.unwrap();
    let mut new = lab.host.connect(&address).await.unwrap();
    for stream in [&mut open, &mut new] {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: svc\r\n\r\n").await.unwrap();
        assert!(read_answer(stream).await.starts_with("HTTP/1.1 200 "));
    }
    let old = Endpoint::from(gateway.address);
    lab.patiently(async { while lab.host.connect(&old).await.is_ok() {} }).await.expect("it is left");
}

#[tokio::test]
async fn what_is_under_way_at_an_upstream_that_goes_is_finished() {
    let lab = Lab::new();
    let (tell, told) = tokio::sync::watch::channel(false);
    let slow = lab
        .backend(move |_| {
            let mut told = told.clone();
            async move {
                told.wait_for(|told| *told).await.unwrap();
                Response::new(Body::from(bytes::Bytes::from("late")))
            }
        })
        .await;
    let gateway = lab.gateway(&svc(&[&slow], "")).await;
    let mut stream = gateway.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: svc\r\n\r\n").await.unwrap();
    lab.wait_ms(20).await;
    let mut control = gateway.control.clone();
    control.apply(plan("[upstreams.other]\nendpoints = [\"127.0.0.1:9\"]\n")).await.unwrap();
    tell.send(true).unwrap();
    assert!(read_answer(&mut stream).await.ends_with("late"));
    stream.write_all(b"GET / HTTP/1.1\r\nhost: svc\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 404 "), "the next one meets the new plan");
}

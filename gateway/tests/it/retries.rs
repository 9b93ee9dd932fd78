//! Whom a retry meets, as `retry.endpoints` says.

use hoplab_proxy::body::Body;
use hoplab_proxy::telemetry::Span;
use http::{Response, StatusCode};

use crate::lab::Lab;

const GET: &str = "GET / HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n";

/// Where the attempts of each of four requests went, of two endpoints that say 503 to everything.
async fn met(policies: &str) -> Vec<Vec<usize>> {
    let lab = Lab::new();
    let refusing = async |_| {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        answer
    };
    let endpoints = [lab.backend(refusing).await, lab.backend(refusing).await];
    let [a, b] = &endpoints;
    let gateway = lab.gateway(&format!("[upstreams.it]\nendpoints = [\"{a}\", \"{b}\"]\n{policies}")).await;
    for _ in 0..4 {
        gateway.exchange(GET).await;
    }
    lab.has_spans(4).await;
    let which = |label: &str| endpoints.iter().position(|endpoint| endpoint.to_string() == label).unwrap();
    let of = |span: Span| {
        span.attempts.iter().filter_map(|attempt| attempt.endpoint.as_deref()).map(which).collect()
    };
    lab.spans().into_iter().map(of).collect()
}

fn retry(endpoints: &str) -> String {
    format!(
        "retry = {{ attempts = 2, on = [\"503\"], backoff = \"0ms..1ms\", endpoints = \"{endpoints}\" }}\n"
    )
}

/// By the caller's address, so that balancing always chooses the same one.
const HASHED: &str = "balance = { kind = \"ring\", by = \"source\" }\n";

#[tokio::test]
async fn others_are_met_while_there_are_some() {
    for endpoints in ["others", "any"] {
        let met = met(&retry(endpoints)).await;
        assert!(met.iter().all(|met| met[0] != met[1]), "{endpoints}: the turn passes on: {met:?}");
    }
    let met = met(&(retry("others") + HASHED)).await;
    assert!(met.iter().all(|met| met.len() == 3 && met[0] != met[1]), "{met:?}");
}

#[tokio::test]
async fn any_may_be_met_again_where_balancing_chooses_it() {
    let met = met(&(retry("any") + HASHED)).await;
    assert!(met.iter().all(|of| of.len() == 3 && of.iter().all(|one| *one == met[0][0])), "{met:?}");
}

#[tokio::test]
async fn the_same_is_met_again_while_it_may_be_asked() {
    let same = retry("same");
    let always = met(&same).await;
    let turns: Vec<_> = always.iter().map(|of| of[0]).collect();
    assert_eq!(always, turns.iter().map(|one| vec![*one; 3]).collect::<Vec<_>>());
    assert!(
        turns[0] == turns[2] && turns[1] == turns[3] && turns[0] != turns[1],
        "no turn is lost: {turns:?}"
    );

    let met = met(&format!("{same}breaker = {{ failures = 2, open_for = \"60s\", on = [\"503\"] }}\n")).await;
    let first = met[0][0];
    assert_eq!(met[0], [first, first, 1 - first], "its breaker has opened");
}

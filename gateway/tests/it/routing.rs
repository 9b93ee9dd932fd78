//! Requests reach the service that they are for, as RFC 9110 says a gateway passes them on.

use hoplab_proxy::telemetry::Outcome;

use crate::lab::{Lab, mirror};

#[tokio::test]
async fn a_request_reaches_its_service_and_its_answer_the_client() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway = lab.gateway(&format!("[upstreams.echo]\nendpoints = [\"{backend}\"]")).await;
    let answer = gateway
        .exchange(
            "GET /a?b=c HTTP/1.1\r\nHost: echo\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nX-End: 1\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("GET /a?b=c HTTP/1.1\nhost: echo\n"), "{answer}");
    assert!(answer.contains("x-end: 1\n") && !answer.contains("x-hop"), "{answer}");
    assert!(answer.contains("x-forwarded-for: 127.0.0.1\nx-forwarded-proto: http\n"), "{answer}");
    assert!(answer.contains("via: 1.1 hoplab-gateway\n"), "{answer}");
    let spans = lab.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0].outcome, Outcome::Answered(200));
    assert_eq!(spans[0].segments.last().unwrap().end, spans[0].end);
}

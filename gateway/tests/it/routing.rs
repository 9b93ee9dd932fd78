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

#[tokio::test]
async fn routes_choose_by_host_path_and_method() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway = lab
        .gateway(&format!(
            "[upstreams.shop]\nendpoints = [\"{backend}\"]\n[upstreams.cart]\nendpoints = [\"{backend}\"]\n\
             [[routes]]\nhost = \"*.example.com\"\nupstream = \"shop\"\n\
             [[routes]]\nhost = \"*.example.com\"\npath = \"/cart\"\nmethods = [\"GET\", \"POST\"]\nupstream = \"cart\""
        ))
        .await;
    for (line, host, status, upstream) in [
        ("GET /", "a.example.com", "200", Some("shop")),
        ("GET /cart/1", "a.example.com:8080", "200", Some("cart")),
        ("GET /carts", "a.example.com", "200", Some("shop")),
        ("PUT /cart", "a.example.com", "405", None),
        ("GET /", "example.com", "404", None),
    ] {
        let answer =
            gateway.exchange(format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{line} {host}");
        assert_eq!(answer.contains("allow: GET, POST"), status == "405", "{answer}");
        let attempts = lab.spans().pop().unwrap().attempts;
        assert_eq!(attempts.first().map(|attempt| &*attempt.upstream), upstream);
    }
}

#[tokio::test]
async fn a_trace_is_continued_or_begun() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway = lab.gateway(&format!("[upstreams.echo]\nendpoints = [\"{backend}\"]")).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let continued = gateway
        .exchange(format!(
            "GET / HTTP/1.1\r\nHost: echo\r\nConnection: close\r\nBaggage: a=b\r\n\
             Traceparent: 00-{trace}-b7ad6b7169203331-01\r\n\r\n"
        ))
        .await;
    let span = lab.spans().pop().unwrap();
    assert_eq!(span.trace.to_string(), trace);
    assert_eq!(span.parent.unwrap().to_string(), "b7ad6b7169203331");
    let sent = format!("traceparent: 00-{trace}-{}-01\n", span.attempts[0].id);
    assert!(continued.contains(&sent) && continued.contains("baggage: a=b\n"), "{continued}");

    gateway.exchange("GET / HTTP/1.1\r\nHost: echo\r\nConnection: close\r\n\r\n").await;
    let begun = lab.spans().pop().unwrap();
    assert_eq!(begun.parent, None);
    assert_ne!(begun.trace, span.trace);
}

#[tokio::test]
async fn tracestate_goes_with_a_valid_traceparent_alone() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let gateway = lab.gateway(&format!("[upstreams.echo]\nendpoints = [\"{backend}\"]")).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("Traceparent: 00-{trace}-b7ad6b7169203331-00\r\n");
    let long = format!("c={}", "d".repeat(2_000));
    let state = format!("Tracestate: a=1, b@v=2\r\nTracestate: {long}\r\n");
    for (fields, passes) in [
        (format!("{parent}{state}"), true),
        (format!("{parent}{state}Connection: tracestate, traceparent\r\n"), true),
        (format!("{parent}{parent}{state}"), false),
        (format!("{}{state}", parent.replace("00-", "zz-")), false),
        (state.clone(), false),
    ] {
        let answer = gateway
            .exchange(format!("GET / HTTP/1.1\r\nHost: echo\r\nConnection: close\r\n{fields}\r\n"))
            .await;
        let whole =
            answer.contains("tracestate: a=1, b@v=2\n") && answer.contains(&format!("tracestate: {long}\n"));
        assert_eq!((whole, answer.contains("tracestate")), (passes, passes), "{fields}: {answer}");
        let span = lab.spans().pop().unwrap();
        assert_eq!(span.trace.to_string() == trace, passes, "{fields}");
        assert_eq!(answer.matches("traceparent: ").count(), 1, "{answer}");
        let sent = format!("traceparent: 00-{}-{}-00\n", span.trace, span.attempts[0].id);
        assert!(answer.contains(&sent), "nobody records, so nothing is marked as recorded: {answer}");
    }
}

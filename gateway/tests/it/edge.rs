//! What comes in from outside is read in one way, and believed from those alone who are trusted: paths, and what
//! requests say of where they come from and who vouched for it.

use std::sync::{Arc, Mutex};

use hoplab_proxy::host::{Accepted, Endpoint, Listener};
use hoplab_proxy::telemetry::{Fault, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, Running, mirror};

/// What is routed to `/admin`, and how it is limited.
const ADMIN: &str = "[[routes]]\nupstream = \"pub\"\n\
    [[routes]]\npath = \"/admin\"\nupstream = \"adm\"\nlimits.rate = { rate = \"1/h\", burst = 1 }";

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n{fields}\r\n")
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("closed")
}

/// What the backend saw of the field `name`, its lines separated by `|`.
fn field(answer: &str, name: &str) -> Option<String> {
    let lines: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
    (!lines.is_empty()).then(|| lines.join("|"))
}

async fn guarded(lab: &Lab, paths: &str) -> Running {
    let backend = lab.backend(mirror).await;
    let text = format!(
        "{paths}\n[upstreams.pub]\nendpoints = [\"{backend}\"]\n[upstreams.adm]\nendpoints = [\"{backend}\"]\n{ADMIN}"
    );
    lab.gateway(&text).await
}

#[tokio::test]
async fn no_way_to_write_a_path_goes_past_its_route() {
    let lab = Lab::new();
    let gateway = guarded(&lab, "").await;
    let plain = gateway.exchange(get("/admin?a=/../%61", "")).await;
    assert!(plain.contains("GET /admin?a=/../%61 HTTP/1.1\n"), "{plain}");
    for target in [
        "//admin",
        "/./admin",
        "/x/../admin",
        "/%61dmin",
        "/x/%2e%2e/admin",
        "/x/.%2E//%2e/%61%64%6D%69%6e",
        "/../admin",
        "/admin/.",
        "/admin/x/..",
        "http://shop.example.com//admin",
    ] {
        // The burst is used up: that it is refused shows that it was not overlooked.
        let answer = gateway.exchange(get(target, "")).await;
        assert_eq!(status(&answer), "429", "{target}: {answer}");
    }
    for (target, sent) in [
        ("/a//b/./c/%7euser?x=%7e", "/a/b/c/~user?x=%7e"),
        ("/a%2fb%5cc\\d%c3%a4", "/a%2Fb%5Cc%5Cd%C3%A4"),
        ("/admin/..", "/"),
        ("/administrator", "/administrator"),
    ] {
        let answer = gateway.exchange(get(target, "")).await;
        assert!(answer.contains(&format!("GET {sent} HTTP/1.1\n")), "{target}: {answer}");
    }
    let options = get("*", "").replace("GET", "OPTIONS");
    assert_eq!(status(&gateway.exchange(options).await), "200");
}

#[tokio::test]
async fn a_malformed_path_is_refused() {
    let lab = Lab::new();
    let gateway = guarded(&lab, "").await;
    for target in ["/%zz", "/a%2", "/%00", "/x%2F..%2Fadmin", "/x/..%5cadmin", "/x\\..\\admin"] {
        let answer = gateway.exchange(get(target, "")).await;
        assert_eq!(status(&answer), "400", "{target}: {answer}");
        let span = lab.spans().pop().unwrap();
        assert_eq!((span.outcome, span.attempts.len()), (Outcome::Failed(Fault::Malformed), 0), "{target}");
    }
}

#[tokio::test]
async fn how_paths_are_read_is_chosen() {
    let lab = Lab::new();
    for (paths, target, result) in [
        ("paths = \"as-they-are\"", "//admin/../%61%zz", "GET //admin/../%61%zz HTTP/1.1\n"),
        ("paths = { slashes = \"keep\" }", "/a//../b//c", "GET /a/b//c HTTP/1.1\n"),
        ("paths = { escaped_slashes = \"refuse\" }", "/a%2Fb", "HTTP/1.1 400 "),
        ("paths = { escaped_slashes = \"refuse\" }", "/a\\b", "HTTP/1.1 400 "),
        ("paths = { escaped_slashes = \"decode\" }", "/a%2F..%5Cb\\c", "GET /b/c HTTP/1.1\n"),
    ] {
        let gateway = guarded(&lab, paths).await;
        let answer = gateway.exchange(get(target, "")).await;
        assert!(answer.contains(result), "{paths} {target}: {answer}");
    }
    let gateway = guarded(&lab, "paths = { escaped_slashes = \"decode\" }").await;
    assert_eq!(status(&gateway.exchange(get("/x%2f..%2fadmin", "")).await), "200");
    assert_eq!(status(&gateway.exchange(get("/%2Fadmin%5Cusers", "")).await), "429");
}

#[tokio::test]
async fn a_route_may_be_written_in_any_way_too() {
    let lab = Lab::new();
    let backend = lab.backend(mirror).await;
    let text = format!(
        "[upstreams.it]\nendpoints = [\"{backend}\"]\n[[routes]]\npath = \"//x/../%61dmin/\"\nupstream = \"it\""
    );
    let gateway = lab.gateway(&text).await;
    assert_eq!(status(&gateway.exchange(get("/admin/users", "")).await), "200");
    assert_eq!(status(&gateway.exchange(get("/x", "")).await), "404");
}

/// What a balancer, or who pretends to be one, says.
const CLAIMS: &str = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\
    X-Forwarded-Host: other.example.com\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /x\r\n\
    Forwarded: for=192.0.2.7;proto=https\r\nX-Real-IP: 192.0.2.7\r\nX_Forwarded_For: 192.0.2.7\r\n\
    X-Forwarded-Client-Cert: URI=spiffe://hoplab/ns/default/sa/admin\r\nX-Envoy-Internal: true\r\n\
    X-Attempt-Count: 7\r\n";

async fn trusting(lab: &Lab, trusted: &str) -> Running {
    let backend = lab.backend(mirror).await;
    lab.gateway(&format!(
        "{trusted}\n[upstreams.it]\nendpoints = [\"{backend}\"]\n[[routes]]\nupstream = \"it\""
    ))
    .await
}

/// The fields that the backend saw, in the order of this table.
fn claims(answer: &str) -> [Option<String>; 11] {
    [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "forwarded",
        "x-real-ip",
        "x_forwarded_for",
        "x-forwarded-client-cert",
        "x-envoy-internal",
        "x-attempt-count",
    ]
    .map(|name| field(answer, name))
}

#[tokio::test]
async fn what_a_stranger_claims_is_replaced() {
    let lab = Lab::new();
    for trusted in ["", "trusted = 0", "trusted = []", "trusted = [\"10.0.0.0/8\", \"::1\"]"] {
        let gateway = trusting(&lab, trusted).await;
        let answer = gateway.exchange(get("/", CLAIMS)).await;
        let known = [
            Some("127.0.0.1"),
            Some("http"),
            Some("shop.example.com"),
            Some("80"),
            None,
            Some("for=127.0.0.1;host=\"shop.example.com\";proto=http"),
            Some("127.0.0.1"),
            None,
            None,
            None,
            None,
        ];
        assert_eq!(claims(&answer), known.map(|known| known.map(str::to_owned)), "{trusted}");
        let silent = gateway.exchange(get("/", "")).await;
        let told = [Some("127.0.0.1"), Some("http")].map(|told| told.map(str::to_owned));
        assert_eq!(claims(&silent)[..2], told, "{trusted}");
        assert_eq!(claims(&silent)[2..], [const { None }; 9], "{trusted}");
    }
}

#[tokio::test]
async fn what_a_trusted_hop_says_is_passed_on() {
    let lab = Lab::new();
    for trusted in ["trusted = 1", "trusted = [\"127.0.0.0/8\"]", "trusted = [\"127.0.0.1\"]"] {
        let gateway = trusting(&lab, trusted).await;
        let answer = gateway.exchange(get("/", CLAIMS)).await;
        let passed = [
            Some("192.0.2.7, 127.0.0.1"),
            Some("https"),
            Some("other.example.com"),
            Some("443"),
            Some("/x"),
            Some("for=192.0.2.7;proto=https, for=127.0.0.1;host=\"shop.example.com\";proto=http"),
            Some("192.0.2.7"),
            None,
            Some("URI=spiffe://hoplab/ns/default/sa/admin"),
            Some("true"),
            Some("7"),
        ];
        assert_eq!(claims(&answer), passed.map(|passed| passed.map(str::to_owned)), "{trusted}");
    }
}

#[tokio::test]
async fn odd_bytes_in_a_chain_hide_no_hop() {
    let lab = Lab::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let backend = recorder(&lab, &seen).await;
    let gateway = lab
        .gateway(&format!(
            "trusted = 1\n[upstreams.it]\nendpoints = [\"{backend}\"]\n[[routes]]\nupstream = \"it\""
        ))
        .await;
    let mut request =
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6, \xe4\r\n".to_vec();
    request.extend_from_slice(b"X-Forwarded-For: 192.0.2.7\r\n\r\n");
    assert_eq!(status(&gateway.exchange(&request).await), "204");
    let seen = seen.lock().unwrap();
    let chain = b"x-forwarded-for: 6.6.6.6, \xe4, 192.0.2.7, 127.0.0.1\r\n";
    assert!(seen.windows(chain.len()).any(|window| window == chain), "{:?}", String::from_utf8_lossy(&seen));
}

/// A backend that takes note of the bytes of each head.
async fn recorder(lab: &Lab, seen: &Arc<Mutex<Vec<u8>>>) -> Endpoint {
    let (mut listener, endpoint) = lab.bind().await;
    let seen = Arc::clone(seen);
    lab.spawner().spawn(async move {
        while let Ok(Accepted { mut stream, .. }) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            seen.lock().unwrap().extend(head);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
        }
    });
    endpoint
}

#[tokio::test]
async fn limits_and_hashing_by_source_go_by_the_client() {
    let lab = Lab::new();
    let mut endpoints = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        let content = bytes::Bytes::from(name);
        let backend = lab.backend(move |_| std::future::ready(http::Response::new(content.clone().into())));
        endpoints.push(format!("\"{}\"", backend.await));
    }
    let text = format!(
        "limits.rate = {{ rate = \"1/h\", burst = 2, by = \"source\" }}\n\
         [upstreams.it]\nendpoints = [{}]\nbalance = {{ kind = \"maglev\", by = \"source\" }}\n\
         [[routes]]\nupstream = \"it\"",
        endpoints.join(", ")
    );
    let ask = async |gateway: &Running, client: u8| {
        let chain = format!("X-Forwarded-For: 6.6.6.{client}, 192.0.2.{client}\r\n");
        gateway.exchange(get("/", &chain)).await
    };
    let gateway = lab.gateway(&format!("trusted = [\"127.0.0.0/8\"]\n{text}")).await;
    let mut asked = Vec::new();
    for client in 0..20 {
        let (first, second) = (ask(&gateway, client).await, ask(&gateway, client).await);
        assert_eq!((status(&first), status(&second)), ("200", "200"), "each has a limit of its own");
        assert_eq!(first.chars().last(), second.chars().last(), "each has a place of its own");
        asked.extend(first.chars().last());
        assert_eq!(status(&ask(&gateway, client).await), "429");
    }
    asked.sort_unstable();
    asked.dedup();
    assert!(asked.len() > 2, "{asked:?}");
    let gateway = lab.gateway(&text).await;
    let statuses = [ask(&gateway, 1).await, ask(&gateway, 2).await, ask(&gateway, 3).await];
    let statuses: Vec<_> = statuses.iter().map(|answer| status(answer)).collect();
    assert_eq!(statuses, ["200", "200", "429"], "who is not trusted is one source, whatever it says");
}

#[tokio::test]
async fn limits_by_a_forwarded_field_see_what_is_known() {
    let lab = Lab::new();
    let limits = "limits.rate = { rate = \"1/h\", burst = 1, by = { header = \"x-forwarded-for\" } }";
    let gateway = trusting(&lab, limits).await;
    let mut statuses = Vec::new();
    for client in 0..2 {
        let answer = gateway.exchange(get("/", &format!("X-Forwarded-For: 192.0.2.{client}\r\n"))).await;
        statuses.push(status(&answer).to_owned());
    }
    assert_eq!(statuses, ["200", "429"]);
}

#[tokio::test]
async fn a_deadline_that_is_believed_is_no_forged_field() {
    let lab = Lab::new();
    let policy = "[defaults.deadline]\nread = [\"x-envoy-expected-rq-timeout-ms\"]";
    for (policy, told) in [(policy, true), ("", false)] {
        let gateway = trusting(&lab, policy).await;
        let answer = gateway.exchange(get("/", "X-Envoy-Expected-Rq-Timeout-Ms: 3000\r\n")).await;
        assert_eq!(field(&answer, "x-envoy-expected-rq-timeout-ms").is_some(), told, "{policy}: {answer}");
    }
}

#[tokio::test]
async fn demands_are_read_member_by_member() {
    let lab = Lab::new();
    let gateway = trusting(&lab, "").await;
    for (fields, expected) in [
        (&b"Expect: 100-continue\r\nExpect: a-miracle\r\n"[..], "417"),
        (b"Expect: 100-continue, a-miracle\r\n", "417"),
        (b"Expect: \xe4\r\n", "417"),
        (b"Upgrade: h2c, \xe4\r\n", "200"),
        (b"Upgrade: H2C, h2c\r\n", "200"),
    ] {
        let mut request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n".to_vec();
        request.extend_from_slice(fields);
        request.extend_from_slice(b"\r\n");
        let answer = gateway.exchange(&request).await;
        assert_eq!(status(&answer), expected, "{:?}: {answer}", String::from_utf8_lossy(fields));
    }
    let mut request = b"GET / HTTP/1.1\r\nHost: a\r\nX-Mine: 1\r\nX-Forwarded-For: 1.1.1.1\r\n".to_vec();
    request.extend_from_slice(b"Authorization: me\r\nConnection: close\r\nConnection: \xe4, x-mine\r\n");
    request.extend_from_slice(b"Connection: x-forwarded-for, x-forwarded-proto, authorization\r\n\r\n");
    let answer = gateway.exchange(&request).await;
    assert!(field(&answer, "x-mine").is_none(), "{answer}");
    assert_eq!(field(&answer, "x-forwarded-for").as_deref(), Some("127.0.0.1"), "{answer}");
    assert_eq!(field(&answer, "x-forwarded-proto").as_deref(), Some("http"), "{answer}");
    assert_eq!(field(&answer, "authorization").as_deref(), Some("me"), "{answer}");
}

#[tokio::test]
async fn what_one_hop_takes_the_next_one_takes_too() {
    let lab = Lab::new();
    for protocol in ["http1", "http2"] {
        let backend = lab.backend(mirror).await;
        let mut hops: Vec<Running> = Vec::new();
        for _ in 0..4 {
            let next = hops.last().map_or(backend.clone(), |hop| Endpoint::from(hop.address));
            let text = format!(
                "[upstreams.it]\nendpoints = [\"{next}\"]\nprotocol = \"{protocol}\"\n\
                 deadline = {{ read = [\"grpc-timeout\", \"x-envoy-expected-rq-timeout-ms\"] }}\n\
                 [[routes]]\nupstream = \"it\""
            );
            hops.push(lab.gateway(&text).await);
        }
        let gateway = hops.last().unwrap();
        for (fields, expected) in [(97, "200"), (100, "200"), (101, "431"), (111, "431"), (200, "431")] {
            // `Connection` is one of them.
            let mut many = String::new();
            many.extend((1..fields).map(|number| format!("X-{number}: 1\r\n")));
            let answer = gateway.exchange(get("/", &many)).await;
            assert_eq!(status(&answer), expected, "{protocol}: {fields} fields");
        }
        for (bytes, expected) in [(65_400, "200"), (65_536, "431"), (69_000, "431"), (90_000, "431")] {
            let large = format!("X-Large: {}\r\n", "a".repeat(bytes));
            let answer = gateway.exchange(get("/", &large)).await;
            assert_eq!(status(&answer), expected, "{protocol}: {bytes} bytes");
        }
    }
}

//! What live products tell: the admin port scraped over its socket, the access log and the spans read back, all of it
//! against what was really asked of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use hoplab_proxy::tls::{Authority, SpiffeId};
use serde_json::Value;

use crate::{Folder, code, hoplab, stderr};

/// A running product with an admin port; killed with its handle.
struct Product {
    process: Child,
    said: BufReader<ChildStderr>,
    /// Where it listens, in the order in which it said so.
    addresses: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Product {
    /// The product of that command, which is configured in `folder`.
    fn start(folder: &Folder, command: &str, config: &str) -> Self {
        let config = folder.write(&format!("{command}.toml"), config);
        let mut process = Command::new(env!("CARGO_BIN_EXE_hoplab"))
            .args([command, "--config"])
            .arg(config)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut lines = String::new();
        said.read_line(&mut lines).unwrap();
        said.read_line(&mut lines).unwrap();
        let mut addresses: Vec<_> = lines.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let admin = addresses.pop().unwrap_or_else(|| panic!("{lines}"));
        assert!(lines.ends_with(&format!("\nadmin listens on {admin}\n")), "{lines}");
        Self { process, said, addresses, admin }
    }

    /// Stops it and waits for its end; what it said last.
    fn stop(mut self) -> String {
        self.terminate();
        self.ended()
    }

    fn terminate(&self) {
        let id = self.process.id().to_string();
        assert!(Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().unwrap().success());
    }

    fn ended(&mut self) -> String {
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        said
    }

    /// Every sample, by its series.
    fn scrape(&self) -> BTreeMap<String, f64> {
        let (status, text) = ask(self.admin, "GET", "/metrics", "admin", "");
        assert_eq!(status, 200);
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
        samples.map(|(series, value)| (series.to_owned(), value.parse().unwrap())).collect()
    }

    fn ready(&self) -> u16 {
        ask(self.admin, "GET", "/ready", "admin", "").0
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks once, over a connection of its own; status and content.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, host: &str, fields: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, content) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), content.to_owned())
}

/// An origin that answers 200, but `/down` with 503, and `/flaky` with 503 every other time. Whatever it is sent
/// is passed on as it came.
fn origin() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heads, seen) = channel();
    std::thread::spawn(move || {
        let mut flaky = 0;
        while let Ok((mut stream, _)) = listener.accept() {
            serve_one(&mut stream, &heads, &mut flaky);
        }
    });
    (address, seen)
}

fn serve_one(stream: &mut TcpStream, heads: &Sender<String>, flaky: &mut u32) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).is_err() {
            return;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    *flaky += u32::from(path == "/flaky");
    let is_down = path == "/down" || (path == "/flaky" && *flaky % 2 == 1);
    let status = if is_down { "503 Service Unavailable" } else { "200 OK" };
    let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello");
    stream.write_all(answer.as_bytes()).unwrap();
    // The test may be over.
    let _ = heads.send(head);
}

fn config(origin: SocketAddr) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\naccess_log = \"access.jsonl\"\nspans = \"spans.jsonl\"\n\
         [upstreams.origin]\nendpoints = [\"{origin}\"]\n\
         retry = {{ attempts = 1, on = [\"503\"], backoff = \"0ms..1ms\" }}\n\
         [upstreams.nobody]\nendpoints = [\"127.0.0.1:1\"]\nbreaker = {{ failures = 1, open_for = \"1h\" }}\n"
    )
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Path, host, status, attempts and fault of all that [`asked`] asks.
const ASKED: [(&str, &str, u16, usize, Option<&str>); 9] = [
    ("/a", "origin", 200, 1, None),
    ("/b?token=secret", "origin", 200, 1, None),
    ("/flaky", "origin", 200, 2, None),
    ("/down", "origin", 503, 2, None),
    ("/", "nobody", 503, 1, Some("refused")),
    ("/", "nobody", 503, 1, Some("breaker-open")),
    ("/", "unknown", 404, 0, Some("no-route")),
    ("/sampled", "origin", 200, 1, None),
    ("/quiet", "origin", 200, 1, None),
];

/// Asks all of it, the last two as parts of a trace.
fn asked(gateway: &Product) {
    for (path, host, status, ..) in ASKED {
        let fields = match path {
            "/sampled" => format!("traceparent: 00-{TRACE}-b7ad6b7169203331-01\r\ntracestate: a=1,b=2\r\n"),
            "/quiet" => format!("traceparent: 00-{TRACE}-b7ad6b7169203331-00\r\n"),
            _ => "tracestate: of=nobody\r\n".to_owned(),
        };
        assert_eq!(ask(gateway.addresses[0], "GET", path, host, &fields).0, status, "{path} of {host}");
    }
}

#[test]
fn metrics_say_what_was_asked_and_what_came_of_it() {
    let folder = Folder::new("metrics");
    let (origin, seen) = origin();
    let gateway = Product::start(&folder, "gateway", &config(origin));
    asked(&gateway);
    let samples = gateway.scrape();
    let at = format!("role=\"gateway\",upstream=\"origin\",endpoint=\"{origin}\"");
    let nobody = "upstream=\"nobody\",endpoint=\"127.0.0.1:1\"";
    let expected = [
        ("hoplab_requests_total{role=\"gateway\",outcome=\"2xx\"}".to_owned(), 5.0),
        ("hoplab_requests_total{role=\"gateway\",outcome=\"5xx\"}".to_owned(), 1.0),
        ("hoplab_requests_total{role=\"gateway\",outcome=\"refused\"}".to_owned(), 1.0),
        ("hoplab_requests_total{role=\"gateway\",outcome=\"breaker-open\"}".to_owned(), 1.0),
        ("hoplab_requests_total{role=\"gateway\",outcome=\"no-route\"}".to_owned(), 1.0),
        ("hoplab_request_duration_seconds_count{role=\"gateway\"}".to_owned(), 9.0),
        ("hoplab_request_duration_seconds_bucket{role=\"gateway\",le=\"+Inf\"}".to_owned(), 9.0),
        ("hoplab_requests_in_flight{role=\"gateway\"}".to_owned(), 0.0),
        (format!("hoplab_attempts_total{{{at},outcome=\"2xx\"}}"), 5.0),
        (format!("hoplab_attempts_total{{{at},outcome=\"5xx\"}}"), 3.0),
        (format!("hoplab_attempt_duration_seconds_count{{{at}}}"), 8.0),
        (format!("hoplab_attempts_unsent_total{{role=\"gateway\",{nobody},outcome=\"refused\"}}"), 1.0),
        (
            "hoplab_attempts_unsent_total{role=\"gateway\",upstream=\"nobody\",endpoint=\"\",outcome=\"breaker-open\"}"
                .to_owned(),
            1.0,
        ),
        ("hoplab_retries_total{upstream=\"origin\"}".to_owned(), 2.0),
        ("hoplab_policy_decisions_total{upstream=\"origin\",decision=\"retried\"}".to_owned(), 2.0),
        (format!("hoplab_breaker_state{{{nobody},state=\"open\"}}"), 1.0),
        (format!("hoplab_breaker_state{{{nobody},state=\"closed\"}}"), 0.0),
        (format!("hoplab_breaker_moves_total{{{nobody},state=\"open\"}}"), 1.0),
        ("hoplab_panics_total".to_owned(), 0.0),
        ("hoplab_telemetry_dropped_total{lines=\"access_log\"}".to_owned(), 0.0),
        ("hoplab_telemetry_dropped_total{lines=\"spans\"}".to_owned(), 0.0),
    ];
    for (series, value) in &expected {
        assert_eq!(samples.get(series), Some(value), "{series} of {samples:#?}");
    }
    let counts =
        |family: &str| samples.iter().filter(|(series, _)| series.starts_with(family)).map(|(_, v)| v).sum();
    let families = ["hoplab_requests_total", "hoplab_attempts_total", "hoplab_attempts_unsent_total"];
    let [requests, attempts, unsent]: [f64; 3] = families.map(counts);
    assert_eq!((requests, attempts, unsent), (9.0, 8.0, 2.0), "and nothing else");
    for (gauge, value) in [("in", 0.0), ("ejected", 0.0), ("connections", 0.0), ("requests_in_flight", 0.0)] {
        let series = format!("hoplab_endpoint_{gauge}{{{nobody}}}");
        assert_eq!(samples.get(&series), Some(&value), "{series}");
    }
    let said = gateway.stop();
    assert!(said.ends_with("served 9 requests, 4 of them failed\n"), "{said}");
    let heads: Vec<_> = seen.try_iter().collect();
    assert_eq!(heads.len(), 8);
    let with = |fields: &str| heads.iter().filter(|head| head.contains(fields)).count();
    assert_eq!(with(&format!("traceparent: 00-{TRACE}-")), 2);
    assert_eq!(with("tracestate: a=1,b=2\r\n"), 1, "it goes on with a valid traceparent");
    assert_eq!(with("tracestate:"), 1, "and ends without one");
    assert_eq!(with("-01\r\n"), 7, "traces that begin here are recorded here");
    assert_eq!(with("-00\r\n"), 1, "what its caller does not record stays so");
}

/// The lines of a file, each a JSON value.
fn lines(folder: &Folder, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_access_log_has_a_line_for_each_request() {
    let folder = Folder::new("access-log");
    let (origin, _seen) = origin();
    let gateway = Product::start(&folder, "gateway", &config(origin));
    asked(&gateway);
    gateway.stop();
    let lines = lines(&folder, "access.jsonl");
    assert_eq!(lines.len(), ASKED.len());
    for (line, (path, host, status, attempts, fault)) in lines.iter().zip(ASKED) {
        assert_eq!(line["path"], path.split('?').next().unwrap(), "{line}");
        assert_eq!(line["host"], host, "{line}");
        assert_eq!(line["status"], status, "{line}");
        // The other ones were put on no connection.
        let sent = if host == "nobody" { 0 } else { attempts };
        assert_eq!(line["attempts"], sent, "{line}");
        assert_eq!(line["fault"], fault.map_or(Value::Null, Value::from), "{line}");
        assert_eq!((&line["role"], &line["method"]), (&"gateway".into(), &"GET".into()), "{line}");
        let upstream = if host == "unknown" { Value::Null } else { host.into() };
        assert_eq!(line["upstream"], upstream, "{line}");
        let time = line["time"].as_str().unwrap();
        assert!(time.len() == "2026-01-01T00:00:00.000000Z".len() && time.ends_with('Z'), "{line}");
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        let owned: u64 = line["time_us"].as_object().unwrap().values().map(|us| us.as_u64().unwrap()).sum();
        let duration = line["duration_us"].as_u64().unwrap();
        // The time of each of the ten owners is cut to whole microseconds.
        assert!(owned <= duration && duration <= owned + 10, "{line}");
        if host == "origin" {
            assert_eq!(line["bytes_sent"], 5, "{line}");
            assert_eq!(line["endpoint"], origin.to_string(), "{line}");
        }
        if path == "/sampled" || path == "/quiet" {
            assert_eq!(line["trace"], TRACE, "{line}");
        }
    }
    assert!(!std::fs::read_to_string(folder.path("access.jsonl")).unwrap().contains("secret"));
}

#[test]
fn spans_are_written_as_otlp_says() {
    let folder = Folder::new("spans");
    let (origin, seen) = origin();
    let gateway = Product::start(&folder, "gateway", &config(origin));
    asked(&gateway);
    gateway.stop();
    let lines = lines(&folder, "spans.jsonl");
    assert_eq!(lines.len(), ASKED.len() - 1, "the trace that is not sampled is not there");
    let (mut sent, mut ids) = (Vec::new(), Vec::new());
    for (line, (path, _, status, attempts, _)) in lines.iter().zip(ASKED) {
        let spans = line["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
        ids.extend(spans.iter().map(|span| span["spanId"].to_string()));
        let (stay, tries) = spans.split_first().unwrap();
        assert_eq!(tries.len(), attempts, "{path}");
        assert_eq!(stay["kind"], 2);
        assert_eq!(stay["status"]["code"] == 2, status >= 500 || status == 404, "{line}");
        let parent = if path == "/sampled" { "b7ad6b7169203331".into() } else { Value::Null };
        assert_eq!(stay["parentSpanId"], parent);
        let nanos = |span: &Value, key: &str| -> u64 { span[key].as_str().unwrap().parse().unwrap() };
        for attempt in tries {
            assert_eq!((&attempt["kind"], &attempt["parentSpanId"]), (&3.into(), &stay["spanId"]), "{line}");
            assert_eq!(attempt["traceId"], stay["traceId"]);
            assert!(nanos(stay, "startTimeUnixNano") <= nanos(attempt, "startTimeUnixNano"), "{line}");
            assert!(nanos(attempt, "startTimeUnixNano") <= nanos(attempt, "endTimeUnixNano"), "{line}");
            assert!(nanos(attempt, "endTimeUnixNano") <= nanos(stay, "endTimeUnixNano"), "{line}");
            let (trace, id) = (attempt["traceId"].as_str().unwrap(), attempt["spanId"].as_str().unwrap());
            sent.push(format!("traceparent: 00-{trace}-{id}-01\r\n"));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let ago = now.checked_sub(Duration::from_nanos(nanos(stay, "startTimeUnixNano")));
        assert!(ago.expect("the past") < Duration::from_secs(600), "{line}");
    }
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no id is there twice");
    let heads: Vec<_> = seen.try_iter().filter(|head| !head.starts_with("GET /quiet")).collect();
    for head in &heads {
        assert!(
            sent.iter().any(|field: &String| head.contains(field)),
            "what the origin was told is a span: {head}"
        );
    }
    assert_eq!(heads.len(), 7);
}

#[test]
fn whoever_drains_is_not_ready_and_answers_to_the_end() {
    let folder = Folder::new("ready");
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gateway = Product::start(&folder, "gateway", &config(origin.local_addr().unwrap()));
    assert_eq!(gateway.ready(), 200);
    let address = gateway.addresses[0];
    let client = std::thread::spawn(move || ask(address, "GET", "/slow", "origin", ""));
    let (mut stream, _) = origin.accept().unwrap();
    let in_flight = gateway.scrape()["hoplab_requests_in_flight{role=\"gateway\"}"];
    assert!((in_flight - 1.0).abs() < f64::EPSILON, "{in_flight}");
    gateway.terminate();
    while gateway.ready() == 200 {
        std::thread::yield_now();
    }
    assert_eq!(gateway.ready(), 503);
    assert_eq!(ask(gateway.admin, "GET", "/healthz", "admin", ""), (200, "alive\n".to_owned()));
    let (heads, _seen) = channel();
    serve_one(&mut stream, &heads, &mut 0);
    assert_eq!(client.join().unwrap(), (200, "hello".to_owned()));
    assert_eq!(gateway.ended(), "served 1 requests, 0 of them failed\n");
    assert!(TcpStream::connect(gateway.admin).is_err(), "the admin port ends with the product");
}

#[test]
fn a_sidecar_has_an_admin_port_for_both_its_sides() {
    let folder = Folder::new("sidecar-admin");
    let (app, _seen) = origin();
    let now = SystemTime::now();
    let authority = Authority::new(1, "hoplab".parse().unwrap(), now);
    let id = SpiffeId::of_service(authority.trust_domain(), "order").unwrap();
    let credentials = authority.issue(&id, "order", now);
    folder.write("order.pem", &credentials.certificate);
    folder.write_key("order-key.pem", &credentials.key);
    folder.write("authorities.pem", &credentials.authorities);
    let config = format!(
        "service = \"order\"\nadmin = \"127.0.0.1:0\"\naccess_log = \"access.jsonl\"\n\
         inbound = {{ listen = \"127.0.0.1:0\", app = \"{app}\" }}\noutbound = {{ listen = \"127.0.0.1:0\" }}\n\
         [identity]\ncertificate = \"order.pem\"\nkey = \"order-key.pem\"\nauthorities = \"authorities.pem\"\n"
    );
    let config = config.replace("127.0.0.1:0\" }\n[identity]", "127.0.0.2:0\" }\n[identity]");
    let sidecar = Product::start(&folder, "sidecar", &config);
    let [inbound, outbound] = sidecar.addresses[..] else { panic!("two sides: {:?}", sidecar.addresses) };
    assert_eq!(ask(inbound, "GET", "/", "order", "").0, 200);
    assert_eq!(ask(outbound, "GET", "/", "payment", "").0, 404);
    let samples = sidecar.scrape();
    for series in [
        "hoplab_requests_total{role=\"inbound\",outcome=\"2xx\"}",
        "hoplab_requests_total{role=\"outbound\",outcome=\"no-route\"}",
        &format!(
            "hoplab_attempts_total{{role=\"inbound\",upstream=\"order\",endpoint=\"{app}\",outcome=\"2xx\"}}"
        ),
    ] {
        assert_eq!(samples.get(series), Some(&1.0), "{series} of {samples:#?}");
    }
    sidecar.stop();
    let roles: Vec<_> = lines(&folder, "access.jsonl").into_iter().map(|line| line["role"].clone()).collect();
    assert_eq!(roles, ["inbound", "outbound"]);
}

#[test]
fn an_outlet_that_cannot_be_opened_is_said_before_anything_is_served() {
    let folder = Folder::new("outlets");
    let config = config("127.0.0.1:1".parse().unwrap()).replace("access.jsonl", "no/such/access.jsonl");
    folder.write("gateway.toml", &config);
    let end = hoplab(&folder, &["gateway", "--config", "gateway.toml"]);
    assert_eq!(code(&end), 2);
    assert!(stderr(&end).contains("cannot open no/such/access.jsonl for `access_log`"), "{}", stderr(&end));
    assert!(!stderr(&end).contains("listens"), "{}", stderr(&end));
}

//! The files of gateways and sidecars: what is wrong with them is told, what the reference says of them is true.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, SystemTime};

use hoplab_proxy::tls::Authority;

use crate::certificates::{Public, identity};
use crate::live::Running;
use crate::mistakes::MISTAKES;
use crate::programs;
use crate::{Folder, code, hoplab, repository, stderr, stdout};

/// PEM files of a gateway and two services, and one for the public.
fn write_identities(folder: &Folder) {
    let authority = Authority::new(1, "shop".parse().unwrap(), SystemTime::now());
    for service in ["gateway", "order", "payment"] {
        identity(folder, &authority, service);
    }
    Public::new().write(folder, "shop", &["shop.example.com"]);
}

#[test]
fn forty_mistakes_are_told_with_place_excerpt_fact_and_hint() {
    let folder = Folder::new("mistakes");
    write_identities(&folder);
    let mut told = String::new();
    for (name, text) in MISTAKES {
        fs::write(folder.path(name), text).unwrap();
        let end = hoplab(&folder, &["check", name]);
        assert_eq!(code(&end), 2, "{name} is right?");
        let said = stderr(&end);
        for problem in said.split("\n\n") {
            assert!(problem.contains("help: "), "{name}: no way out: {problem}");
            let first = problem.lines().next().unwrap();
            let is_placed = first.starts_with(&format!("{name}:")) && problem.contains('^');
            let is_a_file = first.contains("is not text") || first.contains("there is no file");
            assert!(is_placed || is_a_file, "{name}: no place: {problem}");
        }
        let _ = writeln!(told, "# {name}\n{}\n", said.trim_end());
    }
    assert!(MISTAKES.len() >= 40);
    insta::assert_snapshot!(told);
}

#[test]
fn a_file_is_known_by_its_tables() {
    let folder = Folder::new("kinds");
    write_identities(&folder);
    folder.write("a.toml", "[upstreams.a]\nendpoints = [\"a:80\"]\n");
    folder.write(
        "b.toml",
        "service = \"order\"\nidentity = { certificate = \"order.pem\", key = \"order-key.pem\", authorities = \"authorities.pem\" }\n",
    );
    let end = hoplab(&folder, &["check", "a.toml", "b.toml"]);
    assert_eq!(
        stdout(&end),
        "a.toml: a gateway on 0.0.0.0:8080 with 1 route\nb.toml: a sidecar of order, which calls 0 services\n",
        "{}",
        stderr(&end)
    );
    let end = hoplab(&folder, &["check", "--as", "sidecar", "a.toml"]);
    assert!(stderr(&end).starts_with("a.toml:1:1: missing key \"service\""), "{}", stderr(&end));
}

#[test]
fn a_profile_over_hoplabs_own_of_its_name_is_told_once() {
    let folder = Folder::new("own-profile");
    folder.write("kong.toml", "[profile]\ntitle = \"Our Kong\"\nextends = \"kong\"\n");
    let told = hoplab(&folder, &["profiles", "kong.toml"]);
    assert_eq!(code(&told), 0, "{}", stderr(&told));
    assert_eq!(stderr(&told), "");
    let text = stdout(&told);
    assert_eq!(text.lines().next(), Some("Our Kong, as a gateway; stands over kong"));
    let below_the_head = |what: &str| text.lines().filter(|line| line.trim_start().starts_with(what)).count();
    assert_eq!(below_the_head("gateway.defaults.timeout "), 1, "{text}");
    assert_eq!(below_the_head("services: kong/db/schema/entities/services.lua"), 1, "{text}");

    folder.write("alone.toml", "[profile]\nextends = \"alone\"\n");
    let told = hoplab(&folder, &["profiles", "alone.toml"]);
    assert!(stderr(&told).contains("\"alone\" stands over itself"), "{}", stderr(&told));
}

#[test]
fn reference_and_schemas_say_what_is_read() {
    let folder = Folder::new("reference");
    for (arguments, file) in [
        (&["reference"][..], "config/README.md"),
        (&["schema", "scenario"], "config/schemas/scenario.json"),
        (&["schema", "application"], "config/schemas/application.json"),
        (&["schema", "profile"], "config/schemas/profile.json"),
        (&["schema", "gateway"], "config/schemas/gateway.json"),
        (&["schema", "sidecar"], "config/schemas/sidecar.json"),
    ] {
        let kept = fs::read_to_string(repository().join(file)).unwrap_or_default();
        let says = stdout(&hoplab(&folder, arguments));
        assert!(kept == says, "{file} is not what is read any more: hoplab {} > {file}", arguments.join(" "));
        assert!(!says.contains("<!--"), "{file} has a mark without a table");
    }
}

#[test]
fn examples_of_the_reference_serve_traffic() {
    let page = fs::read_to_string(repository().join("config/README.md")).unwrap();
    let backend = backend();
    let (mut gateways, mut sidecars) = (0, 0);
    for block in page.split("```toml ").skip(1) {
        let (kind, rest) = block.split_once('\n').unwrap();
        let text = rest.split("```").next().unwrap();
        let folder = Folder::new(&format!("example-{gateways}-{sidecars}"));
        write_identities(&folder);
        // Who demands a workload finds one.
        let workload =
            text.contains("spiffe = ").then(|| Running::start(&folder, "sidecar", &strict(backend)));
        let called = workload.as_ref().map_or(backend, |workload| workload.addresses[0]);
        let text = on_loopback(text, called);
        folder.write("payment.endpoints", &format!("{backend}\n"));
        match kind {
            "gateway" => {
                gateways += 1;
                let gateway = Running::start(&folder, "gateway", &text);
                for (method, host, path) in asked(&text) {
                    let code = if text.contains("[tls]") {
                        status_of_https(gateway.addresses[0], &method, &host, &path)
                    } else {
                        Some(status(gateway.addresses[0], &method, &host, &path))
                    };
                    assert!(code.is_none_or(|code| code == 200), "{text}\n{method} {host}{path}: {code:?}");
                }
            }
            "sidecar" => {
                sidecars += 1;
                let sidecar = Running::start(&folder, "sidecar", &text);
                let caller = format!(
                    "service = \"payment\"\ninbound.listen = \"127.0.0.1:0\"\noutbound.listen = \"127.0.0.1:0\"\n\
                     identity = {{ certificate = \"payment.pem\", key = \"payment-key.pem\", authorities = \"authorities.pem\" }}\n\
                     services.order.endpoints = [\"{}\"]\n",
                    sidecar.addresses[0]
                );
                let caller = Running::start(&folder, "sidecar", &caller);
                assert_eq!(status(caller.addresses[1], "GET", "order", "/"), 200, "{text}");
            }
            other => panic!("an example of {other}"),
        }
    }
    assert!(gateways >= 2 && sidecars >= 2, "{gateways} and {sidecars}");
}

/// The file of a sidecar of `order`, which lets in who proves its name.
fn strict(app: SocketAddr) -> String {
    format!(
        "service = \"order\"\ninbound = {{ listen = \"127.0.0.1:0\", app = \"{app}\", tls = \"strict\" }}\n\
         outbound.listen = \"127.0.0.1:0\"\n\
         identity = {{ certificate = \"order.pem\", key = \"order-key.pem\", authorities = \"authorities.pem\" }}\n"
    )
}

/// The status of an answer over TLS; `None` without curl.
fn status_of_https(address: SocketAddr, method: &str, host: &str, path: &str) -> Option<u16> {
    if !programs::are_there("files::examples_of_the_reference_serve_traffic", &["curl"]) {
        return None;
    }
    let (url, host) = (format!("https://{address}{path}"), format!("host: {host}"));
    let arguments = ["-sk", "-o", "/dev/null", "-w", "%{http_code}", "-X", method, "-H", &host, &url];
    let output = Command::new("curl").args(arguments).output().unwrap();
    Some(String::from_utf8(output.stdout).unwrap().parse().unwrap())
}

/// An example whose ports are free ones, and whose endpoints are all `backend`.
fn on_loopback(text: &str, backend: SocketAddr) -> String {
    let mut written = String::new();
    for line in text.lines() {
        let (key, value) = line.split_once('=').map_or((line.trim(), ""), |(key, value)| (key.trim(), value));
        match key {
            "listen" | "admin" => drop(writeln!(written, "{key} = \"127.0.0.1:0\"")),
            "app" => drop(writeln!(written, "app = \"{backend}\"")),
            "endpoints" => {
                let hosts = value.split('"').skip(1).step_by(2).filter(|text| text.contains(':'));
                let line = hosts.fold(line.to_owned(), |line, host| line.replace(host, &backend.to_string()));
                written.push_str(&line);
                written.push('\n');
            }
            _ => {
                written.push_str(line);
                written.push('\n');
            }
        }
    }
    // What is not said listens where the reference says, which may be taken.
    match (text.contains("[inbound]"), text.contains("listen")) {
        (false, false) => format!("listen = \"127.0.0.1:0\"\n{written}"),
        (true, false) => written.replace(
            "[inbound]",
            "[outbound]\nlisten = \"127.0.0.1:0\"\n[inbound]\nlisten = \"127.0.0.1:0\"",
        ),
        (_, true) => written,
    }
}

/// A request for each route of a gateway's file: method, host and path.
fn asked(text: &str) -> Vec<(String, String, String)> {
    let file: toml::Table = text.parse().unwrap();
    let routes = file.get("routes").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let of = |route: &toml::Value, key: &str, usual: &str| {
        let value =
            route.get(key).map(|value| value.as_array().map_or(value, |list| &list[0]).as_str().unwrap());
        value.unwrap_or(usual).to_owned()
    };
    let asked = routes.iter().map(|route| {
        let host = of(route, "host", "any.example").replace('*', "a");
        (of(route, "methods", "GET"), host, of(route, "path", "/"))
    });
    asked.collect()
}

/// A service that answers whatever it is asked with 200.
pub(crate) fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            std::thread::spawn(move || {
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if line == "\r\n" {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
                        if stream.get_mut().write_all(answer).is_err() {
                            return;
                        }
                    }
                    line.clear();
                }
            });
        }
    });
    address
}

/// The status of an answer.
pub(crate) fn status(address: SocketAddr, method: &str, host: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

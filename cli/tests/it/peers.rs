//! The products between programs of others, over TLS as in production: another implementation of gRPC (grpcio) through a
//! gateway and a strict sidecar, and nginx behind a gateway and before one. What is not installed is left out, and said.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use hoplab_proxy::tls::Authority;
use serde_json::Value;

use crate::certificates::{Public, identity};
use crate::files::backend;
use crate::live::Running;
use crate::telemetry::ask;
use crate::{Folder, programs, repository};

/// A program of others that runs; killed with its handle.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The script of gRPC's peers, where there is a python with grpcio: where `./test` puts it, or of its own.
fn grpc_peers(arguments: &[&str]) -> Option<Command> {
    let python = || {
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", repository().join("target/grpcio")).env("PYTHONUTF8", "1");
        python
    };
    let import = python().args(["-c", "import grpc"]).stderr(Stdio::null()).status();
    import.is_ok_and(|status| status.success()).then(|| {
        let mut script = python();
        script.arg(repository().join("cli/tests/it/grpc_peers.py")).args(arguments).stdin(Stdio::null());
        script
    })
}

/// A server of gRPC, and where it listens.
fn grpc_server(mut script: Command) -> (Peer, String) {
    let mut process = script.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(process.stdout.take().unwrap());
    let mut address = String::new();
    said.read_line(&mut address).unwrap();
    (Peer(process), address.trim_end().to_owned())
}

/// What becomes of each call of `grpc_peers.py`, as without hoplab but for `via`.
const CALLS: &str = r#"unary: b'hello'
empty: b''
3 MB: True
metadata: True
client stream: b'100 messages, 4950 bytes'
server stream: [b'one', b'two', b'three']
empty stream: []
both ways: [b'A', b'B', b'C']
error: FAILED_PRECONDITION '50 % of Größe: ✗' ['via: 2 hoplab-gateway', 'via: 2 hoplab-sidecar', 'why: a reason', 'why-bin: all bytes']
error in a stream: ([b'one', b'two'], "DATA_LOSS 'no third' ['after: two']")
no such method: UNIMPLEMENTED 'Method not found!' ['via: 2 hoplab-gateway', 'via: 2 hoplab-sidecar']
time left: b'of 40 s'
deadline: DEADLINE_EXCEEDED
its server: b'given up'
500 in turn: 500
500 at once: 500
"#;

#[test]
fn calls_of_grpcio_pass_a_gateway_over_tls_and_a_strict_sidecar_unchanged() {
    let test = "peers::calls_of_grpcio_pass_a_gateway_over_tls_and_a_strict_sidecar_unchanged";
    let Some(server) = grpc_peers(&["serve"]) else {
        return programs::say_left_out(test, "grpcio (./test gets it; or pip3 install grpcio)");
    };
    let (_server, app) = grpc_server(server);
    let folder = Folder::new("grpcio");
    let public = Public::new();
    let authorities = folder.write("public.pem", &public.pem());
    public.write(&folder, "shop", &["shop.example.com"]);
    let authority = Authority::new(1, "shop".parse().unwrap(), SystemTime::now());
    let sidecar = format!(
        "service = \"order\"\n{}inbound = {{ listen = \"127.0.0.1:0\", tls = \"strict\", app = \"{app}\", \
         protocol = \"http2\" }}\noutbound.listen = \"127.0.0.1:0\"\n",
        identity(&folder, &authority, "order")
    );
    let sidecar = Running::start(&folder, "sidecar", &sidecar);
    let gateway = format!(
        "listen = \"127.0.0.1:0\"\ntls.certificates = [{{ certificate = \"shop.pem\", key = \"shop-key.pem\" }}]\n{}\
         [upstreams.order]\nendpoints = [\"{}\"]\nprotocol = \"http2\"\n\
         tls.spiffe = \"spiffe://shop/ns/default/sa/order\"\n[[routes]]\nupstream = \"order\"\n",
        identity(&folder, &authority, "gateway"),
        sidecar.addresses[0]
    );
    let mut gateway = Running::start(&folder, "gateway", &gateway);
    let address = gateway.addresses[0].to_string();
    let client = grpc_peers(&["call", &address, authorities.to_str().unwrap(), "shop.example.com"]);
    let output = client.unwrap().output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said, CALLS, "{errors}");
    gateway.signal("TERM");
    // As statuses of HTTP: the loss is a 500, what there is not a 501, and the call that was too late a 499 or 504.
    assert_eq!(gateway.ends(), (Some(0), "served 1014 requests, 3 of them failed\n".to_owned()));
}

/// An nginx that runs in `folder`, with these servers in its configuration, once it listens at `addresses`.
fn nginx(folder: &Folder, addresses: &[SocketAddr], http: &str) -> Peer {
    let configuration = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr crit;
         events {{ worker_connections 256; }}
         http {{
           access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
           uwsgi_temp_path uwsgi; scgi_temp_path scgi; default_type text/plain;
           {http}
         }}"
    );
    folder.write("nginx.conf", &configuration);
    let mut command = Command::new("nginx");
    command.args(["-p", folder.0.to_str().unwrap(), "-c", "nginx.conf", "-e", "stderr"]);
    let mut nginx = Peer(command.stdin(Stdio::null()).spawn().unwrap());
    for address in addresses {
        while TcpStream::connect(address).is_err() {
            assert!(nginx.0.try_wait().unwrap().is_none(), "nginx does not start: {configuration}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    nginx
}

/// An address where nobody listens yet, and where no other test does: they are all at 127.0.0.1.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap()
}

/// An authority that is trusted, and in the folder another one, which has signed nothing.
fn authorities(folder: &Folder) -> Public {
    let public = Public::new();
    folder.write("authority.pem", &public.pem());
    folder.write("stranger.pem", &Public::new().pem());
    public
}

#[test]
fn nginx_is_called_over_tls_by_the_name_that_is_said() {
    let test = "peers::nginx_is_called_over_tls_by_the_name_that_is_said";
    if !programs::are_there(test, &["nginx"]) {
        return;
    }
    let folder = Folder::new("nginx-behind");
    let public = authorities(&folder);
    for name in ["pay", "ship", "bank", "shop"] {
        public.write(&folder, name, &[&format!("{name}.example.com")]);
    }
    let [new, old] = [free(), free()];
    let says = "$ssl_server_name $ssl_protocol $server_protocol $ssl_client_verify $connection_requests";
    let server = |address: SocketAddr, name: &str, more: &str| {
        format!(
            "server {{ listen {address} ssl http2; server_name {name}.example.com; ssl_certificate {name}.pem;
             ssl_certificate_key {name}-key.pem; {more} location / {{ return 200 \"{name}: {says}\"; }} }}\n"
        )
    };
    let http = [
        "ssl_protocols TLSv1.2 TLSv1.3;\n".to_owned(),
        server(new, "pay", ""),
        server(new, "ship", ""),
        server(new, "bank", "ssl_verify_client on; ssl_client_certificate authority.pem;"),
        server(old, "pay", "ssl_protocols TLSv1.2;").replace(" http2", ""),
    ];
    let _nginx = nginx(&folder, &[new, old], &http.concat());
    let upstream = |name: &str, address: SocketAddr, tls: &str, more: &str| {
        format!(
            "[upstreams.{name}]\nendpoints = [\"{address}\"]\ntls = {{ {tls} }}\n{more}\n\
             [[routes]]\npath = \"/{name}\"\nupstream = \"{name}\"\n"
        )
    };
    let of = |name: &str| format!("name = \"{name}.example.com\", authorities = \"authority.pem\"");
    let shown = of("bank") + ", certificate = \"shop.pem\", key = \"shop-key.pem\"";
    let upstreams = [
        upstream("pay", new, &of("pay"), ""),
        upstream("ship", new, &of("ship"), "protocol = \"http2\""),
        upstream("bank", new, &shown, ""),
        upstream("unproven", new, &of("bank"), ""),
        upstream("old", old, &of("pay"), ""),
        upstream("not-http2", old, &of("pay"), "protocol = \"http2\""),
        // Nginx shows the certificate of its first server to those that ask for a name that is none of its own.
        upstream("misnamed", new, &of("mail"), ""),
        upstream("distrusted", new, &of("pay").replace("authority", "stranger"), ""),
    ];
    let gateway = format!("listen = \"127.0.0.1:0\"\n{}", upstreams.concat());
    let gateway = Running::start(&folder, "gateway", &gateway);
    let get = |host: &str, path: &str| {
        ask(gateway.addresses[0], "GET", &format!("/{path}"), &format!("{host}.example.com"), "")
    };
    // The last number counts the requests of one connection.
    for (host, path, answer) in [
        ("pay", "pay", "pay: pay.example.com TLSv1.3 HTTP/1.1 NONE 1"),
        ("pay", "pay", "pay: pay.example.com TLSv1.3 HTTP/1.1 NONE 2"),
        ("ship", "ship", "ship: ship.example.com TLSv1.3 HTTP/2.0 NONE 1"),
        ("ship", "ship", "ship: ship.example.com TLSv1.3 HTTP/2.0 NONE 2"),
        ("bank", "bank", "bank: bank.example.com TLSv1.3 HTTP/1.1 SUCCESS 1"),
        ("pay", "pay", "pay: pay.example.com TLSv1.3 HTTP/1.1 NONE 3"),
        ("pay", "old", "pay: pay.example.com TLSv1.2 HTTP/1.1 NONE 1"),
    ] {
        assert_eq!(get(host, path), (200, answer.to_owned()), "{path}");
    }
    let (status, page) = get("bank", "unproven");
    assert!(status == 400 && page.contains("No required SSL certificate was sent"), "{status} {page}");
    for path in ["misnamed", "distrusted", "not-http2"] {
        let refused = (502, "the TLS handshake with the upstream failed\n".to_owned());
        assert_eq!(get("pay", path), refused, "{path}");
    }
}

#[test]
fn nginx_calls_the_gateway_over_tls_and_keeps_its_connection() {
    let test = "peers::nginx_calls_the_gateway_over_tls_and_keeps_its_connection";
    if !programs::are_there(test, &["nginx"]) {
        return;
    }
    let folder = Folder::new("nginx-before");
    let public = authorities(&folder);
    public.write(&folder, "shop", &["shop.example.com"]);
    public.write(&folder, "all", &["*.example.com"]);
    let gateway = format!(
        "listen = \"127.0.0.1:0\"\naccess_log = \"access.jsonl\"\ntls.certificates = [\
         {{ certificate = \"shop.pem\", key = \"shop-key.pem\" }}, {{ certificate = \"all.pem\", key = \"all-key.pem\" }}]\n\
         [upstreams.svc]\nendpoints = [\"{}\"]\n[[routes]]\nupstream = \"svc\"\n",
        backend()
    );
    let mut gateway = Running::start(&folder, "gateway", &gateway);
    let address = free();
    let location =
        |path: &str, more: &str| format!("location = /{path} {{ proxy_pass https://hoplab; {more} }}\n");
    let http = [
        // Each location has a TLS context of its own, but the connections that are kept are of all.
        format!("upstream hoplab {{ server {}; keepalive 4; }}\n", gateway.addresses[0]),
        format!("server {{ listen {address}; proxy_http_version 1.1; proxy_set_header Connection \"\";\n"),
        "proxy_ssl_verify on; proxy_ssl_server_name on; proxy_ssl_name shop.example.com;\n".to_owned(),
        "proxy_ssl_trusted_certificate authority.pem;\n".to_owned(),
        location("distrusted", "proxy_ssl_trusted_certificate stranger.pem;"),
        location("misnamed", "proxy_ssl_name shop.example.org;"),
        location("other", "proxy_ssl_name help.example.com; proxy_set_header Connection close;"),
        location("shop", ""),
        "}\n".to_owned(),
    ];
    let _nginx = nginx(&folder, &[address], &http.concat());
    let get = |path: &str| ask(address, "GET", path, "shop.example.com", "");
    for path in ["/distrusted", "/misnamed"] {
        let (status, page) = get(path);
        assert!(status == 502 && page.contains("<center>nginx/"), "{path}: {status} {page}");
    }
    for path in ["/other", "/shop", "/shop", "/shop", "/shop"] {
        assert_eq!(get(path), (200, "hello".to_owned()), "{path}");
    }
    gateway.signal("TERM");
    assert_eq!(gateway.ends(), (Some(0), "served 5 requests, 0 of them failed\n".to_owned()));
    let peers = peers(&folder.path("access.jsonl"));
    assert_eq!((peers.len(), peers.iter().collect::<BTreeSet<_>>().len()), (5, 2), "{peers:?}");
}

/// Who connected for each of the requests in an access log.
fn peers(log: &Path) -> Vec<String> {
    let lines = fs::read_to_string(log).unwrap();
    let line = |line: &str| serde_json::from_str::<Value>(line).unwrap()["peer"].as_str().unwrap().to_owned();
    lines.lines().map(line).collect()
}

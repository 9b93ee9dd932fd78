//! What people do to products that run: other files, other certificates, other machines, the end. Nothing is lost.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use hoplab_proxy::tls::Authority;

use crate::certificates::{Public, identity};
use crate::files::{backend, status};
use crate::live::Running;
use crate::programs;
use crate::{Folder, code, hoplab, stderr};

/// A connection that requests are sent over, one after the other.
struct KeepAlive(TcpStream);

impl KeepAlive {
    fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Whether a request is answered well.
    fn is_answered(&mut self) -> bool {
        let mut answer = Vec::new();
        let mut piece = [0; 512];
        let sent = self.0.write_all(b"GET / HTTP/1.1\r\nhost: svc\r\n\r\n");
        while !answer.ends_with(b"hello") {
            match self.0.read(&mut piece) {
                Ok(read @ 1..) => answer.extend(&piece[..read]),
                _ => return false,
            }
        }
        sent.is_ok() && answer.starts_with(b"HTTP/1.1 200 ")
    }
}

/// A gateway's file whose upstream `svc` has these endpoints, with more keys before and behind.
fn file(endpoints: &[SocketAddr], top: &str, policies: &str) -> String {
    let endpoints: Vec<_> = endpoints.iter().map(|endpoint| format!("\"{endpoint}\"")).collect();
    let endpoints = endpoints.join(", ");
    format!("listen = \"127.0.0.1:0\"\n{top}\n[upstreams.svc]\nendpoints = [{endpoints}]\n{policies}\n")
}

#[test]
fn a_gateway_is_reloaded_under_load_and_loses_nothing() {
    const CLIENTS: usize = 4;
    const REQUESTS: usize = 25_000;
    const RELOADS: usize = 20;
    let folder = Folder::new("reload");
    let [a, b, c] = [backend(), backend(), backend()];
    let mut gateway = Running::start(&folder, "gateway", &file(&[a, b], "", ""));
    let address = gateway.addresses[0];
    let (answered, reloads) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut connection = KeepAlive::to(address);
                // As many as it takes until it was reloaded so often.
                for sent in 0.. {
                    if sent >= REQUESTS && reloads.load(Ordering::Relaxed) >= RELOADS {
                        return;
                    }
                    assert!(connection.is_answered(), "request {sent}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..RELOADS {
            // Spread over all the requests, whatever they take.
            while answered.load(Ordering::Relaxed) < CLIENTS * REQUESTS * round / RELOADS {
                std::thread::sleep(Duration::from_millis(1));
            }
            let (text, is_taken_up) = match round % 5 {
                0 => (file(&[b, c], "", ""), true),
                1 => (file(&[b], "", "timeot = \"3s\""), false),
                2 => (file(&[c, a], "", "timeout = \"3s\"\nretry = {}"), true),
                3 => ("listen: 127.0.0.1\nupstreams:\n  svc: {}\n".to_owned(), false),
                _ => (file(&[a, b], "limits = { concurrency = 1000 }", ""), true),
            };
            gateway.rewrite(&text);
            gateway.signal("HUP");
            let said = gateway.says_until(|line| line.contains("taken up"));
            assert_eq!(said.last().unwrap().ends_with(".toml is taken up"), is_taken_up, "{said:?}");
            reloads.fetch_add(1, Ordering::Relaxed);
        }
    });
    let answered = answered.into_inner();
    assert!(answered >= CLIENTS * REQUESTS);
    gateway.signal("TERM");
    assert_eq!(gateway.ends(), (Some(0), format!("served {answered} requests, 0 of them failed\n")));
}

#[test]
fn what_cannot_be_taken_up_leaves_all_as_it_was_and_is_told() {
    let folder = Folder::new("refused-reload");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let good = file(&[backend()], "admin = \"127.0.0.1:0\"", "");
    let mut gateway = Running::start(&folder, "gateway", &good);
    let admin: SocketAddr = gateway.says().rsplit(' ').next().unwrap().parse().unwrap();
    let elsewhere = format!("listen = \"{}\"", taken.local_addr().unwrap());
    for (text, fact) in [
        (good.replace("listen = \"127.0.0.1:0\"", &elsewhere), "cannot listen on 127.0.0.1:"),
        (
            good.replace("admin = \"127.0.0.1:0\"", ""),
            "`admin`, `access_log` and `spans` change with a restart alone",
        ),
        (good.replace("endpoints", "endpoint"), "missing key \"endpoints\""),
    ] {
        gateway.rewrite(&text);
        gateway.signal("HUP");
        let said = gateway.says_until(|line| line.ends_with("all goes on as before")).join("\n");
        assert!(said.contains(fact), "{fact}: {said}");
        assert_eq!(status(gateway.addresses[0], "GET", "svc", "/"), 200);
    }
    gateway.rewrite(&good);
    gateway.signal("HUP");
    gateway.says_until(|line| line.ends_with("is taken up"));
    let metrics = ask(admin, "/metrics");
    assert!(metrics.contains("hoplab_reloads_total{result=\"refused\"} 3\n"), "{metrics}");
    assert!(metrics.contains("hoplab_reloads_total{result=\"applied\"} 1\n"), "{metrics}");
}

#[test]
fn a_file_that_changes_is_taken_up_when_it_is_watched() {
    let folder = Folder::new("watch");
    let text = file(&[backend()], "", "");
    let mut gateway = Running::start_with(&folder, "gateway", &text, &["--watch"]);
    assert_eq!(status(gateway.addresses[0], "GET", "other", "/"), 404);
    gateway.rewrite(&text.replace("upstreams.svc", "upstreams.other"));
    gateway.says_until(|line| line.ends_with("is taken up"));
    assert_eq!(status(gateway.addresses[0], "GET", "other", "/"), 200);
}

/// The content of what an admin port answers, with its head.
fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A balancer that looks at `/ready` every second sends requests to two gateways, of which one is told to stop.
#[test]
fn a_gateway_behind_a_balancer_stops_and_loses_nothing() {
    const LOOK_EVERY: Duration = Duration::from_secs(1);
    let folder = Folder::new("balancer");
    let text = file(&[backend()], "admin = \"127.0.0.1:0\"\nshutdown_delay = \"3s\"", "");
    let mut gateways = [Running::start(&folder, "gateway", &text), Running::start(&folder, "gateway", &text)];
    let addresses = [gateways[0].addresses[0], gateways[1].addresses[0]];
    let admins = gateways.each_mut().map(|gateway| gateway.says().rsplit(' ').next().unwrap().to_owned());
    let admins = admins.map(|admin| admin.parse::<SocketAddr>().unwrap());
    let ready = |admin: SocketAddr| {
        TcpStream::connect(admin).is_ok() && ask(admin, "/ready").starts_with("HTTP/1.1 200 ")
    };
    let asked = std::thread::scope(|scope| {
        let balancer = scope.spawn(move || {
            let (mut asked, mut well) = ([0, 0], vec![0, 1]);
            let (mut looked, begun) = (SystemTime::now(), SystemTime::now());
            // Until the first is gone for good, and a while longer.
            for turn in 0.. {
                if looked.elapsed().unwrap() >= LOOK_EVERY {
                    looked = SystemTime::now();
                    well = [0, 1].into_iter().filter(|gateway| ready(admins[*gateway])).collect();
                }
                let gateway = well[turn % well.len()];
                assert_eq!(status(addresses[gateway], "GET", "svc", "/"), 200, "gateway {gateway}");
                asked[gateway] += 1;
                if begun.elapsed().unwrap() > Duration::from_secs(7) {
                    break;
                }
            }
            asked
        });
        std::thread::sleep(Duration::from_millis(1_500));
        gateways[0].signal("TERM");
        balancer.join().unwrap()
    });
    assert!(asked.iter().all(|asked| *asked > 100), "{asked:?}");
    let served = format!(
        "stopping: requests are taken for another 3s\nserved {} requests, 0 of them failed\n",
        asked[0]
    );
    assert_eq!(gateways[0].ends(), (Some(0), served));
}

/// What a program says, with its errors.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    write!(said, "{}", String::from_utf8_lossy(&output.stderr)).unwrap();
    said
}

#[test]
fn curl_and_openssl_are_content_with_tls() {
    let test = "operation::curl_and_openssl_are_content_with_tls";
    if !programs::are_there(test, &["curl", "openssl"]) {
        return;
    }
    let folder = Folder::new("public-tls");
    let public = Public::new();
    let authority = folder.write("authority.pem", &public.pem());
    let authority = authority.to_str().unwrap();
    public.write(&folder, "shop", &["shop.example.com"]);
    public.write(&folder, "all", &["*.example.com"]);
    let certificates = "tls.certificates = [{ certificate = \"shop.pem\", key = \"shop-key.pem\" }, \
                        { certificate = \"all.pem\", key = \"all-key.pem\" }]";
    let routes = "[[routes]]\nupstream = \"svc\"\n";
    let mut gateway = Running::start(&folder, "gateway", &file(&[backend()], certificates, routes));
    let port = gateway.addresses[0].port();
    for (host, version, spoken) in
        [("shop.example.com", "--http2", "2"), ("help.example.com", "--http1.1", "1.1")]
    {
        let resolve = format!("{host}:{port}:127.0.0.1");
        let url = format!("https://{host}:{port}/");
        let format = "%{http_code} %{http_version}";
        let arguments = ["-sS", version, "--cacert", authority, "--resolve", &resolve, "-w", format, &url];
        assert_eq!(run("curl", &arguments), format!("hello200 {spoken}"));
    }
    // Who speaks in the clear is told so.
    let plain = run("curl", &["-sS", "-w", "%{http_code}", &format!("http://127.0.0.1:{port}/")]);
    assert_eq!(plain, "this port speaks TLS: ask for https\n400");
    let connect = format!("127.0.0.1:{port}");
    let look = |name: &str, version: &str| {
        let fixed = ["s_client", "-connect", &connect, "-CAfile", authority, "-alpn", "h2,http/1.1"];
        run("openssl", &[&fixed[..], &["-servername", name, version, "-brief"]].concat())
    };
    let serial = |name: &str| {
        let fixed = ["s_client", "-connect", &connect, "-servername", name, "-showcerts"];
        let shown = run("openssl", &fixed);
        shown.split("-----BEGIN CERTIFICATE-----").nth(1).unwrap_or_else(|| panic!("{shown}")).to_owned()
    };
    for version in ["-tls1_3", "-tls1_2"] {
        let seen = look("shop.example.com", version);
        assert!(seen.contains("Verification: OK"), "{version}: {seen}");
        assert!(seen.contains(&version[1..].replace("tls", "TLSv").replace('_', ".")), "{version}: {seen}");
    }
    assert!(!look("shop.example.com", "-tls1_1").contains("CONNECTION ESTABLISHED"));
    assert_ne!(serial("shop.example.com"), serial("help.example.com"));
    // A certificate that changes on the disk is taken up, and its key with it.
    let before = serial("shop.example.com");
    public.write(&folder, "shop", &["shop.example.com"]);
    let said = gateway.says_until(|line| line.contains("taken up"));
    assert!(said.last().unwrap().starts_with("certificates of "), "{said:?}");
    assert_ne!(serial("shop.example.com"), before);
    assert!(look("shop.example.com", "-tls1_3").contains("Verification: OK"));
}

/// An app that passes what it is asked on to `payment`, through its sidecar at `outbound`.
fn order(listener: std::net::TcpListener, outbound: SocketAddr) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read_exact(&mut byte).is_err() {
                    break;
                }
                head.extend(byte);
            }
            let code = status(outbound, "GET", "payment", "/charge");
            let answer =
                format!("HTTP/1.1 {code} From-Payment\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            // Whoever has gone does not read it.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
}

#[test]
fn a_gateway_before_two_strict_sidecars_is_the_gateway_and_mesh_that_is_simulated() {
    let folder = Folder::new("gateway-mesh");
    let authority = Authority::new(1, "shop".parse().unwrap(), SystemTime::now());
    let ids = ["gateway", "order", "payment"].map(|service| identity(&folder, &authority, service));
    let sides = "inbound = { listen = \"127.0.0.1:0\", tls = \"strict\", app = \"APP\" }\noutbound.listen = \"127.0.0.1:0\"\n";
    let payment =
        format!("service = \"payment\"\n{}{}", ids[2], sides.replace("APP", &backend().to_string()));
    let payment = Running::start(&folder, "sidecar", &payment);
    let app = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let sidecar = format!(
        "service = \"order\"\n{}{}[services.payment]\nendpoints = [\"{}\"]\n",
        ids[1],
        sides.replace("APP", &app.local_addr().unwrap().to_string()),
        payment.addresses[0]
    );
    let mut sidecar = Running::start(&folder, "sidecar", &sidecar);
    order(app, sidecar.addresses[1]);
    let gateway = format!(
        "listen = \"127.0.0.1:0\"\n{}[upstreams.order]\nendpoints = [\"{}\"]\nprotocol = \"http2\"\n\
         tls.spiffe = \"spiffe://shop/ns/default/sa/order\"\n",
        ids[0], sidecar.addresses[0]
    );
    let running = Running::start(&folder, "gateway", &gateway);
    assert_eq!(status(running.addresses[0], "GET", "order", "/"), 200);
    // Who does not prove its name is not let in, and who proves another is not believed; why is told, once.
    let strict = sidecar.addresses[0];
    assert_eq!(status(strict, "GET", "order", "/"), 400);
    let mut mistaken = Running::start(&folder, "gateway", &gateway.replace("sa/order", "sa/payment"));
    for _ in 0..2 {
        assert_eq!(status(mistaken.addresses[0], "GET", "order", "/"), 502);
    }
    let told = mistaken.says();
    let (order, payment) = ("spiffe://shop/ns/default/sa/order", "spiffe://shop/ns/default/sa/payment");
    assert_eq!(told, format!("TLS with {strict}: it is {order}, and not {payment}"));
    mistaken.signal("TERM");
    assert_eq!(mistaken.ends().1, "served 2 requests, 2 of them failed\n");
    // Whose own certificate is refused is always told so, too, although that comes behind the handshake.
    let foreign = Authority::new(2, "shop".parse().unwrap(), SystemTime::now());
    let credentials =
        foreign.issue(&"spiffe://shop/ns/default/sa/stranger".parse().unwrap(), "pod", SystemTime::now());
    folder.write("stranger.pem", &credentials.certificate);
    folder.write_key("stranger-key.pem", &credentials.key);
    let stranger = gateway.replace("\"gateway", "\"stranger");
    let log = folder.path("stranger.log");
    let stranger = format!("access_log = \"{}\"\n{stranger}", log.display());
    let mut stranger = Running::start(&folder, "gateway", &stranger);
    for _ in 0..30 {
        assert_eq!(status(stranger.addresses[0], "GET", "order", "/"), 502);
    }
    // It is the authority's name, and not its signature.
    assert_eq!(stranger.says(), format!("TLS with {strict}: it refuses us (DecryptError)"));
    stranger.signal("TERM");
    assert_eq!(stranger.ends().1, "served 30 requests, 30 of them failed\n");
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("\"fault\":\"tls\"").count(), 30, "{log}");
    // A sidecar's identity changes on the disk; its connections stay.
    identity(&folder, &authority, "order");
    sidecar.says_until(|line| line.starts_with("certificates of ") && line.ends_with("are taken up"));
    assert_eq!(status(running.addresses[0], "GET", "order", "/"), 200);
}

#[test]
fn a_key_that_everybody_can_read_is_told() {
    let folder = Folder::new("open-key");
    let public = Public::new();
    public.write(&folder, "shop", &[]);
    let key = folder.path("shop-key.pem");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let certificates = "tls.certificates = [{ certificate = \"shop.pem\", key = \"shop-key.pem\" }]";
    folder.write("gateway.toml", &file(&[backend()], certificates, ""));
    let end = hoplab(&folder, &["check", "gateway.toml"]);
    assert_eq!(code(&end), 0);
    let said = stderr(&end);
    for fact in [
        "everybody on this machine can read the private key",
        "help: chmod o-r shop-key.pem",
        "the certificate is for no DNS name and no address, so no client accepts it",
    ] {
        assert!(said.contains(fact), "{said}");
    }
}

#[test]
fn a_certificate_that_has_expired_is_told() {
    let folder = Folder::new("expired");
    let long_ago = SystemTime::now() - Duration::from_hours(48);
    let authority = Authority::new(1, "shop".parse().unwrap(), long_ago);
    let credentials = authority.issue(&"spiffe://shop/ns/default/sa/order".parse().unwrap(), "pod", long_ago);
    folder.write("authorities.pem", &credentials.authorities);
    folder.write("order.pem", &credentials.certificate);
    folder.write_key("order-key.pem", &credentials.key);
    let identity = "identity = { certificate = \"order.pem\", key = \"order-key.pem\", authorities = \"authorities.pem\" }";
    folder.write("order.toml", &format!("service = \"order\"\n{identity}\n"));
    let end = hoplab(&folder, &["check", "order.toml"]);
    let said = stderr(&end);
    assert!(code(&end) == 0 && said.contains("the certificate has expired ("), "{said}");
}

#[test]
fn what_cannot_begin_says_why_and_nothing_else() {
    let folder = Folder::new("cannot-begin");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = file(&[backend()], "", "");
    folder.write("taken.toml", &text.replace("127.0.0.1:0", &address.to_string()));
    let end = hoplab(&folder, &["gateway", "--config", "taken.toml"]);
    let said = format!("error: cannot serve taken.toml: cannot listen on {address}: Address already in use");
    assert!(stderr(&end).starts_with(&said) && stderr(&end).lines().count() == 1, "{}", stderr(&end));
    let identity = identity(&folder, &Authority::new(1, "shop".parse().unwrap(), SystemTime::now()), "order");
    folder.write("order.toml", &format!("service = \"order\"\n{identity}[inbound]\napp = \"127.0.0.1:1\"\n"));
    let end = hoplab(&folder, &["gateway", "--config", "order.toml"]);
    let said = stderr(&end);
    assert!(said.contains("unknown key \"service\""), "{said}");
    assert!(said.ends_with("help: this looks like a file for `hoplab sidecar`\n"), "{said}");
}

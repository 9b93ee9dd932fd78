//! The gateway between curl and a real nginx, where these are installed.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use hoplab_proxy::host::Host;
use hoplab_proxy::telemetry::{Outcome, Owner};
use tokio::process::{Child, Command};

use crate::lab::{Lab, Running};

const LARGE_BYTES: usize = 20 << 20;

/// An nginx that serves a folder of its own.
struct Nginx {
    folder: PathBuf,
    // Killed when dropped.
    _process: Child,
}

impl Nginx {
    /// Starts nginx on a free port and waits until it accepts connections.
    async fn start(lab: &Lab, name: &str) -> (Self, hoplab_proxy::host::Endpoint) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("nginx-{name}"));
        // What an earlier run left behind is of no use.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("files")).unwrap();
        let large: Vec<u8> = (0..LARGE_BYTES).map(|at| (at % 251) as u8).collect();
        fs::write(folder.join("files/large"), large).unwrap();
        fs::write(folder.join("files/small"), "hello from nginx\n").unwrap();
        let endpoint = lab.bind().await.1;
        fs::write(folder.join("nginx.conf"), configuration(endpoint.port)).unwrap();
        let process = Command::new("nginx")
            .args(["-p", folder.to_str().unwrap(), "-c", "nginx.conf", "-e", "stderr"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx must be installed: apt-get install nginx");
        while lab.host.connect(&endpoint).await.is_err() {
            lab.wait_ms(5).await;
        }
        (Self { folder, _process: process }, endpoint)
    }
}

fn configuration(port: u16) -> String {
    format!(
        "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr crit;
         events {{ worker_connections 256; }}
         http {{
           access_log off; keepalive_timeout 75s; client_max_body_size 100m;
           client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
           uwsgi_temp_path uwsgi; scgi_temp_path scgi;
           server {{
             listen 127.0.0.1:{port};
             location / {{ root files; }}
             location /sink {{ dav_methods PUT; create_full_put_path on; root files; }}
             location /who {{ return 200 \"$host $http_x_forwarded_for $http_via $connection_requests\\n\"; }}
             location /gone {{ return 410; }}
           }}
         }}"
    )
}

/// What curl prints when it is called with `arguments` and the URL of `path`.
async fn curl(gateway: &Running, path: &str, arguments: &[&str]) -> String {
    let url = format!("http://{}{path}", gateway.address);
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "30", "--header", "Host: web"])
        .args(arguments)
        .arg(url)
        .output()
        .await
        .expect("curl must be installed: apt-get install curl");
    assert!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn web(lab: &Lab, name: &str) -> (Nginx, Running) {
    let (nginx, endpoint) = Nginx::start(lab, name).await;
    let gateway = lab.gateway(&format!("[upstreams.web]\nendpoints = [\"{endpoint}\"]")).await;
    (nginx, gateway)
}

#[tokio::test]
async fn curl_and_nginx_meet_through_the_gateway() {
    if !crate::programs::are_there("nginx::curl_and_nginx_meet_through_the_gateway", &["nginx", "curl"]) {
        return;
    }
    let lab = Lab::new();
    let (_nginx, gateway) = web(&lab, "meet").await;
    assert_eq!(curl(&gateway, "/small", &[]).await, "hello from nginx\n");
    assert_eq!(curl(&gateway, "/small", &["--http1.0"]).await, "hello from nginx\n");
    assert_eq!(curl(&gateway, "/small", &["--http2"]).await, "hello from nginx\n");
    assert_eq!(curl(&gateway, "/small", &["--http2-prior-knowledge"]).await, "hello from nginx\n");
    assert_eq!(curl(&gateway, "/small", &["--range", "6-9"]).await, "from");
    let head = curl(&gateway, "/small", &["--head"]).await;
    assert!(head.contains("200 OK") && head.contains("content-length: 17"), "{head}");
    let who = curl(&gateway, "/who", &[]).await;
    assert!(who.starts_with("web 127.0.0.1 1.1 hoplab-gateway "), "{who}");
    let status = ["--output", "/dev/null", "--write-out", "%{http_code}"];
    assert_eq!(curl(&gateway, "/gone", &status).await, "410");
    assert_eq!(curl(&gateway, "/nothing", &status).await, "404");
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let condition = format!("If-None-Match: {etag}");
    let mut conditional = vec!["--header", condition.as_str()];
    conditional.extend(status);
    assert_eq!(curl(&gateway, "/small", &conditional).await, "304");
}

#[tokio::test]
async fn large_files_pass_in_both_directions() {
    if !crate::programs::are_there("nginx::large_files_pass_in_both_directions", &["nginx", "curl"]) {
        return;
    }
    let lab = Lab::new();
    let (nginx, gateway) = web(&lab, "large").await;
    let large = nginx.folder.join("files/large");
    let copy = nginx.folder.join("copy");
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        curl(&gateway, "/large", &[version, "--output", copy.to_str().unwrap()]).await;
        assert!(fs::read(&copy).unwrap() == fs::read(&large).unwrap(), "{version} down");
        for (coding, name) in [("Expect: 100-continue", "sized"), ("Transfer-Encoding: chunked", "chunked")] {
            if version != "--http1.1" && name == "chunked" {
                continue;
            }
            let path = format!("/sink/{name}");
            let arguments = [version, "--header", coding, "--upload-file", large.to_str().unwrap()];
            curl(&gateway, &path, &arguments).await;
            let sunk = fs::read(nginx.folder.join("files").join(&path[1..])).unwrap();
            assert!(sunk == fs::read(&large).unwrap(), "{version} up, {name}");
        }
    }
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    if !crate::programs::are_there("nginx::connections_are_kept_on_both_sides", &["nginx", "curl"]) {
        return;
    }
    let lab = Lab::new();
    let (_nginx, gateway) = web(&lab, "kept").await;
    let urls = vec![format!("http://{}/who", gateway.address); 9];
    let arguments: Vec<_> = urls.iter().map(String::as_str).collect();
    let who = curl(&gateway, "/who", &arguments).await;
    let counts: Vec<_> = who.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(counts, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], "nginx counts one connection");
    let spans = lab.spans();
    assert!(spans.iter().all(|span| span.outcome == Outcome::Answered(200)));
    let connects = spans.iter().flat_map(|span| &span.segments).filter(|s| s.owner == Owner::Connect);
    assert_eq!(connects.count(), 1);
}

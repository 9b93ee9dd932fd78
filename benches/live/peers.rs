//! Other proxies, and hoplab's own among them, before one nginx that serves as the origin: one worker
//! each, keep-alive on both sides, no access log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::Context;

use super::{Folder, Program, free_port, products};

/// Someone who answers, in the end from the origin.
pub struct Peer {
    /// What it is called in tables.
    pub name: &'static str,
    /// Where it is asked.
    pub port: u16,
    /// The proxies on the way.
    pub programs: Vec<Program>,
}

/// The origin and the proxies before it.
pub struct Peers {
    /// nginx.
    pub origin: Program,
    /// The bare origin, hoplab's gateway, then all others that are there.
    pub peers: Vec<Peer>,
}

impl Peer {
    /// The nanoseconds that its proxies have spent on cores so far.
    pub fn spent_nanos(&self) -> anyhow::Result<f64> {
        self.programs.iter().map(Program::spent_nanos).sum()
    }
}

impl Peers {
    /// Starts all that are there. The origin answers with `bytes` of content.
    pub fn start(folder: &Folder, hoplab: &Path, envoy: &Path, bytes: usize) -> anyhow::Result<Self> {
        let port = free_port()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let answer = format!("return 200 \"{}\";", "x".repeat(bytes));
        let origin =
            nginx(folder, port, "", &answer).context("nginx is the origin: apt-get install nginx-light")?;
        let mut peers = vec![Peer { name: "no proxy", port, programs: Vec::new() }];
        let gateway = products::gateway(hoplab, folder, address)?;
        peers.push(Peer { name: "hoplab gateway", port: gateway.port, programs: vec![gateway.program] });
        let upstream =
            format!("upstream origin {{ server {address}; keepalive 128; keepalive_requests 100000000; }}");
        let pass = "proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection \"\";";
        let port = free_port()?;
        peers.push(Peer { name: "nginx", port, programs: vec![nginx(folder, port, &upstream, pass)?] });
        if is_there(Path::new("haproxy"), "-v") {
            peers.push(haproxy(folder, address)?);
        }
        if is_there(envoy, "--version") {
            peers.push(envoy_before(folder, envoy, address)?);
        }
        let sidecars = products::sidecars(hoplab, folder, address, SystemTime::now())?;
        let programs = vec![sidecars.frontend.program, sidecars.payment.program];
        peers.push(Peer { name: "two hoplab sidecars, mTLS", port: sidecars.frontend.port, programs });
        Ok(Self { origin, peers })
    }
}

fn is_there(program: &Path, version: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(version).stdout(Stdio::null()).stderr(Stdio::null());
    let there = command.status().is_ok_and(|status| status.success());
    if !there {
        eprintln!("{} is not here, and left out", program.display());
    }
    there
}

fn nginx(folder: &Folder, port: u16, upstream: &str, location: &str) -> anyhow::Result<Program> {
    let text = format!(
        "daemon off; master_process off; pid {pid}; error_log stderr;
         events {{ worker_connections 1024; }}
         http {{
           access_log off; keepalive_timeout 600s; keepalive_requests 100000000;
           {upstream}
           server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; {location} }} }}
         }}",
        pid = folder.path(&format!("nginx-{port}.pid")).display(),
    );
    let file = folder.write(&format!("nginx-{port}.conf"), &text)?;
    run("nginx", folder, port, &[Path::new("-c"), &file])
}

fn haproxy(folder: &Folder, origin: SocketAddr) -> anyhow::Result<Peer> {
    let port = free_port()?;
    let text = format!(
        "global\n nbthread 1\n\
         defaults\n mode http\n timeout connect 5s\n timeout client 600s\n timeout server 600s\n http-reuse always\n option forwardfor\n\
         frontend clients\n bind 127.0.0.1:{port}\n default_backend origin\n\
         backend origin\n server origin {origin}\n"
    );
    let file = folder.write("haproxy.cfg", &text)?;
    let program = run("haproxy", folder, port, &[Path::new("-db"), Path::new("-f"), &file])?;
    Ok(Peer { name: "HAProxy", port, programs: vec![program] })
}

fn envoy_before(folder: &Folder, envoy: &Path, origin: SocketAddr) -> anyhow::Result<Peer> {
    let port = free_port()?;
    let manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    let address = |address: SocketAddr| {
        format!("{{ socket_address: {{ address: {}, port_value: {} }} }}", address.ip(), address.port())
    };
    let text = format!(
        r#"static_resources:
  listeners:
  - address: {here}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {manager}
          stat_prefix: clients
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ "@type": {router} }}
          route_config:
            virtual_hosts:
            - {{ name: all, domains: ["*"], routes: [{{ match: {{ prefix: "/" }}, route: {{ cluster: origin }} }}] }}
  clusters:
  - name: origin
    type: STATIC
    load_assignment:
      cluster_name: origin
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {there} }} }}] }}]
"#,
        here = address(SocketAddr::from(([127, 0, 0, 1], port))),
        there = address(origin),
    );
    let file = folder.write("envoy.yaml", &text)?;
    let arguments = ["--concurrency", "1", "--log-level", "error", "-c"].map(Path::new);
    let arguments: Vec<&Path> = arguments.into_iter().chain([file.as_path()]).collect();
    let program = run(envoy, folder, port, &arguments)?;
    Ok(Peer { name: "Envoy", port, programs: vec![program] })
}

fn run(
    program: impl Into<PathBuf>,
    folder: &Folder,
    port: u16,
    arguments: &[&Path],
) -> anyhow::Result<Program> {
    let mut command = Command::new(program.into());
    command.args(arguments);
    Program::start(command, folder, port)
}

//! A real Envoy: where it lies, how it is configured for the rows of a table, and one process of it.
//! Each row has a virtual host and a cluster of its own, so that none disturbs another.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use hoplab_proxy::host::{Endpoint, Host};
use tokio::process::{Child, Command};

use super::row::{Protocol, Row};
use super::upstream::Upstream;
use crate::lab::Lab;
use crate::programs;

pub(crate) const MISSING: &str = "envoy (./test gets it; or $HOPLAB_ENVOY, or on the PATH)";

/// Where ./test puts it.
const FETCHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/envoy/envoy");

/// The program, where there is one.
pub(crate) fn program() -> Option<PathBuf> {
    let told = std::env::var_os("HOPLAB_ENVOY").map(PathBuf::from);
    told.or_else(|| Some(PathBuf::from(FETCHED)).filter(|path| path.is_file()))
        .or_else(|| programs::find("envoy"))
}

/// One that runs.
pub(crate) struct Envoy {
    /// Where it is asked.
    pub(crate) endpoint: Endpoint,
    /// Where its main thread is.
    pub(crate) admin: Endpoint,
    // Killed when dropped.
    _process: Child,
}

impl Envoy {
    /// Starts it on free ports and waits until it accepts connections.
    pub(crate) async fn start(
        lab: &Lab,
        program: &Path,
        table: &str,
        rows: &[Row],
        upstreams: &[Vec<Upstream>],
    ) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("envoy-{table}"));
        // What an earlier run left behind is of no use.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let (endpoint, admin) = (lab.bind().await.1, lab.bind().await.1);
        let file = folder.join("envoy.yaml");
        fs::write(&file, configuration(&endpoint, &admin, rows, upstreams)).unwrap();
        let log = folder.join("envoy.log");
        let mut process = Command::new(program)
            .args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        while lab.host.connect(&endpoint).await.is_err() {
            let ended = process.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{} does not start: {}",
                program.display(),
                fs::read_to_string(&log).unwrap()
            );
            lab.wait_ms(5).await;
        }
        Self { endpoint, admin, _process: process }
    }
}

fn configuration(here: &Endpoint, admin: &Endpoint, rows: &[Row], upstreams: &[Vec<Upstream>]) -> String {
    let hosts: String = rows.iter().enumerate().map(|(number, row)| virtual_host(number, row)).collect();
    let clusters: String = rows
        .iter()
        .zip(upstreams)
        .enumerate()
        .map(|(number, (row, upstreams))| cluster(number, row, upstreams))
        .collect();
    let manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
    format!(
        r#"admin: {{ address: {admin} }}
static_resources:
  listeners:
  - address: {here}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": {manager}
          stat_prefix: clients
          delayed_close_timeout: 0s
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{ "@type": {router} }}
          route_config:
            virtual_hosts:
{hosts}
  clusters:
{clusters}"#,
        admin = address(admin),
        here = address(here),
        hosts = indented(&hosts, 12),
        clusters = indented(&clusters, 2),
    )
}

fn address(endpoint: &Endpoint) -> String {
    format!("{{ socket_address: {{ address: {}, port_value: {} }} }}", endpoint.host, endpoint.port)
}

fn virtual_host(number: usize, row: &Row) -> String {
    let mut route = format!("cluster: row-{number}\n{}\n", row.route);
    if !row.on.is_empty() {
        let on = match row.on.parse::<u16>() {
            Ok(status) => format!("retry_on: retriable-status-codes\nretriable_status_codes: [{status}]"),
            Err(_) => format!("retry_on: {}", row.on),
        };
        let pauses = "retry_back_off: { base_interval: 0.001s, max_interval: 0.002s }";
        let policy = format!("{on}\nnum_retries: 2\n{pauses}\n{}", row.retry);
        let _ = writeln!(route, "retry_policy:\n{}", indented(&policy, 2));
    }
    format!(
        "- name: row-{number}\n  domains: [row-{number}]\n  routes:\n  \
         - match: {{ prefix: / }}\n    route:\n{}\n",
        indented(&route, 6)
    )
}

fn cluster(number: usize, row: &Row, upstreams: &[Upstream]) -> String {
    let endpoints: Vec<_> = (upstreams.iter())
        .map(|upstream| format!("{{ endpoint: {{ address: {} }} }}", address(&upstream.endpoint)))
        .collect();
    let options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = format!(
        "typed_extension_protocol_options:\n  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n    \
         \"@type\": {options}\n    explicit_http_config: {{ http2_protocol_options: {{}} }}"
    );
    // As hoplab, which has none unless told.
    let no_panic = "common_lb_config: { healthy_panic_threshold: { value: 0 } }";
    let usual = [Some(no_panic), (row.protocol == Protocol::Http2).then_some(&http2)];
    let told = |keys: &str| row.cluster.contains(keys.split(':').next().unwrap_or(keys));
    let keys: Vec<_> = usual.into_iter().flatten().filter(|keys| !told(keys)).chain([row.cluster]).collect();
    let rest = keys.join("\n");
    format!(
        "- name: row-{number}\n  type: STATIC\n  load_assignment:\n    cluster_name: row-{number}\n    endpoints: \
         [{{ lb_endpoints: [{}] }}]\n{}\n",
        endpoints.join(", "),
        indented(&rest, 2)
    )
}

fn indented(text: &str, spaces: usize) -> String {
    let line = |line: &str| format!("{:spaces$}{line}", "");
    text.lines().filter(|text| !text.trim().is_empty()).map(line).collect::<Vec<_>>().join("\n")
}

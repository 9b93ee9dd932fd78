//! One of the two proxies with an upstream for each row, and the clients that ask it.

use std::path::Path;

use futures_util::future::join_all;
use hoplab_proxy::host::{Endpoint, Host};
use hoplab_proxy::telemetry::{Fault, Outcome, Span};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::peer::Envoy;
use super::row::{Clients, Decided, Protocol, Request, Row, tally};
use super::upstream::Upstream;
use crate::lab::{Lab, PATIENCE, Running};

/// A proxy that runs for the rows of a table.
pub(crate) struct Side<'a> {
    lab: &'a Lab,
    door: Endpoint,
    upstreams: Vec<Vec<Upstream>>,
    proxy: Proxy,
}

enum Proxy {
    Hoplab { _gateway: Running },
    Envoy(Envoy),
}

impl<'a> Side<'a> {
    pub(crate) async fn hoplab(lab: &'a Lab, rows: &[Row]) -> Self {
        let upstreams = upstreams(lab, rows).await;
        let text: String = rows
            .iter()
            .zip(&upstreams)
            .enumerate()
            .map(|(number, (row, upstreams))| table(number, row, upstreams))
            .collect();
        let gateway = lab.gateway(&text).await;
        Self { lab, door: gateway.address.into(), upstreams, proxy: Proxy::Hoplab { _gateway: gateway } }
    }

    pub(crate) async fn envoy(lab: &'a Lab, program: &Path, table: &str, rows: &[Row]) -> Self {
        let upstreams = upstreams(lab, rows).await;
        let envoy = Envoy::start(lab, program, table, rows, &upstreams).await;
        Self { lab, door: envoy.endpoint.clone(), upstreams, proxy: Proxy::Envoy(envoy) }
    }

    /// Sends what the row says and waits for all answers.
    pub(crate) async fn decide(&self, number: usize, row: &Row) -> Decided {
        let upstreams = &self.upstreams[number];
        for (upstream, health) in upstreams.iter().zip(row.health) {
            self.in_time(upstream.has_told_health(self.lab, health.len() + 1)).await;
            self.settle().await;
        }
        let spans = self.lab.spans().len();
        let request = request(number, row.request);
        let mut statuses = Vec::new();
        match row.clients {
            Clients::InTurn(clients) => {
                for _ in 0..clients {
                    statuses.push(self.ask(&request).await);
                    self.settle().await;
                }
            }
            Clients::BesideTheFirst(clients) => {
                let mut waiting = Vec::new();
                for _ in 0..clients {
                    let seen = upstreams[0].seen();
                    let mut answer = Box::pin(self.ask(&request));
                    tokio::select! {
                        status = &mut answer => statuses.push(status),
                        () = upstreams[0].has_seen_more_than(self.lab, seen) => waiting.push(answer),
                    }
                }
                statuses.extend(join_all(waiting).await);
            }
            Clients::AtOnce(clients) => statuses = self.ask_at_once(number, clients).await,
        }
        let unconnected = match &self.proxy {
            Proxy::Hoplab { .. } => unconnected(&self.lab.spans()[spans..]),
            Proxy::Envoy(envoy) => self.unconnected(envoy, number).await,
        };
        let mut sends: Vec<usize> =
            upstreams.iter().map(|upstream| upstream.seen().unwrap_or(unconnected)).collect();
        if row.endpoints_are_alike() {
            sends.sort_unstable();
        }
        Decided { sends, statuses: tally(statuses) }
    }

    /// The status of the answer to `request`, behind interim ones; 0 when there is none.
    async fn ask(&self, request: &str) -> u16 {
        let answer = self.exchange(&self.door, request).await;
        let statuses = answer.split("\r\n\r\n").filter_map(|head| head.strip_prefix("HTTP/1.1 "));
        let mut statuses = statuses.filter_map(|rest| rest.get(..3)?.parse().ok());
        statuses.find(|status| *status >= 200).unwrap_or(0)
    }

    async fn ask_at_once(&self, number: usize, count: usize) -> Vec<u16> {
        let stream = self.lab.host.connect(&self.door).await.unwrap();
        let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
        let answers: Vec<_> = (0..count)
            .map(|_| {
                let request = http::Request::get(format!("http://row-{number}/")).body(()).unwrap();
                client.send_request(request, true).unwrap().0
            })
            .collect();
        self.lab.spawner().spawn(async move { drop(connection.await) });
        self.in_time(async {
            let answers = join_all(answers.into_iter().map(async |answer| {
                let mut answer = answer.await.unwrap();
                while answer.body_mut().data().await.is_some() {}
                answer.status().as_u16()
            }));
            answers.await
        })
        .await
    }

    /// What one of Envoy's threads has told another has arrived when its main thread has answered.
    async fn settle(&self) {
        if let Proxy::Envoy(envoy) = &self.proxy {
            self.ask_admin(envoy, "/ready").await;
        }
    }

    /// Connections for the row that Envoy could not establish.
    async fn unconnected(&self, envoy: &Envoy, number: usize) -> usize {
        let name = format!("cluster.row-{number}.upstream_cx_connect_fail");
        let stats = self.ask_admin(envoy, &format!("/stats?filter=^{name}$")).await;
        let count = stats.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix(": "));
        count.unwrap_or_else(|| panic!("{stats}")).parse().unwrap()
    }

    async fn ask_admin(&self, envoy: &Envoy, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        self.exchange(&envoy.admin, &request).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            () = self.lab.host.sleep_until(self.lab.host.now() + PATIENCE) => panic!("there is no end of it"),
        }
    }

    /// Sends `request` and reads until the peer closes.
    async fn exchange(&self, peer: &Endpoint, request: &str) -> String {
        let mut stream = self.lab.host.connect(peer).await.unwrap();
        let mut answer = Vec::new();
        self.in_time(async {
            let _ = stream.write_all(request.as_bytes()).await;
            // What has come until the connection broke is the answer.
            let _ = stream.read_to_end(&mut answer).await;
        })
        .await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Attempts for which there was no connection.
fn unconnected(spans: &[Span]) -> usize {
    let attempts = spans.iter().flat_map(|span| &span.attempts);
    let failed = |outcome| matches!(outcome, Outcome::Failed(Fault::Refused | Fault::ConnectTimeout));
    attempts.filter(|attempt| failed(attempt.outcome)).count()
}

async fn upstreams(lab: &Lab, rows: &[Row]) -> Vec<Vec<Upstream>> {
    let mut upstreams = Vec::new();
    for row in rows {
        let health = row.health.iter().copied().chain(std::iter::repeat(&[][..]));
        let started = row.script.iter().zip(health);
        upstreams.push(
            join_all(started.map(|(acts, health)| Upstream::start(lab, row.protocol, acts, health))).await,
        );
    }
    upstreams
}

/// hoplab's upstream for a row.
fn table(number: usize, row: &Row, upstreams: &[Upstream]) -> String {
    let endpoints: Vec<_> = upstreams.iter().map(|upstream| format!("\"{}\"", upstream.endpoint)).collect();
    let protocol = match row.protocol {
        Protocol::Http1 => "http1",
        Protocol::Http2 => "http2",
    };
    let retry = match row.on {
        "" => String::new(),
        on => format!("retry.attempts = 2\nretry.on = [\"{on}\"]\nretry.backoff = \"1ms..2ms\""),
    };
    let endpoints = endpoints.join(", ");
    format!(
        "[upstreams.row-{number}]\nendpoints = [{endpoints}]\nprotocol = \"{protocol}\"\n{retry}\n{}\n",
        row.hoplab
    )
}

fn request(number: usize, request: Request) -> String {
    let head = |method| format!("{method} / HTTP/1.1\r\nHost: row-{number}\r\nConnection: close\r\n");
    match request {
        Request::Get => head("GET") + "\r\n",
        Request::Post => head("POST") + "Content-Length: 4\r\n\r\nwhat",
        Request::Grpc => {
            let fields = "Content-Type: application/grpc\r\nTE: trailers\r\n";
            head("POST").replace("close", "close, TE") + fields + "Content-Length: 7\r\n\r\n\0\0\0\0\x02hi"
        }
        Request::HalfAPost => head("POST") + "Content-Length: 8\r\n\r\nhalf",
    }
}

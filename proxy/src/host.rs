//! The seam between the products and the machine they run on.
//!
//! [`Host`] is everything that a gateway or a sidecar may ask of its machine: byte streams, time,
//! names, processor time, cryptography, and a place to report what happened. [`live::Live`] answers over tokio's
//! sockets and clock; the simulation has the other implementor. Products take `H: Host` by value
//! and contain no branch that knows which one it is.
//!
//! Not here: randomness (a seed in the product's inputs), tasks ([`crate::tasks`]), HTTP.

pub mod live;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use hoplab_config::form::{Describe, Form};
use hoplab_config::read::parsed;
use hoplab_config::{Context as Reading, Place, Read, Value};
use rustls::crypto::CryptoProvider;
use rustls::{KeyLog, NoKeyLog};
use tokio::io::{AsyncRead, AsyncWrite};

pub use crate::instant::Instant;
use crate::telemetry::{ConnectionId, Interest, Owner, Report};

/// What a product may ask of its machine. Cloning gives another handle to the same machine.
pub trait Host: Clone + Send + Sync + Unpin + 'static {
    /// A byte stream to a peer. Dropping it closes the connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A bound port.
    type Listener: Listener<Stream = Self::Stream>;

    /// Listens on `address`; port 0 lets the host choose.
    fn bind(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Connects to `endpoint`, resolving its name. Never gives up by itself: the caller races it
    /// against [`Host::sleep_until`].
    fn connect(&self, endpoint: &Endpoint) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// The addresses of a name, as a name server tells them; none when it has none, or when there is no such name. Never
    /// gives up by itself, as [`Host::connect`]. A host that knows no names says so.
    fn resolve(&self, name: &str) -> impl Future<Output = io::Result<Resolved>> + Send {
        let unknown = format!("this host resolves no names, and so not `{name}`");
        std::future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, unknown)))
    }

    /// What stands in a file of the machine; of one that has files.
    fn read(&self, path: &Path) -> impl Future<Output = io::Result<String>> + Send {
        let unknown = format!("this host has no files, and so not {}", path.display());
        std::future::ready(Err(io::Error::new(io::ErrorKind::Unsupported, unknown)))
    }

    /// A name for the connection that a stream is one end of, for those who look at the network from outside; none,
    /// unless the host says otherwise.
    fn connection(&self, _stream: &Self::Stream) -> Option<ConnectionId> {
        None
    }

    /// Where the next connection to `endpoint` leads, when its name stands for several and each connection is given
    /// one of them, as kube-proxy does with the address of a service; `None` when the name stands for itself.
    fn assign(&self, _endpoint: &Endpoint) -> Option<Endpoint> {
        None
    }

    /// Time since the host started. It may stand still during a [turn](Host::turn), but for a wait that ends in it: as of
    /// when the turn first looked. So what two tasks note may be out of order where they run beside each other.
    fn now(&self) -> Instant;

    /// As [`Host::now`], looked at within the turn, too: for what others are told of the time that is left.
    fn now_anew(&self) -> Instant {
        self.now()
    }

    /// Does a task's turn: what it does until it waits.
    fn turn<T>(&self, turn: impl FnOnce() -> T) -> T {
        turn()
    }

    /// Completes once [`Host::now`] has reached `deadline`; deadlines complete in their order.
    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + Send + Sync + 'static;

    /// The calendar's time, for certificates and tokens.
    fn wall(&self) -> SystemTime;

    /// Accounts for processor time. Simulated, it occupies one of the container's cores, first come
    /// first served, for as long as the host's cost table says, and then waits out the table's
    /// fixed latency on no core. Live, it returns at once: the processor was really spent.
    ///
    /// `enters` hears whose the time is, from an instant on that may lie in the past: [`Owner::Tls`],
    /// [`Owner::Cpu`] and [`Owner::Latency`], in this order, as far as each takes time. Until the first,
    /// the work waits for a core. Who drops the future knows by that what was given up.
    fn work(&self, work: Work, enters: impl FnMut(Owner, Instant) + Send) -> impl Future<Output = ()> + Send;

    /// The cryptography that TLS is to use; the simulation's is seeded.
    fn crypto(&self) -> Arc<CryptoProvider>;

    /// Who is told the secrets of TLS sessions, for whoever wants to read what was captured of them; nobody, unless
    /// the host says otherwise.
    fn key_log(&self) -> Arc<dyn KeyLog> {
        Arc::new(NoKeyLog {})
    }

    /// Takes note of something that happened.
    fn report(&self, report: Report);

    /// Completes when the tasks of the process may go on: always, but for a simulated one that is stopped.
    fn poll_running(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Whether whoever hears the reports wants what is reported on demand alone.
    fn wants(&self, _: Interest) -> bool {
        false
    }
}

/// What a name server says of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its addresses, in any order.
    pub addresses: Vec<IpAddr>,
    /// How long that may be relied on.
    pub ttl: Duration,
}

/// A bound port that hands out connections.
pub trait Listener: Send + 'static {
    /// As [`Host::Stream`].
    type Stream;

    /// Waits for the next connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<Accepted<Self::Stream>>> + Send;

    /// The address that is listened on.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A connection that a listener handed out.
#[derive(Debug)]
pub struct Accepted<S> {
    /// Its bytes.
    pub stream: S,
    /// Who connected.
    pub peer: SocketAddr,
    /// Where the peer wanted to go before the connection was redirected to this port
    /// (`SO_ORIGINAL_DST`); the listener's own address if it was not.
    pub original_destination: SocketAddr,
}

/// What a product did that costs processor time, as counts. The host's table says what each costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Requests handled: routing, policies, headers.
    pub requests: u32,
    /// Body bytes moved in the clear.
    pub bytes: u64,
    /// Body bytes encrypted or decrypted.
    pub tls_bytes: u64,
    /// TLS handshakes done, on either side.
    pub handshakes: u32,
    /// Connections accepted.
    pub connections: u32,
}

/// A name or address with a port, as configuration files write it: `payment-0:8080`, `[::1]:80`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// A DNS name or an IP address, the latter without brackets.
    pub host: Arc<str>,
    /// The TCP port.
    pub port: u16,
}

impl Endpoint {
    /// `host:port`.
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Self { host: host.into(), port }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Why a text is no [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not host:port")]
pub struct NotAnEndpoint(String);

impl std::str::FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAnEndpoint(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match bare {
            Some(address) if address.contains(':') => Ok(Self::new(address, port)),
            None if !host.is_empty() && !host.contains([':', '[', ']', '/', ' ']) => {
                Ok(Self::new(host, port))
            }
            _ => Err(wrong()),
        }
    }
}

impl Read for Endpoint {
    fn read(value: &Value<'_>, place: Place, context: &mut Reading<'_>) -> Option<Self> {
        const HINT: &str = "write a name or an address with its port, such as `payment-0:8080`";
        parsed(value, place, ("an endpoint", HINT), context, |text| {
            text.parse().map_err(|wrong: NotAnEndpoint| format!("{wrong}: {HINT}"))
        })
    }
}

impl Describe for Endpoint {
    fn form() -> Form {
        Form::Text { what: "a name or an address with its port", example: "payment-0:8080" }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip().to_string(), address.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_they_are_written() {
        for text in ["payment-0:8080", "127.0.0.1:80", "[::1]:15001"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for text in
            ["payment", ":80", "payment:http", "payment:70000", "::1:80", "[payment]:80", "http://a:80"]
        {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}

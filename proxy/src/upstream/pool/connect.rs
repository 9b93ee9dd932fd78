//! Opens a connection to an endpoint: TCP, TLS when the upstream speaks it, then HTTP. The one place
//! where hyper's client is set up; HTTP/2's is in [`crate::http2`]. Owns no connection once it is open.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::Protocol;
use super::count::Slot;
use super::watched::{self, Asked, Watched};
use crate::exchange::Exchange;
use crate::host::{Endpoint, Host, Instant};
use crate::http2::client as http2;
use crate::message;
use crate::tasks::Spawner;
use crate::telemetry::{ConnectionId, Fault, Owner, Report, TlsPeer, TlsTrouble};
use crate::timer::before;
use crate::tls::{self, ClientTls};

/// The largest head of an answer that is read; more is a fault of the upstream.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How to reach an endpoint.
pub(in super::super) struct Connector<H> {
    pub(in super::super) host: H,
    pub(in super::super) endpoint: Endpoint,
    pub(in super::super) protocol: Protocol,
    pub(in super::super) tls: Option<ClientTls>,
    pub(in super::super) timeout: Duration,
    /// After how long a silence an HTTP/2 connection with requests on it is pinged; never when `None`.
    pub(in super::super) keep_alive: Option<Duration>,
}

/// A connection that was opened.
pub(super) struct Dialed<S> {
    pub(super) sender: S,
    pub(super) label: Label,
}

/// What is known of a connection besides its bytes.
#[derive(Debug, Clone)]
pub(super) struct Label {
    /// Whom it leads to, where the endpoint stands for several.
    pub(super) peer: Option<Arc<str>>,
    /// Its name, where the host has one.
    pub(super) connection: Option<ConnectionId>,
}

/// The bytes of a connection, in the clear or behind TLS.
enum Wire<H: Host> {
    Plain(H::Stream),
    Tls(Box<tokio_rustls::TlsStream<H::Stream>>),
}

impl<H: Host> Connector<H> {
    pub(super) async fn open_http1(
        &self,
        exchange: &mut Exchange,
        spawner: &Spawner<H>,
        slot: Slot,
    ) -> Result<Dialed<watched::Sender>, Fault> {
        let (wire, label) = self.open(exchange).await?;
        let sender = match wire {
            Wire::Plain(stream) => speak_http1(stream, spawner, slot).await?,
            Wire::Tls(stream) => speak_http1(stream, spawner, slot).await?,
        };
        Ok(Dialed { sender, label })
    }

    /// Opens a connection that carries up to `streams_max` requests at a time; `changed` hears what the peer makes of it.
    pub(super) async fn open_http2(
        &self,
        exchange: &mut Exchange,
        spawner: &Spawner<H>,
        streams_max: u32,
        changed: impl Fn() + Send + Unpin + 'static,
    ) -> Result<Dialed<http2::Sender>, Fault> {
        let (wire, label) = self.open(exchange).await?;
        let settings = http2::Settings { streams_max, keep_alive: self.keep_alive };
        let sender = match wire {
            Wire::Plain(stream) => http2::handshake(&self.host, stream, settings, spawner, changed).await,
            Wire::Tls(stream) => http2::handshake(&self.host, stream, settings, spawner, changed).await,
        };
        Ok(Dialed { sender: sender.map_err(|_| Fault::Reset)?, label })
    }

    /// The bytes of a new connection, and what else is known of it.
    async fn open(&self, exchange: &mut Exchange) -> Result<(Wire<H>, Label), Fault> {
        let deadline = self.host.now() + self.timeout;
        exchange.enter(Owner::Connect);
        let assigned = self.host.assign(&self.endpoint);
        let endpoint = assigned.as_ref().unwrap_or(&self.endpoint);
        let connected = before(&self.host, deadline, self.host.connect(endpoint)).await;
        exchange.mark(self.host.now());
        let stream = match connected {
            Some(Ok(stream)) => stream,
            Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return Err(Fault::ConnectTimeout),
            Some(Err(error)) if is_of_this_machine(&error) => return Err(Fault::Exhausted),
            Some(Err(_)) => return Err(Fault::Refused),
            None => return Err(Fault::ConnectTimeout),
        };
        let connection = self.host.connection(&stream);
        let wire = match &self.tls {
            None => Wire::Plain(stream),
            Some(tls) => self.secure(tls, stream, deadline, exchange).await?,
        };
        let peer = assigned.map(|endpoint| endpoint.to_string().into());
        Ok((wire, Label { peer, connection }))
    }

    async fn secure(
        &self,
        tls: &ClientTls,
        stream: H::Stream,
        deadline: Instant,
        exchange: &mut Exchange,
    ) -> Result<Wire<H>, Fault> {
        exchange.enter(Owner::Tls);
        let secured =
            before(&self.host, deadline, tls.connect(&self.host, &self.endpoint.host, stream)).await;
        exchange.mark(self.host.now());
        let secured = secured.ok_or(Fault::ConnectTimeout)?;
        let secured = secured.map_err(|error| self.not_secured(tls::why::in_words(&error)))?;
        let agreed = match secured.protocol {
            tls::Protocol::Http1 => Protocol::Http1,
            tls::Protocol::Http2 => Protocol::Http2,
        };
        if agreed == self.protocol {
            return Ok(Wire::Tls(secured.stream));
        }
        Err(self.not_secured("it does not speak HTTP/2 (ALPN)".to_owned()))
    }

    /// Reports that a connection was not secured, and why.
    pub(super) fn not_secured(&self, fact: String) -> Fault {
        let with = TlsPeer::Endpoint(self.endpoint.to_string().into());
        self.host.report(Report::Tls(TlsTrouble { at: self.host.now(), with, fact }));
        Fault::Tls
    }
}

/// Whether it is this machine that has no room for a connection: no descriptor, no port, no memory. Nobody else is to
/// blame.
pub(in super::super) fn is_of_this_machine(error: &io::Error) -> bool {
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    let told = error.raw_os_error().is_some_and(|code| matches!(code, ENOMEM | ENFILE | EMFILE | ENOBUFS));
    told || matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory)
}

/// Speaks HTTP/1.1 on `stream`, which takes `slot` until it is closed.
async fn speak_http1<H: Host, S>(
    stream: S,
    spawner: &Spawner<H>,
    slot: Slot,
) -> Result<watched::Sender, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_header_size(HEAD_BYTES_MAX).max_headers(message::ANSWER_FIELDS_READ);
    let asked = Asked::default();
    let stream = TokioIo::new(Watched::new(stream, asked.clone(), slot));
    let (sender, connection) = builder.handshake(stream).await.map_err(|_| Fault::Reset)?;
    // How a connection ends is told to the requests on it; one that goes on with another protocol, to who asked for that.
    spawner.spawn(async move { drop(connection.with_upgrades().await) });
    Ok(watched::Sender::new(sender, asked))
}

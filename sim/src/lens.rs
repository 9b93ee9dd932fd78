//! A lens: what to look at closely while a run is run again, and what was seen through it.
//!
//! A record keeps sums and a few paths. Since a run repeats bit for bit, whoever wants more runs it again with a
//! lens ([`crate::run::look`]), which changes nothing of the run, its digest least of all. All of it is plain data,
//! bounded by the lens's own limits. Not here: who fills it (the recorder and the world), and how it is drawn.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
pub use hoplab_proxy::telemetry::AttemptKind;

use crate::record;

/// What to look at closely.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lens {
    /// The requests to keep whole; none when left out.
    pub requests: Option<Wanted>,
    /// How many packets to keep at most, from the start of the run on.
    pub packets: usize,
    /// Whether to keep the secrets of TLS sessions.
    pub keys: bool,
}

/// Which requests to keep whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Those whose trace ids, as 32 hexadecimal digits, are one of these; of the warm-up, too.
    Named(Vec<String>),
    /// Those whose trace ids begin or end with these digits; of the warm-up, too. At most [`ALIKE_MAX`] are kept.
    Alike(String),
    /// So many of the slowest, after the warm-up.
    Slowest(usize),
    /// The first so many that failed or were given up, after the warm-up.
    Failed(usize),
    /// Every one, of the warm-up and those that never ended, too. Grows with the run.
    All,
}

/// How many requests are kept at most that [`Wanted::Alike`] fits; more make no name.
pub const ALIKE_MAX: usize = 5;

/// How many breakers' changes and policies' decisions are kept at most of a request's time.
pub const MOMENTS_MAX: usize = 1_000;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The calendar's time at the start of the run, since 1970.
    pub epoch: Duration,
    /// The pods, in the order of the deployment.
    pub pods: Vec<Pod>,
    /// The requests that were wanted: slowest first, or in the order in which they ended.
    pub requests: Vec<Request>,
    /// How many requests would have been kept without a limit; of [`Wanted::Slowest`] as many as were kept.
    pub requests_found: u64,
    /// The first packets, in the order of their departure.
    pub packets: Vec<Packet>,
    /// Packets that the limit left out.
    pub packets_left_out: u64,
    /// The secrets of TLS sessions, a line each in the format of NSS's key logs, in the order of their making.
    pub keys: Vec<String>,
}

/// A pod of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name: `checkout-0`, `gateway-0`, `client-0`.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
}

/// A request with everything that was done for it. Times are nanoseconds since the start of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The trace id, 32 hexadecimal digits.
    pub id: String,
    /// `service.endpoint`.
    pub endpoint: String,
    /// The intended send.
    pub start_nanos: u64,
    /// When it ended; `None` when the run was over before.
    pub end_nanos: Option<u64>,
    /// How it ended; `None` likewise.
    pub outcome: Option<Outcome>,
    /// Its stays at hops, in the order of their start.
    pub visits: Vec<Visit>,
    /// The critical path: stretches that tile the response time, in order; empty when it has not ended.
    pub path: Vec<Stretch>,
    /// What changed along it: at the pods that it passed, about the upstreams that it asked, while it was under way.
    pub moments: Vec<Moment>,
    /// Moments that the limit left out.
    pub moments_left_out: u64,
}

/// How a request, a visit or an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `200`, `503`, `timeout`, `reset`, …
    pub text: String,
    /// Whether it is a success: an answer below 500.
    pub is_ok: bool,
}

/// A request's stay at a hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// A name for it that no other visit or attempt of the run's has.
    pub id: u64,
    /// The attempt that it answers; `None` for the client's own.
    pub parent: Option<u64>,
    /// The hop, as [`record::Hop::name`].
    pub hop: String,
    /// Whether the hop is the client, where the request begins.
    pub is_client: bool,
    /// Where it stands.
    pub pod: String,
    /// Its start.
    pub start_nanos: u64,
    /// Its end.
    pub end_nanos: u64,
    /// Who owned its time, without gap or overlap.
    pub segments: Vec<Segment>,
    /// What it asked others for.
    pub attempts: Vec<Attempt>,
    /// How it ended.
    pub outcome: Outcome,
}

/// A stretch of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The owner, as a key of [`record::Architecture::breakdown_us`]. What waits for an attempt is `wire`.
    pub owner: &'static str,
    /// The attempt that is waited for.
    pub attempt: Option<u64>,
    /// Its end; it starts where the one before it ended.
    pub end_nanos: u64,
}

/// Something that a hop asked of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its name: the visit that answers it has it as its parent.
    pub id: u64,
    /// The upstream, a service as a rule.
    pub upstream: String,
    /// The endpoint, `host:port`, once one was chosen.
    pub endpoint: Option<String>,
    /// Why it was made.
    pub kind: AttemptKind,
    /// Whether it was put on a connection.
    pub is_sent: bool,
    /// When that connection stood still during the visit, in order per direction; of requests whose account is closed.
    pub stalls: Vec<Stall>,
    /// Its start.
    pub start_nanos: u64,
    /// Its end.
    pub end_nanos: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// A time during which a connection stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// The owner, as a key of [`record::Architecture::breakdown_us`].
    pub owner: &'static str,
    /// Whether it was on the way back: of an answer.
    pub is_back: bool,
    /// Its start.
    pub start_nanos: u64,
    /// Its end.
    pub end_nanos: u64,
}

/// A stretch of a critical path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The hop, as [`record::Hop::name`].
    pub hop: String,
    /// The owner, as a key of [`record::Architecture::breakdown_us`].
    pub owner: &'static str,
    /// Its length.
    pub nanos: u64,
}

/// A breaker's change or a policy's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// A circuit breaker changed its state.
    Breaker(record::BreakerChange),
    /// A policy decided something.
    Policy(record::PolicyEvent),
}

impl Moment {
    /// When, in microseconds since the start of the run.
    pub fn at_us(&self) -> u64 {
        match self {
            Self::Breaker(change) => change.at_us,
            Self::Policy(event) => event.at_us,
        }
    }

    /// The pod that it happened in.
    pub fn pod(&self) -> &str {
        match self {
            Self::Breaker(change) => &change.pod,
            Self::Policy(event) => &event.pod,
        }
    }

    /// The upstream that it is about.
    pub fn upstream(&self) -> &str {
        match self {
            Self::Breaker(change) => &change.upstream,
            Self::Policy(event) => &event.upstream,
        }
    }
}

/// A TCP segment, as its sender put it on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When, in nanoseconds since the start of the run.
    pub at_nanos: u64,
    /// From where.
    pub source: (Ipv4Addr, u16),
    /// Where to.
    pub destination: (Ipv4Addr, u16),
    /// The sequence number.
    pub sequence: u32,
    /// The acknowledgement number.
    pub acknowledgement: u32,
    /// The control bits as in a TCP header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32.
    pub flags: u8,
    /// The receive window as the header has it: what is meant is scaled, but of a SYN and of a reset.
    pub window: u16,
    /// The header's options.
    pub options: Options,
    /// What it carries.
    pub payload: Bytes,
    /// Whether it was sent before.
    pub is_repeated: bool,
    /// How it was lost; `None` when it was not.
    pub loss: Option<Loss>,
}

/// How a packet is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// A fault has taken it.
    OnTheWire,
    /// It found a queue full.
    QueueFull,
}

/// The options of a segment's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Options {
    /// None, as a reset has.
    None,
    /// Those of a SYN and of its answer, which permit selective acknowledgements, too.
    Handshake {
        /// The most that a segment may carry, its options counted.
        segment_size_max: u16,
        /// By how many bits windows are shifted.
        window_scale: u8,
        /// When it was sent.
        timestamps: Timestamps,
    },
    /// Those of every other segment.
    Established {
        /// When it was sent.
        timestamps: Timestamps,
        /// What its sender has, from one sequence number up to another, besides what it acknowledges in order.
        ranges: Vec<(u32, u32)>,
    },
}

/// The timestamps option, in milliseconds of its sender's clock and its peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamps {
    /// When the segment was sent.
    pub value: u32,
    /// The value of what it answers; 0 when it answers nothing.
    pub echo: u32,
}

//! One case: what the two proxies are told, what their upstream does, what is sent, and what must come of it.
//!
//! To add one, append to a table a row that says what differs from [`ROW`]:
//!
//! ```ignore
//! Row {
//!     name: "answers 503",
//!     on: "gateway-error",
//!     script: &[&[Answer(503)]],
//!     want: Alike(seen(&[3], "503")),
//!     ..ROW
//! }
//! ```

use std::fmt::Write;

use super::upstream::Act;

/// See the fields. All texts in the notation of the proxy's own configuration, a key a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// What happens.
    pub(crate) name: &'static str,
    /// When a request is sent again, up to two times: a condition that both call alike, or a status. When it is empty,
    /// never, unless `hoplab` and `route` say all of it.
    pub(crate) on: &'static str,
    /// hoplab: further keys of the upstream, such as `retry.methods = ["POST"]`.
    pub(crate) hoplab: &'static str,
    /// Envoy: further keys of the route, such as `timeout: 1s`.
    pub(crate) route: &'static str,
    /// Envoy: further keys of the route's `retry_policy`.
    pub(crate) retry: &'static str,
    /// Envoy: further keys of the cluster, such as `outlier_detection: { consecutive_5xx: 2 }`; they replace what
    /// `peer` says for every row.
    pub(crate) cluster: &'static str,
    /// What the upstream speaks.
    pub(crate) protocol: Protocol,
    /// What each endpoint does with the first request that it sees, the second, and so on; the last for all further.
    pub(crate) script: &'static [&'static [Act]],
    /// What each endpoint says at `/healthz`: first, second, and so on; the last for ever. Nothing where nobody asks.
    /// Clients begin when each endpoint has said it all, and the last twice.
    pub(crate) health: &'static [&'static [u16]],
    /// What clients send.
    pub(crate) request: Request,
    /// How many there are of it.
    pub(crate) clients: Clients,
    /// What must come of it.
    pub(crate) want: Want,
}

/// A GET that is answered with 200, with nothing configured.
pub(crate) const ROW: Row = Row {
    name: "answers 200",
    on: "",
    hoplab: "",
    route: "",
    retry: "",
    cluster: "",
    protocol: Protocol::Http1,
    script: &[&[Act::Answer(200)]],
    health: &[],
    request: Request::Get,
    clients: Clients::InTurn(1),
    want: Want::Alike(seen(&[1], "200")),
};

impl Row {
    pub(crate) fn label(&self) -> String {
        let condition = if self.on.is_empty() { "no retries" } else { self.on };
        format!("{condition}: {} ({:?}, {:?})", self.name, self.request, self.protocol)
    }

    /// Whether nothing tells one endpoint from another.
    pub(crate) fn endpoints_are_alike(&self) -> bool {
        let alike = |pair: &[&[u16]]| pair[0] == pair[1];
        self.script.windows(2).all(|pair| pair[0] == pair[1]) && self.health.windows(2).all(alike)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Get,
    Post,
    /// A POST of one message of gRPC.
    Grpc,
    /// A POST that stalls in the middle of its content.
    HalfAPost,
}

/// How many requests there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients {
    /// One when the other has been answered, each over a connection of its own, HTTP/1.1.
    InTurn(usize),
    /// As [`Clients::InTurn`], but one comes as well when the first endpoint has got the other, which it answers late:
    /// from its first request on it is busy.
    BesideTheFirst(usize),
    /// GETs, all in one piece over one connection, HTTP/2, so that none comes before another is looked at.
    AtOnce(usize),
}

/// What must come of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want {
    Alike(Seen),
    /// They decide differently. `why` begins with "open" where nobody has decided that yet.
    Differs {
        envoy: Seen,
        hoplab: Seen,
        why: &'static str,
    },
}

impl Want {
    pub(crate) fn hoplab(&self) -> Expected {
        match *self {
            Self::Alike(seen) => Expected { seen, why: None },
            Self::Differs { hoplab, why, .. } => Expected { seen: hoplab, why: Some(why) },
        }
    }

    pub(crate) fn envoy(&self) -> Expected {
        match *self {
            Self::Alike(seen) => Expected { seen, why: None },
            Self::Differs { envoy, why, .. } => Expected { seen: envoy, why: Some(why) },
        }
    }
}

/// How often each endpoint saw a request (in ascending order where they are alike), and what the clients got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    sends: Sends,
    statuses: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Sends {
    Are(&'static [usize]),
    /// By chance, of the first endpoint.
    FirstWithin(usize, usize),
}

/// `statuses` as [`tally`] writes them.
pub(crate) const fn seen(sends: &'static [usize], statuses: &'static str) -> Seen {
    Seen { sends: Sends::Are(sends), statuses }
}

/// Where chance decides: the first endpoint saw `least` requests or more, and `most` or less.
pub(crate) const fn first_saw(least: usize, most: usize, statuses: &'static str) -> Seen {
    Seen { sends: Sends::FirstWithin(least, most), statuses }
}

/// What one of the two must decide, and why the other decides differently.
pub(crate) struct Expected {
    seen: Seen,
    why: Option<&'static str>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) sends: Vec<usize>,
    pub(crate) statuses: String,
}

impl Expected {
    /// What is to be said when `got` is something else.
    pub(crate) fn mismatch(&self, label: &str, proxy: &str, got: &Decided) -> Option<String> {
        let Seen { sends, statuses } = self.seen;
        let so_often = match sends {
            Sends::Are(sends) => got.sends == sends,
            Sends::FirstWithin(least, most) => (least..=most).contains(&got.sends[0]),
        };
        if so_often && got.statuses == statuses {
            return None;
        }
        let mut text = format!("{label}: {proxy} {:?} {:?}", got.sends, got.statuses);
        let sends = match sends {
            Sends::Are(sends) => format!("{sends:?}"),
            Sends::FirstWithin(least, most) => format!("[{least} to {most}, …]"),
        };
        let _ = write!(text, ", not {sends} {statuses:?}");
        if let Some(why) = self.why {
            let _ = write!(text, " (differs from the other: {why})");
        }
        Some(text)
    }
}

/// `"200, 3 x 503"`: each status with how many clients got it, 0 for a connection that was closed without an answer.
pub(crate) fn tally(mut statuses: Vec<u16>) -> String {
    statuses.sort_unstable();
    let runs = statuses.chunk_by(|a, b| a == b);
    let run = |run: &[u16]| match run {
        [status] => status.to_string(),
        run => format!("{} x {}", run.len(), run[0]),
    };
    runs.map(run).collect::<Vec<_>>().join(", ")
}

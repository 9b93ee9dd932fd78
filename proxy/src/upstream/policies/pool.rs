//! How many connections and requests there may be, as configuration writes it.

use std::time::Duration;

use hoplab_config::{AboveZero, AtLeastOne};

use super::layer::layer;
use super::{Allotted, Contradiction};
use crate::upstream::settings::{self, Limits, Whole};

layer! {
    /// How many connections and requests there may be, per endpoint. A request over a limit fails with 503.
    pub struct PoolPolicy {
        /// As how many workers the proxy behaves, each of which has connections of its own, as in Envoy, nginx and Kong. A
        /// caller's connection belongs to one of them, in turn as they are accepted; a request uses, and waits for, that
        /// worker's connections alone. `connections`, `pending` and `requests` count for all workers together, but a worker
        /// without any connection may open one in any case; `idle` and `ramp` are each worker's, and so is HTTP/2's one
        /// connection.
        pub workers: u32 as AtLeastOne = settings::WORKERS,
        /// Connections at most.
        pub connections: u32 as AtLeastOne = "`1024`; `1` for HTTP/2",
        /// Requests that wait for a connection or stream, its opening included, as in Envoy: with `0` none ever opens.
        pub pending: u32 = settings::PENDING_MAX,
        /// How long one may wait so, whatever else its time allows: then it fails with 503, or with 504 as
        /// `connect-timeout` where it is the opening that has taken most of the time; `"0s"` switches off.
        pub pending_timeout: Duration = "any time; an hour with `timeout = \"none\"`",
        /// Requests that have a connection or wait for one at most.
        pub requests: u32 as AtLeastOne = "unlimited",
        /// HTTP/1.1 connections that are kept idle at most.
        pub idle: u32 = "unlimited",
        /// How long a connection may be idle.
        pub idle_timeout: Duration as AboveZero = "`\"60s\"`; for ever for HTTP/2",
        /// After which age a connection is sent no more requests, and closes when it is done; until then one of HTTP/2
        /// does not count towards `connections`.
        pub max_age: Duration as AboveZero = "unlimited",
        /// After how many requests a connection is sent no more, likewise.
        pub requests_per_connection: u32 as AtLeastOne = "unlimited",
        /// Requests at a time on one HTTP/2 connection at most; when all are full, another is opened.
        pub streams: u32 as AtLeastOne = settings::STREAMS_MAX,
        /// Connections that are being opened at a time; others wait.
        pub ramp: u32 as AtLeastOne = "unlimited",
        /// After so long a silence, an HTTP/2 connection with requests on it is pinged; unanswered for 20 s, it is closed.
        pub keep_alive: Duration as AboveZero = "never",
        /// What all endpoints together may have, besides, as in Envoy's circuit breakers.
        pub upstream: WholePolicy = "unlimited",
    }
}

layer! {
    /// How many connections and requests there may be of an upstream as a whole.
    pub struct WholePolicy {
        /// Connections at most, idle ones too; an endpoint that has none may open one in any case. `0`: any number.
        pub connections: u32 = "unlimited",
        /// Requests that wait for one at most, its opening included.
        pub pending: u32 = "unlimited",
        /// Requests that have a connection at most. `0`: any number.
        pub requests: u32 = "unlimited",
    }
}

impl PoolPolicy {
    /// The limits of requests that have this `timeout`. Without one who waits does so for as long as a stream may be silent.
    pub(super) fn resolve_within(&self, timeout: Option<Duration>) -> Limits {
        let limits = self.resolve();
        let silence = timeout.is_none().then_some(settings::STREAM_IDLE_TIMEOUT);
        Limits { pending_timeout: limits.pending_timeout.or(silence), ..limits }
    }

    /// The limits of requests that may take any time.
    pub fn resolve_alone(&self) -> Limits {
        self.resolve_within(None)
    }

    fn resolve(&self) -> Limits {
        let usual = Limits::default();
        Limits {
            workers: self.workers.unwrap_or(usual.workers),
            connections: self.connections,
            pending: self.pending.unwrap_or(usual.pending),
            pending_timeout: self.pending_timeout.filter(|timeout| !timeout.is_zero()),
            whole: self.upstream.as_ref().map(WholePolicy::resolve).unwrap_or_default(),
            requests: self.requests,
            idle: self.idle,
            idle_timeout: self.idle_timeout,
            max_age: self.max_age,
            requests_per_connection: self.requests_per_connection,
            streams: self.streams.unwrap_or(usual.streams),
            ramp: self.ramp,
            keep_alive: self.keep_alive,
        }
    }

    /// What cannot be told from one key alone; the request has the time `allotted`.
    pub(super) fn contradictions(&self, allotted: &Allotted) -> Vec<Contradiction> {
        let mut found = Vec::new();
        if self.pending_timeout.is_some_and(|pending| allotted.is_over_after(pending)) {
            found.push(allotted.contradiction("pool.pending_timeout", "it has waited for so long"));
        }
        let whole = self.resolve().whole;
        // An endpoint's `requests` count those that wait, too, and so cannot be held against the upstream's.
        let narrower = [
            ("pool.upstream.connections", self.connections, whole.connections),
            ("pool.upstream.pending", self.pending, whole.pending),
        ];
        for (key, one, whole) in narrower {
            if let (Some(one), Some(whole)) = (one, whole)
                && one > whole
            {
                found.push(Contradiction {
                    key,
                    fact: format!("one endpoint may have {one} where all of them may have {whole}"),
                    hint: "make it at least as many as one endpoint may have".to_owned(),
                });
            }
        }
        if let (Some(idle), Some(connections)) = (self.idle, self.connections)
            && idle > connections
        {
            found.push(Contradiction {
                key: "pool.idle",
                fact: format!("{idle} connections cannot be idle where {connections} may be open"),
                hint: "make `idle` at most `connections`, or take it out".to_owned(),
            });
        }
        found
    }
}

impl WholePolicy {
    fn resolve(&self) -> Whole {
        let limit = |written: Option<u32>| written.filter(|most| *most > 0);
        Whole { connections: limit(self.connections), pending: self.pending, requests: limit(self.requests) }
    }
}

#[cfg(test)]
mod tests {
    use crate::upstream::Policies;

    fn read(pool: &str) -> Result<Policies, String> {
        hoplab_config::read("test.toml", &format!("pool = {{ {pool} }}"))
            .map_err(|problems| problems.in_words().join("; "))
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for key in ["workers", "connections", "requests", "requests_per_connection", "streams", "ramp"] {
            let error = read(&format!("{key} = 0")).unwrap_err();
            assert!(error.starts_with("must be at least 1"), "{key}: {error}");
        }
        for key in ["idle_timeout", "max_age", "keep_alive"] {
            let error = read(&format!("{key} = \"0s\"")).unwrap_err();
            assert!(error.starts_with("must be above zero"), "{key}: {error}");
        }
        assert!(read("pending = 0, idle = 0").unwrap().resolve().is_ok());
        let wide = "connections = 2, requests = 10, upstream = { requests = 6 }";
        assert!(read(wide).unwrap().resolve().is_ok(), "eight of the ten wait");
        let found = read("connections = 2, idle = 3").unwrap().resolve().unwrap_err();
        assert_eq!(found[0].fact, "3 connections cannot be idle where 2 may be open");
    }
}

//! Reports counted, as Prometheus scrapes them: requests by role, attempts by edge (role → upstream, endpoint),
//! breakers, decisions of policies, panics. Owns no port: whoever has one writes [`Metrics::text`] to it.
//!
//! Memory is bounded: a family has at most [`SERIES_MAX`] combinations of names, and what comes on top is counted
//! together under [`OTHER`], so that sums stay exact. Names are those of a configuration, never a request's. Counting a
//! span whose edges are known allocates nothing.

mod histogram;
mod present;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::{
    Attempt, BreakerMoved, BreakerState, Decision, Gauges, Outcome, PolicyEvent, Report, Role, Sink, Span,
    TlsPeer,
};
use crate::instant::Instant;
use histogram::Histogram;
use present::Present;
pub use text::CONTENT_TYPE;
use text::{Family, Kind, Labels, Text};

/// Edges, breakers and decisions that are told apart: some hundred services with some endpoints each. A histogram of
/// 19 samples for each of them makes a scrape of 2 MB, what Prometheus still takes in its stride.
pub const SERIES_MAX: usize = 1024;

/// How long the series of an endpoint that has left are kept, at least: Linkerd's idle time of metrics.
const LEFT_FOR: Duration = Duration::from_mins(10);

/// The upstream that stands for all beyond the limit; no service's name has parentheses.
pub const OTHER: &str = "(other)";

const BUILD: Family = Family {
    name: "hoplab_build_info",
    kind: Kind::Gauge,
    help: "Always 1; the label says which version this is.",
};
const REQUESTS: Family = Family {
    name: "hoplab_requests_total",
    kind: Kind::Counter,
    help: "Requests that have ended, by the class of the status or the fault that was the answer.",
};
const REQUEST_DURATION: Family = Family {
    name: "hoplab_request_duration_seconds",
    kind: Kind::Histogram,
    help: "From the head of a request to the last byte of its answer.",
};
const IN_FLIGHT: Family = Family {
    name: "hoplab_requests_in_flight",
    kind: Kind::Gauge,
    help: "Requests that have arrived and not ended.",
};
const ATTEMPTS: Family = Family {
    name: "hoplab_attempts_total",
    kind: Kind::Counter,
    help: "Attempts that were sent to an upstream, repeated ones included.",
};
const UNSENT: Family = Family {
    name: "hoplab_attempts_unsent_total",
    kind: Kind::Counter,
    help: "Attempts of which nothing was sent, by the fault; the endpoint is empty when none was chosen.",
};
const ATTEMPT_DURATION: Family = Family {
    name: "hoplab_attempt_duration_seconds",
    kind: Kind::Histogram,
    help: "From the beginning of an attempt, its choice of an endpoint included, to the head of its answer.",
};
const RETRIES: Family = Family {
    name: "hoplab_retries_total",
    kind: Kind::Counter,
    help: "Attempts that were made again by a retry policy.",
};
const DECISIONS: Family =
    Family { name: "hoplab_policy_decisions_total", kind: Kind::Counter, help: "What policies decided." };
const BREAKER_STATE: Family = Family {
    name: "hoplab_breaker_state",
    kind: Kind::Gauge,
    help: "1 for the state that a breaker is in; a breaker that has never moved is closed and not listed.",
};
const BREAKER_MOVES: Family = Family {
    name: "hoplab_breaker_moves_total",
    kind: Kind::Counter,
    help: "Changes of a breaker's state, by the state that it came to.",
};
const PANICS: Family =
    Family { name: "hoplab_panics_total", kind: Kind::Counter, help: "Tasks that panicked: bugs of hoplab." };
const DROPPED: Family = Family {
    name: "hoplab_telemetry_dropped_total",
    kind: Kind::Counter,
    help: "Lines that were not written, because the writer did not keep up or its file did not take them.",
};

const RELOADS: Family = Family {
    name: "hoplab_reloads_total",
    kind: Kind::Counter,
    help: "Configurations that were read while the product ran, by whether they were taken up.",
};

const TLS_TROUBLES: Family = Family {
    name: "hoplab_tls_handshake_failures_total",
    kind: Kind::Counter,
    help: "Connections that were not secured, by who was at the other end.",
};

/// What was counted since the start. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    counts: Arc<Mutex<Counts>>,
}

/// How many requests were served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Served {
    /// That have ended.
    pub requests: u64,
    /// Of these, with an answer from 500 on, or none.
    pub failed: u64,
    /// Tasks that panicked.
    pub panicked: u64,
}

impl Metrics {
    /// Counts `report`.
    pub fn observe(&self, report: &Report) {
        let mut counts = self.counts();
        match report {
            Report::Span(span) => counts.span(span),
            Report::Breaker(moved) => counts.breaker(moved),
            Report::Policy(event) => counts.policy(event),
            Report::Source(_) => {}
            Report::Tls(trouble) => {
                let is_caller = matches!(trouble.with, TlsPeer::Caller(_));
                counts.tls_troubles[usize::from(is_caller)] += 1;
            }
            Report::Panicked => counts.served.panicked += 1,
            Report::Arrived(role) => counts.roles.entry(*role).or_default().in_flight += 1,
            Report::Gauges(gauges) => {
                counts.gauges.retain(|gauges| gauges.strong_count() > 0);
                counts.gauges.push(Weak::clone(gauges));
            }
        }
    }

    /// Says that lines of that kind go to a sink, so that none dropped is a number, too.
    pub fn writes(&self, lines: &'static str, _: &Sink) {
        self.counts().dropped.entry(lines).or_default();
    }

    /// Counts a line of that kind that was not written.
    pub fn dropped(&self, lines: &'static str) {
        *self.counts().dropped.entry(lines).or_default() += 1;
    }

    /// Counts a configuration that was read while the product runs, and was taken up or not.
    pub fn reloaded(&self, is_applied: bool) {
        self.counts().reloads[usize::from(is_applied)] += 1;
    }

    /// How many requests were served.
    pub fn served(&self) -> Served {
        self.counts().served
    }

    /// All of it in Prometheus' text format. The same counts give the same bytes.
    pub fn text(&self) -> String {
        // Read without the lock: whoever is read may be reporting.
        let gauges: Vec<_> = self.counts().gauges.iter().filter_map(Weak::upgrade).collect();
        let now = Present::of(gauges.iter().flat_map(|gauges| gauges.read()));
        self.counts().text(&now)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An upstream, and an endpoint of it where one is known.
type Target = (Arc<str>, Option<Arc<str>>);

#[derive(Debug)]
struct Counts {
    served: Served,
    roles: BTreeMap<Role, Stays>,
    edges: BTreeMap<(Role, Target), Ends>,
    unsent: BTreeMap<(Role, Target), BTreeMap<&'static str, u64>>,
    breakers: BTreeMap<Target, Moves>,
    decisions: BTreeMap<(Arc<str>, Decision), u64>,
    /// Endpoints that have left, and when: scraped for a while, so that their last requests are counted.
    left: BTreeMap<Target, Instant>,
    gauges: Vec<Weak<dyn Gauges>>,
    dropped: BTreeMap<&'static str, u64>,
    /// Those that were refused, and those that were applied.
    reloads: [u64; 2],
    /// Those with endpoints, and those with callers.
    tls_troubles: [u64; 2],
    other: Arc<str>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            served: Served::default(),
            roles: BTreeMap::new(),
            edges: BTreeMap::new(),
            unsent: BTreeMap::new(),
            breakers: BTreeMap::new(),
            decisions: BTreeMap::new(),
            left: BTreeMap::new(),
            gauges: Vec::new(),
            dropped: BTreeMap::new(),
            reloads: [0; 2],
            tls_troubles: [0; 2],
            other: OTHER.into(),
        }
    }
}

/// The requests at hops of one role.
#[derive(Debug, Default)]
struct Stays {
    in_flight: u64,
    ends: Ends,
}

/// How requests or attempts ended, and how long they took.
#[derive(Debug, Default)]
struct Ends {
    outcomes: BTreeMap<&'static str, u64>,
    durations: Histogram,
}

impl Ends {
    fn observe(&mut self, outcome: Outcome, duration: Duration) {
        *self.outcomes.entry(name(outcome)).or_default() += 1;
        self.durations.observe(duration);
    }
}

/// The changes of a breaker.
#[derive(Debug, Default)]
struct Moves {
    /// `None` for many breakers that are counted together, and for that of an endpoint that has left.
    state: Option<BreakerState>,
    counts: BTreeMap<BreakerState, u64>,
}

impl Counts {
    fn span(&mut self, span: &Span) {
        self.served.requests += 1;
        self.served.failed += u64::from(!span.outcome.is_ok());
        let stays = self.roles.entry(span.role).or_default();
        // Without arrivals, nobody is known to have come.
        stays.in_flight = stays.in_flight.saturating_sub(1);
        stays.ends.observe(span.outcome, span.end - span.start);
        for attempt in &span.attempts {
            self.attempt(span.role, attempt);
        }
    }

    fn attempt(&mut self, role: Role, attempt: &Attempt) {
        let edge = (role, (Arc::clone(&attempt.upstream), attempt.endpoint.clone()));
        if !attempt.is_sent {
            let outcomes = bounded(&mut self.unsent, edge, || (role, (Arc::clone(&self.other), None)));
            *outcomes.entry(name(attempt.outcome)).or_default() += 1;
            return;
        }
        let ends = bounded(&mut self.edges, edge, || (role, (Arc::clone(&self.other), None)));
        ends.observe(attempt.outcome, attempt.end - attempt.start);
    }

    fn breaker(&mut self, moved: &BreakerMoved) {
        let target = (Arc::clone(&moved.upstream), moved.endpoint.clone());
        let is_known = self.breakers.len() < SERIES_MAX || self.breakers.contains_key(&target);
        let moves = bounded(&mut self.breakers, target, || (Arc::clone(&self.other), None));
        moves.state = is_known.then_some(moved.state);
        *moves.counts.entry(moved.state).or_default() += 1;
    }

    fn policy(&mut self, event: &PolicyEvent) {
        let decision = event.decision;
        let target = || (Arc::clone(&event.upstream), event.endpoint.clone());
        match decision {
            Decision::Left => {
                self.breakers.get_mut(&target()).into_iter().for_each(|moves| moves.state = None);
                self.forget_who_left(event.at);
                self.left.insert(target(), event.at);
            }
            Decision::Joined => drop(self.left.remove(&target())),
            _ => {}
        }
        let decided = (Arc::clone(&event.upstream), decision);
        *bounded(&mut self.decisions, decided, || (Arc::clone(&self.other), decision)) += 1;
    }

    /// Takes out the series of endpoints that have left long before `now`: where pods come and go there would soon be no
    /// room for those of others.
    fn forget_who_left(&mut self, now: Instant) {
        let is_over = |at: &Instant| now.saturating_since(*at) >= LEFT_FOR;
        let Self { left, edges, unsent, breakers, .. } = self;
        let is_kept = |target: &Target| !left.get(target).is_some_and(is_over);
        edges.retain(|(_, target), _| is_kept(target));
        unsent.retain(|(_, target), _| is_kept(target));
        breakers.retain(|target, _| is_kept(target));
        left.retain(|_, at| !is_over(at));
    }

    fn text(&self, now: &Present) -> String {
        let mut text = Text::default();
        text.family(BUILD);
        text.sample("", &[("version", env!("CARGO_PKG_VERSION"))], &[], 1);
        self.write_requests(&mut text);
        self.write_attempts(&mut text);
        self.write_policies(&mut text);
        self.write_breakers(&mut text);
        now.write(&mut text);
        text.family(PANICS);
        text.sample("", &[], &[], self.served.panicked);
        text.family(DROPPED);
        for (lines, count) in &self.dropped {
            text.sample("", &[("lines", lines)], &[], count);
        }
        text.family(RELOADS);
        for (result, count) in ["refused", "applied"].into_iter().zip(self.reloads) {
            text.sample("", &[("result", result)], &[], count);
        }
        text.family(TLS_TROUBLES);
        for (peer, count) in ["endpoint", "caller"].into_iter().zip(self.tls_troubles) {
            text.sample("", &[("peer", peer)], &[], count);
        }
        text.finish()
    }

    fn write_requests(&self, text: &mut Text) {
        text.family(REQUESTS);
        for (role, stays) in &self.roles {
            stays.ends.write_outcomes(text, &[("role", role.name())]);
        }
        text.family(REQUEST_DURATION);
        for (role, stays) in &self.roles {
            stays.ends.durations.write(text, &[("role", role.name())]);
        }
        text.family(IN_FLIGHT);
        for (role, stays) in &self.roles {
            text.sample("", &[("role", role.name())], &[], stays.in_flight);
        }
    }

    fn write_attempts(&self, text: &mut Text) {
        text.family(ATTEMPTS);
        for ((role, target), ends) in &self.edges {
            ends.write_outcomes(text, &edge(*role, target));
        }
        text.family(UNSENT);
        for ((role, target), outcomes) in &self.unsent {
            for (outcome, count) in outcomes {
                text.sample("", &edge(*role, target), &[("outcome", outcome)], count);
            }
        }
        text.family(ATTEMPT_DURATION);
        for ((role, target), ends) in &self.edges {
            ends.durations.write(text, &edge(*role, target));
        }
    }

    fn write_policies(&self, text: &mut Text) {
        text.family(RETRIES);
        for ((upstream, decision), count) in &self.decisions {
            if *decision == Decision::Retried {
                text.sample("", &[("upstream", upstream)], &[], count);
            }
        }
        text.family(DECISIONS);
        for ((upstream, decision), count) in &self.decisions {
            text.sample("", &[("upstream", upstream), ("decision", decision.name())], &[], count);
        }
    }

    fn write_breakers(&self, text: &mut Text) {
        text.family(BREAKER_STATE);
        for ((upstream, endpoint), moves) in &self.breakers {
            let Some(current) = moves.state else { continue };
            let labels = [("upstream", &**upstream), ("endpoint", endpoint.as_deref().unwrap_or_default())];
            for state in BreakerState::ALL {
                text.sample("", &labels, &[("state", state.name())], u8::from(state == current));
            }
        }
        text.family(BREAKER_MOVES);
        for ((upstream, endpoint), moves) in &self.breakers {
            let labels = [("upstream", &**upstream), ("endpoint", endpoint.as_deref().unwrap_or_default())];
            for (state, count) in &moves.counts {
                text.sample("", &labels, &[("state", state.name())], count);
            }
        }
    }
}

impl Ends {
    fn write_outcomes(&self, text: &mut Text, labels: Labels<'_>) {
        for (outcome, count) in &self.outcomes {
            text.sample("", labels, &[("outcome", outcome)], count);
        }
    }
}

/// The value of `key`, or of the one that stands for all others once there are too many keys.
fn bounded<K: Ord, V: Default>(map: &mut BTreeMap<K, V>, key: K, other: impl FnOnce() -> K) -> &mut V {
    let key = if map.len() < SERIES_MAX || map.contains_key(&key) { key } else { other() };
    map.entry(key).or_default()
}

fn edge(role: Role, (upstream, endpoint): &Target) -> [(&'static str, &str); 3] {
    let endpoint = endpoint.as_deref().unwrap_or_default();
    [("role", role.name()), ("upstream", upstream), ("endpoint", endpoint)]
}

/// What an end is called: the class of its status, or its fault.
fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered(status) => match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "other",
        },
        Outcome::Failed(fault) => fault.name(),
    }
}

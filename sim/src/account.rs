//! The account of a request's time: joins the spans of all hops into one path whose stretches tile
//! the response time exactly.
//!
//! A hop's span is already tiled by its own segments. Where a segment waits for an attempt, the
//! span that the callee reported for this attempt is put in its place, clipped to the segment; what
//! the callee does not cover was spent on the wire; when the connection stood still there is known.
//! Nothing is estimated, so the stretches sum to the latency by construction. Not here: who reports
//! spans, and what becomes of the sums.

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::{ConnectionId, Fault, Outcome, Owner, Role, Segment, Span, SpanId};

use crate::stalls::{Stall, Stalls, Way};

/// Where a span was measured: the kind of hop, and the service whose pod it stands in or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// The kind of hop.
    pub role: Role,
    /// The service; `None` for clients and gateways.
    pub service: Option<usize>,
}

/// A span and where it was measured.
#[derive(Debug)]
pub struct Visit {
    /// Where.
    pub hop: Hop,
    /// What was measured.
    pub span: Span,
}

/// Who owned a stretch of a request's path, as the report names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Share {
    /// Between two hops.
    Wire,
    /// Between two hops, while a segment was lost and not yet sent again.
    Retransmission,
    /// Between two hops, while something had come that a process which stood still, or read slowly, had not read.
    Unread,
    /// Between two hops, while something was written that could not be sent yet.
    Window,
    /// Opening a connection.
    Connect,
    /// Waiting for a pooled connection.
    Pool,
    /// TLS handshakes and records.
    Tls,
    /// A proxy's computing.
    ProxyCpu,
    /// A proxy's waiting for a core.
    ProxyQueue,
    /// A proxy's fixed latency.
    ProxyLatency,
    /// A service's work.
    ServiceWork,
    /// A service's waiting for a core.
    ServiceQueue,
    /// A service's sleep.
    ServiceSleep,
    /// A pause before a retry.
    Backoff,
    /// Held back by a proxy on purpose.
    Delay,
}

impl Share {
    /// Every share, in the order of a request's life.
    pub const ALL: [Self; 15] = [
        Self::Pool,
        Self::Connect,
        Self::Tls,
        Self::Wire,
        Self::Retransmission,
        Self::Unread,
        Self::Window,
        Self::ProxyQueue,
        Self::ProxyCpu,
        Self::ProxyLatency,
        Self::Delay,
        Self::Backoff,
        Self::ServiceQueue,
        Self::ServiceWork,
        Self::ServiceSleep,
    ];

    /// Its key in a record.
    pub fn key(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Retransmission => "retransmission",
            Self::Unread => "unread",
            Self::Window => "window",
            Self::Connect => "connect",
            Self::Pool => "pool",
            Self::Tls => "tls",
            Self::ProxyCpu => "proxy_cpu",
            Self::ProxyQueue => "proxy_queue",
            Self::ProxyLatency => "proxy_latency",
            Self::ServiceWork => "service_work",
            Self::ServiceQueue => "service_queue",
            Self::ServiceSleep => "service_sleep",
            Self::Backoff => "backoff",
            Self::Delay => "delay",
        }
    }

    /// The share that time with `owner` at a hop of `role` counts to.
    pub(crate) fn of(role: Role, owner: Owner) -> Self {
        let service = matches!(role, Role::Service | Role::Client);
        match owner {
            Owner::Queue if service => Self::ServiceQueue,
            Owner::Queue => Self::ProxyQueue,
            Owner::Cpu if service => Self::ServiceWork,
            Owner::Cpu => Self::ProxyCpu,
            Owner::Latency => Self::ProxyLatency,
            Owner::Tls => Self::Tls,
            Owner::Pool => Self::Pool,
            Owner::Connect => Self::Connect,
            Owner::Upstream(_) | Owner::Downstream => Self::Wire,
            Owner::Backoff => Self::Backoff,
            Owner::Delay if service => Self::ServiceSleep,
            Owner::Delay => Self::Delay,
        }
    }
}

impl From<Option<Stall>> for Share {
    fn from(stall: Option<Stall>) -> Self {
        match stall {
            None => Self::Wire,
            Some(Stall::Retransmission) => Self::Retransmission,
            Some(Stall::Unread) => Self::Unread,
            Some(Stall::Window) => Self::Window,
        }
    }
}

/// A stretch of a request's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The hop that it was spent at; between two hops the one that waited.
    pub hop: Hop,
    /// Who owned it.
    pub share: Share,
    /// Its start.
    pub from: Instant,
    /// Its end.
    pub until: Instant,
}

/// The path of the request that `visits[root]` is the root of: stretches in order, which tile the
/// root's span. Visits that are not on the path, such as abandoned attempts, leave no trace in it. `stalls` says what of
/// the time between two hops their connection stood still.
pub fn path(visits: &[Visit], root: usize, stalls: &Stalls) -> Vec<Stretch> {
    let children = children(visits);
    let span = &visits[root].span;
    let mut walk = Walk { visits, children, stalls, path: Vec::with_capacity(visits.len() * 6) };
    walk.visit(root, &mut Vec::new(), (span.start, span.end));
    walk.path
}

/// Whether every attempt that a callee may have seen has been answered by a span. Spans of abandoned
/// attempts come after the request has ended.
pub fn is_complete(visits: &[Visit]) -> bool {
    let children = children(visits);
    let mut attempts = visits.iter().flat_map(|visit| &visit.span.attempts);
    attempts.all(|attempt| {
        let may_have_arrived = match attempt.outcome {
            Outcome::Answered(_) => true,
            Outcome::Failed(fault) => matches!(
                fault,
                Fault::Reset
                    | Fault::ProtocolError
                    | Fault::Timeout
                    | Fault::RequestTimeout
                    | Fault::Cancelled
            ),
        };
        !may_have_arrived || children.binary_search_by_key(&attempt.id, |(parent, _)| *parent).is_ok()
    })
}

/// The spans by the attempt that they answer, sorted.
fn children(visits: &[Visit]) -> Vec<(SpanId, usize)> {
    let mut children: Vec<_> = visits
        .iter()
        .enumerate()
        .filter_map(|(index, visit)| visit.span.parent.map(|parent| (parent, index)))
        .collect();
    children.sort_unstable();
    children
}

/// Where it is not known which way something was sent.
const BOTH_WAYS: [Way; 2] = [Way::Forth, Way::Back];

struct Walk<'a> {
    visits: &'a [Visit],
    children: Vec<(SpanId, usize)>,
    stalls: &'a Stalls,
    path: Vec<Stretch>,
}

impl Walk<'_> {
    /// Lays out the part of a visit that lies within a time. It was asked for on the last of these connections, for what
    /// was asked for on the one before: what it sends or takes passes all of them.
    fn visit(&mut self, index: usize, asked_on: &mut Vec<ConnectionId>, (from, until): (Instant, Instant)) {
        let Visit { hop, span } = &self.visits[index];
        let mut start = span.start;
        for &Segment { owner, end } in &span.segments {
            let time = (start.max(from), end.min(until));
            start = end;
            if time.0 >= time.1 {
                continue;
            }
            match owner {
                Owner::Upstream(attempt) => {
                    let mut attempts = span.attempts.iter();
                    let sent = attempts.find(|sent| sent.id == attempt);
                    self.upstream(*hop, attempt, sent.and_then(|sent| sent.connection), asked_on, time);
                }
                Owner::Downstream => self.wire(*hop, asked_on, &BOTH_WAYS, time),
                _ => self.push(*hop, Share::of(hop.role, owner), time),
            }
        }
        debug_assert!(start >= span.end, "segments must reach to the end of their span");
    }

    /// Lays out a wait for an attempt on a connection: the wire there, the callee's own account, the wire back.
    fn upstream(
        &mut self,
        hop: Hop,
        attempt: SpanId,
        connection: Option<ConnectionId>,
        asked_on: &mut Vec<ConnectionId>,
        (from, until): (Instant, Instant),
    ) {
        let own = connection.as_slice();
        let Some(child) = self.answer(attempt) else {
            return self.wire(hop, own, &BOTH_WAYS, (from, until));
        };
        let span = &self.visits[child].span;
        let arrived = span.start.clamp(from, until);
        let left = span.end.clamp(arrived, until);
        self.wire(hop, own, &[Way::Forth], (from, arrived));
        asked_on.extend(connection);
        self.visit(child, asked_on, (arrived, left));
        asked_on.truncate(asked_on.len() - own.len());
        self.wire(hop, own, &[Way::Back], (left, until));
    }

    /// Lays out time on connections: what they stood still for, and the rest.
    fn wire(
        &mut self,
        hop: Hop,
        connections: &[ConnectionId],
        ways: &[Way],
        (from, until): (Instant, Instant),
    ) {
        let mut start = from;
        if !connections.is_empty() && from < until {
            for (end, stall) in self.stalls.cut(connections, ways, (from, until)) {
                self.push(hop, stall.into(), (start, end));
                start = end;
            }
        }
        self.push(hop, Share::Wire, (start, until));
    }

    /// The span that answers `attempt`.
    fn answer(&self, attempt: SpanId) -> Option<usize> {
        let found = self.children.partition_point(|(parent, _)| *parent < attempt);
        self.children.get(found).filter(|(parent, _)| *parent == attempt).map(|(_, index)| *index)
    }

    fn push(&mut self, hop: Hop, share: Share, (from, until): (Instant, Instant)) {
        if from >= until {
            return;
        }
        match self.path.last_mut() {
            Some(last) if last.hop == hop && last.share == share => last.until = until,
            _ => self.path.push(Stretch { hop, share, from, until }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hoplab_proxy::telemetry::{Timeline, TraceId};
    use proptest::prelude::*;

    const CLIENT: Hop = Hop { role: Role::Client, service: None };
    const SERVICE: Hop = Hop { role: Role::Service, service: Some(0) };

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    fn visit(hop: Hop, parent: Option<u64>, start: u64, marks: &[(Owner, u64)]) -> Visit {
        let mut timeline = Timeline::start(at(start));
        for (owner, until) in marks {
            timeline.mark(*owner, at(*until));
        }
        let span = Span {
            trace: TraceId(1),
            parent: parent.map(SpanId),
            role: hop.role,
            start: at(start),
            end: timeline.last(),
            segments: timeline.into_segments(),
            attempts: Vec::new(),
            outcome: Outcome::Answered(200),
            facts: None,
        };
        Visit { hop, span }
    }

    fn lengths(path: &[Stretch]) -> Vec<(Share, u64)> {
        path.iter().map(|s| (s.share, s.until.micros() - s.from.micros())).collect()
    }

    #[test]
    fn the_callee_is_put_in_place_of_the_wait_and_the_rest_is_wire() {
        let client = visit(CLIENT, None, 0, &[(Owner::Connect, 10), (Owner::Upstream(SpanId(7)), 100)]);
        let service = visit(SERVICE, Some(7), 30, &[(Owner::Queue, 40), (Owner::Cpu, 80)]);
        let path = path(&[client, service], 0, &Stalls::default());
        let expected = [
            (Share::Connect, 10),
            (Share::Wire, 20),
            (Share::ServiceQueue, 10),
            (Share::ServiceWork, 40),
            (Share::Wire, 20),
        ];
        assert_eq!(lengths(&path), expected);
    }

    #[test]
    fn an_abandoned_callee_counts_until_its_caller_gave_up() {
        let client = visit(CLIENT, None, 0, &[(Owner::Upstream(SpanId(7)), 50)]);
        let service = visit(SERVICE, Some(7), 10, &[(Owner::Cpu, 500)]);
        assert_eq!(
            lengths(&path(&[service, client], 1, &Stalls::default())),
            [(Share::Wire, 10), (Share::ServiceWork, 40)]
        );
    }

    #[test]
    fn an_attempt_that_nobody_answered_is_wire() {
        let client = visit(
            CLIENT,
            None,
            0,
            &[(Owner::Upstream(SpanId(7)), 50), (Owner::Backoff, 60), (Owner::Upstream(SpanId(8)), 90)],
        );
        let service = visit(SERVICE, Some(8), 60, &[(Owner::Delay, 90)]);
        let expected = [(Share::Wire, 50), (Share::Backoff, 10), (Share::ServiceSleep, 30)];
        assert_eq!(lengths(&path(&[client, service], 0, &Stalls::default())), expected);
    }

    proptest! {
        /// However spans overlap, the path tiles the root.
        #[test]
        fn stretches_tile_the_root(
            waits in proptest::collection::vec(1_u64..100, 1..6),
            children in proptest::collection::vec((0_u64..200, 1_u64..200, 1_u64..7), 0..8),
        ) {
            let mut marks = Vec::new();
            let mut end = 0;
            for (wait, attempt) in waits.iter().zip(1..) {
                end += wait;
                marks.push((Owner::Upstream(SpanId(attempt)), end));
                end += 1;
                marks.push((Owner::Cpu, end));
            }
            let mut visits = vec![visit(CLIENT, None, 0, &marks)];
            for (start, length, attempt) in children {
                visits.push(visit(SERVICE, Some(attempt), start, &[(Owner::Cpu, start + length)]));
            }
            let mut reached = at(0);
            for stretch in path(&visits, 0, &Stalls::default()) {
                prop_assert_eq!(stretch.from, reached);
                reached = stretch.until;
            }
            prop_assert_eq!(reached, at(end));
        }
    }
}

//! Looks through a [`Lens`](crate::lens::Lens): keeps the requests that are wanted whole, with what changed along
//! them. Holds every request that may still turn out to be wanted while it is under way, and of those that have
//! ended the wanted ones alone. Changes nothing that the recorder keeps.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::{Attempt, Outcome, Owner, Role, Segment, Span, SpanIds, TraceId};

use super::names::{self, Names};
use crate::account::{Hop, Share, Stretch};
use crate::lens::{self, Moment, Wanted};
use crate::random;
use crate::scenario::plan::{EndpointId, Plan};
use crate::stalls::{Stalls, Way};

/// Breakers' changes and policies' decisions remembered at a time, for the requests under way.
const REMEMBERED_MAX: usize = 100_000;

/// What looks through a lens.
pub(super) struct Eye {
    wanted: Wanted,
    warmup_end: Instant,
    looked_at: BTreeMap<TraceId, Looked>,
    /// Those that have ended and are wanted, in the order in which they are shown.
    ended: Vec<TraceId>,
    found: u64,
    moments: VecDeque<Moment>,
}

/// A request that is looked at.
struct Looked {
    endpoint: EndpointId,
    intended: Instant,
    visits: Vec<Seen>,
    end: Option<(Instant, Outcome)>,
    path: Vec<Stretch>,
    moments: Vec<Moment>,
    moments_left_out: u64,
    is_closed: bool,
}

/// A span, and where it was seen.
struct Seen {
    hop: Hop,
    pod: Arc<str>,
    span: Span,
    /// When the connection of each attempt stood still, once the account is closed.
    stalls: Vec<Vec<lens::Stall>>,
}

impl Eye {
    pub(super) fn new(wanted: Wanted, warmup_end: Instant) -> Self {
        Self {
            wanted,
            warmup_end,
            looked_at: BTreeMap::new(),
            ended: Vec::new(),
            found: 0,
            moments: VecDeque::new(),
        }
    }

    /// A request is sent.
    pub(super) fn sent(&mut self, trace: TraceId, endpoint: EndpointId, intended: Instant) {
        let may_be_wanted = match &self.wanted {
            Wanted::Named(names) => names.contains(&trace.to_string()),
            Wanted::Alike(digits) => {
                let name = trace.to_string();
                let is_alike = name.starts_with(digits) || name.ends_with(digits);
                self.found += u64::from(is_alike);
                is_alike && self.found <= lens::ALIKE_MAX as u64
            }
            Wanted::Slowest(_) | Wanted::Failed(_) => intended >= self.warmup_end,
            Wanted::All => true,
        };
        if may_be_wanted {
            self.looked_at.insert(trace, Looked::new(endpoint, intended));
        }
    }

    /// A span is reported; `is_root` when its request ends with it.
    pub(super) fn span(&mut self, hop: Hop, pod: &Arc<str>, span: &Span, is_root: bool) {
        let Some(looked) = self.looked_at.get_mut(&span.trace) else { return };
        looked.visits.push(Seen { hop, pod: Arc::clone(pod), span: span.clone(), stalls: Vec::new() });
        if is_root {
            looked.end = Some((span.end, span.outcome));
            self.ended(span.trace, span.outcome);
        }
    }

    fn ended(&mut self, trace: TraceId, outcome: Outcome) {
        match self.wanted {
            Wanted::Named(_) | Wanted::All => {
                self.found += 1;
                self.ended.push(trace);
            }
            Wanted::Alike(_) => self.ended.push(trace),
            Wanted::Slowest(most) => {
                let latency = |trace: &TraceId| self.looked_at[trace].latency_nanos();
                let place = self.ended.partition_point(|kept| latency(kept) >= latency(&trace));
                self.ended.insert(place, trace);
                if self.ended.len() > most {
                    self.ended.pop().and_then(|fastest| self.looked_at.remove(&fastest));
                }
                self.found = self.ended.len() as u64;
            }
            Wanted::Failed(most) => {
                self.found += u64::from(!outcome.is_ok());
                if outcome.is_ok() || self.ended.len() == most {
                    self.looked_at.remove(&trace);
                } else {
                    self.ended.push(trace);
                }
            }
        }
    }

    /// Whether the account of a request is wanted.
    pub(super) fn wants(&self, trace: TraceId) -> bool {
        self.looked_at.contains_key(&trace)
    }

    /// The account of a request is closed: its critical path is known.
    pub(super) fn closed(&mut self, plan: &Plan, trace: TraceId, path: Vec<Stretch>, stalls: &Stalls) {
        if let Some(looked) = self.looked_at.get_mut(&trace) {
            looked.path = path;
            looked.visits.iter_mut().for_each(|visit| visit.stood_still(stalls));
            looked.close(plan, &self.moments);
        }
    }

    /// A breaker moved, or a policy decided something.
    pub(super) fn moment(&mut self, moment: Moment) {
        if self.looked_at.is_empty() {
            return;
        }
        if self.moments.len() == REMEMBERED_MAX {
            self.moments.pop_front();
        }
        self.moments.push_back(moment);
    }

    /// The requests that were wanted, and how many there were without a limit. Those that have not ended come last,
    /// where they were asked for by name or all were.
    pub(super) fn finish(mut self, plan: &Plan) -> (Vec<lens::Request>, u64) {
        let with_open = matches!(self.wanted, Wanted::Named(_) | Wanted::Alike(_) | Wanted::All);
        let open = self.looked_at.iter().filter(|(_, looked)| with_open && looked.end.is_none());
        let open: Vec<TraceId> = open.map(|(trace, _)| *trace).collect();
        self.ended.extend(open);
        if let Wanted::Named(names) = &self.wanted {
            let place = |trace: &TraceId| names.iter().position(|name| *name == trace.to_string());
            self.ended.sort_by_key(place);
        }
        if matches!(self.wanted, Wanted::Named(_) | Wanted::All) {
            self.found = self.ended.len() as u64;
        }
        let ids = SpanIds::new(random::join(plan.seed, random::key("visits")));
        let names = Names { plan };
        let mut requests = Vec::new();
        for trace in self.ended {
            let Some(mut looked) = self.looked_at.remove(&trace) else { continue };
            looked.close(plan, &self.moments);
            requests.push(looked.into_request(trace, &names, &ids));
        }
        (requests, self.found)
    }
}

impl Looked {
    fn new(endpoint: EndpointId, intended: Instant) -> Self {
        Self {
            endpoint,
            intended,
            visits: Vec::new(),
            end: None,
            path: Vec::new(),
            moments: Vec::new(),
            moments_left_out: 0,
            is_closed: false,
        }
    }

    fn latency_nanos(&self) -> u64 {
        self.end.map_or(0, |(end, _)| (end - self.intended).as_nanos() as u64)
    }

    /// Takes those of `moments` that lie along the request.
    fn close(&mut self, plan: &Plan, moments: &VecDeque<Moment>) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        let until_us = self.end.map_or(u64::MAX, |(end, _)| end.micros());
        let time = self.intended.micros()..=until_us;
        for moment in moments.iter().filter(|moment| time.contains(&moment.at_us())) {
            if !self.passed(plan, moment) {
                continue;
            }
            if self.moments.len() == lens::MOMENTS_MAX {
                self.moments_left_out += 1;
            } else {
                self.moments.push(moment.clone());
            }
        }
    }

    /// Whether the request passed the pod of a moment that is about what it asked for there.
    fn passed(&self, plan: &Plan, moment: &Moment) -> bool {
        let in_pod = self.visits.iter().filter(|visit| *visit.pod == *moment.pod());
        in_pod.into_iter().any(|visit| {
            let own = visit.hop.service.map(|service| &*plan.services[service].name);
            let mut asked = visit.span.attempts.iter().map(|attempt| &*attempt.upstream);
            asked.any(|upstream| upstream == moment.upstream()) || own == Some(moment.upstream())
        })
    }

    fn into_request(mut self, trace: TraceId, names: &Names<'_>, ids: &SpanIds) -> lens::Request {
        self.visits.sort_by_key(|visit| visit.span.start);
        let path = self.path.iter().map(|stretch| lens::Stretch {
            hop: names.hop(stretch.hop),
            owner: stretch.share.key(),
            nanos: (stretch.until - stretch.from).as_nanos() as u64,
        });
        lens::Request {
            id: trace.to_string(),
            endpoint: names.endpoint(self.endpoint),
            start_nanos: self.intended.nanos(),
            end_nanos: self.end.map(|(end, _)| end.nanos()),
            outcome: self.end.map(|(_, outcome)| named(outcome)),
            path: path.collect(),
            visits: self.visits.into_iter().map(|visit| visit.into_visit(names, ids)).collect(),
            moments: self.moments,
            moments_left_out: self.moments_left_out,
        }
    }
}

impl Seen {
    /// Takes down when the connections of its attempts stood still meanwhile.
    fn stood_still(&mut self, stalls: &Stalls) {
        let time = (self.span.start, self.span.end);
        let of = |attempt: &Attempt| {
            let connection = attempt.connection?;
            let ways = [(Way::Forth, false), (Way::Back, true)].into_iter();
            let all = ways.flat_map(|(way, is_back)| {
                let mut start = time.0;
                stalls.cut(&[connection], &[way], time).into_iter().filter_map(move |(end, stall)| {
                    let start = std::mem::replace(&mut start, end);
                    let owner = Share::from(Some(stall?)).key();
                    Some(lens::Stall { owner, is_back, start_nanos: start.nanos(), end_nanos: end.nanos() })
                })
            });
            Some(all.collect())
        };
        self.stalls = self.span.attempts.iter().map(|attempt| of(attempt).unwrap_or_default()).collect();
    }

    fn into_visit(self, names: &Names<'_>, ids: &SpanIds) -> lens::Visit {
        let Self { hop, pod, span, stalls } = self;
        let segment = |Segment { owner, end }: Segment| lens::Segment {
            owner: Share::of(hop.role, owner).key(),
            attempt: if let Owner::Upstream(attempt) = owner { Some(attempt.0) } else { None },
            end_nanos: end.nanos(),
        };
        let stalls = stalls.into_iter().chain(std::iter::repeat_with(Vec::new));
        let attempts = span.attempts.iter().zip(stalls).map(|(attempt, stalls)| lens::Attempt {
            id: attempt.id.0,
            upstream: attempt.upstream.to_string(),
            endpoint: attempt.endpoint.as_deref().map(str::to_owned),
            kind: attempt.kind,
            is_sent: attempt.is_sent,
            stalls,
            start_nanos: attempt.start.nanos(),
            end_nanos: attempt.end.nanos(),
            outcome: named(attempt.outcome),
        });
        lens::Visit {
            id: ids.span().0,
            parent: span.parent.map(|parent| parent.0),
            hop: names.hop(hop),
            is_client: hop.role == Role::Client,
            pod: pod.to_string(),
            start_nanos: span.start.nanos(),
            end_nanos: span.end.nanos(),
            attempts: attempts.collect(),
            outcome: named(span.outcome),
            segments: span.segments.into_iter().map(segment).collect(),
        }
    }
}

fn named(outcome: Outcome) -> lens::Outcome {
    lens::Outcome { text: names::outcome(outcome), is_ok: outcome.is_ok() }
}

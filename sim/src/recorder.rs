//! The recorder: hears every span and every change of state, joins the spans of a request into its
//! account, and keeps sums. Its memory is bounded by [`Limits`] and by how many requests are in
//! flight, not by the length of the run.
//!
//! Not here: what a span contains (`hoplab_proxy::telemetry`), how spans are joined
//! ([`crate::account`]), whether the result is what was expected (`expect`), which says what else to watch.

mod breakers;
mod decisions;
mod eye;
mod finish;
mod late;
mod names;
mod settle;
mod tally;
mod work;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::{BreakerMoved, Observer, PolicyEvent, Report, Role, Span, TraceId};
use indexmap::IndexMap;

use crate::account::{self, Hop, Share, Visit};
use crate::awaited::Waiter;
use crate::call::CallKey;
use crate::expect;
use crate::invariants::watch::Watch;
use crate::journal::Journal;
use crate::lens::{self, Moment};
use crate::pairs::{End, Ends};
use crate::panics;
use crate::record;
use crate::scenario::phases::Phases;
use crate::scenario::plan::{Architecture, EndpointId, Plan};
use crate::stalls::Stalls;
use breakers::Breakers;
use decisions::Decisions;
use eye::Eye;
use late::Late;
use tally::{EdgeKey, HopSum, Scope, Slow, Window};
use work::{Piece, Works};

/// What the recorder keeps at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Slowest requests kept with their path.
    pub slowest: usize,
    /// Changes of breakers kept; all are counted.
    pub breakers: usize,
    /// Decisions of policies kept; all are counted.
    pub policies: usize,
    /// How long after a request's end its account waits for spans of abandoned attempts.
    pub settle: Duration,
    /// Requests remembered for whom something may still be going on after that.
    pub late: usize,
    /// Requests whose ends are remembered, to be compared with those of other architectures.
    pub ends: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let settle = Duration::from_secs(1);
        Self { slowest: 20, breakers: 10_000, policies: 10_000, settle, late: 100_000, ends: 1 << 19 }
    }
}

/// The recorder of one run of one architecture. Cloning gives another handle.
#[derive(Clone)]
pub struct Recorder {
    state: Arc<Mutex<State>>,
}

struct State {
    plan: Arc<Plan>,
    architecture: Architecture,
    limits: Limits,
    journal: Journal,
    stalls: Stalls,
    /// How many accounts were closed.
    closed: u64,
    phases: Phases,
    window_width: Duration,
    warmup_end: Instant,
    /// The endpoints that load asks for; a request names one by its place here.
    endpoints: Vec<EndpointId>,
    services: BTreeMap<String, usize>,
    pending: BTreeMap<TraceId, Pending>,
    /// Requests that ended before all their spans came, by when their account is closed.
    settling: VecDeque<(Instant, TraceId)>,
    late: Late,
    ends: Ends,
    all: Scope,
    parts: Vec<Scope>,
    windows: Vec<Window>,
    /// The same of single endpoints, where somebody asks for them.
    endpoint_windows: BTreeMap<usize, Vec<Window>>,
    hops: IndexMap<Hop, HopSum>,
    /// The time of requests that were not served well, by owner.
    failed_nanos: BTreeMap<Share, u64>,
    /// By part of the run, the time of its requests by owner.
    part_nanos: Vec<BTreeMap<Share, u64>>,
    slowest: Vec<Slow>,
    breakers: Breakers,
    decisions: Decisions,
    watch: Watch,
    work: Works,
    part_work: Vec<Works>,
    spans: u64,
    /// Requests that reached the gateway in the part of the run that is reported.
    at_gateway: u64,
    open: u64,
    /// Who waits until none is open.
    waits_for_end: Option<Waker>,
    /// Whether the run is over: what tasks tell while they are taken down belongs to nothing any more.
    is_over: bool,
    /// Set while a run is looked at.
    eye: Option<Eye>,
}

/// A request whose account is not closed.
struct Pending {
    endpoint: usize,
    intended: Instant,
    visits: Vec<Visit>,
    /// Which visit is the client's own, once the request has ended.
    root: Option<usize>,
}

impl Recorder {
    /// A recorder for a run of `plan` under `architecture`; `stalls` says when connections stood still.
    pub fn new(
        plan: &Arc<Plan>,
        architecture: &Architecture,
        limits: Limits,
        journal: Journal,
        stalls: Stalls,
    ) -> Self {
        let phases = Phases::of(plan);
        let endpoints = plan.requested_endpoints();
        let window_width = plan.window_width();
        let warmup_end = Instant::START + plan.warmup;
        let reported = (warmup_end, Instant::START + plan.duration);
        let limits_us = expect::limits_us(plan);
        let scope = |part| Scope::new(endpoints.len(), part, &limits_us);
        let parts = phases.parts().iter().map(|part| scope((part.from, part.until))).collect();
        let windows = plan.duration.as_nanos().div_ceil(window_width.as_nanos());
        let windows = || (0..windows).map(|_| Window::new()).collect();
        let recovering = expect::recovering(plan);
        let recovering = recovering.filter_map(|id| endpoints.iter().position(|known| *known == id));
        let names = plan.services.iter().enumerate().map(|(index, service)| (service.name.clone(), index));
        let state = State {
            architecture: architecture.clone(),
            limits,
            journal,
            stalls,
            closed: 0,
            window_width,
            warmup_end,
            services: names.collect(),
            pending: BTreeMap::new(),
            settling: VecDeque::new(),
            late: Late::new(limits.late),
            ends: Ends::new(limits.ends),
            all: scope(reported),
            parts,
            windows: windows(),
            endpoint_windows: recovering.map(|endpoint| (endpoint, windows())).collect(),
            hops: IndexMap::new(),
            failed_nanos: BTreeMap::new(),
            part_nanos: phases.parts().iter().map(|_| BTreeMap::new()).collect(),
            slowest: Vec::new(),
            breakers: Breakers::new(limits.breakers),
            decisions: Decisions::new(phases.parts().len(), limits.policies),
            watch: Watch::new(plan),
            work: Works::new(plan.services.len()),
            part_work: phases.parts().iter().map(|_| Works::new(plan.services.len())).collect(),
            spans: 0,
            at_gateway: 0,
            open: 0,
            waits_for_end: None,
            is_over: false,
            eye: None,
            plan: Arc::clone(plan),
            phases,
            endpoints,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// An observer for what stands in `pod`, which is one of `service`'s; `None` for clients and gateways.
    pub fn observer(&self, service: Option<usize>, pod: &str) -> Arc<dyn Observer> {
        Arc::new(Probe { recorder: self.clone(), service, pod: pod.into() })
    }

    /// A request is sent. Its end is the report of a span without a parent.
    pub fn sent(&self, trace: TraceId, endpoint: EndpointId, intended: Instant) {
        self.hear(|state| state.sent(trace, endpoint, intended));
    }

    /// A service, or a client when `caller` is `None`, wants to call another, on behalf of a request.
    pub fn called(&self, trace: TraceId, caller: Option<usize>, callee: usize) {
        self.hear(|state| state.called(trace, (caller, callee)));
    }

    /// An endpoint that may complete only once for each call, or each request, has completed for `call`.
    pub(crate) fn completed(&self, endpoint: EndpointId, call: CallKey, at: Instant) {
        self.hear(|state| state.watch.completed(endpoint, call, at));
    }

    /// A core of a service was occupied for `waiter`.
    pub(crate) fn worked(&self, service: usize, from: Instant, until: Instant, waiter: &Waiter) {
        self.hear(|state| state.worked(Piece::of(service, from, until, waiter)));
    }

    /// Keeps the requests that are `wanted` whole; to be called before the first one is sent.
    pub(crate) fn look_at(&self, wanted: lens::Wanted) {
        let mut state = self.state();
        state.eye = Some(Eye::new(wanted, state.warmup_end));
    }

    /// The requests that were wanted, and how many there were without a limit; to be called after
    /// [`Recorder::finish`].
    pub(crate) fn looked_at(&self) -> (Vec<lens::Request>, u64) {
        let mut state = self.state();
        let plan = Arc::clone(&state.plan);
        state.eye.take().map(|eye| eye.finish(&plan)).unwrap_or_default()
    }

    /// How many requests have been sent and have not ended.
    pub fn open(&self) -> u64 {
        self.state().open
    }

    /// Completes when every request that has been sent has ended.
    pub(crate) async fn all_ended(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            if state.open == 0 {
                return Poll::Ready(());
            }
            state.waits_for_end = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Closes all accounts and says what was seen; from now on nothing is heard. Faults' hits, resources,
    /// expectations and packets are for the caller to fill in.
    pub fn finish(&self) -> record::Architecture {
        self.state().finish()
    }

    /// How requests ended, to be compared with those of other architectures.
    pub(crate) fn take_ends(&self) -> Ends {
        std::mem::replace(&mut self.state().ends, Ends::new(0))
    }

    /// Takes note of something, unless the run is over, or this thread is unwinding: what a panic leaves behind is in
    /// no state to be counted.
    fn hear(&self, note: impl FnOnce(&mut State)) {
        let mut state = self.state();
        if !state.is_over && !std::thread::panicking() {
            note(&mut state);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears the products in one pod.
struct Probe {
    recorder: Recorder,
    service: Option<usize>,
    pod: Arc<str>,
}

impl Observer for Probe {
    fn observe(&self, report: Report) {
        match report {
            Report::Span(span) => {
                let hop = Hop { role: span.role, service: self.service };
                self.recorder.hear(|state| state.span(hop, &self.pod, span));
            }
            Report::Breaker(moved) => self.recorder.hear(|state| state.breaker(&self.pod, &moved)),
            Report::Policy(event) => self.recorder.hear(|state| state.policy(&self.pod, &event)),
            // Nobody here wants it.
            Report::Arrived(_) | Report::Gauges(_) | Report::Source(_) | Report::Tls(_) => {}
            Report::Panicked => panics::is_in(&self.pod),
        }
    }
}

impl State {
    fn sent(&mut self, trace: TraceId, endpoint: EndpointId, intended: Instant) {
        self.settle(intended);
        if let Some(eye) = &mut self.eye {
            eye.sent(trace, endpoint, intended);
        }
        let endpoint = self
            .endpoints
            .iter()
            .position(|known| *known == endpoint)
            .expect("load asks for known endpoints");
        self.open += 1;
        if intended >= self.warmup_end {
            self.all.sent(endpoint, intended);
        }
        for part in self.phases.at(intended) {
            self.parts[part].sent(endpoint, intended);
        }
        self.each_window(intended, endpoint, Window::sent);
        let pending = Pending { endpoint, intended, visits: Vec::new(), root: None };
        self.pending.insert(trace, pending);
    }

    fn called(&mut self, trace: TraceId, edge: EdgeKey) {
        if let Some(intended) = self.intended(trace) {
            self.watch.called(edge, intended);
            self.each_scope(intended, |scope| scope.called(edge));
            if let Some(window) = self.window(intended) {
                window.called();
            }
        }
    }

    fn span(&mut self, hop: Hop, pod: &Arc<str>, span: Span) {
        self.spans += 1;
        self.journal.span(&span);
        let is_root = hop.role == Role::Client && span.parent.is_none();
        if let Some(eye) = &mut self.eye {
            eye.span(hop, pod, &span, is_root);
        }
        let is_reported = span.start >= self.warmup_end && span.start < Instant::START + self.plan.duration;
        self.at_gateway += u64::from(hop.role == Role::Gateway && is_reported);
        let Some(intended) = self.intended(span.trace) else { return };
        if is_root && self.pending.get(&span.trace).is_none_or(|pending| pending.root.is_some()) {
            return self.watch.ended_again(span.trace, span.end);
        }
        self.attempts(hop, &span, intended);
        let (trace, end) = (span.trace, span.end);
        if is_root {
            self.ended(&span, intended);
        }
        // What comes late belongs to no account any more.
        let Some(pending) = self.pending.get_mut(&trace) else { return };
        if is_root {
            pending.root = Some(pending.visits.len());
        }
        pending.visits.push(Visit { hop, span });
        if pending.root.is_some() && account::is_complete(&pending.visits) {
            self.close(trace);
        } else if is_root {
            self.settling.push_back((end + self.limits.settle, trace));
        }
    }

    /// When a request was meant to be sent, as long as anything may go on for it.
    fn intended(&self, trace: TraceId) -> Option<Instant> {
        let pending = self.pending.get(&trace).map(|pending| pending.intended);
        pending.or_else(|| self.late.intended(trace))
    }

    /// Counts the attempts that left the caller's pod for a service.
    fn attempts(&mut self, hop: Hop, span: &Span, intended: Instant) {
        let leaves = match hop.role {
            Role::Gateway | Role::Outbound => true,
            Role::Client => self.architecture.gateway.is_none(),
            Role::Service => hop.service.is_none_or(|service| self.architecture.beside(service).is_none()),
            Role::Inbound => false,
        };
        if !leaves {
            return;
        }
        // What a gateway refuses by itself would have been an attempt.
        if hop.role == Role::Gateway
            && span.attempts.is_empty()
            && let Some(pending) = self.pending.get(&span.trace)
        {
            let edge = (hop.service, self.endpoints[pending.endpoint].service.0);
            self.each_scope(intended, |scope| scope.unsent(edge));
        }
        for attempt in &span.attempts {
            let Some(&callee) = self.services.get(&*attempt.upstream) else { continue };
            self.each_scope(intended, |scope| scope.attempted((hop.service, callee), attempt));
            if let Some(window) = self.window(intended).filter(|_| attempt.is_sent) {
                window.attempted();
            }
        }
    }

    fn ended(&mut self, span: &Span, intended: Instant) {
        let latency_us = (span.end - intended).as_micros() as u64;
        let endpoint = self.pending[&span.trace].endpoint;
        self.open -= 1;
        if self.open == 0
            && let Some(waiting) = self.waits_for_end.take()
        {
            waiting.wake();
        }
        self.watch.answered(endpoint, intended, span.outcome, latency_us);
        if intended >= self.warmup_end {
            self.all.ended(endpoint, intended, span.outcome, latency_us);
            let end = End { endpoint, intended, latency_us, ok: span.outcome.is_served() };
            self.ends.ended(span.trace, end);
        }
        for part in self.phases.at(intended) {
            self.parts[part].ended(endpoint, intended, span.outcome, latency_us);
        }
        self.each_window(intended, endpoint, |window| window.ended(span.outcome, latency_us));
        if span.outcome.is_served() && span.end < Instant::START + self.plan.duration {
            self.gave(endpoint, span.end);
        }
    }

    /// A good answer was given, while load was offered.
    fn gave(&mut self, endpoint: usize, at: Instant) {
        self.each_scope(at, |scope| scope.gave(endpoint));
        self.each_window(at, endpoint, Window::gave);
    }

    fn each_scope(&mut self, intended: Instant, mut apply: impl FnMut(&mut Scope)) {
        if intended >= self.warmup_end {
            apply(&mut self.all);
        }
        for part in self.phases.at(intended) {
            apply(&mut self.parts[part]);
        }
    }

    fn each_window(&mut self, at: Instant, endpoint: usize, apply: impl Fn(&mut Window)) {
        let index = self.window_at(at);
        let of_endpoint = self.endpoint_windows.get_mut(&endpoint).and_then(|of| of.get_mut(index));
        self.windows.get_mut(index).into_iter().chain(of_endpoint).for_each(apply);
    }

    fn window(&mut self, intended: Instant) -> Option<&mut Window> {
        let index = self.window_at(intended);
        self.windows.get_mut(index)
    }

    fn window_at(&self, at: Instant) -> usize {
        (u128::from(at.nanos()) / self.window_width.as_nanos()) as usize
    }

    fn breaker(&mut self, pod: &Arc<str>, moved: &BreakerMoved) {
        self.journal.breaker(pod, moved);
        if let Some(eye) = &mut self.eye {
            eye.moment(Moment::Breaker(breakers::recorded(pod, moved)));
        }
        self.breakers.moved(pod, moved);
    }

    fn policy(&mut self, pod: &Arc<str>, event: &PolicyEvent) {
        self.journal.policy(pod, event);
        if let Some(eye) = &mut self.eye {
            eye.moment(Moment::Policy(decisions::recorded(pod, event)));
        }
        let is_warm = event.at >= self.warmup_end;
        self.decisions.decided(pod, event, is_warm, self.phases.at(event.at));
    }

    fn worked(&mut self, piece: Piece) {
        if piece.until >= self.warmup_end {
            self.work.add(piece);
        }
        for part in self.phases.at(piece.until) {
            self.part_work[part].add(piece);
        }
    }
}

//! Watches a run for what breaks a rule, as it happens. Bounded: it remembers so many calls, the oldest are
//! forgotten first, and keeps the first few violations of each rule in words.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::{Outcome, Role, TraceId};

use super::after::Part;
use super::{Invariant, after};
use crate::account::Visit;
use crate::call::CallKey;
use crate::record::{self, Violation};
use crate::recorder::requested_endpoints;
use crate::scenario::plan::{EndpointId, Plan};

/// How many completed calls are remembered.
const CALLS_MAX: usize = 200_000;
/// How many violations of a rule are kept in words.
const FIRST: usize = 5;

/// Caller (`None`: clients) and callee, as indexes of services.
type Edge = (Option<usize>, usize);

/// What is remembered of one run under one architecture.
pub(crate) struct Watch {
    plan: Arc<Plan>,
    /// The endpoints that load asks for.
    asked: Vec<EndpointId>,
    completed: BTreeSet<(EndpointId, CallKey)>,
    order: VecDeque<(EndpointId, CallKey)>,
    /// When everything should be as before: some time after the last fault; `None` when there is no such time.
    settled: Option<Instant>,
    /// When what is compared begins and ends, before the first fault.
    steady: Range<Instant>,
    before: Part,
    after: Part,
    /// Who still called whom after that.
    called_settled: BTreeSet<Edge>,
    violations: BTreeMap<Invariant, (u64, Vec<String>)>,
}

impl Watch {
    /// Nothing has happened yet in a run of `plan`.
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        let asked = requested_endpoints(plan);
        let first = plan.faults.iter().map(|fault| fault.at).min().unwrap_or(plan.duration);
        Self {
            steady: Instant::START + plan.warmup..Instant::START + first,
            before: Part::new(asked.len()),
            after: Part::new(asked.len()),
            asked,
            plan: Arc::clone(plan),
            completed: BTreeSet::new(),
            order: VecDeque::new(),
            settled: after::settled(plan),
            called_settled: BTreeSet::new(),
            violations: BTreeMap::new(),
        }
    }

    /// An endpoint has completed its steps for a logical call.
    pub(crate) fn completed(&mut self, endpoint: EndpointId, call: CallKey, at: Instant) {
        let entry = (endpoint, call);
        if !self.completed.insert(entry) {
            let name = self.name(endpoint);
            return self.note(Invariant::OnceOnly, || {
                format!("{name} completed again for the same call at {}", time(at))
            });
        }
        self.order.push_back(entry);
        if self.order.len() > CALLS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.completed.remove(&oldest);
        }
    }

    /// Somebody wants to call a service, on behalf of a request that was to be sent at `intended`.
    pub(crate) fn called(&mut self, edge: Edge, intended: Instant) {
        if self.settled.is_some_and(|settled| intended >= settled) {
            self.called_settled.insert(edge);
        }
    }

    /// A request that was to be sent at `intended`, for one of the endpoints that load asks for, has ended.
    pub(crate) fn answered(&mut self, endpoint: usize, intended: Instant, outcome: Outcome, latency_us: u64) {
        if self.steady.contains(&intended) {
            self.before.ended(endpoint, outcome, latency_us);
        }
        if self.settled.is_some_and(|settled| intended >= settled) {
            self.after.ended(endpoint, outcome, latency_us);
        }
    }

    /// The account of a request for `endpoint` is closed; `visits` are what was seen of it.
    pub(crate) fn closed(&mut self, trace: TraceId, endpoint: EndpointId, visits: &[Visit], root: usize) {
        let Outcome::Answered(status @ (401 | 403 | 429)) = visits[root].span.outcome else { return };
        let answers = || {
            let at_service = |visit: &&Visit| {
                visit.hop.role == Role::Service && visit.hop.service == Some(endpoint.service.0)
            };
            visits.iter().filter(at_service).map(|visit| visit.span.outcome)
        };
        let served = answers().any(|outcome| matches!(outcome, Outcome::Answered(below) if below < 400));
        if served && !answers().any(|outcome| outcome == Outcome::Answered(status)) {
            let (name, at) = (self.name(endpoint), visits[root].span.end);
            self.note(Invariant::Denied, || {
                format!("request {trace} was answered {status} at {}, and {name} had served it", time(at))
            });
        }
    }

    /// Looks back on a whole run, and says what was broken.
    pub(crate) fn finish(&mut self, seen: &record::Architecture, open: u64) -> Vec<Violation> {
        after::conservation(seen, open, &mut |text| self.note(Invariant::Conservation, || text));
        if let Some(settled) = self.settled {
            let plan = Arc::clone(&self.plan);
            let called: BTreeSet<String> =
                self.called_settled.iter().map(|edge| edge_name(&plan, *edge)).collect();
            after::breakers(&plan, seen, &called, &mut |text| self.note(Invariant::BreakersClose, || text));
            let names: Vec<String> = self.asked.iter().map(|id| self.name(*id)).collect();
            let mut broken = Vec::new();
            let parts = (&self.before, &self.after);
            after::recovery(&plan.invariants, &names, parts, settled, &mut |text| broken.push(text));
            broken.into_iter().for_each(|text| self.note(Invariant::Recovery, || text));
        }
        let violation = |(invariant, (count, first)): (Invariant, _)| Violation {
            invariant: invariant.name().to_owned(),
            count,
            first,
        };
        std::mem::take(&mut self.violations).into_iter().map(violation).collect()
    }

    fn note(&mut self, invariant: Invariant, text: impl FnOnce() -> String) {
        let (count, first) = self.violations.entry(invariant).or_default();
        *count += 1;
        if first.len() < FIRST {
            first.push(text());
        }
    }

    fn name(&self, id: EndpointId) -> String {
        let service = &self.plan.services[id.service.0];
        format!("{}.{}", service.name, service.endpoints[id.endpoint].name)
    }
}

/// As a record names edges.
fn edge_name(plan: &Plan, (caller, callee): Edge) -> String {
    let caller = caller.map_or("client", |caller| &plan.services[caller].name);
    format!("{caller} → {}", plan.services[callee].name)
}

/// An instant as people read it: `12.345 s`.
fn time(at: Instant) -> String {
    format!("{:.3} s", at.micros() as f64 / 1e6)
}

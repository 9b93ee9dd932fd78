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
use crate::scenario::plan::{EndpointId, Once, Plan};

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
        let asked = plan.requested_endpoints();
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

    /// An endpoint has completed its steps for a logical call, or for a client's request as a whole.
    pub(crate) fn completed(&mut self, endpoint: EndpointId, call: CallKey, at: Instant) {
        let entry = (endpoint, call);
        if !self.completed.insert(entry) {
            let name = self.name(endpoint);
            let once = self.plan.services[endpoint.service.0].endpoints[endpoint.endpoint].once;
            let of = if once == Once::Request { "request" } else { "call" };
            return self.note(Invariant::OnceOnly, || {
                format!("{name} completed again for the same {of} at {}", time(at))
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

    /// A request has ended that had ended before.
    pub(crate) fn ended_again(&mut self, trace: TraceId, at: Instant) {
        self.note(Invariant::Conservation, || format!("request {trace} ended again at {}", time(at)));
    }

    /// Looks back on a whole run, and says what was broken.
    pub(crate) fn finish(
        &mut self,
        seen: &record::Architecture,
        breakers: &[record::BreakerChange],
    ) -> Vec<Violation> {
        after::conservation(seen, &mut |text| self.note(Invariant::Conservation, || text));
        if let Some(settled) = self.settled {
            let plan = Arc::clone(&self.plan);
            let called: BTreeSet<String> =
                self.called_settled.iter().map(|edge| plan.edge_name(*edge)).collect();
            after::breakers(&plan, breakers, &called, &mut |text| {
                self.note(Invariant::BreakersClose, || text);
            });
            let names: Vec<String> = self.asked.iter().map(|id| self.name(*id)).collect();
            let mut broken = Vec::new();
            let parts = (&self.before, &self.after);
            after::recovery(&plan.invariants, &names, parts, settled, &mut |text| broken.push(text));
            for text in broken {
                self.note(Invariant::Recovery, || text);
            }
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

/// An instant as people read it: `12.345 s`.
fn time(at: Instant) -> String {
    format!("{:.3} s", at.micros() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use hoplab_proxy::telemetry::Span;

    use super::*;
    use crate::account::Hop;
    use crate::scenario::plan::{ServiceId, Source};
    use crate::scenario::{Overrides, parse};

    fn watch() -> Watch {
        let text = "[scenario]\nduration = \"1s\"\n[compare]\narchitectures = [\"gateway\"]\n\
                    [services.first.endpoints.get]\n[load.all]\nrate = \"1 rps\"\nmix = { \"first.get\" = 1 }";
        let source = Source { path: "it.toml".to_owned(), text: text.to_owned() };
        let plan = parse(&[source], &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
        Watch::new(&Arc::new(plan))
    }

    fn visit(role: Role, service: Option<usize>, status: u16) -> Visit {
        let at = Instant::from_nanos(7_000_000);
        let span = Span {
            trace: TraceId(1),
            parent: None,
            role,
            start: at,
            end: at,
            segments: Vec::new(),
            attempts: Vec::new(),
            outcome: Outcome::Answered(status),
            facts: None,
        };
        Visit { hop: Hop { role, service }, span }
    }

    #[test]
    fn who_is_refused_and_served_all_the_same_is_noted() {
        let get = EndpointId { service: ServiceId(0), endpoint: 0 };
        for (client, service, is_broken) in [
            (429, Some(200), true),
            (401, Some(204), true),
            (429, Some(429), false),
            (403, None, false),
            (200, Some(200), false),
        ] {
            let mut watch = watch();
            let answered = service.map(|status| visit(Role::Service, Some(0), status));
            let visits: Vec<Visit> =
                [visit(Role::Client, None, client)].into_iter().chain(answered).collect();
            watch.closed(TraceId(1), get, &visits, 0);
            let noted = watch.violations.get(&Invariant::Denied).map(|(count, _)| *count);
            assert_eq!(noted, is_broken.then_some(1), "{client} {service:?}");
        }
    }

    #[test]
    fn only_the_same_call_again_is_twice() {
        let get = EndpointId { service: ServiceId(0), endpoint: 0 };
        let mut watch = watch();
        for call in [1, 2, 3, 2] {
            watch.completed(get, CallKey::root(0, call), Instant::START);
        }
        assert_eq!(watch.violations[&Invariant::OnceOnly].0, 1);
    }
}

//! Expectations: which figure, of what, when, and within which bounds.

use hoplab_proxy::quantity::{Duration, Rate, Share};
use hoplab_proxy::telemetry::Decision;

use super::architectures;
use super::names::Names;
use crate::invariants::Invariant;
use crate::scenario::place::{At, Place};
use crate::scenario::plan::{
    Architecture, During, EndpointId, Expectation, Fault, Load, Metric, Service, ServiceId,
};
use crate::scenario::reader::Context;
use crate::scenario::schema::expect::{Bound, Expect};

/// The metrics that are no percentile.
const METRICS: [(&str, Metric); 7] = [
    ("mean", Metric::Mean),
    ("min", Metric::Min),
    ("max", Metric::Max),
    ("error_rate", Metric::ErrorRate),
    ("goodput", Metric::Goodput),
    ("amplification", Metric::Amplification),
    ("requests", Metric::Requests),
];

/// What expectations are resolved against.
pub(super) struct Expectations<'a> {
    pub(super) names: &'a Names,
    pub(super) services: &'a [Service],
    pub(super) loads: &'a [Load],
    /// Whether nothing of the loads was left out for being wrong.
    pub(super) loads_are_right: bool,
    pub(super) faults: &'a [Fault],
    /// What the file compares.
    pub(super) compared: &'a [Architecture],
    /// What this run takes.
    pub(super) chosen: &'a [Architecture],
}

/// A bound with its text.
struct Limit {
    value: f64,
    text: String,
}

impl Expectations<'_> {
    /// Resolves every expectation; those on architectures that this run does not take are left out.
    pub(super) fn resolve(
        &self,
        expectations: Vec<At<Expect>>,
        context: &mut Context<'_>,
    ) -> Vec<Expectation> {
        expectations.into_iter().filter_map(|expect| self.one(expect, context)).collect()
    }

    fn one(&self, At { value: expect, place }: At<Expect>, context: &mut Context<'_>) -> Option<Expectation> {
        let metric = self.metric(&expect, context);
        let of = expect.of.as_ref().map(|name| self.of(name, metric, context));
        let edge = expect.edge.as_ref().map(|edge| self.edge(edge, metric, context));
        let architectures = self.architectures(expect.architectures.as_ref(), context);
        let during = expect.during.as_ref().map_or(Some(During::All), |name| self.during(name, context));
        if !expect.bounded {
            let hint = "say what is all right: `max = \"300ms\"`, or `min`, or both";
            context.error(place, "an expectation without \"min\" or \"max\"").hint(hint);
        }
        let metric = metric?;
        let min = expect.min.as_ref().map(|bound| limit(metric, bound, context));
        let max = expect.max.as_ref().map(|bound| limit(metric, bound, context));
        let (of, edge, during) = (transpose(of)?, transpose(edge)?, during?);
        let (min, max) = (transpose(min)?, transpose(max)?);
        if let (Some(min), Some(max), Some(at)) = (&min, &max, &expect.max)
            && min.value > max.value
        {
            context.error(at.place, format!("\"max\" is {}, below \"min\", which is {}", max.text, min.text));
        }
        let figure = figure(&expect);
        let text = sentence(&figure, min.as_ref(), max.as_ref(), expect.during.as_ref());
        let expectation = Expectation {
            metric,
            of,
            edge,
            architectures,
            during,
            min: min.map(|limit| limit.value),
            max: max.map(|limit| limit.value),
            text,
        };
        (!expectation.architectures.is_empty()).then_some(expectation)
    }

    /// The metric with what it needs to know; keys that another metric would need are refused.
    fn metric(&self, expect: &Expect, context: &mut Context<'_>) -> Option<Metric> {
        let name = expect.metric.as_ref()?;
        if let Some(key) = expect.decision.as_ref().filter(|_| name.value != "decisions") {
            let hint = "write `metric = \"decisions\"`, or leave it out";
            context.error(key.place, "only decisions are counted by their kind").hint(hint);
        }
        if let Some(key) = expect.pod.as_ref().filter(|_| name.value != "share") {
            let hint = "write `metric = \"share\"`, or leave it out";
            context.error(key.place, "only a share is that of a pod").hint(hint);
        }
        if let Some(key) = expect.invariant.as_ref().filter(|_| name.value != "violations") {
            let hint = "write `metric = \"violations\"`, or leave it out";
            context.error(key.place, "only violations are those of an invariant").hint(hint);
        }
        if name.value == "violations" {
            return violations(expect, context);
        }
        if name.value == "share" {
            return self.share(name.place, expect, context);
        }
        let service = expect.service.as_ref().map(|name| self.names.service(name, context));
        let service = transpose(service)?;
        match (name.value.as_str(), service, &expect.service) {
            ("decisions", ..) => {}
            ("wasted", service, _) => return Some(Metric::Wasted(service)),
            ("amplification", Some(service), _) => return Some(Metric::AmplificationAt(service)),
            (_, _, Some(key)) => {
                let hint = "write `of = \"order.place\"` for what clients request";
                context.error(key.place, format!("{} is not measured at a service", name.value)).hint(hint);
                return None;
            }
            _ => return metric(name, context),
        }
        let Some(decision) = &expect.decision else {
            let hint = "say which: `decision = \"ejected\"`";
            context.error(name.place, "decisions of which kind?").hint(hint);
            return None;
        };
        let known = Decision::ALL.into_iter().find(|known| known.name() == decision.value);
        if known.is_none() {
            context.unknown("decision", decision, Decision::ALL.into_iter().map(Decision::name));
        }
        Some(Metric::Decisions { decision: known?, service })
    }

    /// The share of a pod: of the attempts that were sent to its service.
    fn share(&self, place: Place, expect: &Expect, context: &mut Context<'_>) -> Option<Metric> {
        let Some(pod) = &expect.pod else {
            context.error(place, "the share of which pod?").hint("say which: `pod = \"payment-0\"`");
            return None;
        };
        for other in [&expect.of, &expect.service].into_iter().flatten() {
            context.error(other.place, "a share is that of a pod").hint("leave it out: the pod says it all");
        }
        let known = pod.value.rsplit_once('-').and_then(|(service, number)| {
            let (service, replica) = (self.names.find(service)?, number.parse().ok()?);
            (replica < self.services[service.0].replicas).then_some(Metric::Share { service, replica })
        });
        if known.is_none() {
            let pods = self.services.iter().flat_map(|service| {
                (0..service.replicas).map(|replica| format!("{}-{replica}", service.name))
            });
            let pods: Vec<_> = pods.collect();
            context.unknown("pod", pod, pods.iter().map(String::as_str));
        }
        known
    }

    /// An endpoint that clients request; internal calls have no latency of their own in the results.
    fn of(&self, name: &At<String>, metric: Option<Metric>, context: &mut Context<'_>) -> Option<EndpointId> {
        if let Some(Metric::Wasted(_)) = metric {
            let hint = "write `service = \"order\"`, or leave it out for all of them";
            context.error(name.place, "work wasted \"of\" an endpoint").hint(hint);
            return None;
        }
        if let Some(Metric::Decisions { .. }) = metric {
            let hint = "write `service = \"order\"`, or leave it out for all of them";
            context.error(name.place, "decisions \"of\" an endpoint").hint(hint);
            return None;
        }
        if matches!(metric, Some(Metric::Amplification | Metric::AmplificationAt(_))) {
            let hint = "write `edge = \"order -> payment\"`, or leave it out for all edges";
            context.error(name.place, "amplification \"of\" an endpoint").hint(hint);
            return None;
        }
        let id = self.names.endpoint(name, context)?;
        let mut requested = self.loads.iter().flat_map(|load| load.mix.iter().map(|(id, _)| *id));
        if !self.loads_are_right || requested.any(|requested| requested == id) {
            return Some(id);
        }
        let hint = "expectations are of what clients request: name an endpoint of a `mix`";
        context.error(name.place, format!("no load requests \"{}\"", name.value)).hint(hint);
        None
    }

    fn edge(
        &self,
        edge: &At<String>,
        metric: Option<Metric>,
        context: &mut Context<'_>,
    ) -> Option<(Option<ServiceId>, ServiceId)> {
        if metric.is_some_and(|metric| metric != Metric::Amplification) {
            context.error(edge.place, "only amplification is measured on an edge");
        }
        let Some((from, to)) = edge.value.split_once("->").or_else(|| edge.value.split_once('→')) else {
            let fact = format!("\"{}\" is no edge", edge.value);
            context.error(edge.place, fact).hint("write \"order -> payment\", or \"client -> order\"");
            return None;
        };
        let part = |name: &str| At { value: name.trim().to_owned(), place: edge.place };
        let from = match part(from) {
            client if client.value == "client" => Some(None),
            service => self.names.service(&service, context).map(Some),
        };
        let to = self.names.service(&part(to), context);
        Some((from?, to?))
    }

    /// Indexes into what this run takes.
    fn architectures(&self, names: Option<&At<Vec<At<String>>>>, context: &mut Context<'_>) -> Vec<usize> {
        let Some(names) = names else { return (0..self.chosen.len()).collect() };
        if names.value.is_empty() {
            let hint = "leave \"in\" out for all of them";
            context.error(names.place, "an expectation in no architecture").hint(hint);
        }
        let mut all = Vec::new();
        for name in &names.value {
            let found = architectures::find(&name.value);
            if !found.is_some_and(|found| self.compared.contains(&found)) && !self.compared.is_empty() {
                context.unknown("architecture", name, self.compared.iter().map(|known| known.name()));
            }
            all.extend(found.and_then(|found| self.chosen.iter().position(|chosen| *chosen == found)));
        }
        all
    }

    fn during(&self, name: &At<String>, context: &mut Context<'_>) -> Option<During> {
        if name.value == "steady" {
            return Some(During::Steady);
        }
        if name.value == "recovery" {
            if self.faults.is_empty() {
                context.error(name.place, "there is no fault to recover from");
            }
            return Some(During::Recovery);
        }
        let index = self.faults.iter().position(|fault| fault.name == name.value);
        if index.is_none() {
            let known = self.faults.iter().map(|fault| fault.name.as_str());
            context.unknown("part of the run", name, known.chain(["steady", "recovery"]));
        }
        index.map(During::Fault)
    }
}

/// Violations of an invariant, over the whole run: nothing else can be said about them.
fn violations(expect: &Expect, context: &mut Context<'_>) -> Option<Metric> {
    let others = [&expect.of, &expect.edge, &expect.service, &expect.during];
    for other in others.into_iter().flatten() {
        let hint = "leave it out: invariants are those of a whole run";
        context.error(other.place, "violations are counted over everything").hint(hint);
    }
    let Some(name) = &expect.invariant else { return Some(Metric::Violations(None)) };
    let known = Invariant::ALL.into_iter().find(|known| known.name() == name.value);
    if known.is_none() {
        context.unknown("invariant", name, Invariant::ALL.into_iter().map(Invariant::name));
    }
    known.map(|known| Metric::Violations(Some(known)))
}

/// `None` when something was said and is wrong.
#[expect(clippy::option_option, reason = "said or not, and right or not")]
fn transpose<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        Some(None) => None,
        Some(value) => Some(value),
        None => Some(None),
    }
}

fn metric(name: &At<String>, context: &mut Context<'_>) -> Option<Metric> {
    if let Some((_, metric)) = METRICS.iter().find(|(known, _)| *known == name.value) {
        return Some(*metric);
    }
    let percent =
        name.value.strip_prefix('p').filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
    let percent = percent.and_then(|digits| digits.parse::<f64>().ok());
    match percent {
        Some(percent) if percent > 0.0 && percent < 100.0 => {
            return Some(Metric::Percentile(percent / 100.0));
        }
        Some(_) => {
            let fact = format!("\"{}\" is no percentile", name.value);
            context.error(name.place, fact).hint("write, say, \"p99.9\"; \"max\" is the largest");
        }
        None => {
            let known = ["p50", "p90", "p95", "p99", "p99.9", "decisions", "share", "violations", "wasted"]
                .into_iter();
            context.unknown("metric", name, known.chain(METRICS.iter().map(|(name, _)| *name)));
        }
    }
    None
}

/// What a bound means for this metric.
fn limit(metric: Metric, bound: &At<Bound>, context: &mut Context<'_>) -> Option<Limit> {
    let place = bound.place;
    let duration =
        |value: Duration| Limit { value: value.0.as_nanos() as f64 / 1e3, text: value.to_string() };
    let rate = |value: Rate| Limit { value: value.0, text: value.to_string() };
    let share = |value: Share| Limit { value: value.0, text: value.to_string() };
    match metric {
        Metric::Percentile(_) | Metric::Mean | Metric::Min | Metric::Max => {
            quantity(&bound.value, "a duration such as `\"300ms\"`", place, context).map(duration)
        }
        Metric::ErrorRate | Metric::Share { .. } | Metric::Wasted(_) => {
            quantity(&bound.value, "a percentage such as `\"2%\"`", place, context).map(share)
        }
        Metric::Goodput => quantity(&bound.value, "a rate such as `\"200 rps\"`", place, context).map(rate),
        Metric::Amplification
        | Metric::AmplificationAt(_)
        | Metric::Requests
        | Metric::Violations(_)
        | Metric::Decisions { .. } => match bound.value {
            Bound::Number(value) => Some(Limit { value, text: value.to_string() }),
            Bound::Text(_) => {
                context
                    .error(place, "a text where a number belongs")
                    .hint("write a plain number such as `1.2`");
                None
            }
        },
    }
}

fn quantity<Q: std::str::FromStr<Err = hoplab_proxy::quantity::NotAQuantity>>(
    bound: &Bound,
    expected: &str,
    place: Place,
    context: &mut Context<'_>,
) -> Option<Q> {
    match bound {
        Bound::Text(text) => {
            text.parse().map_err(|wrong: Q::Err| context.complaint(place, &wrong.to_string())).ok()
        }
        Bound::Number(number) => {
            context.error(place, format!("`{number}` has no unit")).hint(format!("write {expected}"));
            None
        }
    }
}

/// `p99 of order.place`, `ejected of payment`.
fn figure(expect: &Expect) -> String {
    if let Some(invariant) = &expect.invariant {
        return format!("violations of {}", invariant.value);
    }
    let metric = expect.decision.as_ref().or(expect.metric.as_ref()).map_or("", |name| &name.value);
    let subject = expect.of.as_ref().or(expect.edge.as_ref());
    let subject = subject.or(expect.service.as_ref()).or(expect.pod.as_ref());
    match subject {
        Some(subject) => format!("{metric} of {}", subject.value.replace("->", "→")),
        None => metric.to_owned(),
    }
}

/// `p99 of order.place ≤ 300ms during payment-slow`.
fn sentence(figure: &str, min: Option<&Limit>, max: Option<&Limit>, during: Option<&At<String>>) -> String {
    let bounded = match (min, max) {
        (Some(min), Some(max)) if min.text == max.text => format!("{figure} = {}", min.text),
        (Some(min), Some(max)) => format!("{} ≤ {figure} ≤ {}", min.text, max.text),
        (Some(min), None) => format!("{figure} ≥ {}", min.text),
        (None, Some(max)) => format!("{figure} ≤ {}", max.text),
        (None, None) => figure.to_owned(),
    };
    match during {
        Some(part) => format!("{bounded} during {}", part.value),
        None => bounded,
    }
}

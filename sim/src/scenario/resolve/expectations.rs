//! Expectations: which figure, of what, when, and within which bounds.

mod bounds;
mod edges;
mod sentence;

use hoplab_config::{At, Context, Place};
use hoplab_proxy::telemetry::Decision;

use super::architectures::{self, Compared};
use super::names::Names;
use crate::figures::{Figure, Subject};
use crate::invariants::Invariant;
use crate::scenario::plan::{During, EndpointId, Expectation, Fault, Load, Metric, Service, ServiceId};
use crate::scenario::schema::expect::{CONTAINERS, Expect};
use crate::world::ContainerKind;
use bounds::{closed_form, limit};
use sentence::{figure, sentence};

/// Figures that nothing is expected of: what they are of has no key.
const NOT_ASKED: [Figure; 4] =
    [Figure::OwnTime, Figure::Changes, Figure::ChangesLeftOut, Figure::AttemptsByRequest];

/// What expectations are resolved against.
pub(super) struct Expectations<'a> {
    pub(super) names: &'a Names,
    pub(super) services: &'a [Service],
    pub(super) loads: &'a [Load],
    /// Whether nothing of the loads was left out for being wrong.
    pub(super) loads_are_right: bool,
    pub(super) faults: &'a [Fault],
    /// What the file compares.
    pub(super) compared: &'a [Compared],
    /// What this run takes.
    pub(super) chosen: &'a [Compared],
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
        let architectures = self.architectures(expect.r#in.as_ref(), context);
        let during = expect.during.as_ref().map_or(Some(During::All), |name| self.during(name, context));
        if !expect.bounded.0 {
            let hint = "say what is all right: `max = \"300ms\"`, or `min`, or both";
            context.error(place, "an expectation without \"min\", \"max\" or \"value\"").hint(hint);
        }
        let metric = metric?;
        let unit = metric.figure().unit();
        let min = expect.min.as_ref().map(|bound| limit(unit, bound, context));
        let max = expect.max.as_ref().map(|bound| limit(unit, bound, context));
        let (of, edge, during) = (transpose(of)?, transpose(edge)?, during?);
        let (min, max) = (transpose(min)?, transpose(max)?);
        let form = transpose(closed_form(metric, &expect, context))?;
        if let (Some(min), Some(max), Some(at)) = (&min, &max, &expect.max)
            && min.value > max.value
        {
            context.error(at.place, format!("\"max\" is {}, below \"min\", which is {}", max.text, min.text));
        }
        let figure = figure(&expect);
        let text = sentence(&figure, (min.as_ref(), max.as_ref()), form.as_ref(), expect.during.as_ref());
        let expectation = Expectation {
            metric,
            of,
            edge,
            architectures,
            during,
            min: min.map(|limit| limit.value),
            max: max.map(|limit| limit.value),
            form: form.map(|(form, _)| form),
            text,
        };
        (!expectation.architectures.is_empty()).then_some(expectation)
    }

    /// The metric with what it needs to know; keys that another metric would need are refused.
    fn metric(&self, expect: &Expect, context: &mut Context<'_>) -> Option<Metric> {
        let name = expect.metric.as_ref()?;
        refuse_others(name, expect, context);
        if let Some(figure) = failed(&name.value) {
            return not_at_a_service(name, expect, context).then_some(Metric::Failed(figure));
        }
        let figure = figure_named(name, context)?;
        match figure {
            Figure::Violations => return violations(expect, context),
            Figure::PodShare => return self.share(name.place, expect, context),
            Figure::Within => return within(name.place, expect, context),
            Figure::RecoveryTime => return self.recovery_time(name.place, expect, context),
            _ if figure.subject() == Subject::Containers => return container(figure, expect, context),
            _ if figure.subject() == Subject::Network => {
                let parts = [&expect.of, &expect.service, &expect.during];
                let others = expect.edge.is_none().then_some("between whom: `edge = \"order -> payment\"`");
                refuse_parts(figure, "connections", others, &parts, context);
                return Some(Metric::Figure(figure));
            }
            _ => {}
        }
        let service = expect.service.as_ref().map(|name| self.names.service(name, context));
        let service = transpose(service)?;
        match (figure, figure.subject(), service) {
            (Figure::Decisions, ..) => decisions(name.place, expect, service, context),
            (_, Subject::Services, ..) => Some(Metric::Service(figure, service)),
            (Figure::Amplification, _, Some(service)) => Some(Metric::AmplificationAt(service)),
            _ => not_at_a_service(name, expect, context).then_some(Metric::Figure(figure)),
        }
    }

    /// How long a figure takes to be back within a bound after a fault.
    fn recovery_time(&self, place: Place, expect: &Expect, context: &mut Context<'_>) -> Option<Metric> {
        if let Some(during) = &expect.during {
            let hint = "leave it out: `after` says when it begins, and it lasts until the end";
            context.error(during.place, "a recovery \"during\" a part of the run").hint(hint);
        }
        let (Some(after), Some(figure), Some(bound)) = (&expect.after, &expect.figure, &expect.bound) else {
            let hint = "say after which fault, and until when: `after = \"payment-slow\"`, `figure = \"p99\"`, \
                        `bound = \"50ms\"`";
            context.error(place, "the recovery of what, from what?").hint(hint);
            return None;
        };
        let known = self.faults.iter().position(|fault| fault.name == after.value);
        if known.is_none() {
            context.unknown("fault", after, self.faults.iter().map(|fault| fault.name.as_str()));
        }
        let watched = figure_named(figure, context)?;
        if !watched.is_watched() {
            let hint = "watch a percentile, \"mean\", \"error_rate\" or \"goodput\"";
            context.error(figure.place, format!("{} has no course in time", figure.value)).hint(hint);
            return None;
        }
        let bound = limit(watched.unit(), bound, context)?.value;
        Some(Metric::RecoveryTime { after: known?, figure: watched, bound })
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
        let known = self.names.pod(&pod.value).and_then(|(service, replica)| {
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
        if let Some((fact, hint)) = metric.and_then(|metric| not_of_an_endpoint(metric.figure())) {
            context.error(name.place, fact).hint(hint);
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

    /// Indexes into what this run takes.
    fn architectures(&self, names: Option<&At<Vec<At<String>>>>, context: &mut Context<'_>) -> Vec<usize> {
        let Some(names) = names else { return (0..self.chosen.len()).collect() };
        if names.value.is_empty() {
            let hint = "leave \"in\" out for all of them";
            context.error(names.place, "an expectation in no architecture").hint(hint);
        }
        let mut all = Vec::new();
        for name in &names.value {
            let phase = self.compared.iter().find(|known| known.to_string() == name.value).cloned();
            let found = phase.or_else(|| architectures::find(name));
            let is_compared = found.as_ref().is_some_and(|found| self.compared.contains(found));
            if !is_compared && !self.compared.is_empty() {
                let known: Vec<String> = self.compared.iter().map(ToString::to_string).collect();
                context.unknown("architecture", name, known.iter().map(String::as_str));
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

/// Refuses a service for what is not measured at one; whether there is none.
fn not_at_a_service(name: &At<String>, expect: &Expect, context: &mut Context<'_>) -> bool {
    if let Some(key) = &expect.service {
        let hint = "write `of = \"order.place\"` for what clients request";
        context.error(key.place, format!("{} is not measured at a service", name.value)).hint(hint);
    }
    expect.service.is_none()
}

/// The response time that is meant, of what was not served well: `failed_p99`.
fn failed(name: &str) -> Option<Figure> {
    let figure = Figure::named(name.strip_prefix("failed_")?)?;
    figure.is_latency().then_some(figure)
}

/// Why a figure cannot be that of an endpoint, and what to write instead; `None` when it can.
fn not_of_an_endpoint(figure: Figure) -> Option<(String, &'static str)> {
    let service = "write `service = \"order\"`, or leave it out for all of them";
    let fact = || format!("{} \"of\" an endpoint", figure.key());
    match figure.subject() {
        Subject::Services => Some(("work wasted \"of\" an endpoint".to_owned(), service)),
        Subject::Policies => Some((fact(), service)),
        Subject::Edges => {
            Some((fact(), "write `edge = \"order -> payment\"`, or leave it out for all edges"))
        }
        Subject::Requests
        | Subject::Owners
        | Subject::Breakers
        | Subject::Containers
        | Subject::Network
        | Subject::Pods
        | Subject::Run => None,
    }
}

/// Keys that only one metric has.
fn refuse_others(name: &At<String>, expect: &Expect, context: &mut Context<'_>) {
    let mut refuse = |place: Option<Place>, metric: &str, fact: &str| {
        if let Some(place) = place.filter(|_| name.value != metric) {
            context.error(place, fact).hint(format!("write `metric = \"{metric}\"`, or leave it out"));
        }
    };
    let place = |key: &Option<At<String>>| key.as_ref().map(|key| key.place);
    refuse(place(&expect.decision), "decisions", "only decisions are counted by their kind");
    refuse(place(&expect.pod), "share", "only a share is that of a pod");
    refuse(place(&expect.invariant), "violations", "only violations are those of an invariant");
    let of_containers =
        Figure::named(&name.value).is_some_and(|figure| figure.subject() == Subject::Containers);
    if !of_containers {
        refuse(place(&expect.container), "cores", "only what containers take is that of a kind of them");
    }
    refuse(
        expect.limit.as_ref().map(|key| key.place),
        "within",
        "only what is served within a time has a limit",
    );
    refuse(place(&expect.after), "recovery_time", "only a recovery comes after a fault");
    refuse(place(&expect.figure), "recovery_time", "only a recovery is that of another figure");
    refuse(
        expect.bound.as_ref().map(|key| key.place),
        "recovery_time",
        "only a recovery has an end that is bounded",
    );
}

/// What a kind of container takes, over the whole run: parts of it are not told apart.
fn container(figure: Figure, expect: &Expect, context: &mut Context<'_>) -> Option<Metric> {
    let parts = [&expect.of, &expect.edge, &expect.service, &expect.during];
    let others = expect.container.is_none().then_some("which containers: `container = \"sidecar\"`");
    refuse_parts(figure, "containers", others, &parts, context);
    let Some(name) = &expect.container else { return Some(Metric::Container(figure, None)) };
    let known = CONTAINERS.into_iter().find(|known| known.name() == name.value);
    if known.is_none() {
        context.unknown("kind of container", name, CONTAINERS.map(ContainerKind::name));
    }
    known.map(|known| Metric::Container(figure, Some(known)))
}

/// Refuses parts of a run that a figure is not told apart by, as far as they are written; `others` says by what it is, if
/// that is not said.
fn refuse_parts(
    figure: Figure,
    whose: &str,
    others: Option<&str>,
    parts: &[&Option<At<String>>],
    context: &mut Context<'_>,
) {
    for part in parts.iter().filter_map(|part| part.as_ref()) {
        let fact = format!("{} is that of {whose}, over a whole run", figure.key());
        let others = others.map_or_else(String::new, |others| format!(", or say {others}"));
        context.error(part.place, fact).hint(format!("leave it out{others}"));
    }
}

/// How many requests were served within a time.
fn within(place: Place, expect: &Expect, context: &mut Context<'_>) -> Option<Metric> {
    let Some(limit) = &expect.limit else {
        context.error(place, "served within which time?").hint("say so: `limit = \"300ms\"`");
        return None;
    };
    Some(Metric::Within { limit_us: limit.value.0.as_micros() as u64 })
}

/// Decisions of a kind.
fn decisions(
    place: Place,
    expect: &Expect,
    service: Option<ServiceId>,
    context: &mut Context<'_>,
) -> Option<Metric> {
    let Some(decision) = &expect.decision else {
        context.error(place, "decisions of which kind?").hint("say which: `decision = \"ejected\"`");
        return None;
    };
    let known = Decision::ALL.into_iter().find(|known| known.name() == decision.value);
    if known.is_none() {
        context.unknown("decision", decision, Decision::ALL.into_iter().map(Decision::name));
    }
    Some(Metric::Decisions { decision: known?, service })
}

/// The figure of the catalogue that something may be expected of.
fn figure_named(name: &At<String>, context: &mut Context<'_>) -> Option<Figure> {
    if let Some(figure) = Figure::named(&name.value).filter(|figure| !NOT_ASKED.contains(figure)) {
        return Some(figure);
    }
    let percent =
        name.value.strip_prefix('p').filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
    if percent.is_some_and(|digits| digits.parse::<f64>().is_ok()) {
        let fact = format!("\"{}\" is no percentile", name.value);
        context.error(name.place, fact).hint("write, say, \"p99.9\"; \"max\" is the largest");
    } else {
        let asked = Figure::ALL.into_iter().filter(|figure| !NOT_ASKED.contains(figure));
        let known: Vec<_> = asked.map(Figure::key).collect();
        context.unknown("metric", name, known.iter().map(|key| &**key));
    }
    None
}

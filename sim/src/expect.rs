//! Judges expectations: reads the figure that each asks for out of a record, and says whether it holds, fails, or
//! cannot be judged, and then what it would take. How a figure is computed is the catalogue's
//! ([`crate::figures`]).

use crate::closed_form::Judged;
use crate::figures::recovery::{Recovery, Watched};
use crate::figures::{self, Figure, Scope};
use crate::record::{self, Outcome, Spacing};
use crate::scenario::plan::{During, EndpointId, Expectation, Metric, Plan, party};

/// How the expectations of `plan` on its `architecture`th architecture came out under one seed.
pub(crate) fn judge(
    plan: &Plan,
    architecture: usize,
    seen: &record::Architecture,
) -> Vec<record::Expectation> {
    judge_together(plan, architecture, seen, 1)
}

/// The same of what was seen under so many `seeds` together.
pub(crate) fn judge_together(
    plan: &Plan,
    architecture: usize,
    seen: &record::Architecture,
    seeds: u64,
) -> Vec<record::Expectation> {
    let of_architecture =
        plan.expectations.iter().filter(|expectation| expectation.architectures.contains(&architecture));
    of_architecture.map(|expectation| Judge { plan, expectation, seen, seeds }.judge()).collect()
}

/// The times within which requests are expected to be served, each once.
pub(crate) fn limits_us(plan: &Plan) -> Vec<u64> {
    let limits = plan.expectations.iter().filter_map(|expectation| match expectation.metric {
        Metric::Within { limit_us } => Some(limit_us),
        _ => None,
    });
    let mut limits: Vec<u64> = limits.collect();
    limits.sort_unstable();
    limits.dedup();
    limits
}

/// The endpoints that are expected to recover.
pub(crate) fn recovering(plan: &Plan) -> impl Iterator<Item = EndpointId> {
    let is_watched = |metric| matches!(metric, Metric::RecoveryTime { .. });
    plan.expectations.iter().filter(move |of| is_watched(of.metric)).filter_map(|of| of.of)
}

/// An expectation, and what it is about.
struct Judge<'a> {
    plan: &'a Plan,
    expectation: &'a Expectation,
    seen: &'a record::Architecture,
    /// How many seeds were run.
    seeds: u64,
}

/// What was seen of a figure.
enum Seen {
    /// So much.
    Value(f64),
    /// More than this; how much more is not known.
    MoreThan(f64),
    /// The sample does not carry it.
    Nothing,
}

impl Seen {
    fn value(&self) -> Option<f64> {
        if let Self::Value(value) = *self { Some(value) } else { None }
    }

    /// Whether it lies between the bounds that there are.
    fn lies_between(&self, min: Option<f64>, max: Option<f64>) -> Outcome {
        match *self {
            Self::Value(value) => {
                let holds = min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max);
                if holds { Outcome::Holds } else { Outcome::Fails }
            }
            Self::MoreThan(least) if max.is_some_and(|max| least >= max) => Outcome::Fails,
            Self::MoreThan(least) if max.is_none() && min.is_none_or(|min| least >= min) => Outcome::Holds,
            Self::MoreThan(_) | Self::Nothing => Outcome::CannotBeJudged,
        }
    }
}

impl Judge<'_> {
    fn judge(&self) -> record::Expectation {
        let (seen, interval) = self.seen();
        let Expectation { min, max, .. } = *self.expectation;
        let (outcome, takes) = match self.expectation.form {
            Some(form) => match form.judge(seen.value(), interval) {
                Judged::Holds => (Outcome::Holds, None),
                Judged::Fails => (Outcome::Fails, None),
                Judged::Open { takes } => (Outcome::CannotBeJudged, Some(self.takes_by_interval(takes))),
            },
            None => match seen.lies_between(min, max) {
                Outcome::CannotBeJudged => (Outcome::CannotBeJudged, Some(self.takes())),
                outcome => (outcome, None),
            },
        };
        record::Expectation {
            text: self.expectation.text.clone(),
            seen: seen.value(),
            seen_text: self.in_words(&seen, interval),
            min,
            max,
            holds: outcome == Outcome::Holds,
            outcome,
            takes,
            failed_in: Vec::new(),
            unjudged_in: Vec::new(),
        }
    }

    /// What was seen of the figure, and its interval.
    fn seen(&self) -> (Seen, Option<record::Interval>) {
        let names = Names::of(self.plan, self.expectation);
        let Some(scope) = self.scope(&names) else { return (Seen::Nothing, None) };
        let figure = self.expectation.metric.figure();
        let seen = match (figure.of(&scope), scope.recovery()) {
            (Some(value), _) => Seen::Value(value),
            (None, Some(Recovery::NotBy { us })) => Seen::MoreThan(us as f64),
            (None, _) => Seen::Nothing,
        };
        (seen, figure.interval(&scope))
    }

    /// What was seen; with its interval, where that judges.
    fn in_words(&self, seen: &Seen, interval: Option<record::Interval>) -> String {
        let figure = self.expectation.metric.figure();
        let bounds: Vec<f64> = [self.expectation.min, self.expectation.max].into_iter().flatten().collect();
        let number = |value| figures::words::beside(figure.unit(), value, &bounds);
        match (seen, interval.filter(|_| self.expectation.form.is_some())) {
            (Seen::Value(value), Some(of)) => {
                format!("{} ({}…{})", number(*value), number(of.low), number(of.high))
            }
            (Seen::Value(value), None) => number(*value),
            (Seen::MoreThan(least), _) => format!("not in the {} until the end", number(*least)),
            (Seen::Nothing, _) => "the sample is too small to tell".to_owned(),
        }
    }

    /// What the expectation is about; `None` when the run has no such part.
    fn scope<'a>(&'a self, names: &'a Names) -> Option<Scope<'a>> {
        let part = match self.expectation.during {
            During::All => None,
            During::Steady => Some("steady"),
            During::Recovery => Some("recovery"),
            During::Fault(index) => Some(&*self.plan.faults[index].name),
        };
        let mut scope = match part {
            None => {
                let seconds = self.plan.duration.saturating_sub(self.plan.warmup).as_secs_f64();
                Scope::of(self.seen, seconds * self.seeds as f64)
            }
            Some(name) => Scope::of_phase(self.seen.phases.get(name)?, self.seeds),
        };
        if let Some(endpoint) = &names.endpoint {
            scope = scope.endpoint(endpoint);
        }
        if let Some(edge) = &names.edge {
            scope = scope.edge(edge);
        }
        if let Some(service) = names.service.as_deref() {
            scope = scope.service(service).callee(service);
        }
        Some(match self.expectation.metric {
            Metric::Within { limit_us } => scope.limit_us(limit_us),
            Metric::Failed(_) => scope.failed(),
            Metric::RecoveryTime { after, figure, bound } => {
                scope.watched(self.watched(names.endpoint.as_deref(), after, figure, bound)?)
            }
            Metric::Decisions { decision, .. } => scope.decision(decision.name()),
            Metric::Container(_, Some(container)) => scope.container(container.name()),
            Metric::Violations(Some(invariant)) => scope.invariant(invariant.name()),
            Metric::Share { .. } => scope.pod(names.pod.as_deref()?),
            Metric::Figure(_)
            | Metric::AmplificationAt(_)
            | Metric::Service(..)
            | Metric::Container(_, None)
            | Metric::Violations(None) => scope,
        })
    }

    fn watched(
        &self,
        endpoint: Option<&str>,
        after: usize,
        figure: Figure,
        bound: f64,
    ) -> Option<Watched<'_>> {
        let windows = match endpoint {
            Some(endpoint) => self.seen.endpoint_windows.get(endpoint)?,
            None => &self.seen.windows,
        };
        let fault = &self.plan.faults[after];
        Some(Watched {
            windows,
            spacing: Spacing {
                width_us: self.plan.window_width().as_micros() as u64,
                until_us: self.plan.duration.as_micros() as u64,
                runs: self.seeds,
            },
            from_us: (fault.at + fault.lasts).as_micros() as u64,
            figure,
            bound,
        })
    }

    /// What it would take to judge it.
    fn takes(&self) -> String {
        let figure = self.expectation.metric.figure();
        if figure == Figure::RecoveryTime {
            return "it takes a longer run after the fault, or more requests by the second: --scale or --seeds".to_owned();
        }
        let enough = figure.observations_min();
        let is_failed = matches!(self.expectation.metric, Metric::Failed(_));
        let (one, several) =
            if is_failed { ("fails", "fail") } else { ("is served well", "are served well") };
        let measured = self.measured();
        let needed = match (figure.is_latency(), enough) {
            (true, 1) => format!("it takes a request that {one}"),
            (true, _) => {
                let plenty = figures::grouped(enough);
                format!("it takes {plenty} requests that {several}, there are {}", figures::grouped(measured))
            }
            (false, _) => return "it takes something to measure, and there was nothing".to_owned(),
        };
        if measured == 0 {
            return needed;
        }
        format!("{needed} ({})", self.options(enough as f64 / measured as f64))
    }

    /// What it would take for the interval to judge it: so many `times` as many requests, where that is known.
    fn takes_by_interval(&self, times: Option<f64>) -> String {
        let measured = self.measured();
        let there_are = figures::grouped(measured);
        let Some(times) = times else {
            return format!("{there_are} requests are too few for an interval (try {})", self.options(10.0));
        };
        let enough = figures::grouped((measured as f64 * times).ceil() as u64);
        format!("its interval takes {enough} requests, there are {there_are} ({})", self.options(times))
    }

    /// How many response times there are of what it is about.
    fn measured(&self) -> u64 {
        let names = Names::of(self.plan, self.expectation);
        self.scope(&names).map_or(0, |scope| scope.measured())
    }

    /// The options that give so many `times` as many requests.
    fn options(&self, times: f64) -> String {
        let seeds = format!("--seeds {}", (times * self.seeds as f64).ceil());
        match self.expectation.during {
            // Faults stay where they are, however long the run is.
            During::Steady | During::Fault(_) => seeds,
            During::All | During::Recovery => {
                format!("--scale {} or {seeds}", (times * self.plan.scale).ceil())
            }
        }
    }
}

/// What an expectation is about, as a record calls it.
struct Names {
    endpoint: Option<String>,
    edge: Option<String>,
    service: Option<String>,
    pod: Option<String>,
}

impl Names {
    fn of(plan: &Plan, expectation: &Expectation) -> Self {
        let service = |index: usize| plan.services[index].name.clone();
        let endpoint = expectation.of.map(|id| {
            let service = &plan.services[id.service.0];
            format!("{}.{}", service.name, service.endpoints[id.endpoint].name)
        });
        let edge = expectation.edge.map(|ends| party::edge(ends, &plan.services));
        let (about, pod) = match expectation.metric {
            Metric::AmplificationAt(id) => (Some(service(id.0)), None),
            Metric::Service(_, id) | Metric::Decisions { service: id, .. } => {
                (id.map(|id| service(id.0)), None)
            }
            Metric::Share { service: id, replica } => (None, Some(format!("{}-{replica}", service(id.0)))),
            Metric::Figure(_)
            | Metric::Failed(_)
            | Metric::Within { .. }
            | Metric::RecoveryTime { .. }
            | Metric::Container(..)
            | Metric::Violations(_) => (None, None),
        };
        Self { endpoint, edge, service: about, pod }
    }
}

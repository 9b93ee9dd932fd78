//! A run as a verdict looks at it: the baseline and the others, and the parts of the run that make it up. Owns no
//! sentence and no judgement.

use std::borrow::Cow;

use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::record::{
    Architecture, Difference, Episode, Interval, Paired, Phase, Record, Requests, Traffic, Window,
};

use super::reason::Cited;
use crate::added::STEADY;
use crate::format::moment;
use crate::scope::scope;

/// A run in which requests were measured under the baseline.
pub(crate) struct Run<'a> {
    pub(crate) record: &'a Record,
    pub(crate) baseline: Subject<'a>,
    /// The other architectures under which requests were measured, in the order of the record.
    pub(crate) others: Vec<Subject<'a>>,
    /// How many seeds were run.
    pub(crate) seeds: u64,
    /// What becomes of a request that is not served well.
    pub(crate) fails: Verb,
}

/// What some requests do: `fails`, of one, and `fail`, of more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verb {
    pub(crate) one: &'static str,
    pub(crate) more: &'static str,
}

/// Where a limit refuses nothing.
const FAILS: Verb = Verb { one: "fails", more: "fail" };

/// Where one does: a refusal is no error, and no service either.
const FAILS_OR_REFUSED: Verb = Verb { one: "fails or is refused", more: "fail or are refused" };

/// Requests that were not served well: failed, timed out, left open or refused.
pub(super) fn unserved(requests: &Requests) -> u64 {
    requests.sent.saturating_sub(requests.served())
}

/// The same as a share of all requests.
pub(crate) fn unserved_share(requests: &Requests) -> f64 {
    unserved(requests) as f64 / requests.sent.max(1) as f64
}

/// What that share is called where a limit refuses something; where none does, it is the catalogue's error rate.
const UNSERVED: &str = "unserved_rate";

/// An architecture that is spoken of.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) seen: &'a Architecture,
    /// The same requests under the baseline.
    pub(crate) paired: Option<&'a Paired>,
}

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name in the record; `None` is all of it after the warm-up.
    pub(crate) name: Option<String>,
    pub(crate) from_us: u64,
    pub(crate) until_us: u64,
}

impl<'a> Run<'a> {
    /// `None` where no request was measured under the baseline.
    pub(crate) fn of(record: &'a Record) -> Option<Self> {
        let baseline = record.baseline()?;
        let subject = |(name, seen): (&'a String, &'a Architecture)| {
            let paired = record.paired.get(name).filter(|paired| paired.baseline == *baseline);
            (seen.total.requests.sent > 0).then_some(Subject { name, seen, paired })
        };
        let all: Vec<Subject> = record.architectures.iter().filter_map(subject).collect();
        let (first, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|of| of.name == baseline);
        let run = Self { record, baseline: *first.first()?, others, seeds: record.runs(), fails: FAILS };
        let fails = if run.refuses() { FAILS_OR_REFUSED } else { FAILS };
        Some(Self { fails, ..run })
    }

    /// Whether a limit refuses something under any architecture.
    fn refuses(&self) -> bool {
        self.record.architectures.values().any(|seen| seen.total.requests.refused > 0)
    }

    /// The name of the share of requests that are not served well.
    pub(super) fn unserved_key(&self) -> Cow<'static, str> {
        if self.refuses() { UNSERVED.into() } else { Figure::ErrorRate.key() }
    }

    /// The baseline, then the others.
    pub(crate) fn all(&self) -> impl Iterator<Item = Subject<'a>> + Clone + '_ {
        std::iter::once(self.baseline).chain(self.others.iter().copied())
    }

    /// All of it after the warm-up.
    pub(crate) fn whole(&self) -> Part {
        Part { name: None, from_us: self.record.warmup_us, until_us: self.record.duration_us }
    }

    /// Before anything breaks.
    pub(super) fn steady(&self) -> Option<Part> {
        self.part(STEADY)
    }

    /// After all that breaks.
    pub(super) fn recovery(&self) -> Option<Part> {
        self.part("recovery")
    }

    /// The faults, those that overlap as one, with the parts in which they are on and which follow them.
    pub(crate) fn episodes(&self) -> Vec<(Episode, Option<Part>, Option<Part>)> {
        let faults = &self.record.faults;
        let names: Vec<&str> = faults.iter().map(|fault| &*fault.name).collect();
        let spans = faults.iter().map(|fault| (fault.at_us, fault.at_us.saturating_add(fault.for_us)));
        let episodes = Episode::of(spans);
        let last = episodes.len().saturating_sub(1);
        let parts = |(place, of): (usize, Episode)| {
            let during = self.part(&of.name(&names));
            let after = if place == last { self.recovery() } else { self.part(&of.name_after(&names)) };
            (of, during, after)
        };
        episodes.into_iter().enumerate().map(parts).collect()
    }

    /// The parts that make up a part: of the whole run those before, while and after faults, else the part itself. `None`
    /// where the record does not have all of them.
    pub(super) fn parts_of(&self, part: &Part) -> Option<Vec<Part>> {
        if part.name.is_some() || self.record.faults.is_empty() {
            return Some(vec![part.clone()]);
        }
        let episodes = self.episodes().into_iter().flat_map(|(_, during, after)| [during, after]);
        let parts: Vec<Part> = std::iter::once(self.steady()).chain(episodes).flatten().collect();
        let sent = |part: &Part| self.baseline.traffic(part).map_or(0, |of| of.requests.sent);
        let is_whole = parts.iter().map(sent).sum::<u64>() == sent(part);
        is_whole.then_some(parts)
    }

    /// A part in which requests were sent under the baseline.
    fn part(&self, name: &str) -> Option<Part> {
        let Phase { from_us, until_us, .. } = *self.baseline.seen.phases.get(name)?;
        let part = Part { name: Some(name.to_owned()), from_us, until_us };
        self.baseline.traffic(&part).map(|_| part)
    }
}

impl Part {
    /// `(12 s to 20 s)`.
    pub(super) fn when(&self) -> String {
        format!("({} to {})", moment(self.from_us), moment(self.until_us))
    }
}

impl<'a> Subject<'a> {
    /// Its requests in a part of the run; `None` when there were none.
    pub(super) fn traffic(&self, part: &Part) -> Option<&'a Traffic> {
        let traffic = match &part.name {
            None => &self.seen.total,
            Some(name) => &self.seen.phases.get(name)?.total,
        };
        (traffic.requests.sent > 0).then_some(traffic)
    }

    /// The same requests under the baseline; `None` when there were none.
    pub(super) fn pairs(&self, part: &Part) -> Option<&'a Difference> {
        let difference = match &part.name {
            None => &self.paired?.total,
            Some(name) => self.paired?.phases.get(name)?,
        };
        (difference.pairs > 0).then_some(difference)
    }

    /// The windows that lie wholly in a part of the run.
    pub(crate) fn windows(&self, record: &Record, part: &Part) -> &'a [Window] {
        let width_us = record.window_us.max(1);
        let first = part.from_us.div_ceil(width_us) as usize;
        let last = (part.until_us / width_us) as usize;
        self.seen.windows.get(first..last.min(self.seen.windows.len())).unwrap_or_default()
    }

    /// What the catalogue computes its figures from.
    fn scope(&self, run: &Run<'a>, part: &Part) -> Option<Scope<'a>> {
        match &part.name {
            None => Some(scope(run.record, self.seen)),
            Some(name) => Some(Scope::of_phase(self.seen.phases.get(name)?, run.seeds)),
        }
    }

    /// A figure in a part of the run, as a sentence cites it.
    pub(super) fn figure(&self, run: &Run<'a>, part: &Part, figure: Figure) -> Cited {
        let scope = self.scope(run, part);
        Cited {
            architecture: self.name.to_owned(),
            during: part.name.clone(),
            figure: figure.key().into_owned(),
            over: None,
            value: scope.as_ref().and_then(|scope| figure.of(scope)),
            interval: scope.as_ref().and_then(|scope| figure.interval(scope)),
        }
    }

    /// The share of requests that are not served well, where a limit refuses some: an error rate does not count these.
    pub(super) fn unserved(&self, run: &Run<'a>, part: &Part) -> Option<Cited> {
        let traffic = self.traffic(part).filter(|_| run.refuses())?;
        let value = Some(unserved_share(&traffic.requests));
        Some(Cited {
            architecture: self.name.to_owned(),
            during: part.name.clone(),
            figure: UNSERVED.to_owned(),
            over: None,
            value,
            interval: None,
        })
    }

    /// What a figure differs by from the baseline's, as a sentence cites it.
    pub(super) fn difference(
        &self,
        run: &Run<'a>,
        part: &Part,
        key: Cow<'static, str>,
        (value, interval): (f64, Option<Interval>),
    ) -> Cited {
        Cited {
            architecture: self.name.to_owned(),
            during: part.name.clone(),
            figure: key.into_owned(),
            over: Some(run.baseline.name.to_owned()),
            value: Some(value),
            interval,
        }
    }
}

//! The answer in words: what each architecture costs when all is well, and what it saves when
//! something breaks, with numbers from the record; request by request where it has pairs. Owns the
//! sentences, not where they stand.

mod pairs;

use hoplab_sim::figures::{Figure, Scope};
use hoplab_sim::record::{Architecture, Fault, Paired, Record, Traffic};

use crate::added::{self, STEADY};
use crate::format::{duration, glued, listed, moment, percent};

/// What a reader wants first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The answer in one sentence.
    pub(crate) headline: String,
    /// What it rests on.
    pub(crate) sentences: Vec<String>,
}

/// Less than this share of requests failing is not worth a comparison.
const ERRORS_WORTH_SAYING: f64 = 0.001;

/// Less than this share of the damage kept away is no saving.
const SAVING_WORTH_SAYING: f64 = 0.05;

/// The share of the best saving that is nearly as good.
const NEARLY: f64 = 0.95;

/// The verdict on a run.
pub(crate) fn verdict(record: &Record) -> Verdict {
    let Some((baseline, from)) = added::baseline(record).and_then(|name| {
        let measured = |architecture: &Architecture| architecture.total.requests.sent > 0;
        let found = record.architectures.iter().find(|(other, _)| *other == name)?;
        measured(found.1).then_some(found)
    }) else {
        return Verdict { headline: "No request was measured.".to_owned(), sentences: Vec::new() };
    };
    let others: Vec<Subject> = record
        .architectures
        .iter()
        .filter(|(name, architecture)| *name != baseline && architecture.total.requests.sent > 0)
        .map(|(name, architecture)| {
            let paired = record.paired.get(name).filter(|paired| paired.baseline == *baseline);
            Subject { name, architecture, paired }
        })
        .collect();
    let baseline = Subject { name: baseline, architecture: from, paired: None };
    let faults = record.faults.iter();
    let savings: Vec<(&Fault, Saving)> =
        faults.filter_map(|fault| Some((fault, saving(fault, &baseline, &others)?))).collect();
    let named = Named::of(&others, |other| {
        pairs::median(other).map_or(other.median_us() - baseline.median_us(), |median| median.us)
    });
    let mut sentences = vec![named.told(cost(&baseline, &named.subjects), "cheapest", "dearest")];
    sentences.extend(pairs::slower(&baseline, &named.subjects));
    sentences.extend(record.faults.iter().filter_map(|fault| broken(fault, &baseline, &others)));
    let headline = savings
        .iter()
        .max_by(|a, b| a.1.weight.total_cmp(&b.1.weight))
        .map(|(fault, saving)| told(fault, saving, &baseline))
        .or_else(|| no_help(record, &baseline, &others))
        .unwrap_or_else(|| sentences.remove(0));
    Verdict { headline: glued(&headline), sentences: sentences.iter().map(|text| glued(text)).collect() }
}

/// More architectures than this are not spoken of one by one.
const NAMED_MAX: usize = 4;

/// The architectures that a sentence speaks of: all, or where they are many the first and the last of them.
struct Named<'a> {
    subjects: Vec<Subject<'a>>,
    /// How many there are.
    of: usize,
}

impl<'a> Named<'a> {
    fn of(others: &[Subject<'a>], figure: impl Fn(&Subject) -> f64) -> Self {
        let of = others.len();
        if of <= NAMED_MAX {
            return Self { subjects: others.to_vec(), of };
        }
        let least = others.iter().min_by(|a, b| figure(a).total_cmp(&figure(b)));
        let most = others.iter().rev().max_by(|a, b| figure(a).total_cmp(&figure(b)));
        Self { subjects: least.into_iter().chain(most).copied().collect(), of }
    }

    /// The sentence, with the reason why only two are spoken of.
    fn told(&self, sentence: String, first: &str, last: &str) -> String {
        if self.of <= NAMED_MAX {
            sentence
        } else {
            format!("{sentence} They are the {first} and the {last} of {}.", self.of)
        }
    }
}

/// Of two parts of a run the one is worse in which more fail, or in which p99 is higher where as many do.
fn hurt(traffic: &Traffic) -> f64 {
    error_ratio(traffic) * 1e12 + traffic.latency.quantile_us(0.99) as f64
}

/// An architecture that is spoken of.
#[derive(Clone, Copy)]
struct Subject<'a> {
    name: &'a str,
    architecture: &'a Architecture,
    /// The same requests under the baseline.
    paired: Option<&'a Paired>,
}

impl Subject<'_> {
    /// Its requests before anything breaks, or all of them where the run has no such part.
    fn steady(&self) -> &Traffic {
        self.during(STEADY).unwrap_or(&self.architecture.total)
    }

    /// Its requests in a part of the run; `None` when there were none.
    fn during(&self, phase: &str) -> Option<&Traffic> {
        let traffic = &self.architecture.phases.get(phase)?.total;
        (traffic.requests.sent > 0).then_some(traffic)
    }

    fn median_us(&self) -> f64 {
        self.steady().latency.quantile_us(0.5) as f64
    }
}

fn error_ratio(traffic: &Traffic) -> f64 {
    Figure::ErrorRate.of(&Scope::of_traffic(traffic)).unwrap_or(0.0)
}

/// What an architecture keeps away from the client while a fault lasts.
struct Saving<'a> {
    subject: &'a Subject<'a>,
    from: f64,
    to: f64,
    kind: Kind,
    /// How much of the damage it keeps away.
    weight: f64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Errors,
    P99,
}

/// The best saving over the baseline: of errors where there are any, else of p99. Of those that save
/// nearly as much as the best, the one that costs the median least.
fn saving<'a>(fault: &Fault, baseline: &Subject, others: &'a [Subject]) -> Option<Saving<'a>> {
    let hurt = baseline.during(&fault.name)?;
    let errors = error_ratio(hurt);
    let kind = if errors >= ERRORS_WORTH_SAYING { Kind::Errors } else { Kind::P99 };
    let figure = |traffic: &Traffic| match kind {
        Kind::Errors => Some(error_ratio(traffic)),
        Kind::P99 => Figure::P99.of(&Scope::of_traffic(traffic)),
    };
    let from = figure(hurt)?;
    let seen: Vec<(&Subject, f64)> =
        others.iter().filter_map(|subject| Some((subject, figure(subject.during(&fault.name)?)?))).collect();
    let least = seen.iter().map(|(_, to)| *to).fold(f64::INFINITY, f64::min);
    let enough = (from - least) * NEARLY;
    let (subject, to) = seen
        .into_iter()
        .filter(|(_, to)| from - to >= enough)
        .min_by(|a, b| a.0.median_us().total_cmp(&b.0.median_us()))?;
    let weight = 1.0 - to / from;
    (weight >= SAVING_WORTH_SAYING).then_some(Saving { subject, from, to, kind, weight })
}

fn told(fault: &Fault, saving: &Saving, baseline: &Subject) -> String {
    let Saving { subject, from, to, kind, weight } = saving;
    let name = subject.name;
    let price = match pairs::median(subject) {
        Some(median) => median.price(),
        None => match subject.median_us() - baseline.median_us() {
            added if added.abs() < 0.5 => "the median request costs nothing more".to_owned(),
            added if added < 0.0 => format!("the median request takes {} less", duration(-added)),
            added => format!("the median request takes {} more", duration(added)),
        },
    };
    let while_it_lasts = format!("while {}", fault.text);
    match kind {
        Kind::Errors => format!(
            "With {name}, {} fewer requests fail than with {} {while_it_lasts}; {price}.",
            percent(*weight),
            baseline.name,
        ),
        Kind::P99 => format!(
            "With {name}, the 99th percentile is {} instead of {} {while_it_lasts}; {price}.",
            duration(*to),
            duration(*from),
        ),
    }
}

/// Said when something broke and nothing did better than the baseline.
fn no_help(record: &Record, baseline: &Subject, others: &[Subject]) -> Option<String> {
    let fault = record.faults.iter().find(|fault| baseline.during(&fault.name).is_some())?;
    if others.is_empty() {
        return None;
    }
    Some(format!("Nothing does better than {} while {}.", baseline.name, fault.text))
}

/// What each architecture costs when all is well.
fn cost(baseline: &Subject, others: &[Subject]) -> String {
    let when = if baseline.during(STEADY).is_some() { "When all is well, the" } else { "The" };
    let median = duration(baseline.median_us());
    let name = baseline.name;
    if others.is_empty() {
        let p99 = Figure::P99.of(&Scope::of_traffic(baseline.steady()));
        let p99 = p99.map_or_else(String::new, |us| format!(", the 99th percentile {}", duration(us)));
        return format!("{when} median request takes {median} with {name}{p99}.");
    }
    let mut said = "";
    let added: Vec<String> = others
        .iter()
        .map(|other| {
            let paired = pairs::median(other);
            let added = paired.as_ref().map_or(other.median_us() - baseline.median_us(), |median| median.us);
            let verb = if added < 0.0 { "saves" } else { "adds" };
            let verb = if std::mem::replace(&mut said, verb) == verb { "" } else { verb };
            let space = if verb.is_empty() { "" } else { " " };
            let amount = if added == 0.0 { "nothing".to_owned() } else { duration(added.abs()) };
            let interval = paired.map_or_else(String::new, |median| median.interval());
            format!("{} {verb}{space}{amount}{interval}", other.name)
        })
        .collect();
    let by_request =
        if others.iter().all(|other| pairs::median(other).is_some()) { "request by request, " } else { "" };
    let at_median = if by_request.is_empty() { "" } else { " at the median" };
    format!("{when} median request takes {median} with {name}; {by_request}{}{at_median}.", listed(&added))
}

/// What a fault does, and what became of the requests that failed with some and not with others.
fn broken(fault: &Fault, baseline: &Subject, others: &[Subject]) -> Option<String> {
    let named = Named::of(others, |other| other.during(&fault.name).map_or(0.0, hurt));
    let damage = named.told(damage(fault, baseline, &named.subjects)?, "best", "worst");
    let fates = pairs::fates(fault, baseline, &named.subjects);
    Some(fates.map_or_else(|| damage.clone(), |fates| format!("{damage} {fates}")))
}

/// What a fault does to each architecture.
fn damage(fault: &Fault, baseline: &Subject, others: &[Subject]) -> Option<String> {
    baseline.during(&fault.name)?;
    let subjects = || std::iter::once(baseline).chain(others);
    let figures = |say: &dyn Fn(&Traffic) -> Option<String>| -> Vec<String> {
        let said = subjects().filter_map(|subject| {
            Some(format!("{} with {}", say(subject.during(&fault.name)?)?, subject.name))
        });
        said.collect()
    };
    let mut parts = Vec::new();
    let ratios = subjects().filter_map(|subject| Some(error_ratio(subject.during(&fault.name)?)));
    let clean = ratios.clone().filter(|ratio| *ratio == 0.0).count();
    if ratios.fold(0.0, f64::max) >= ERRORS_WORTH_SAYING {
        let mut shares = figures(&|traffic| {
            let ratio = error_ratio(traffic);
            (ratio > 0.0).then(|| percent(ratio))
        });
        if clean > 0 {
            shares.push("none elsewhere".to_owned());
        }
        parts.push(format!("requests fail: {}", listed(&shares)));
    } else {
        parts.push("hardly a request fails".to_owned());
    }
    let p99 = figures(&|traffic| Some(duration(Figure::P99.of(&Scope::of_traffic(traffic))?)));
    if !p99.is_empty() {
        parts.push(format!("the 99th percentile is {}", listed(&p99)));
    }
    let until = fault.at_us.saturating_add(fault.for_us);
    let (from, until) = (moment(fault.at_us), moment(until));
    Some(format!("While {} ({from} to {until}), {}.", fault.text, parts.join("; ")))
}

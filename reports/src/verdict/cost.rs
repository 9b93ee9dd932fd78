//! What an architecture adds to a request, request by request: where all is well, or where nothing ever is, to the
//! requests that were answered under both.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::Interval;

use super::reason::{Reason, Rule};
use super::run::{Part, Run, Subject, unserved_share};
use super::words::{SAID_MAX, Said, tells, with};
use crate::format::{count, duration, listed, percent, range};

/// A part in which more fail is none in which all is well.
const WELL_ERRORS_MAX: f64 = 0.001;

/// What an architecture adds to the median request.
pub(crate) struct Added {
    pub(crate) us: f64,
    pub(crate) interval: Option<Interval>,
    /// Of how many requests that were answered under both.
    both: u64,
    slower: u64,
    faster: u64,
}

/// Where the cost is taken from: where all is well, or the whole run where no part of it is.
pub(super) fn measured_in(run: &Run) -> Part {
    well(run).unwrap_or_else(|| run.whole())
}

/// The part before anything breaks, if hardly a request fails in it.
fn well(run: &Run) -> Option<Part> {
    let steady = run.steady().filter(|_| !run.record.faults.is_empty())?;
    let is_well = |subject: Subject| {
        subject.traffic(&steady).is_some_and(|of| unserved_share(&of.requests) <= WELL_ERRORS_MAX)
    };
    run.all().all(is_well).then_some(steady)
}

/// What `subject` adds to the median request; `None` where too few were answered under both.
pub(crate) fn added(run: &Run, subject: &Subject) -> Option<Added> {
    let of = subject.pairs(&measured_in(run))?;
    Some(Added {
        us: of.percentile_us(0.5)? as f64,
        interval: of.intervals.of(0.5),
        both: of.both,
        slower: of.slower,
        faster: of.faster,
    })
}

impl Added {
    /// Whether chance alone may explain it.
    fn is_open(&self) -> bool {
        self.interval.is_some_and(|of| of.low <= 0.0 && of.high >= 0.0 && of.low < of.high)
    }

    /// Whether too few requests were measured to tell which way it goes.
    pub(crate) fn is_unsure(&self) -> bool {
        self.is_open() || self.has_too_few()
    }

    /// Whether some are slower and some faster, and nothing tells how sure the median is.
    fn has_too_few(&self) -> bool {
        self.interval.is_none() && self.slower > 0 && self.faster > 0
    }

    /// As the end of a sentence: `it adds 3.1 ms (3 to 3.2 ms) to the median request`.
    pub(super) fn price(&self) -> String {
        match self.us {
            _ if self.is_open() => {
                "it adds nothing to the median request that can be told from chance".to_owned()
            }
            0.0 => "it adds nothing to the median request".to_owned(),
            us if us < 0.0 => format!("it takes {} off the median request", self.amount()),
            _ => format!("it adds {} to the median request", self.amount()),
        }
    }

    /// Its size, with its interval.
    fn amount(&self) -> String {
        let amount = duration(self.us.abs());
        let Some(Interval { low, high, .. }) = self.interval else { return amount };
        let (low, high) = if self.us < 0.0 { (-high, -low) } else { (low, high) };
        range(low, high).map_or_else(|| amount.clone(), |range| format!("{amount} ({range})"))
    }

    fn told(&self, name: &str) -> String {
        match self.us {
            _ if self.is_open() => format!("{name} adds nothing that can be told from chance"),
            0.0 => format!("{name} adds nothing"),
            us if us < 0.0 => format!("{name} takes {} off", self.amount()),
            _ => format!("{name} adds {}", self.amount()),
        }
    }
}

/// What each adds.
pub(super) fn cost(run: &Run) -> Option<Reason> {
    let part = measured_in(run);
    let median = run.baseline.figure(run, &part, Figure::P50);
    let head = match (well(run), median.value) {
        (_, None) => return None,
        (Some(part), Some(us)) => format!(
            "When all is well {}, the median request takes {} with {}",
            part.when(),
            duration(us),
            run.baseline.name
        ),
        (None, Some(us)) => {
            format!(
                "Of what is served well, the median request takes {} with {}",
                duration(us),
                run.baseline.name
            )
        }
    };
    let costs: Vec<(Subject, Added)> =
        run.others.iter().filter_map(|subject| Some((*subject, added(run, subject)?))).collect();
    let mut figures = vec![median];
    let cited = |(subject, of): &(Subject, Added)| {
        subject.difference(run, &part, Figure::P50.key(), (of.us, of.interval))
    };
    figures.extend(costs.iter().map(cited));
    if run.others.is_empty() {
        return Some(Reason { rule: Rule::Cost, text: format!("{head}."), figures });
    }
    if costs.is_empty() {
        let text = format!("{head}; too few requests are answered by others as well to tell what these add.");
        return Some(Reason { rule: Rule::Cost, text, figures });
    }
    let text =
        format!("{head}; request by request, {} at the median. {}", amounts(&costs), slower(run, &costs));
    Some(Reason { rule: Rule::Cost, text: text + &doubt(run, &costs), figures })
}

/// What each adds; of many the least and the most.
fn amounts(costs: &[(Subject, Added)]) -> String {
    let told = |(subject, of): &(Subject, Added)| of.told(subject.name);
    if costs.len() <= SAID_MAX {
        return listed(&costs.iter().map(told).collect::<Vec<_>>());
    }
    let by_size = |a: &&(Subject, Added), b: &&(Subject, Added)| a.1.us.total_cmp(&b.1.us);
    let (least, most) = (costs.iter().min_by(by_size), costs.iter().max_by(by_size));
    let told: Vec<String> = least.into_iter().chain(most).map(told).collect();
    format!("of {} others {} (the least) and {} (the most)", costs.len(), told[0], told[1])
}

/// Which share of requests is slower with each.
fn slower(run: &Run, costs: &[(Subject, Added)]) -> String {
    if costs.iter().all(|(_, of)| of.slower + of.faster == 0) {
        return "No request takes longer or shorter.".to_owned();
    }
    let said: Vec<Said> = costs
        .iter()
        .map(|(subject, of)| {
            let share = |part: u64| part as f64 / of.both.max(1) as f64;
            let faster = if of.faster > 0 {
                format!(" ({} faster)", percent(share(of.faster)))
            } else {
                String::new()
            };
            let text = format!("{} of requests{faster}", percent(share(of.slower)));
            Said { name: subject.name, size: share(of.slower), text }
        })
        .collect();
    format!("Slower than with {}: {}.", run.baseline.name, with(&said))
}

/// That samples are too small for an interval, and what would give one.
fn doubt(run: &Run, costs: &[(Subject, Added)]) -> String {
    let without: Vec<&(Subject, Added)> = costs.iter().filter(|(_, of)| of.has_too_few()).collect();
    let Some(most) = without.iter().map(|(_, of)| of.both).max() else { return String::new() };
    format!(
        " How sure these medians are cannot be told from {} requests; {} may tell.",
        count(most),
        tells(run.seeds.max(4) + 1)
    )
}

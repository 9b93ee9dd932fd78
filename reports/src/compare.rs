//! Two runs side by side: what was run differently, what came out differently, and where that came from.
//! From their records alone. Owns the order of what is told; one way of telling it each is in `table`
//! and `page`.
//!
//! | module | owns |
//! |---|---|
//! | `inputs` | what differs between what was run |
//! | `figures` | latencies and errors, with their intervals |
//! | `chance` | how sure it is that one differs |
//! | `moved` | owners, hops, edges, decisions and expectations that moved |
//! | `words` | the answer in words |
//! | `chart` | both curves of an architecture |

mod chance;
mod chart;
mod figures;
mod inputs;
mod moved;
mod page;
mod table;
mod words;

use hoplab_sim::record::{Architecture, Record};

use crate::format::listed;
use crate::gate::baseline::Baseline;
use crate::gate::compare::{self as gate, Outcome};
use crate::gate::explain::Reasons;
use crate::gate::figures::of;
use crate::table::Look;
use figures::{Pair, Subject};
use inputs::{Input, Text};
use moved::Moved;
use words::Verdict;

/// Two runs side by side.
#[derive(Debug)]
pub struct Comparison<'a> {
    first: Side<'a>,
    second: Side<'a>,
    inputs: Vec<Input>,
    texts: Vec<Text>,
    architectures: Vec<Compared<'a>>,
    trust: Trust,
    verdict: Verdict,
}

/// Two runs that have nothing to compare.
#[derive(Debug, thiserror::Error)]
#[error(
    "{first} and {second} have no architecture in common: {}; {}\nhelp: --arch of `hoplab run` says which are run",
    of_first.join(", "),
    of_second.join(", ")
)]
pub struct NothingInCommon {
    first: String,
    second: String,
    of_first: Vec<String>,
    of_second: Vec<String>,
}

/// One of the two.
#[derive(Debug, Clone)]
struct Side<'a> {
    label: String,
    record: &'a Record,
}

/// An architecture that both have.
#[derive(Debug)]
struct Compared<'a> {
    name: String,
    before: &'a Architecture,
    now: &'a Architecture,
    /// All requests, then each endpoint that either has.
    subjects: Vec<Subject>,
    /// All requests of each part of the run that both have, where there are several.
    phases: Vec<Subject>,
    moved: Moved,
    reasons: Reasons,
    /// Whether no figure differs, digest included.
    same: bool,
}

impl<'a> Comparison<'a> {
    /// Lays two runs side by side, each with the label that it is called by.
    pub fn of(first: (&str, &'a Record), second: (&str, &'a Record)) -> Result<Self, NothingInCommon> {
        let side = |(label, record): (&str, &'a Record)| Side { label: label.to_owned(), record };
        let (first, second) = (side(first), side(second));
        let mut architectures = compared(first.record, second.record);
        if architectures.is_empty() {
            let names = |side: &Side| side.record.architectures.keys().cloned().collect();
            return Err(NothingInCommon {
                of_first: names(&first),
                of_second: names(&second),
                first: first.label,
                second: second.label,
            });
        }
        let inputs = inputs::inputs(first.record, second.record);
        let texts = inputs::texts(&first.record.sources, &second.record.sources);
        let trust = Trust::judge(&mut architectures, first.record, second.record);
        let only_one = [only(&first, &second), only(&second, &first)].into_iter().flatten().collect();
        let verdict = words::verdict(&architectures, &second.label, trust, only_one);
        Ok(Self { first, second, inputs, texts, architectures, trust, verdict })
    }

    /// For the terminal.
    pub fn table(&self, look: Look) -> String {
        table::table(self, look)
    }

    /// `compare.html`: one page, which needs nothing else.
    pub fn page(&self) -> String {
        page::page(self)
    }
}

/// What the comparison of figures rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trust {
    /// Whether both ran the same requests: the same seeds of as many, under every architecture.
    same_requests: bool,
    /// How many figures have an interval in both runs, so that chance can be told from difference.
    tested: usize,
}

impl Trust {
    /// Says of every figure how sure it is that it differs.
    fn judge(architectures: &mut [Compared], first: &Record, second: &Record) -> Self {
        let same_requests = same_requests(architectures, first, second);
        let mut pairs: Vec<&mut Pair> = architectures
            .iter_mut()
            .filter(|compared| !compared.same)
            .flat_map(|compared| compared.subjects.iter_mut().chain(&mut compared.phases))
            .flat_map(|subject| &mut subject.figures)
            .collect();
        let distances: Vec<f64> = pairs.iter().filter_map(|pair| pair.distance).collect();
        let beyond = chance::beyond(&distances);
        let mut beyond = beyond.into_iter();
        for pair in &mut pairs {
            let is_beyond = pair.distance.is_some() && beyond.next().unwrap_or(false);
            pair.judge(is_beyond, same_requests);
        }
        Self { same_requests, tested: distances.len() }
    }
}

/// Which architectures only one of two runs has: `only A has gateway`.
fn only(of: &Side, other: &Side) -> Option<String> {
    let has = |side: &Side, name: &String| side.record.architectures.contains_key(name);
    let names = of.record.architectures.keys().filter(|name| !has(other, name)).cloned();
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| format!("Only {} has {}.", of.label, listed(&names)))
}

/// Whether both ran the same requests: the same seeds over the same time, and as many of each kind.
fn same_requests(architectures: &[Compared], first: &Record, second: &Record) -> bool {
    let asked = |record: &Record| {
        let seeds = record.runs();
        (record.seed, seeds, record.duration_us, record.warmup_us)
    };
    let sent = |seen: &Architecture| -> Vec<(String, u64)> {
        seen.endpoints.iter().map(|(name, of)| (name.clone(), of.requests.sent)).collect()
    };
    asked(first) == asked(second)
        && architectures.iter().all(|compared| sent(compared.before) == sent(compared.now))
}

/// The architectures that both runs have, in the order of the second.
fn compared<'a>(first: &'a Record, second: &'a Record) -> Vec<Compared<'a>> {
    let before = Baseline { figures: of(first), ..Baseline::default() };
    let all = gate::Comparison::of(&before, &of(second));
    let both = second.architectures.iter().filter_map(|(name, now)| {
        let before = first.architectures.get(name)?;
        let findings: Vec<&gate::Finding> =
            all.findings.iter().filter(|finding| finding.key.scope == *name).collect();
        Some(Compared {
            name: name.clone(),
            before,
            now,
            subjects: figures::subjects(before, now),
            phases: figures::phases(before, now),
            moved: Moved::of(&findings, before, now),
            reasons: Reasons::of(&all, name),
            same: findings.iter().all(|finding| finding.outcome == Outcome::Same),
        })
    });
    both.collect()
}

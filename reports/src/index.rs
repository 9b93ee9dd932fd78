//! `index.html`: one page over many runs, in the look of a run's own page, and the same as a table.
//! Keeps of each run only what it shows. Owns what is said about a run among others; knows no dates,
//! since none is recorded.

mod link;
mod page;

use std::path::Path;

use hoplab_sim::figures::Figure;
use hoplab_sim::record::{Outcome, Record};
use hoplab_sim::sweep::record::Sweep;

use crate::advise::Advice;
use crate::error::Error;
use crate::explore;
use crate::folder::Kept;
use crate::format::{plural, shortened};
use crate::outcomes::{Outcomes, mark};
use crate::table::{Look, by_architecture, expectations_by_text, grid, printable};
use crate::{sweep, verdict};

/// So many digits of a digest tell runs apart.
const DIGEST_DIGITS: usize = 12;

/// What the index says about a run, a sweep, an exploration or an advice.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The name under which it is listed: the path of its folder.
    name: String,
    noun: &'static str,
    title: String,
    question: String,
    /// The answer in one sentence.
    headline: String,
    /// What was varied, of a sweep.
    extent: String,
    /// `seed 1`, `10 seeds from 1 on`.
    seeds: String,
    digest: String,
    /// Whether an exploration broke something.
    broken: bool,
    /// How what was expected came out; `None` where nothing was.
    expectations: Option<Outcomes>,
    /// The architectures with their figures, under [`HEADS`]; none for what is no run.
    rows: Vec<(String, [String; HEADS.len()])>,
    /// Where its page is.
    link: Option<String>,
}

/// The figures of an architecture.
const HEADS: [&str; 4] = ["requests", "p50", "p99", "errors"];

impl Entry {
    /// What to say about `kept`, which lies in `dir`, on a page that will lie in `out`.
    pub fn of(kept: &Kept, name: &str, dir: &Path, out: &Path) -> Result<Self, Error> {
        let files = ["report.html", "summary.json"];
        let file = files.into_iter().find(|file| dir.join(file).is_file());
        let linked = |file| {
            let action = "find the way to";
            link::between(out, dir, file).map_err(|source| Error::Files {
                action,
                path: dir.to_owned(),
                source,
            })
        };
        let link = file.map(linked).transpose()?;
        let entry = match kept {
            Kept::Run(record) => Self::of_run(record),
            Kept::Sweep(sweep) => Self::of_sweep(sweep),
            Kept::Exploration(summary) => Self::of_exploration(summary),
            Kept::Advice(advice) => Self::of_advice(advice),
        };
        Ok(Self { name: name.to_owned(), noun: kept.noun(), link, ..entry })
    }

    fn of_run(record: &Record) -> Self {
        let outcomes = expectations_by_text(record).into_values().flatten();
        let outcomes = Outcomes::of(outcomes.map(|(_, expectation)| expectation));
        let shown = [Figure::Sent, Figure::P50, Figure::P99, Figure::ErrorRate];
        let columns = shown.map(|figure| by_architecture(record, figure));
        let names = record.architectures.keys().enumerate();
        let rows =
            names.map(|(row, name)| (name.clone(), columns.each_ref().map(|column| column[row].clone())));
        Self {
            headline: verdict::verdict(record).headline,
            seeds: seeds(record.seed, record.runs()),
            expectations: (outcomes.all() > 0).then_some(outcomes),
            rows: rows.collect(),
            ..Self::titled(&record.title, &record.question, &record.digest)
        }
    }

    fn of_sweep(sweep: &Sweep) -> Self {
        let keys: Vec<String> = sweep
            .axes
            .iter()
            .map(|axis| {
                let ends = [axis.labels.first(), axis.labels.last()];
                let ends: Vec<&str> = ends.into_iter().flatten().map(String::as_str).collect();
                format!("{} from {}", axis.key, ends.join(" to "))
            })
            .collect();
        let mut extent = Vec::new();
        if !sweep.points.is_empty() {
            extent.push(format!(
                "{} over {}",
                plural(sweep.points.len() as u64, "point"),
                keys.join(" and ")
            ));
        }
        if let Some(search) = &sweep.search {
            extent.push(format!("the highest {} at which all that is expected holds", search.key));
        }
        let found = sweep.search.iter().flat_map(|search| &search.found);
        let outcomes = Outcomes::count(found.map(|found| found.outcome));
        Self {
            headline: sweep::verdict::verdict(sweep).headline,
            extent: extent.join("; "),
            seeds: seeds(sweep.seed, sweep.seeds),
            expectations: (outcomes.all() > 0).then_some(outcomes),
            ..Self::titled(&sweep.title, &sweep.question, &sweep.digest)
        }
    }

    fn of_exploration(summary: &explore::Summary) -> Self {
        Self {
            headline: summary.headline(),
            seeds: seeds(summary.seed, summary.seeds),
            broken: !summary.findings.is_empty(),
            ..Self::titled(&summary.scenario, "", &summary.digest)
        }
    }

    fn of_advice(advice: &Advice) -> Self {
        Self {
            headline: advice.recommendation.headline.clone(),
            seeds: seeds(advice.seed, advice.seeds),
            ..Self::titled(&advice.title, &advice.question, &advice.digest)
        }
    }

    fn titled(title: &str, question: &str, digest: &str) -> Self {
        Self {
            name: String::new(),
            noun: "",
            title: title.to_owned(),
            question: question.to_owned(),
            headline: String::new(),
            extent: String::new(),
            seeds: String::new(),
            digest: digest.get(..DIGEST_DIGITS).unwrap_or(digest).to_owned(),
            broken: false,
            expectations: None,
            rows: Vec::new(),
            link: None,
        }
    }

    /// Whether nothing that was expected of it failed, and nothing was broken.
    fn is_met(&self) -> bool {
        !self.broken && self.expectations.is_none_or(|outcomes| outcomes.fail == 0)
    }
}

/// The page over `entries`, sorted by their names.
pub fn page(title: &str, mut entries: Vec<Entry>) -> String {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    page::page(title, &entries)
}

/// The same for the terminal, a line each.
pub fn table(entries: &[Entry], look: Look) -> String {
    const TITLE_MAX: usize = 30;
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let mut rows = vec![["", "", "title", "met", "digest"].map(str::to_owned).to_vec()];
    rows.extend(entries.into_iter().map(|entry| {
        let met = match entry.expectations {
            None => "–".to_owned(),
            Some(outcomes) => match outcomes.together() {
                Outcome::Holds => format!("✓ {}", outcomes.all()),
                outcome => format!("{} {} of {}", mark(outcome), outcomes.hold, outcomes.all()),
            },
        };
        let title = shortened(&printable(&entry.title), TITLE_MAX);
        let (name, noun) = (printable(&entry.name), entry.noun.to_owned());
        vec![name, noun, title, met, printable(&entry.digest)]
    }));
    grid(&rows, look)
}

fn seeds(first: u64, number: u64) -> String {
    if number == 1 { format!("seed {first}") } else { format!("{} from {first} on", plural(number, "seed")) }
}

//! An advice as text for the terminal: the answer, what it rests on, the five questions, and how to see each figure again.

use std::fmt::Write;

use hoplab_sim::advise::knee::{Knee, TIMES_MAX};
use hoplab_sim::advise::{DRAWN, SLOW};

use super::advice::Advice;
use super::cost::Cost;
use super::growth::{by_size, range};
use super::trial::Seen;
use crate::Look;
use crate::format::{count, duration, moment, percent, plural, significant};
use crate::money;
use crate::table::{grid, wrapped};

/// A mark of an architecture that is as good as the one that is chosen.
const AS_GOOD: &str = "*";

/// What stands before an entry of a list, and before its further lines.
const ITEM: &str = "  - ";
const INDENT: &str = "    ";

/// All of it.
pub(super) fn text(advice: &Advice, look: Look) -> String {
    let mut text = String::new();
    let mut line = |words: &str| {
        let _ = writeln!(text, "{words}");
    };
    let seeds =
        if advice.seeds == 1 { format!("seed {}", advice.seed) } else { plural(advice.seeds, "seed") };
    line(&format!("{}: {} trials, {seeds}, digest {}", advice.title, advice.runs, advice.digest));
    line("");
    for words in wrapped(&advice.recommendation.headline, look.width) {
        line(&look.painted("1", &words));
    }
    for words in wrapped(&advice.recommendation.margin, look.width) {
        line(&words);
    }
    for warning in &advice.recommendation.warnings {
        for words in wrapped(&format!("check first: {warning}"), look.width) {
            line(&look.painted("33", &words));
        }
    }
    line("");
    line(&costs(advice, look));
    line(&wrong(advice, look));
    line(&legend(advice, look));
    if !advice.grown.is_empty() {
        line(&grown(advice, look));
    }
    section(
        &mut text,
        "When to choose what",
        advice.recommendation.conditions.iter().map(|of| &*of.text),
        look,
    );
    section(&mut text, "What would change it", advice.recommendation.changes.iter().map(|of| &**of), look);
    for (number, criterion) in advice.criteria.iter().enumerate() {
        let findings = criterion.findings.iter().map(|finding| match &finding.trial {
            Some(trial) => format!("{} [{trial}]", finding.text),
            None => finding.text.clone(),
        });
        let unmeasured = criterion.unmeasured.iter().map(|text| format!("not measured: {text}"));
        let all: Vec<String> = findings.chain(unmeasured).collect();
        section(
            &mut text,
            &format!("{} {}", number + 1, criterion.question),
            all.iter().map(|of| &**of),
            look,
        );
    }
    text
}

/// A heading and what stands under it, nothing where there is nothing.
fn section<'a>(text: &mut String, heading: &str, all: impl Iterator<Item = &'a str>, look: Look) {
    let mut all = all.peekable();
    if all.peek().is_none() {
        return;
    }
    let _ = writeln!(text, "{}", look.painted("1", heading));
    for of in all {
        for (number, words) in wrapped(of, look.width - INDENT.len()).into_iter().enumerate() {
            let indent = if number == 0 { ITEM } else { INDENT };
            let _ = writeln!(text, "{indent}{words}");
        }
    }
    let _ = writeln!(text);
}

/// What each costs when all is well.
fn costs(advice: &Advice, look: Look) -> String {
    let mut rows =
        vec![std::iter::once("when all is well".to_owned()).chain(advice.costs.keys().cloned()).collect()];
    let mut row = |name: &str, of: &dyn Fn(&Cost) -> String| {
        rows.push(std::iter::once(name.to_owned()).chain(advice.costs.values().map(of)).collect::<Vec<_>>());
    };
    let known = |us: Option<f64>| us.map_or_else(|| "–".to_owned(), duration);
    row("median", &|cost| known(cost.p50_us));
    row("99 %", &|cost| known(cost.p99_us));
    row("added to the median", &|cost| known(cost.added_us));
    row("lost", &|cost| percent(cost.lost));
    row("cores busy", &|cost| significant(cost.cores));
    row("proxies", &|cost| count(u64::from(cost.parts.gateways + cost.parts.sidecars)));
    if let Some(currency) = &advice.currency {
        row(&format!("{currency} an hour"), &|cost| {
            cost.money_hour.map_or_else(|| "–".to_owned(), money::amount)
        });
    }
    if !advice.knees.is_empty() {
        let carries = |name: &String| {
            let knee = advice.knees.iter().find(|knee| knee.architecture == **name);
            knee.and_then(Knee::carries).map_or_else(|| "–".to_owned(), times)
        };
        rows.push(std::iter::once("carries".to_owned()).chain(advice.costs.keys().map(carries)).collect());
    }
    grid(&rows, look)
}

/// What is lost while something is wrong.
fn wrong(advice: &Advice, look: Look) -> String {
    let head = ["lost while", "best alone"].map(str::to_owned).to_vec();
    let mut rows = vec![head.into_iter().chain(advice.costs.keys().cloned()).collect::<Vec<_>>()];
    for trial in &advice.trials {
        let choice = &trial.choice;
        let cell = |(name, seen): (&String, &Seen)| {
            let mark = if choice.as_good.contains(name) { AS_GOOD } else { "" };
            format!("{}{mark}", percent(seen.lost))
        };
        let chosen = if trial.counts() { choice.architecture.clone() } else { "–".to_owned() };
        let first = [trial.name.clone(), chosen];
        rows.push(first.into_iter().chain(trial.seen.iter().map(cell)).collect());
    }
    let mean = advice.costs.keys().map(|name| percent(*advice.recommendation.lost.get(name).unwrap_or(&0.0)));
    rows.push(
        ["weighted mean".to_owned(), advice.recommendation.architecture.clone()]
            .into_iter()
            .chain(mean)
            .collect(),
    );
    grid(&rows, look)
}

/// What is lost in larger and smaller systems while a pod is slow.
fn grown(advice: &Advice, look: Look) -> String {
    let head = ["services", "calls", "choose"].map(str::to_owned).to_vec();
    let mut rows = vec![head.into_iter().chain(advice.costs.keys().cloned()).collect::<Vec<_>>()];
    for (size, all) in by_size(&advice.grown) {
        let is_chosen = |name: &&String| all.iter().any(|of| of.choice == **name);
        let choices: Vec<String> = advice.costs.keys().filter(is_chosen).cloned().collect();
        let first =
            [count(size.into()), range(all.iter().map(|of| of.calls), significant), choices.join(", ")];
        let lost = |name: &String| range(all.iter().filter_map(|of| Some(of.seen.get(name)?.lost)), percent);
        rows.push(first.into_iter().chain(advice.costs.keys().map(lost)).collect());
    }
    let text = format!(
        "Lost in systems of other sizes, {DRAWN} of each, while a pod of the service that is asked most is {SLOW} times \
         slower; calls are those of a request."
    );
    format!("{}{}\n", grid(&rows, look), wrapped(&text, look.width).join("\n"))
}

/// How many times its load an architecture carries.
pub(super) fn times(times: f64) -> String {
    let more = if times >= TIMES_MAX { "≥ " } else { "" };
    format!("{more}{} ×", significant(times))
}

fn legend(advice: &Advice, look: Look) -> String {
    let kinds = advice.trials.iter().find(|trial| trial.weight().is_some());
    let when = kinds.map_or_else(String::new, |trial| {
        format!(", for a kind of fault {} to {}", moment(trial.from_us), moment(trial.until_us))
    });
    let text = format!(
        "Lost: not served well within {}, of the requests of the time in which something is wrong{when}. {AS_GOOD} as good as \
         any, beyond chance and by a tenth of a per cent; best alone is what costs least of these. The weighted mean has the \
         scenario's own faults count as much as all kinds of faults together, and no flood.",
        advice.patience.told(&advice.baseline),
    );
    let untouched = advice.untouched().unwrap_or_default();
    wrapped(&format!("{text} {untouched}"), look.width).join("\n") + "\n"
}

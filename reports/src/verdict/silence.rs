//! The longest stretch in which requests were sent and none was answered well. Owns what counts as one: neighbouring
//! windows in which enough requests were meant to be sent that an answer to none of them is felt, and no chance.

use hoplab_sim::figures::Figure;

use super::reason::{Cited, Reason, Rule};
use super::run::{Run, Subject};
use super::words::{Said, with};
use crate::format::{duration, moment, plural};

/// Fewer requests without an answer are no silence.
const REQUESTS_MIN: u64 = 20;

/// A shorter stretch is not felt; nor is one that is no longer than twice what the quickest answer takes.
const SHORTEST_US: u64 = 500_000;

struct Silence<'a> {
    name: &'a str,
    from_us: u64,
    until_us: u64,
    sent: u64,
}

/// The longest silence of each architecture that has one.
pub(super) fn silence(run: &Run) -> Option<Reason> {
    let silences: Vec<Silence> = run.all().filter_map(|subject| longest(run, &subject)).collect();
    if silences.is_empty() {
        return None;
    }
    let said = silences.iter().map(|of| {
        let Silence { name, from_us, until_us, sent } = *of;
        let lasts = (until_us - from_us) as f64;
        let (from, until, sent) = (moment(from_us), moment(until_us), plural(sent, "request"));
        Said { name, size: lasts, text: format!("for {} ({from} to {until}, {sent} sent)", duration(lasts)) }
    });
    let seeds = if run.seeds > 1 { " in any seed" } else { "" };
    let text = format!("Nothing is answered well{seeds} {}.", with(&said.collect::<Vec<_>>()));
    let figures = silences.iter().map(|of| Cited {
        architecture: of.name.to_owned(),
        during: None,
        figure: Figure::Goodput.key().into_owned(),
        over: None,
        value: Some(0.0),
        interval: None,
    });
    Some(Reason { rule: Rule::Silence, text, figures: figures.collect() })
}

fn longest<'a>(run: &Run<'a>, subject: &Subject<'a>) -> Option<Silence<'a>> {
    let record = run.record;
    let windows = subject.windows(record, &run.whole());
    let width_us = record.window_us.max(1);
    let first_us = record.warmup_us.next_multiple_of(width_us);
    let at = |index: usize| first_us + index as u64 * width_us;
    let answered =
        |range: std::ops::Range<usize>| windows[range].iter().map(|window| window.good).sum::<u64>();
    let shortest_us = SHORTEST_US.max(2 * subject.seen.total.latency.min_us);
    let mut longest: Option<Silence> = None;
    let mut begun = None;
    for (index, window) in windows.iter().enumerate() {
        if window.good > 0 {
            begun = None;
            continue;
        }
        let Some(from) = begun.or_else(|| (window.sent > 0).then_some(index)) else { continue };
        begun = Some(from);
        let stretch = &windows[from..=index];
        let sent = stretch.iter().map(|window| window.sent).sum();
        // Where nobody asks, it goes on for those alone who still wait, and are answered after it.
        let is_waited_for = window.sent > 0 || stretch.iter().any(|window| window.ok > window.refused);
        if !is_waited_for {
            continue;
        }
        let silence = Silence { name: subject.name, from_us: at(from), until_us: at(index + 1), sent };
        let lasts = silence.until_us - silence.from_us;
        let is_longer = longest.as_ref().is_none_or(|known| lasts > known.until_us - known.from_us);
        // Users who wait for an answer ask for nothing more: as many were answered in as long a time before.
        let is_missed =
            sent >= REQUESTS_MIN || answered(from.saturating_sub(index + 1 - from)..from) >= REQUESTS_MIN;
        if is_missed && lasts >= shortest_us && is_longer {
            longest = Some(silence);
        }
    }
    longest
}

//! How a verdict speaks of several architectures at once, and of the parts of a run. Owns no judgement.

use hoplab_sim::record::Episode;
use indexmap::IndexSet;

use super::run::{Part, Run, Subject, Verb};
use crate::format::{count, listed, percent, plural};
use crate::grouped::by_text;

/// More things than this are not said one by one.
pub(super) const SAID_MAX: usize = 4;

/// What is said of one architecture.
pub(crate) struct Said<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// By which one is less than another.
    pub(crate) size: f64,
    pub(crate) text: String,
}

/// What is said of each, those of whom the same is said together: `3.1 % with direct, none with gateway and mesh`. Of
/// many the first, the least and the most.
pub(crate) fn with(all: &[Said]) -> String {
    let groups = by_text(all.iter().map(|said| (said.text.clone(), said.name.to_owned())));
    let text = |(text, names): &(String, Vec<String>)| format!("{text} with {}", named(names));
    if groups.len() <= SAID_MAX {
        return listed(&groups.iter().map(text).collect::<Vec<_>>());
    }
    let (first, others) = (&groups[0], &groups[1..]);
    let size =
        |group: &(String, Vec<String>)| all.iter().find(|said| said.text == group.0).map(|said| said.size);
    let by_size = |a: &&(String, Vec<String>), b: &&(String, Vec<String>)| {
        size(a).unwrap_or(0.0).total_cmp(&size(b).unwrap_or(0.0))
    };
    let (least, most) = (others.iter().min_by(by_size), others.iter().max_by(by_size));
    let ends: Vec<String> = least.into_iter().chain(most).map(text).collect();
    let of: usize = others.iter().map(|(_, names)| names.len()).sum();
    format!("{}, and of {of} others from {}", text(first), ends.join(" to "))
}

/// Architectures by their names; of many how many there are.
pub(super) fn named(names: &[String]) -> String {
    if names.len() > SAID_MAX {
        format!("{} and {} others", names[0], names.len() - 1)
    } else {
        listed(names)
    }
}

/// The names of some.
pub(super) fn names(subjects: &[Subject]) -> Vec<String> {
    subjects.iter().map(|of| of.name.to_owned()).collect()
}

/// So many of several requests: `none`, `all`, `50 (3.1 %)`.
pub(super) fn of_all(part: u64, all: u64) -> String {
    match part {
        0 => "none".to_owned(),
        part if part == all => "all".to_owned(),
        part => format!("{} ({})", count(part), percent(part as f64 / all as f64)),
    }
}

/// `of 1,600 requests, 50 (3.1 %) fail with direct and none with mesh`; how many of how many where they are not equally
/// many.
pub(super) fn counted(
    run: &Run,
    part: &Part,
    verb: Verb,
    of: impl Fn(&Subject) -> Option<u64>,
) -> Option<String> {
    let seen: Vec<(Subject, u64, u64)> = run
        .all()
        .filter_map(|subject| Some((subject, of(&subject)?, subject.traffic(part)?.requests.sent)))
        .collect();
    let (first, some, sent) = *seen.first()?;
    let alike = seen.iter().all(|(_, _, other)| *other == sent);
    let text = |part: u64, all: u64| match part {
        part if alike || part == 0 => of_all(part, all),
        part => {
            format!("{} of {} ({})", count(part), plural(all, "request"), percent(part as f64 / all as f64))
        }
    };
    let said: Vec<Said> = seen
        .iter()
        .map(|&(subject, part, all)| Said {
            name: subject.name,
            size: part as f64 / all as f64,
            text: text(part, all),
        })
        .collect();
    // The verb stands once, before the first name.
    let verb = if some == 1 { verb.one } else { verb.more };
    let said =
        with(&said).replacen(&format!(" with {}", first.name), &format!(" {verb} with {}", first.name), 1);
    Some(if alike { format!("of {}, {said}", plural(sent, "request")) } else { said })
}

/// What is on in an episode: `payment is 20 times slower`, `a and b, partly at the same time`; once what several
/// faults do.
pub(super) fn told(run: &Run, episode: &Episode) -> String {
    let texts: IndexSet<&str> = episode.faults.iter().map(|&index| &*run.record.faults[index].text).collect();
    let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
    match texts.len() {
        1 => texts.into_iter().collect(),
        few if few <= SAID_MAX => format!("{}, partly at the same time", listed(&texts)),
        many => format!("{many} faults are on, partly at the same time ({}, …)", texts[0]),
    }
}

/// With a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The option that is likely to tell.
pub(super) fn tells(seeds: u64) -> String {
    const MOST: u64 = 1_000;
    if seeds > MOST { format!("more than --seeds {MOST}") } else { format!("--seeds {seeds}") }
}

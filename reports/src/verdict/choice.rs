//! How the other architectures differ from the baseline by a figure, and which of them is the best. Owns no sentence.

use super::cost;
use super::gap::{Gap, Told};
use super::run::{Run, Subject};

/// An architecture, and how it differs from the baseline.
pub(super) struct Compared<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) gap: Gap,
}

/// All others by a figure, those that have it.
pub(super) fn compared<'a>(run: &Run<'a>, gap: impl Fn(&Subject<'a>) -> Option<Gap>) -> Vec<Compared<'a>> {
    run.others.iter().filter_map(|subject| Some(Compared { subject: *subject, gap: gap(subject)? })).collect()
}

/// Whether there is one of which that can be said.
pub(super) fn any(compared: &[Compared], told: Told) -> bool {
    compared.iter().any(|of| of.gap.told() == told)
}

/// Those of which that can be said.
pub(super) fn told_as<'a>(compared: &[Compared<'a>], told: Told) -> Vec<Subject<'a>> {
    compared.iter().filter(|of| of.gap.told() == told).map(|of| of.subject).collect()
}

/// How many seeds are likely to tell what chance may explain: the most that any of them takes; `None` where there is none.
pub(super) fn seeds_to_tell(run: &Run, compared: &[Compared]) -> Option<u64> {
    let open = compared.iter().filter(|of| of.gap.told() == Told::Open);
    open.map(|of| of.gap.seeds_to_tell(run.seeds)).max()
}

/// That with the smallest figure; of several the one that costs the median request least.
pub(super) fn best<'a>(run: &Run<'a>, better: &[&Compared<'a>]) -> Option<Subject<'a>> {
    let sizes = better.iter().map(|of| (of.subject, of.gap.value));
    least(run, sizes)
}

/// The one with the smallest size; of several the one that costs the median request least.
pub(super) fn least<'a>(
    run: &Run<'a>,
    sizes: impl Iterator<Item = (Subject<'a>, f64)>,
) -> Option<Subject<'a>> {
    let cost = |subject: &Subject| cost::added(run, subject).map_or(f64::INFINITY, |added| added.us);
    let order = |a: &(Subject, f64), b: &(Subject, f64)| {
        a.1.total_cmp(&b.1).then_with(|| cost(&a.0).total_cmp(&cost(&b.0)))
    };
    sizes.min_by(order).map(|(subject, _)| subject)
}

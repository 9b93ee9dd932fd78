//! Draws faults: which, where, when and how long, all of it from named streams of the seed; how bad is for each kind
//! to draw ([`crate::fault`]).

use std::time::Duration;

use toml_edit::Table;

use crate::fault;
use crate::fault::dice::{Dice, Drawing, entry};
use crate::scenario::plan::{FAULT_KINDS, Plan};

/// The entries of `[[faults]]` that `seed` draws, within `window`.
pub(super) fn faults(plan: &Plan, window: (Duration, Duration), seed: u64) -> Vec<Table> {
    let count = 1 + Dice::new(seed, 0, 0).below(plan.explore.at_most as usize);
    (0..count).map(|number| fault(&mut Dice::new(seed, 1, number as u64), plan, window, number)).collect()
}

fn fault(dice: &mut Dice, plan: &Plan, (from, until): (Duration, Duration), number: usize) -> Table {
    let explore = &plan.explore;
    let kind = dice.weighed(&explore.weights);
    let lasts = (explore.lasts.0, explore.lasts.1.min(until.saturating_sub(from)));
    let lasts = dice.duration(lasts);
    let latest = until.saturating_sub(lasts);
    let at = from + latest.saturating_sub(from).mul_f64(dice.unit());
    let at = Duration::from_millis(at.as_millis() as u64);
    let service = explore.services[dice.below(explore.services.len())].0;
    let what = fault::draw(kind, dice, &Drawing { plan, service, lasts });
    entry(&format!("drawn-{}", number + 1), (at, lasts), FAULT_KINDS[kind], what)
}

//! How far means and error rates of several seeds may be off: seeds are drawn anew, with others instead of some, and the
//! figure is computed of each draw; what the outermost draws have is left out, less of few seeds (Hesterberg 2015). The
//! draws here are others than the product's, so that ends must agree to a part of the interval, not to a digit. Not here:
//! fewer than five seeds, percentiles, and the batches of a single run, which would be written down as they are there.

use super::figure::Figure;
use super::rebuilt::Rebuilt;
use super::sheet::Sheet;
use super::sums::Traffic;
use super::verdict::students_t;

/// From so many seeds on.
const SEEDS_MIN: u64 = 5;

const DRAWS: usize = 20_000;

/// By which part of an interval its ends may be off: the product's draws are a thousand.
const OFF: f64 = 0.2;

/// What `record.json` must say of the intervals.
pub(super) fn sheet(rebuilt: &Rebuilt) -> Sheet {
    let mut sheet = Sheet::default();
    for (name, seen) in rebuilt.architectures.iter().filter(|_| rebuilt.frame.seeds >= SEEDS_MIN) {
        let place = &format!("/architectures/{name}");
        let mut put =
            |place: &str, traffic: &Traffic| intervals(&mut sheet, place, traffic, rebuilt.frame.seeds);
        put(&format!("{place}/total"), &seen.all.total);
        for (part, of) in &seen.parts {
            put(&format!("{place}/phases/{part}/total"), &of.total);
        }
        for (endpoint, traffic) in &seen.all.endpoints {
            put(&format!("{place}/endpoints/{endpoint}"), traffic);
        }
    }
    sheet
}

fn intervals(sheet: &mut Sheet, place: &str, traffic: &Traffic, seeds: u64) {
    let nothing = Traffic::default();
    let seeds: Vec<&Traffic> =
        (0..seeds as usize).map(|seed| traffic.seeds.get(seed).unwrap_or(&nothing)).collect();
    let times = |seed: &&Traffic| (seed.served_us.iter().sum::<i64>() as f64, seed.served_us.len() as f64);
    let errors = |seed: &&Traffic| (seed.all.errors() as f64, seed.all.sent as f64);
    if let Some((low, high)) = drawn(&seeds.iter().map(times).collect::<Vec<_>>()) {
        let off = (high - low) * OFF;
        sheet.put(&format!("{place}/intervals/mean/low"), Figure::Near(low, off));
        sheet.put(&format!("{place}/intervals/mean/high"), Figure::Near(high, off));
    }
    if let Some((low, high)) = drawn(&seeds.iter().map(errors).collect::<Vec<_>>()) {
        let off = (high - low) * OFF;
        // What was never seen in n requests may be as likely as three in n.
        let high = if high > 0.0 { high } else { 3.0 / traffic.all.sent as f64 };
        sheet.put(&format!("{place}/intervals/error_rate/low"), Figure::Near(low.max(0.0), off));
        sheet.put(&format!("{place}/intervals/error_rate/high"), Figure::Near(high.min(1.0), off));
    }
}

/// The interval of the sum of the first over the sum of the second; `None` of nothing.
fn drawn(seeds: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = seeds.len() as f64;
    let mut state: u64 = 1;
    let mut draw = || {
        // Knuth's multiplier; the upper bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seeds[(state >> 33) as usize % seeds.len()]
    };
    let ratio = |_| {
        let (above, below) =
            (0..seeds.len()).map(|_| draw()).fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        (below > 0.0).then(|| above / below)
    };
    let mut ratios: Vec<f64> = (0..DRAWS).filter_map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let outside = normal_beyond((count / (count - 1.0)).sqrt() * students_t(seeds.len() - 1));
    let at = |share: f64| ratios.get((ratios.len().checked_sub(1)? as f64 * share).round() as usize).copied();
    Some((at(outside)?, at(1.0 - outside)?))
}

/// Which part of the normal distribution lies beyond `z`.
fn normal_beyond(z: f64) -> f64 {
    const STEP: f64 = 1e-4;
    let density = |at: f64| (-at * at / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let within: f64 = (0..(z / STEP) as usize).map(|step| density((step as f64 + 0.5) * STEP) * STEP).sum();
    0.5 - within
}

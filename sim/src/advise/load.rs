//! More load, written into a scenario: all of it so many times as much, or for a while only. Rates are multiplied, and
//! users; what is asked for stays as it is.

use std::time::Duration;

use hoplab_config::quantity::Rate;
use toml_edit::{Array, Value};

use crate::fault::dice::text;
use crate::scenario::edit::{Draft, NotEdited, inline};
use crate::scenario::plan::{Pace, Plan};

/// A point of a curve that jumps is preceded by one so much earlier.
const JUMP: Duration = Duration::from_millis(1);

/// All load of `plan` is `times` as much in `draft`.
pub(super) fn multiply(draft: &mut Draft, plan: &Plan, times: f64) -> Result<(), NotEdited> {
    for load in &plan.loads {
        match &load.pace {
            Pace::Open { curve, .. } => {
                let curve: Vec<_> = curve.iter().map(|(at, rate)| (*at, rate * times)).collect();
                draft.set(&format!("load.{}.rate", load.name), written(&curve))?;
            }
            Pace::Closed { users, .. } => {
                let users = (f64::from(*users) * times).round().max(1.0) as i64;
                draft.set(&format!("load.{}.users", load.name), Value::from(users))?;
            }
        }
    }
    Ok(())
}

/// The open load of `plan` is `times` as much in `draft` from one moment until another; whether there is any.
pub(super) fn flood(
    draft: &mut Draft,
    plan: &Plan,
    times: f64,
    (from, until): (Duration, Duration),
) -> Result<bool, NotEdited> {
    let mut is_flooded = false;
    for load in &plan.loads {
        let Pace::Open { curve, .. } = &load.pace else { continue };
        let mut flooded: Vec<(Duration, f64)> = Vec::new();
        let inside = |at: Duration| from < at && at < until;
        flooded.extend(curve.iter().filter(|(at, _)| *at + JUMP < from));
        flooded.push((before(from), rate_at(curve, before(from))));
        flooded.push((from, rate_at(curve, from) * times));
        let between = curve.iter().filter(|(at, _)| inside(*at) && *at + JUMP < until);
        flooded.extend(between.map(|(at, rate)| (*at, rate * times)));
        flooded.push((before(until), rate_at(curve, before(until)) * times));
        flooded.push((until, rate_at(curve, until)));
        flooded.extend(curve.iter().filter(|(at, _)| *at > until));
        draft.set(&format!("load.{}.rate", load.name), written(&flooded))?;
        is_flooded = true;
    }
    Ok(is_flooded)
}

/// The last moment before another at which a curve has a point.
fn before(at: Duration) -> Duration {
    at.saturating_sub(JUMP)
}

/// The rate of a curve at a moment: linear between its points, and as at the first or last beyond them.
fn rate_at(curve: &[(Duration, f64)], at: Duration) -> f64 {
    let after = curve.iter().position(|(of, _)| *of > at);
    match after {
        Some(0) => curve[0].1,
        None => curve.last().map_or(0.0, |(_, rate)| *rate),
        Some(index) => {
            let ((from, low), (until, high)) = (curve[index - 1], curve[index]);
            let since = |from: Duration, until: Duration| until.saturating_sub(from).as_secs_f64();
            low + (high - low) * since(from, at) / since(from, until)
        }
    }
}

/// A curve as a scenario writes it: of one point a rate.
fn written(curve: &[(Duration, f64)]) -> Value {
    let rate = |rate: f64| Value::from(Rate((rate * 1e6).round() / 1e6).to_string());
    if let [(_, only)] = curve {
        return rate(*only);
    }
    let points = curve.iter().map(|(at, of)| inline([("at", text(*at)), ("rate", rate(*of))]));
    Value::Array(points.collect::<Array>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_linear_between_its_points() {
        let at = |seconds: u64| Duration::from_secs(seconds);
        let curve = [(at(2), 100.0), (at(4), 200.0)];
        let rates = [0, 2, 3, 4, 9].map(|seconds| rate_at(&curve, at(seconds)).round() as u64);
        assert_eq!(rates, [100, 100, 150, 200, 200]);
    }
}

//! What a search must say of the points that it tried: whether what is expected holds there, and up to which it does. Owns
//! what is expected, which is a mean, in each seed.

use serde_json::Value;

use super::figure::{Figure, mean};
use super::traces::Traces;

/// A mean response time may be so long.
pub(super) const MEAN_US_MAX: f64 = 15_000.0;

/// The means of one architecture at a point, seed by seed from the `first` on.
pub(super) struct Point {
    first: u64,
    means_us: Vec<f64>,
}

impl Point {
    pub(super) fn of(traces: Traces, architecture: &str, first: u64) -> Self {
        let rebuilt = super::rebuilt::Rebuilt::of(traces);
        let (_, seen) = rebuilt.architectures.iter().find(|(name, _)| name == architecture).unwrap();
        let means = seen.all.total.seeds.iter().map(|seed| mean(&seed.served_us).unwrap());
        Self { first, means_us: means.collect() }
    }

    fn holds(&self) -> bool {
        self.means_us.iter().all(|us| *us <= MEAN_US_MAX)
    }

    /// What was seen in `seed 4`, if it fails, or in `the worst of 2 seeds that fail`, if there are as many.
    fn seen_us(&self, of: &str) -> f64 {
        let fail = self.means_us.iter().filter(|us| **us > MEAN_US_MAX);
        let worst = fail.clone().copied().fold(0.0, f64::max);
        let seed = of.strip_prefix("seed ").map(|seed| seed.parse::<u64>().unwrap() - self.first);
        match seed.map(|seed| self.means_us[seed as usize]) {
            Some(us) if us > MEAN_US_MAX => us,
            None if of == format!("the worst of {} seeds that fail", fail.count()) => worst,
            _ => f64::NAN,
        }
    }

    /// What is said otherwise of the point in `tried`.
    pub(super) fn difference(&self, tried: &Value) -> Option<String> {
        let unmet = tried["unmet"].as_str().unwrap();
        let is_right = match unmet.split_once("; seen: ").and_then(|(_, seen)| seen.split_once(", ")) {
            None => self.holds() && tried["holds"] == true && tried["outcome"] == "holds" && unmet.is_empty(),
            Some((seen, of)) => {
                let is_said = Figure::Said(self.seen_us(of), 0.0).is(&Value::from(seen));
                is_said && tried["holds"] == false && tried["outcome"] == "fails"
            }
        };
        (!is_right).then(|| format!("{tried}, the traces say {:?}", self.means_us))
    }
}

/// What is otherwise than what was tried says: the highest value that holds is below the lowest beyond it that fails, and
/// nothing was tried between them.
pub(super) fn found_otherwise(found: &Value) -> Option<String> {
    let tried = ["tries", "grid"].iter().flat_map(|list| found[*list].as_array().unwrap());
    let tried: Vec<(f64, bool)> =
        tried.map(|tried| (tried["number"].as_f64().unwrap(), tried["holds"] == true)).collect();
    let fails = tried.iter().filter(|(_, holds)| !holds).map(|(number, _)| *number);
    let fails_from = fails.fold(f64::INFINITY, f64::min);
    let below = tried.iter().filter(|(number, holds)| *holds && *number < fails_from);
    let highest = below.map(|(number, _)| *number).fold(0.0, f64::max);
    let rps = |number: f64| format!("{number} rps");
    let is_right = found["number"].as_f64() == Some(highest)
        && found["highest"] == rps(highest)
        && found["fails_from"] == rps(fails_from);
    (!is_right).then(|| format!("{highest} holds and {fails_from} fails: {found}"))
}

/// The lines of `search.csv`, of what was found where `place` is another key's value.
pub(super) fn lines(found: &Value, place: &str) -> Vec<String> {
    let lists = [("tries", "search"), ("grid", "grid")];
    let tried = lists
        .iter()
        .flat_map(|(list, of)| found[*list].as_array().unwrap().iter().map(move |tried| (tried, *of)));
    let line = |(tried, of): (&Value, &str)| {
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        let unmet = word(&tried["unmet"]);
        let unmet = if unmet.is_empty() { unmet } else { format!("\"{unmet}\"") };
        let (architecture, value) = (word(&found["architecture"]), word(&tried["value"]));
        let (holds, outcome) = (&tried["holds"], word(&tried["outcome"]));
        format!(",{place},{architecture},{value},{},{holds},{outcome},{unmet},{of}", tried["number"])
            .replace(".0,", ",")
    };
    tried.map(line).collect()
}

//! A scenario at many points: the grid of its `[sweep]`, and the search of its `[search]` at each point of
//! it. Each point is an ordinary scenario, made by writing the point's values into the text. Owns which
//! scenarios those are and what is kept of each; runs nothing itself.

mod limit;
pub mod record;
mod search;
mod seek;

use crate::join;
use crate::record::Record;
use crate::scenario::edit::Draft;
use crate::scenario::grid::{Axis, Value};
use crate::scenario::plan::Plan;
use crate::scenario::{self, Overrides};
use hoplab_config::Problems;

pub use search::{Bracket, Try};
pub use seek::{Lost, narrow, seek};

/// A point of a grid: which value each axis has, but for one along which is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Its place in the grid, from 0 on; the last axis turns fastest.
    pub number: usize,
    /// By axis, the index of its value; `None` on the axis that is searched along.
    pub places: Vec<Option<usize>>,
}

/// Every point of the grid over `axes` but the one of the key `along`, in order; a single one when there is
/// no other axis.
pub fn points(axes: &[Axis], along: Option<&str>) -> Vec<Point> {
    let stands = |axis: &Axis| along != Some(axis.key.as_str());
    let count: usize = axes.iter().filter(|axis| stands(axis)).map(|axis| axis.values.len()).product();
    let point = |number: usize| {
        let mut rest = number;
        let mut places: Vec<Option<usize>> = axes
            .iter()
            .rev()
            .map(|axis| {
                stands(axis).then(|| {
                    let place = rest % axis.values.len();
                    rest /= axis.values.len();
                    place
                })
            })
            .collect();
        places.reverse();
        Point { number, places }
    };
    (0..count).map(point).collect()
}

impl Point {
    /// The keys that the point sets, with their values.
    pub fn settings<'a>(&self, axes: &'a [Axis]) -> Vec<(&'a str, &'a Value)> {
        let settings = axes.iter().zip(&self.places);
        settings.filter_map(|(axis, place)| Some((axis.key.as_str(), &axis.values[(*place)?]))).collect()
    }
}

/// What of a record is worth keeping for a sweep: its sums and histograms.
pub fn kept(record: Record) -> Record {
    let mut record = join::kept(record, false);
    for seen in record.architectures.values_mut() {
        seen.windows.clear();
    }
    record.paired.clear();
    record
}

/// Why there is no scenario at a point.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// A key cannot be set.
    #[error("{key} = {value}: {reason}")]
    Key {
        /// Which.
        key: String,
        /// To what.
        value: String,
        /// Why not.
        reason: String,
    },
    /// The scenario with these values is wrong.
    #[error("with {settings}:\n{problems}")]
    Wrong {
        /// The values.
        settings: String,
        /// What is wrong.
        problems: Problems,
    },
}

/// The scenario of `base` with `settings` written into it; for `architectures` alone, when there are some.
pub fn plan_at(
    base: &Plan,
    settings: &[(&str, &Value)],
    architectures: Option<Vec<String>>,
) -> Result<Plan, NoPlan> {
    let refused = |key: &str, value: &str, reason: String| NoPlan::Key {
        key: key.to_owned(),
        value: value.to_owned(),
        reason,
    };
    let mut draft = Draft::of(&base.sources).map_err(|error| refused("", "", error.to_string()))?;
    for (key, value) in settings {
        draft.set(key, value.toml.as_str()).map_err(|error| refused(key, &value.label, error.to_string()))?;
    }
    let chosen = base.architectures.iter().map(|of| of.name.to_string()).collect();
    let overrides = Overrides {
        architectures: Some(architectures.unwrap_or(chosen)),
        seed: Some(base.seed),
        scale: base.scale,
    };
    scenario::parse(&draft.sources(), &overrides).map_err(|problems| {
        let settings = settings.iter().map(|(key, value)| format!("{key} = {}", value.label));
        NoPlan::Wrong { settings: settings.collect::<Vec<_>>().join(", "), problems }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(key: &str, values: &[&str]) -> Axis {
        Axis { key: key.to_owned(), values: values.iter().map(|text| Value::literal(text)).collect() }
    }

    #[test]
    fn the_last_axis_turns_fastest() {
        let axes = [axis("a", &["1", "2"]), axis("b", &["1", "2", "3"])];
        let places: Vec<_> = points(&axes, None).into_iter().map(|point| point.places).collect();
        let expected = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]].map(|places| places.map(Some));
        assert_eq!(places, expected);
        assert_eq!(points(&[], None), [Point { number: 0, places: Vec::new() }]);
    }

    #[test]
    fn the_axis_that_is_searched_along_stands_still() {
        let axes = [axis("a", &["1", "2"]), axis("b", &["1", "2", "3"])];
        let places: Vec<_> = points(&axes, Some("b")).into_iter().map(|point| point.places).collect();
        assert_eq!(places, [[Some(0), None], [Some(1), None]]);
        assert_eq!(points(&axes[..1], Some("a")), [Point { number: 0, places: vec![None] }]);
        assert_eq!(points(&axes, Some("b"))[1].settings(&axes), [("a", &axes[0].values[1])]);
    }
}

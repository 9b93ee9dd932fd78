//! Ways through the grid of a sweep: which points are seen when one or two axes are looked along and the others
//! stand still, and what numbers an axis has. Owns no figure.

use hoplab_sim::sweep::record::{Axis, Figures, Found, Seen, Sweep};

use super::heads::heads;
use crate::axis::{self, Scale, Tick};

/// Where the widest gap between two numbers of an axis is so many times the narrowest, they are spread by ratio.
const LOG_FROM_RATIO: f64 = 4.0;

/// A part of the grid: the index of the value of each axis that stands still, `None` for those that are looked
/// along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice(pub(super) Vec<Option<usize>>);

impl Slice {
    /// Every slice of the grid along `free` axes, in order.
    pub(super) fn all(sweep: &Sweep, free: &[usize]) -> Vec<Self> {
        let mut slices = vec![Vec::new()];
        for (index, axis) in sweep.axes.iter().enumerate() {
            let places: Vec<Option<usize>> =
                if free.contains(&index) { vec![None] } else { (0..axis.labels.len()).map(Some).collect() };
            slices = slices
                .into_iter()
                .flat_map(|slice: Vec<Option<usize>>| {
                    places.iter().map(move |&place| [slice.as_slice(), &[place]].concat())
                })
                .collect();
        }
        slices.into_iter().map(Self).collect()
    }

    /// What stands still in it: `cores = 2, for = 1s`; empty when nothing does.
    pub(super) fn name(&self, sweep: &Sweep) -> String {
        let heads = heads(sweep);
        let settings = sweep.axes.iter().zip(heads).zip(&self.0);
        let settings =
            settings.filter_map(|((axis, head), place)| Some(format!("{head} = {}", axis.labels[(*place)?])));
        settings.collect::<Vec<_>>().join(", ")
    }

    /// The point that has these values on the axes that are looked along.
    pub(super) fn point<'a>(&self, sweep: &'a Sweep, along: &[(usize, usize)]) -> Option<&'a Seen> {
        let mut places = self.0.clone();
        for &(axis, place) in along {
            places[axis] = Some(place);
        }
        let places: Vec<usize> = places.into_iter().collect::<Option<_>>()?;
        sweep.points.iter().find(|point| point.places == places)
    }

    /// Whether a search was made in it: what stands still is where it was made.
    pub(super) fn holds(&self, found: &Found) -> bool {
        let mut places = self.0.iter().zip(&found.places);
        places.all(|(still, place)| still.is_none() || place.is_none() || still == place)
    }

    /// The figures of an architecture along an axis, by rising number.
    pub(super) fn along<'a>(
        &self,
        sweep: &'a Sweep,
        axis: usize,
        architecture: &str,
    ) -> Vec<(f64, usize, &'a Figures)> {
        let numbers = numbers(&sweep.axes[axis]);
        let seen = numbers.iter().enumerate().filter_map(|(place, &number)| {
            let figures = self.point(sweep, &[(axis, place)])?.architectures.get(architecture)?;
            Some((number, place, figures))
        });
        let mut seen: Vec<_> = seen.collect();
        seen.sort_by(|a, b| a.0.total_cmp(&b.0));
        seen
    }
}

/// Whether all values of an axis are numbers.
pub(super) fn is_numeric(axis: &Axis) -> bool {
    axis.numbers.iter().all(|number| number.is_some_and(f64::is_finite))
}

/// The numbers of an axis; of one that has none, the values' places.
pub(super) fn numbers(axis: &Axis) -> Vec<f64> {
    let numeric = is_numeric(axis);
    let numbers = axis.numbers.iter().enumerate();
    numbers
        .map(|(place, number)| if numeric { number.unwrap_or(place as f64) } else { place as f64 })
        .collect()
}

/// The axis to draw along: a tick a value.
pub(super) fn scale(axis: &Axis) -> axis::Axis {
    let numbers = numbers(axis);
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut ticks: Vec<Tick> =
        numbers.iter().zip(&axis.labels).map(|(&at, label)| Tick { at, label: label.clone() }).collect();
    ticks.sort_by(|a, b| a.at.total_cmp(&b.at));
    let gaps = ticks.windows(2).map(|pair| pair[1].at - pair[0].at).filter(|gap| *gap > 0.0);
    let widest = gaps.clone().fold(0.0, f64::max);
    let far = least > 0.0 && widest > gaps.fold(f64::INFINITY, f64::min) * LOG_FROM_RATIO;
    let scale = if is_numeric(axis) && far { Scale::Log } else { Scale::Linear };
    let room = if is_numeric(axis) && most > least { 0.0 } else { 0.5 };
    axis::Axis { from: least - room, until: most + room, scale, ticks }
}

/// What a quantity is, by how its values are written: their numbers are in one unit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantity {
    Duration,
    Rate,
    Share,
    Number,
}

impl Quantity {
    /// By a value as people write it.
    pub(super) fn of(label: &str) -> Self {
        let unit = label.trim_start_matches(|char: char| char.is_ascii_digit() || char == '.').trim();
        match unit {
            "ns" | "us" | "µs" | "ms" | "s" | "m" | "min" | "h" => Self::Duration,
            "rps" | "/s" | "/min" | "/h" => Self::Rate,
            "%" => Self::Share,
            _ => Self::Number,
        }
    }

    /// A scale that has room for `values`.
    pub(super) fn axis(self, values: &[f64]) -> axis::Axis {
        let most = values.iter().copied().fold(0.0, f64::max);
        match self {
            Self::Duration => axis::Axis::durations(values.iter().copied(), 5),
            Self::Rate => axis::Axis::rate(most, 5),
            Self::Share if (0.9..=1.0).contains(&most) => axis::Axis::whole(),
            Self::Share => axis::Axis::share(most, 5),
            Self::Number => axis::Axis::number(most, 5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_known_by_their_unit() {
        let of = ["100ms", "340 rps", "7.1%", "8", "1 KiB"].map(Quantity::of);
        let expected =
            [Quantity::Duration, Quantity::Rate, Quantity::Share, Quantity::Number, Quantity::Number];
        assert_eq!(of, expected);
    }
}

//! The cells of a column, one below the other: all in one unit, so that sizes can be compared at a glance, and to three
//! significant digits. Where rows hold figures of different kinds, the cells that stand beside each other in a row are a
//! column of their own. Owns no table.
//!
//! Durations and bytes have units of several sizes. All cells take the largest cell's, where the smallest is at least a
//! tenth of it; else the smallest's, where the largest has at most four digits before the point in it; else the largest's
//! again, where the smallest is at least a hundredth of it. Where they are further apart than that, each cell keeps the
//! unit that fits it.

use hoplab_sim::figures::words::{digits_of, exact, number};
use hoplab_sim::figures::{Figure, Unit};

use crate::format::{bytes, signed};

/// What stands where there is no figure.
const NONE: &str = "–";

/// Durations and bytes below this say nothing about which unit fits, and are told as that.
const SMALLEST: f64 = 0.005;

/// A unit is the column's where the smallest has this much of it: better the first, if need be the second.
const PARTS_MIN: [f64; 2] = [0.1, 0.01];

/// Or it is the smallest's, where the largest has less than this of it.
const TIMES_END: f64 = 9_999.5;

/// So many digits are all that a duration has.
const DIGITS_ALL: usize = 12;

/// A unit: how much of the smallest unit it has, and its name.
type Scale = (f64, &'static str);

const DURATIONS: [Scale; 3] = [(1.0, "µs"), (1e3, "ms"), (1e6, "s")];
const BYTES: [Scale; 4] = [(1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB")];

/// What the cells of a column count in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of one of the units of the catalogue.
    Of(Unit),
    /// Durations that were seen and are no estimates, with all their digits.
    Exact,
    /// Bytes.
    Bytes,
}

impl Kind {
    /// How a figure's values are told.
    pub(crate) fn of(figure: Figure) -> Self {
        match figure {
            Figure::Shortest | Figure::Longest => Self::Exact,
            _ => Self::Of(figure.unit()),
        }
    }
}

/// Cells that are read together, and so have one unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    kind: Kind,
    /// `None` where no unit fits all of them.
    scale: Option<Scale>,
}

impl Column {
    /// A column that has `values` among its cells.
    pub(crate) fn of(kind: Kind, values: &[Option<f64>]) -> Self {
        let sizes = values.iter().flatten().copied();
        let scale = match kind {
            Kind::Of(Unit::Micros) | Kind::Exact => common(&DURATIONS, sizes),
            Kind::Bytes => common(&BYTES, sizes),
            Kind::Of(_) => None,
        };
        Self { kind, scale }
    }

    /// Some of its cells.
    pub(crate) fn cells(self, values: &[Option<f64>]) -> Vec<String> {
        let texts = values.iter().map(|value| value.map(|value| self.text(value)));
        texts.map(|text| text.unwrap_or_else(|| NONE.to_owned())).collect()
    }

    /// Differences of its cells, with their signs.
    pub(crate) fn differences(self, by: &[Option<f64>]) -> Vec<String> {
        let texts = self.cells(by).into_iter().zip(by);
        texts.map(|(text, by)| by.map_or_else(|| text.clone(), |by| signed(by, text.clone()))).collect()
    }

    /// What was and what is, and the difference with its sign.
    pub(crate) fn step(self, before: f64, now: f64) -> [String; 3] {
        let by = now - before;
        let [before, now, size] = [before, now, by].map(|value| self.text(value));
        [before, now, signed(by, size)]
    }

    /// From one of its values to another, or one where both are written alike.
    pub(crate) fn ranges(self, ranges: &[Option<(f64, f64)>]) -> Vec<String> {
        let ends = ranges.iter().flat_map(|range| [range.map(|of| of.0), range.map(|of| of.1)]);
        let texts = self.cells(&ends.collect::<Vec<_>>());
        texts.chunks(2).map(|ends| joined(&ends[0], &ends[1])).collect()
    }

    fn text(self, value: f64) -> String {
        let is_tiny = value != 0.0 && value.abs() < SMALLEST;
        let is_whole = matches!(self.kind, Kind::Exact | Kind::Bytes | Kind::Of(Unit::Count));
        match (self.kind, self.scale.filter(|_| !is_tiny)) {
            (Kind::Exact, Some((per, name))) => format!("{} {name}", digits_of(value / per, DIGITS_ALL)),
            (_, Some((per, name))) => format!("{} {name}", digits_of(value / per, 3)),
            _ if is_whole && value < 0.0 => format!("−{}", self.text(-value)),
            (Kind::Exact, None) => exact(value as u64),
            (Kind::Bytes, None) => bytes(value as u64),
            (Kind::Of(unit), None) => number(unit, value),
        }
    }
}

/// The values of a figure.
pub(crate) fn figures(figure: Figure, values: &[Option<f64>]) -> Vec<String> {
    of(Kind::of(figure), values)
}

/// Values of one kind.
pub(crate) fn of(kind: Kind, values: &[Option<f64>]) -> Vec<String> {
    Column::of(kind, values).cells(values)
}

/// Durations in microseconds.
pub(crate) fn durations(us: &[Option<f64>]) -> Vec<String> {
    of(Kind::Of(Unit::Micros), us)
}

/// Differences of durations, with their signs.
pub(crate) fn differences(us: &[Option<f64>]) -> Vec<String> {
    Column::of(Kind::Of(Unit::Micros), us).differences(us)
}

/// Numbers of bytes.
pub(crate) fn amounts(bytes: &[u64]) -> Vec<String> {
    of(Kind::Bytes, &bytes.iter().map(|&bytes| Some(bytes as f64)).collect::<Vec<_>>())
}

/// From one duration to another, or one where both are written alike.
pub(crate) fn ranges(us: &[Option<(f64, f64)>]) -> Vec<String> {
    let ends = us.iter().flat_map(|range| [range.map(|of| of.0), range.map(|of| of.1)]);
    Column::of(Kind::Of(Unit::Micros), &ends.collect::<Vec<_>>()).ranges(us)
}

/// A range from its ends, the unit once where both have it.
fn joined(low: &str, high: &str) -> String {
    if low == high {
        return low.to_owned();
    }
    let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_owned());
    let low = if unit(low) == unit(high) { low.split(' ').next().unwrap_or(low) } else { low };
    format!("{low}–{high}")
}

/// The unit that fits all `sizes`; `None` where none does.
fn common(scales: &[Scale], sizes: impl Iterator<Item = f64>) -> Option<Scale> {
    let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
    for size in sizes.map(f64::abs).filter(|size| *size >= SMALLEST) {
        (least, most) = (least.min(size), most.max(size));
    }
    let fits = |size: f64| scales.iter().copied().rfind(|(per, _)| size >= per * 0.9995).unwrap_or(scales[0]);
    let (small, large) = (fits(least.min(most)), fits(most));
    let has_part = |part: f64| least >= large.0 * part;
    match () {
        () if has_part(PARTS_MIN[0]) => Some(large),
        () if most < small.0 * TIMES_END => Some(small),
        () if has_part(PARTS_MIN[1]) => Some(large),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations_of(us: &[f64]) -> Vec<String> {
        durations(&us.iter().copied().map(Some).collect::<Vec<_>>())
    }

    #[test]
    fn a_column_has_one_unit_where_all_can_be_read_in_it() {
        assert_eq!(durations_of(&[850.0, 3_121.0]), ["0.85 ms", "3.12 ms"]);
        assert_eq!(durations_of(&[95.0, 2_000.0, 0.0]), ["95 µs", "2,000 µs", "0 µs"]);
        assert_eq!(durations_of(&[850.0, 12.34]), ["850 µs", "12.3 µs"]);
        assert_eq!(durations_of(&[3.0, 9_120.0]), ["3 µs", "9,120 µs"]);
        assert_eq!(durations_of(&[250.0, 12_300.0]), ["0.25 ms", "12.3 ms"], "12,300 µs has too many digits");
        assert_eq!(durations_of(&[12.0, 4_100_000.0]), ["12 µs", "4.1 s"], "they are too far apart");
        assert_eq!(durations_of(&[410_000.0, 12_300_000.0]), ["0.41 s", "12.3 s"]);
        assert_eq!(durations(&[None, Some(999.6)]), ["–", "1 ms"]);
        assert_eq!(durations_of(&[0.0, 0.0]), ["0 µs", "0 µs"]);
        assert_eq!(durations(&[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_zero_is_not_written_so() {
        assert_eq!(durations_of(&[0.003, 850.0]), ["<0.01 µs", "850 µs"]);
        assert_eq!(differences(&[Some(0.003), Some(-2_000.0)]), ["<+0.01 µs", "−2 ms"]);
    }

    #[test]
    fn what_was_seen_once_has_all_its_digits_in_the_unit_of_the_others() {
        let longest =
            |us: &[f64]| figures(Figure::Longest, &us.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(longest(&[940.0, 50_123.0]), ["0.94 ms", "50.123 ms"]);
        assert_eq!(longest(&[12.0, 6_000_001.0]), ["12 µs", "6.000001 s"]);
        let row = Column::of(Kind::Exact, &[Some(940.0), Some(50_123.0)]);
        assert_eq!(row.step(50_123.0, 940.0), ["50.123 ms", "0.94 ms", "−49.183 ms"]);
    }

    #[test]
    fn differences_and_ranges_and_bytes_do_as_durations() {
        assert_eq!(differences(&[Some(95.0), Some(-2_000.0), None]), ["+95 µs", "−2,000 µs", "–"]);
        let ranges = ranges(&[Some((94.0, 96.0)), Some((1_990.0, 2_010.0)), Some((2e3, 2e3)), None]);
        assert_eq!(ranges, ["94–96 µs", "1,990–2,010 µs", "2,000 µs", "–"]);
        assert_eq!(amounts(&[410_000, 81_000_000]), ["0.41 MB", "81 MB"]);
        assert_eq!(amounts(&[9_300_000, 81_000_000]), ["9.3 MB", "81 MB"]);
    }
}

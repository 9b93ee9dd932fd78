//! The cells of a column, one below the other: all in one unit and with as many decimals, so that sizes can be compared
//! at a glance. Where rows hold figures of different kinds, the cells that stand beside each other in a row are a column
//! of their own. Owns no table.
//!
//! *The unit.* Durations and bytes have units of several sizes. All cells take the largest cell's, where the smallest is
//! at least a tenth of it; else the smallest's, where the largest has at most four digits before the point in it; else
//! the largest's again, where the smallest is at least a hundredth of it. Where they are further apart than that, each
//! cell keeps the unit that fits it.
//!
//! *The digits.* A figure alone has three significant digits and no zeros at its end. In a column all have as many
//! decimals as the one of them that has most when it is alone, but no more than leave the largest with four significant
//! digits: a histogram keeps no more. Where this would leave another with less than two, each is written as if alone.
//! What is exactly nothing is `0`, and all of something `100 %`; `<0.01 %`, `>99.9 %` and what was seen once and no
//! estimate keep their digits.

use hoplab_sim::figures::words::{digits_of, exact, number, with_decimals};
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

/// So many significant digits has the largest of a column at most, and another at least, where it has them.
const DIGITS_MAX: i64 = 4;
const DIGITS_MIN: i64 = 2;

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
        let decimals = self.decimals(values.iter().flatten().copied());
        let text = |value: &Option<f64>| value.map(|value| self.text(value, decimals));
        values.iter().map(|value| text(value).unwrap_or_else(|| NONE.to_owned())).collect()
    }

    /// Differences of its cells, with their signs.
    pub(crate) fn differences(self, by: &[Option<f64>]) -> Vec<String> {
        let texts = self.cells(by).into_iter().zip(by);
        texts.map(|(text, by)| by.map_or_else(|| text.clone(), |by| signed(by, text.clone()))).collect()
    }

    /// What was and what is, a row each, and the difference with its sign.
    pub(crate) fn steps(self, of: &[(f64, f64)]) -> Vec<[String; 3]> {
        let row = |(before, now): &(f64, f64)| [*before, *now, now - before];
        let all = self.decimals(of.iter().flat_map(row));
        let step = |of: &(f64, f64)| {
            let values = row(of);
            let decimals = all.or_else(|| self.decimals(values.into_iter()));
            let [before, now, by] = values.map(|value| self.text(value, decimals));
            [before, now, signed(values[2], by)]
        };
        of.iter().map(step).collect()
    }

    /// The same of one row.
    pub(crate) fn step(self, before: f64, now: f64) -> [String; 3] {
        self.steps(&[(before, now)]).remove(0)
    }

    /// From one of its values to another, or one where both are written alike; nothing where the range is all that a share
    /// can be, which says nothing.
    pub(crate) fn ranges(self, ranges: &[Option<(f64, f64)>]) -> Vec<String> {
        let is_share = self.kind == Kind::Of(Unit::Share);
        let told =
            ranges.iter().map(|range| range.filter(|(low, high)| !is_share || *low > 0.0 || *high < 1.0));
        let ends = told.flat_map(|range| [range.map(|of| of.0), range.map(|of| of.1)]);
        let texts = self.cells(&ends.collect::<Vec<_>>());
        texts.chunks(2).map(|ends| joined(&ends[0], &ends[1])).collect()
    }

    /// How many decimals all these have; `None` where each has its own.
    fn decimals(self, values: impl Iterator<Item = f64>) -> Option<usize> {
        let per = self.per()?;
        let sizes: Vec<(f64, usize)> =
            values.filter_map(|value| Some((value.abs() / per, self.own_decimals(value)?))).collect();
        let most = sizes.iter().map(|(_, own)| *own).max()?;
        if self.kind == Kind::Exact {
            return Some(most);
        }
        let before_point = |size: f64| size.log10().floor() as i64 + 1;
        let largest = sizes.iter().map(|(size, _)| *size).fold(0.0, f64::max);
        let decimals = usize::try_from(DIGITS_MAX - before_point(largest)).unwrap_or(0).min(most);
        let is_told = |(size, own): &(f64, usize)| {
            *own <= decimals || before_point(*size) + decimals as i64 >= DIGITS_MIN
        };
        sizes.iter().all(is_told).then_some(decimals)
    }

    /// How many decimals a value has alone; `None` where it has no say in how many others have.
    fn own_decimals(self, value: f64) -> Option<usize> {
        let text = self.alone(value);
        let number = text.split(' ').next().unwrap_or_default();
        let is_all = self.kind == Kind::Of(Unit::Share) && number == "100";
        let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let is_hardly_one = self.kind == Kind::Of(Unit::Ratio) && decimals > 2;
        let has_none = number == "0" || is_all || is_hardly_one || number.starts_with(['<', '>']);
        (!has_none).then_some(decimals)
    }

    /// How much the unit has that the cells are written in; `None` where they have several.
    fn per(self) -> Option<f64> {
        match self.kind {
            Kind::Of(Unit::Micros) | Kind::Exact | Kind::Bytes => self.scale.map(|(per, _)| per),
            Kind::Of(Unit::Share) => Some(0.01),
            Kind::Of(Unit::Rate | Unit::Count | Unit::Ratio) => Some(1.0),
        }
    }

    fn text(self, value: f64, decimals: Option<usize>) -> String {
        let alone = self.alone(value);
        let own = self.own_decimals(value);
        let Some((decimals, per)) = decimals.zip(self.per()).filter(|_| own.is_some()) else { return alone };
        let number = with_decimals(value / per, decimals);
        // What is neither nothing nor one is not written so.
        let is_written = |text: &str| number.trim_start_matches('−') == with_zeros(text, decimals);
        let is_one = self.kind == Kind::Of(Unit::Ratio) && is_written("1");
        if own > Some(decimals) && (is_written("0") || is_one) {
            return alone;
        }
        let unit = alone.split_once(' ').map_or(String::new(), |(_, unit)| format!(" {unit}"));
        number + &unit
    }

    /// A value as if it were alone, but in the column's unit.
    fn alone(self, value: f64) -> String {
        let is_tiny = value != 0.0 && value.abs() < SMALLEST;
        let is_whole = matches!(self.kind, Kind::Exact | Kind::Bytes | Kind::Of(Unit::Count));
        match (self.kind, self.scale.filter(|_| !is_tiny)) {
            (Kind::Exact, Some((per, name))) => format!("{} {name}", digits_of(value / per, DIGITS_ALL)),
            (_, Some((per, name))) => format!("{} {name}", digits_of(value / per, 3)),
            _ if is_whole && value < 0.0 => format!("−{}", self.alone(-value)),
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

/// Parts of wholes; nothing of nothing.
pub(crate) fn shares(of: impl Iterator<Item = (u64, u64)>) -> Vec<String> {
    let share = |(part, whole): (u64, u64)| (whole > 0).then(|| part as f64 / whole as f64);
    self::of(Kind::Of(Unit::Share), &of.map(share).collect::<Vec<_>>())
}

/// Numbers of bytes.
pub(crate) fn amounts(bytes: &[u64]) -> Vec<String> {
    of(Kind::Bytes, &bytes.iter().map(|&bytes| Some(bytes as f64)).collect::<Vec<_>>())
}

/// From one value to another, or one where both are written alike.
pub(crate) fn ranges(unit: Unit, ranges: &[Option<(f64, f64)>]) -> Vec<String> {
    let ends = ranges.iter().flat_map(|range| [range.map(|of| of.0), range.map(|of| of.1)]);
    Column::of(Kind::Of(unit), &ends.collect::<Vec<_>>()).ranges(ranges)
}

/// A whole number with so many zeros behind the point.
fn with_zeros(whole: &str, decimals: usize) -> String {
    if decimals == 0 { whole.to_owned() } else { format!("{whole}.{}", "0".repeat(decimals)) }
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

    fn of_unit(unit: Unit, values: &[f64]) -> Vec<String> {
        of(Kind::Of(unit), &values.iter().copied().map(Some).collect::<Vec<_>>())
    }

    #[test]
    fn a_column_has_one_unit_where_all_can_be_read_in_it() {
        assert_eq!(durations_of(&[850.0, 3_121.0]), ["0.85 ms", "3.12 ms"]);
        assert_eq!(durations_of(&[95.0, 2_000.0, 0.0]), ["95 µs", "2,000 µs", "0 µs"]);
        assert_eq!(durations_of(&[850.0, 12.34]), ["850.0 µs", "12.3 µs"]);
        assert_eq!(durations_of(&[3.0, 9_120.0]), ["3 µs", "9,120 µs"]);
        assert_eq!(
            durations_of(&[250.0, 12_300.0]),
            ["0.25 ms", "12.30 ms"],
            "12,300 µs has too many digits"
        );
        assert_eq!(durations_of(&[12.0, 4_100_000.0]), ["12 µs", "4.1 s"], "they are too far apart");
        assert_eq!(durations_of(&[410_000.0, 12_300_000.0]), ["0.41 s", "12.30 s"]);
        assert_eq!(durations(&[None, Some(999.6)]), ["–", "1 ms"]);
        assert_eq!(durations_of(&[0.0, 0.0]), ["0 µs", "0 µs"]);
        assert_eq!(durations(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_column_has_as_many_decimals_as_one_of_them_asks_for() {
        assert_eq!(durations_of(&[3_818_400.0, 180_000.0, 181_000.0]), ["3.818 s", "0.180 s", "0.181 s"]);
        assert_eq!(of_unit(Unit::Share, &[0.01, 0.0097, 0.0]), ["1.00 %", "0.97 %", "0 %"]);
        assert_eq!(
            of_unit(Unit::Share, &[1.0, 0.947, 1e-6, 0.9999]),
            ["100 %", "94.7 %", "<0.01 %", ">99.9 %"]
        );
        assert_eq!(of_unit(Unit::Ratio, &[1.0, 1.05, 1.2, 1.0004]), ["1.00", "1.05", "1.20", "1.0004"]);
        assert_eq!(of_unit(Unit::Rate, &[400.0, 380.0]), ["400 rps", "380 rps"]);
        assert_eq!(of_unit(Unit::Count, &[12_345.0, 3.0]), ["12,345", "3"]);
        assert_eq!(amounts(&[81_000_000, 104_210_000, 90_340_000]), ["81.0 MB", "104.2 MB", "90.3 MB"]);
    }

    #[test]
    fn no_more_than_a_histogram_keeps_and_no_less_than_two_digits() {
        assert_eq!(durations_of(&[3_190.0, 303_040.0]), ["3.2 ms", "303.0 ms"], "not 303.04");
        assert_eq!(durations_of(&[8_970.0, 9_123_000.0]), ["8.97 ms", "9,123 ms"], "not 9 ms");
        assert_eq!(of_unit(Unit::Ratio, &[1.04, 0.02, 243.0]), ["1.04", "0.02", "243"]);
        assert_eq!(of_unit(Unit::Ratio, &[1.04, 243.0]), ["1.04", "243.0"], "it is not one");
    }

    #[test]
    fn what_is_not_zero_is_not_written_so() {
        assert_eq!(durations_of(&[0.003, 850.0]), ["<0.01 µs", "850 µs"]);
        assert_eq!(differences(&[Some(0.003), Some(-2_000.0)]), ["<+0.01 µs", "−2 ms"]);
        assert_eq!(
            Column::of(Kind::Of(Unit::Micros), &[Some(34_260.0)]).step(34_260.0, 34_240.0)[2],
            "−0.02 ms"
        );
    }

    #[test]
    fn a_row_has_the_digits_that_its_difference_asks_for() {
        let row = |before: f64, now: f64| {
            Column::of(Kind::Of(Unit::Micros), &[Some(before), Some(now)]).step(before, now)
        };
        assert_eq!(row(7_066.0, 4_112.0), ["7.07 ms", "4.11 ms", "−2.95 ms"]);
        assert_eq!(row(9_262.0, 9_350.0), ["9.262 ms", "9.350 ms", "+0.088 ms"]);
        assert_eq!(row(0.0, 1_900.0), ["0 ms", "1.9 ms", "+1.9 ms"]);
    }

    #[test]
    fn what_was_seen_once_has_all_its_digits_in_the_unit_of_the_others() {
        let longest =
            |us: &[f64]| figures(Figure::Longest, &us.iter().copied().map(Some).collect::<Vec<_>>());
        assert_eq!(longest(&[940.0, 50_123.0]), ["0.940 ms", "50.123 ms"]);
        assert_eq!(longest(&[12.0, 6_000_001.0]), ["12 µs", "6.000001 s"]);
        let row = Column::of(Kind::Exact, &[Some(940.0), Some(50_123.0)]);
        assert_eq!(row.step(50_123.0, 940.0), ["50.123 ms", "0.940 ms", "−49.183 ms"]);
    }

    #[test]
    fn differences_and_ranges_and_bytes_do_as_durations() {
        assert_eq!(differences(&[Some(95.0), Some(-2_000.0), None]), ["+95 µs", "−2,000 µs", "–"]);
        let us = [Some((94.0, 96.0)), Some((1_990.0, 2_010.0)), Some((2e3, 2e3)), None];
        assert_eq!(ranges(Unit::Micros, &us), ["94–96 µs", "1,990–2,010 µs", "2,000 µs", "–"]);
        assert_eq!(
            ranges(Unit::Share, &[Some((0.0, 0.0038)), Some((0.002, 0.006))]),
            ["0–0.38 %", "0.20–0.60 %"]
        );
        assert_eq!(ranges(Unit::Share, &[Some((0.0, 1.0)), Some((0.25, 1.0))]), ["–", "25–100 %"]);
        assert_eq!(amounts(&[410_000, 81_000_000]), ["0.41 MB", "81.00 MB"]);
        assert_eq!(amounts(&[9_300_000, 81_000_000]), ["9.3 MB", "81.0 MB"]);
    }

    proptest::proptest! {
        #[test]
        fn a_column_has_one_number_of_decimals_or_each_has_three_digits(
            values in proptest::collection::vec(1e-3_f64..1e4, 1..6),
        ) {
            let texts = of_unit(Unit::Rate, &values);
            let of_text = |text: &String| text.split(' ').next().unwrap_or_default().replace(',', "");
            let numbers: Vec<String> = texts.iter().map(of_text).filter(|text| !text.starts_with('<')).collect();
            let decimals = |text: &String| text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let even = numbers.iter().all(|text| decimals(text) == decimals(&numbers[0]));
            let alone: Vec<String> = values.iter().map(|value| number(Unit::Rate, *value)).collect();
            proptest::prop_assert!(even || texts == alone, "{:?}", texts);
        }
    }
}

//! One figure as the traces have it, and whether what is written is the same. Owns how exact what is written must be.

use serde_json::Value;

/// What a figure must be.
#[derive(Debug, Clone)]
pub(super) enum Figure {
    /// What the sample does not carry: `null`, an empty cell, or not there.
    Nothing,
    /// A number without fraction.
    Whole(i64),
    /// The same, left out where it is zero.
    Counted(i64),
    /// A number, exact but for the last bits of its computation.
    Real(f64),
    /// A number rounded to so many decimals.
    Rounded(f64, i32),
    /// A time that was read off a histogram.
    Read(i64, Precision),
    /// All that a histogram holds.
    Histogram(Vec<i64>, Precision),
    /// A number in words, `17.9 ms` or `0.42 %`: right to the last digit that is written, of which there are at least two,
    /// of a value that was read off at most so much too high.
    Said(f64, f64),
    /// Words.
    Text(String),
}

/// What a bucket of a histogram may be too high, as a divisor of its value: each is named by its highest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    /// Four significant figures, exact below 20 ms: of requests and of differences.
    Four,
    /// Two significant figures: of windows.
    Two,
}

impl Precision {
    /// By how much what is written may be above `us`; below it, by nothing.
    pub(super) fn above(self, us: i64) -> i64 {
        match self {
            Self::Four if us.abs() < 20_000 => 0,
            Self::Four => us.abs() / 10_000,
            Self::Two => us.abs() / 100,
        }
    }

    fn is(self, us: i64, written: i64) -> bool {
        (0..=self.above(us)).contains(&(written - us))
    }
}

impl Figure {
    /// Whether this is what is written.
    pub(super) fn is(&self, written: &Value) -> bool {
        match self {
            Self::Nothing => written.is_null(),
            Self::Counted(0) if written.is_null() => true,
            Self::Whole(number) | Self::Counted(number) => whole(written) == Some(*number),
            Self::Real(number) => {
                written.as_f64().is_some_and(|written| (written - number).abs() <= number.abs() * 1e-12)
            }
            Self::Rounded(number, decimals) => {
                let unit = 10_f64.powi(-decimals);
                // A half is rounded either way.
                written.as_f64().is_some_and(|written| (written - number).abs() <= unit * 0.500_001)
            }
            Self::Read(us, precision) => whole(written).is_some_and(|written| precision.is(*us, written)),
            Self::Histogram(values, precision) => histogram(values, *precision, written),
            Self::Said(value, above) => said(*value, *above, written),
            Self::Text(text) => written == text,
        }
    }

    /// What is written, made wrong by the least that must be noticed: a request, a microsecond, the last digit.
    pub(super) fn altered(&self, written: &Value) -> Value {
        match self {
            Self::Nothing => Value::from(1),
            Self::Whole(number) | Self::Counted(number) => Value::from(number + 1),
            Self::Real(number) => Value::from(number * (1.0 + 1e-9) + 1e-9),
            Self::Rounded(_, decimals) => {
                Value::from(written.as_f64().unwrap() + 1.001 * 10_f64.powi(-decimals))
            }
            Self::Read(us, precision) => Value::from(us + precision.above(*us) + 1),
            Self::Histogram(..) => {
                let mut buckets = written.as_array().unwrap().clone();
                match buckets.first_mut() {
                    Some(first) => first[1] = Value::from(first[1].as_i64().unwrap() + 1),
                    None => buckets.push(Value::from(vec![1, 1])),
                }
                Value::from(buckets)
            }
            Self::Said(value, above) if *value != 0.0 => {
                let text = written.as_str().unwrap();
                let (number, unit) = parsed(text).unwrap();
                let (step, factor) = (step(text, number, unit), factor(unit));
                Value::from(format!("{} {unit}", number + step * 1.01 + above / factor))
            }
            Self::Said(..) => Value::from("0.01 %"),
            Self::Text(text) => Value::from(format!("{text}.")),
        }
    }
}

fn said(value: f64, above: f64, written: &Value) -> bool {
    let Some(text) = written.as_str() else { return false };
    match text {
        "<0.01 %" => return value > 0.0 && value < 1e-4,
        ">99.9 %" => return value < 1.0 && value > 0.999,
        _ => {}
    }
    let Some((number, unit)) = parsed(text) else { return false };
    let (off, factor) = (number * factor(unit) - value, factor(unit));
    let half = step(text, number, unit) * factor * 0.500_001;
    -half <= off && off <= half + above && (number != 0.0 || value == 0.0)
}

/// A number and its unit.
pub(super) fn parsed(text: &str) -> Option<(f64, &str)> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    Some((number.parse().ok()?, unit))
}

pub(super) fn factor(unit: &str) -> f64 {
    match unit {
        "ms" => 1e3,
        "s" => 1e6,
        "%" => 1e-2,
        _ => 1.0,
    }
}

/// One in the last digit that is written, or in the second; of a share at least one in the second after the point.
fn step(text: &str, number: f64, unit: &str) -> f64 {
    let least = if unit == "%" { 1e-2 } else { 1e-9 };
    let behind_point = text.split(' ').next().and_then(|number| number.split_once('.'));
    let last = 10_f64.powi(-(behind_point.map_or(0, |(_, digits)| digits.len()) as i32));
    let second = 10_f64.powf(number.abs().max(least).log10().floor() - 1.0);
    last.min(second).max(least)
}

/// A number that is whole, however it is written.
fn whole(written: &Value) -> Option<i64> {
    written
        .as_i64()
        .or_else(|| written.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64))
}

/// Whether every value lies in the bucket that counts it.
fn histogram(values: &[i64], precision: Precision, written: &Value) -> bool {
    let buckets = written.as_array().into_iter().flatten();
    let counted = buckets.flat_map(|bucket| {
        let (value, count) = (bucket[0].as_i64().unwrap(), bucket[1].as_i64().unwrap());
        (0..count).map(move |_| value)
    });
    let counted: Vec<i64> = counted.collect();
    counted.len() == values.len()
        && counted.iter().zip(values).all(|(written, us)| precision.is(*us, *written))
}

/// The time that a share of so many `per_mille` does not exceed, of times in rising order; for curves over windows
/// `None` only where there is none.
pub(super) fn at(values: &[i64], per_mille: usize) -> Option<i64> {
    let rank = (values.len() * per_mille).div_ceil(1_000).max(1);
    values.get(rank - 1).copied()
}

/// The same where the sample carries it: where the 95 % interval of the rank, by the normal distribution, ends before
/// the sample does, at its upper end and, of what is `signed`, at its lower, too.
pub(super) fn percentile(values: &[i64], per_mille: usize, signed: bool) -> Option<i64> {
    let (count, share) = (values.len() as f64, per_mille as f64 / 1_000.0);
    let reach = 1.96 * (count * share * (1.0 - share)).sqrt();
    let carried = count * share + reach <= count && (!signed || count * share >= reach);
    if carried { at(values, per_mille) } else { None }
}

/// The mean of what there is.
pub(super) fn mean(values: &[i64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<i64>() as f64 / values.len() as f64)
}

/// The shares that a curve of percentiles has points at, from the shortest on: every 24th of a nine, and the half; each
/// with the time that it does not exceed, as far as the sample carries it.
pub(super) fn curve(values: &[i64]) -> Vec<(f64, i64)> {
    let count = values.len() as f64;
    let nines = (0..=144).map(|step| 1.0 - 10_f64.powf(-f64::from(step) / 24.0));
    let mut shares: Vec<f64> = nines.chain([0.5]).collect();
    shares.sort_by(f64::total_cmp);
    let carried = |share: &f64| count * share + 1.96 * (count * share * (1.0 - share)).sqrt() <= count;
    let rank = |share: f64| ((count * share).ceil() as usize).max(1);
    let point = |share: f64| Some((share, *values.get(rank(share) - 1)?));
    shares.into_iter().filter(carried).filter_map(point).collect()
}

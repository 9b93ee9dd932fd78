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
    /// A number that is computed in another way, within so much.
    Near(f64, f64),
    /// A number rounded to so many decimals.
    Rounded(f64, i32),
    /// A time that was read off a histogram.
    Read(i64, Precision),
    /// All that a histogram holds.
    Histogram(Vec<i64>, Precision),
    /// A number in words, `17.9 ms` or `0.42 %`: right to the last digit that is written, of which there are at least two,
    /// of a value that was read off at most so much too high.
    Said(f64, f64),
    /// The same, with the stretch of time that it is of behind it.
    SaidOf(f64, f64, String),
    /// A time in words with all its digits, `+2.239 ms`.
    Exact(i64),
    /// A share in words that is no more exact than where it was read: between two.
    Between(f64, f64),
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
    /// A share in words; nothing where there is nothing to divide by.
    pub(super) fn share(part: i64, whole: i64) -> Self {
        if whole == 0 { Self::Nothing } else { Self::Said(part as f64 / whole as f64, 0.0) }
    }

    /// A percentile in words, as far as the sample carries it.
    pub(super) fn told(values: &[i64], per_mille: usize, signed: bool) -> Self {
        let us = percentile(values, per_mille, signed);
        us.map_or(Self::Nothing, |us| Self::Said(us as f64, Precision::Four.above(us) as f64))
    }

    /// A count in words.
    pub(super) fn count(count: i64) -> Self {
        Self::Text(count.to_string())
    }

    /// Whether this is what is written.
    pub(super) fn is(&self, written: &Value) -> bool {
        match self {
            Self::Nothing => written.is_null(),
            Self::Counted(0) if written.is_null() => true,
            Self::Whole(number) | Self::Counted(number) => whole(written) == Some(*number),
            Self::Real(number) => {
                written.as_f64().is_some_and(|written| (written - number).abs() <= number.abs() * 1e-12)
            }
            Self::Near(number, off) => {
                written.as_f64().is_some_and(|written| (written - number).abs() <= off + 1e-12)
            }
            Self::Rounded(number, decimals) => {
                let unit = 10_f64.powi(-decimals);
                // A half is rounded either way.
                written.as_f64().is_some_and(|written| (written - number).abs() <= unit * 0.500_001)
            }
            Self::Read(us, precision) => whole(written).is_some_and(|written| precision.is(*us, written)),
            Self::Histogram(values, precision) => histogram(values, *precision, written),
            Self::Said(value, above) => said(*value, *above, written),
            Self::SaidOf(value, above, when) => {
                let said_of = written.as_str().and_then(|text| text.strip_suffix(&*format!(" ({when})")));
                said_of.is_some_and(|text| said(*value, *above, &Value::from(text)))
            }
            Self::Exact(us) => (written.as_str().and_then(parsed))
                .is_some_and(|(number, unit)| (number * factor(unit) - *us as f64).abs() < 0.01),
            Self::Between(least, most) => match written.as_str() {
                Some(">99.9 %") => *most > 0.999 && *least < 1.0,
                Some("<0.01 %") => *most > 0.0 && *least < 1e-4,
                text => text.is_some_and(|text| {
                    let half = step(text) * 0.500_001;
                    parsed(text).is_some_and(|(share, _)| {
                        (least * 100.0 - half..=most * 100.0 + half).contains(&share)
                    })
                }),
            },
            Self::Text(text) => written == text,
        }
    }

    /// What is written, made wrong by the least that must be noticed: a request, a microsecond, the last digit.
    pub(super) fn altered(&self, written: &Value) -> Value {
        match self {
            Self::Nothing => Value::from(1),
            Self::Whole(number) | Self::Counted(number) => Value::from(number + 1),
            Self::Real(number) => Value::from(number * (1.0 + 1e-9) + 1e-9),
            Self::Near(number, off) => Value::from(number + off * 1.01 + 1e-9),
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
                // What is written as less or more than some digit is altered to nothing.
                let Some((number, unit)) = parsed(text) else { return Value::from("0 %") };
                let number = number + step(text) * 1.01 + above / factor(unit);
                Value::from(format!("{number} {unit}").trim_end().replace(" /s", "/s"))
            }
            Self::Said(..) => Value::from("0.01 %"),
            Self::SaidOf(value, above, when) => {
                let (text, _) = written.as_str().unwrap().split_once(" (").unwrap();
                let altered = Self::Said(*value, *above).altered(&Value::from(text));
                Value::from(format!("{} ({when})", altered.as_str().unwrap()))
            }
            Self::Exact(us) => Value::from(format!("{} µs", us + 1)),
            Self::Between(_, most) => Value::from(format!("{} %", most * 100.0 + 1.1)),
            Self::Text(text) => Value::from(format!("{text}.")),
        }
    }
}

fn said(value: f64, above: f64, written: &Value) -> bool {
    let Some(text) = written.as_str() else { return false };
    match text {
        "<0.01 %" => return value > 0.0 && value < 1e-4,
        ">99.9 %" => return value < 1.0 && value > 0.999,
        "<0.01 µs" | "<+0.01 µs" | "<0.01" => return value > 0.0 && value < 0.01,
        ">−0.01 µs" => return value < 0.0 && value > -0.01,
        // Hardly more or less than one is not one.
        "1" => return (value - 1.0).abs() < 1e-9,
        _ => {}
    }
    let Some((number, unit)) = parsed(text) else { return false };
    let (off, factor) = (number * factor(unit) - value, factor(unit));
    let half = step(text) * factor * 0.500_001;
    -half <= off && off <= half + above && (number != 0.0 || value.abs() < 1e-9)
}

/// A number, with its sign and its thousands apart or without, and its unit.
pub(super) fn parsed(text: &str) -> Option<(f64, &str)> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let (number, unit) = number.strip_suffix("/s").map_or((number, unit), |number| (number, "/s"));
    Some((number.replace(',', "").replace('−', "-").parse().ok()?, unit))
}

pub(super) fn factor(unit: &str) -> f64 {
    match unit {
        "ms" => 1e3,
        "s" => 1e6,
        "%" => 1e-2,
        _ => 1.0,
    }
}

/// One in the last digit that is written, or in the second; but where the unit is larger than
/// what is measured by it at least one in the second after the point.
pub(super) fn step(text: &str) -> f64 {
    let (number, unit) = parsed(text).unwrap();
    let behind_point = text.split([' ', '/']).next().and_then(|number| number.split_once('.'));
    let decimals = behind_point.map_or(0, |(_, digits)| digits.len());
    let least = if matches!(unit, "ms" | "s") || decimals > 2 { 1e-9 } else { 1e-2 };
    let second = 10_f64.powf(number.abs().max(least).log10().floor() - 1.0);
    10_f64.powi(-(decimals as i32)).min(second).max(least)
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

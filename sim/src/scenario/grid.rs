//! Many scenarios from one: the values that keys of the file take in turn (`[sweep]`), and the key along
//! which the highest value is looked for at which all that is expected holds (`[search]`). Owns values and
//! their order, not what is run at them ([`crate::sweep`]).

use hoplab_config::quantity::{Bandwidth, Duration, Rate, Share, Size};

/// A key and the values that it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The key, dotted: `load.shoppers.rate`.
    pub key: String,
    /// Its values, in order; at least one.
    pub values: Vec<Value>,
}

/// A value of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// As TOML writes it: `"200 rps"` with its quotes, `3`, `true`.
    pub toml: String,
    /// As people read it: `200 rps`, `3`.
    pub label: String,
    /// In the quantity's own unit (µs, requests a second, a share, bytes, bits a second) or as it stands;
    /// `None` for a text that is no quantity.
    pub number: Option<f64>,
}

impl Value {
    /// A text.
    pub(crate) fn text(text: &str) -> Self {
        let toml = toml::Value::String(text.to_owned()).to_string();
        Self { toml, label: text.to_owned(), number: number(text) }
    }

    /// A number, or true or false, as it is written.
    pub(crate) fn literal(literal: &str) -> Self {
        Self { toml: literal.to_owned(), label: literal.to_owned(), number: literal.parse().ok() }
    }
}

/// The number that a quantity stands for.
fn number(text: &str) -> Option<f64> {
    let duration = || text.parse::<Duration>().ok().map(|duration| duration.0.as_nanos() as f64 / 1e3);
    let rate = || text.parse::<Rate>().ok().map(|rate| rate.0);
    let share = || text.parse::<Share>().ok().map(|share| share.0);
    let size = || text.parse::<Size>().ok().map(|size| size.0 as f64);
    let bandwidth = || text.parse::<Bandwidth>().ok().map(|bandwidth| bandwidth.0 as f64);
    duration().or_else(rate).or_else(share).or_else(size).or_else(bandwidth)
}

/// A key along which the highest value is looked for at which all that is expected holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The key, dotted.
    pub key: String,
    /// The values that come into question, rising.
    pub steps: Steps,
    /// The lowest result that is all right, as one of the values; `None` when any is.
    pub at_least: Option<Value>,
}

/// Evenly spaced values between two, both included.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// ` rps`, with the space that was written; empty for a plain number.
    pub(crate) unit: String,
    /// Whether it is written in quotes.
    pub(crate) quoted: bool,
    pub(crate) spacing: Spacing,
    /// How many values; at least 2.
    pub(crate) count: u32,
}

/// How values lie between two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// The same difference from each to the next.
    Linear,
    /// The same ratio from each to the next.
    Log,
}

impl Steps {
    /// How many values there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The `index`th value, from 0 on.
    pub fn value(&self, index: u32) -> Value {
        let along = f64::from(index) / f64::from(self.count - 1);
        let number = match self.spacing {
            _ if index == 0 => self.from,
            _ if index + 1 == self.count => self.to,
            Spacing::Linear => self.from + (self.to - self.from) * along,
            Spacing::Log => self.from * (self.to / self.from).powf(along),
        };
        let text = format!("{}{}", written(number), self.unit);
        if self.quoted { Value::text(&text) } else { Value::literal(&text) }
    }

    /// All values, in order.
    pub(crate) fn values(&self) -> Vec<Value> {
        (0..self.count).map(|index| self.value(index)).collect()
    }
}

/// To six significant digits, without needless zeros: whole numbers stay whole.
fn written(number: f64) -> String {
    let digits = 5 - number.abs().max(1e-9).log10().floor() as i32;
    let text = format!("{number:.*}", digits.clamp(0, 12) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A number and what follows it: `(200, " rps")`.
pub(crate) fn measured(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|char: char| !(char.is_ascii_digit() || char == '.')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(from: f64, to: f64, unit: &str, spacing: Spacing, count: u32) -> Vec<String> {
        let steps = Steps { from, to, unit: unit.to_owned(), quoted: true, spacing, count };
        steps.values().into_iter().map(|value| value.toml).collect()
    }

    #[test]
    fn steps_are_even_and_end_where_they_should() {
        assert_eq!(
            steps(50.0, 200.0, " rps", Spacing::Linear, 4),
            ["\"50 rps\"", "\"100 rps\"", "\"150 rps\"", "\"200 rps\""]
        );
        assert_eq!(steps(1.0, 100.0, "ms", Spacing::Log, 3), ["\"1ms\"", "\"10ms\"", "\"100ms\""]);
        assert_eq!(steps(0.1, 0.3, "", Spacing::Linear, 3), ["\"0.1\"", "\"0.2\"", "\"0.3\""]);
    }

    #[test]
    fn quantities_are_numbers_in_one_unit() {
        let numbers =
            ["500us", "1ms", "200 rps", "5%", "1 KiB", "round-robin"].map(|text| Value::text(text).number);
        assert_eq!(numbers, [Some(500.0), Some(1_000.0), Some(200.0), Some(0.05), Some(1_024.0), None]);
        assert_eq!(Value::literal("3").number, Some(3.0));
    }
}

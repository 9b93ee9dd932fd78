//! How a quantity is written: a number, then one of the units of its kind. Reads and prints it and
//! says what is wrong with a text. Knows nothing of what the quantities are for.

use std::fmt;

use serde::de::{self, Visitor};

/// A unit, and how many of the kind's smallest unit it is.
pub(super) struct Unit {
    symbol: &'static str,
    factor: f64,
}

impl Unit {
    pub(super) const fn new(symbol: &'static str, factor: f64) -> Self {
        Self { symbol, factor }
    }
}

/// A kind of quantity. Its first unit is the smallest, the one its values are counted in.
pub(super) struct Kind {
    pub(super) noun: &'static str,
    pub(super) example: &'static str,
    pub(super) units: &'static [Unit],
}

impl Kind {
    /// The value of `text` in the kind's base unit: finite and not negative.
    pub(super) fn read(&self, text: &str) -> Result<f64, NotAQuantity> {
        let trimmed = text.trim();
        let unsigned = trimmed.strip_prefix('-');
        let body = unsigned.unwrap_or(trimmed);
        let split = body.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(body.len());
        let (number, symbol) = (&body[..split], body[split..].trim_start());
        let number: f64 = number.parse().map_err(|_| self.wrong(text, Wrong::NoNumber))?;
        if unsigned.is_some() {
            return Err(self.wrong(text, Wrong::Negative));
        }
        if symbol.is_empty() {
            return Err(self.wrong(text, Wrong::NoUnit));
        }
        let unit = self.units.iter().find(|unit| unit.symbol == symbol);
        let unit = unit.ok_or_else(|| self.wrong(text, Wrong::UnknownUnit(symbol.to_owned())))?;
        let value = number * unit.factor;
        if value.is_finite() { Ok(value) } else { Err(self.wrong(text, Wrong::TooLarge)) }
    }

    /// As [`Kind::read`], rounded to a whole number of base units.
    pub(super) fn read_whole(&self, text: &str) -> Result<u64, NotAQuantity> {
        let value = self.read(text)?.round();
        // Beyond 2^63 a float skips whole units by the thousand; nothing meant so is that large.
        if value < 9.2e18 { Ok(value as u64) } else { Err(self.wrong(text, Wrong::TooLarge)) }
    }

    /// Prints `value` in the first of `symbols` (largest first) that keeps it whole, else in the last.
    pub(super) fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        value: f64,
        gap: &str,
        symbols: &[&str],
    ) -> fmt::Result {
        let chosen = symbols.iter().filter_map(|symbol| {
            let factor = self.units.iter().find(|unit| unit.symbol == *symbol)?.factor;
            Some((symbol, value / factor))
        });
        let whole = |count: f64| count >= 1.0 && count.fract() == 0.0;
        let last = symbols.last().expect("a quantity has a unit");
        let (symbol, count) = chosen.into_iter().find(|(_, count)| whole(*count)).unwrap_or((last, value));
        write!(f, "{count}{gap}{symbol}")
    }

    pub(super) fn wrong(&self, text: &str, wrong: Wrong) -> NotAQuantity {
        let units = self.units.iter().map(|unit| unit.symbol).collect::<Vec<_>>().join(", ");
        NotAQuantity { text: text.to_owned(), wrong, noun: self.noun, example: self.example, units }
    }
}

/// Why a text is not the quantity that was expected, in words fit for the one who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAQuantity {
    text: String,
    wrong: Wrong,
    noun: &'static str,
    example: &'static str,
    units: String,
}

/// What is wrong with a quantity's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// It does not start with a decimal number.
    NoNumber,
    /// The number stands alone.
    NoUnit,
    /// This is no unit of the kind.
    UnknownUnit(String),
    /// It is below zero.
    Negative,
    /// It is zero where that makes no sense.
    Zero,
    /// It is less than the smallest unit, where zero makes no sense.
    TooSmall,
    /// It cannot be represented.
    TooLarge,
    /// It is a share of more than the whole.
    OverHundred,
    /// It is no range.
    NoRange,
    /// The range's first end lies above its last.
    Backwards,
}

impl NotAQuantity {
    /// What is wrong.
    pub fn wrong(&self) -> &Wrong {
        &self.wrong
    }

    /// A text that would be right.
    pub fn example(&self) -> &'static str {
        self.example
    }
}

impl fmt::Display for NotAQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.text)?;
        match &self.wrong {
            Wrong::NoNumber => f.write_str("has no number")?,
            Wrong::NoUnit => f.write_str("has no unit")?,
            Wrong::UnknownUnit(unit) => {
                write!(f, "has the unit `{unit}`, which is none of {}", self.units)?;
            }
            Wrong::Negative => f.write_str("is negative")?,
            Wrong::Zero => f.write_str("is zero")?,
            Wrong::TooSmall => {
                write!(f, "is less than 1 {}", self.units.split(',').next().unwrap_or_default())?;
            }
            Wrong::TooLarge => f.write_str("is too large")?,
            Wrong::OverHundred => f.write_str("is over 100%")?,
            Wrong::NoRange => f.write_str("has no `..`")?,
            Wrong::Backwards => f.write_str("runs backwards")?,
        }
        write!(f, ": write {} such as `{}`", self.noun, self.example)
    }
}

impl std::error::Error for NotAQuantity {}

/// Reads the text of a quantity; anything else is refused with an example of what is right.
pub(super) struct TextVisitor(pub(super) &'static Kind);

impl Visitor<'_> for TextVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} such as \"{}\"", self.0.noun, self.0.example)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

//! How far a figure may move: how that is written, which statement applies to a figure, and what is
//! written when nobody has stated anything. Owns no comparison.

use hoplab_sim::figures::Figure;

use super::figures::{Figures, Key, Thousandths};
use super::metric::{Metric, Unit};

/// How far a figure may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// Anywhere: it is told, not gated.
    Any,
    /// By a share of what it was or by an amount, whichever is more.
    Within {
        /// Thousandths of a per cent of what it was.
        share: u64,
        /// Thousandths of its unit.
        amount: u64,
    },
}

impl Tolerance {
    /// Not at all.
    pub const NONE: Self = Self::Within { share: 0, amount: 0 };

    /// Reads `0`, `5%`, `200us`, `10`, `5% or 200us`, `any`; what is wrong with it else.
    pub fn parse(text: &str, metric: Metric) -> Result<Self, String> {
        if text == "any" {
            return Ok(Self::Any);
        }
        if text == "0" {
            return Ok(Self::NONE);
        }
        if metric.unit() == Unit::Text {
            return Err(format!("{} is the same or it is not: write `0` or `any`", metric.name()));
        }
        let (mut share, mut amount) = (None, None);
        for part in text.split(" or ").map(str::trim) {
            let (slot, value) = match part.strip_suffix('%') {
                Some(percent) => (&mut share, thousandths(percent)),
                None => (&mut amount, amount_of(part, metric.unit())),
            };
            match (value, &slot) {
                (Some(value), None) => *slot = Some(value),
                _ => return Err(forms(metric.unit()).to_owned()),
            }
        }
        Ok(Self::Within { share: share.unwrap_or(0), amount: amount.unwrap_or(0) })
    }

    /// As a baseline writes it.
    pub fn text(self, unit: Unit) -> String {
        let Self::Within { share, amount } = self else { return "any".to_owned() };
        let percent = format!("{}%", Thousandths(share as i64));
        let amount_text = Thousandths(amount as i64).to_string();
        let amount_text = if unit == Unit::Micros { amount_text + "us" } else { amount_text };
        match (share, amount) {
            (0, 0) => "0".to_owned(),
            (_, 0) => percent,
            (0, _) => amount_text,
            _ => format!("{percent} or {amount_text}"),
        }
    }

    /// Whether a number may move from `before` to `now`.
    pub fn allows(self, before: Thousandths, now: Thousandths) -> bool {
        let Self::Within { share, amount } = self else { return true };
        let moved = i128::from(before.0.abs_diff(now.0)) * 100_000;
        moved <= (i128::from(before.0) * i128::from(share)).max(i128::from(amount) * 100_000)
    }
}

fn thousandths(text: &str) -> Option<u64> {
    u64::try_from(Thousandths::parse(text.trim())?.0).ok()
}

/// `200us`, `1.5ms`, `2s` of a time; `10` of a count.
fn amount_of(text: &str, unit: Unit) -> Option<u64> {
    if unit != Unit::Micros {
        return thousandths(text);
    }
    let split = text.find(|char: char| char.is_ascii_alphabetic())?;
    let (number, suffix) = text.split_at(split);
    let factor = match suffix {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        _ => return None,
    };
    thousandths(number)?.checked_mul(factor).filter(|amount| i64::try_from(*amount).is_ok())
}

fn forms(unit: Unit) -> &'static str {
    match unit {
        Unit::Micros => "write `0`, `5%`, `200us`, `5% or 200us`, or `any`",
        Unit::Count => "write `0`, `5%`, `10`, `5% or 10`, or `any`",
        Unit::Text => "write `0` or `any`",
    }
}

/// A tolerance as stated, with what it is stated for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The comment above it, line by line, without the marks.
    pub notes: Vec<String>,
    /// The architecture; any when `None`.
    pub scope: Option<String>,
    /// The first words of the subject; any when empty.
    pub subject: Vec<String>,
    /// The metric.
    pub metric: Metric,
    /// The tolerance.
    pub tolerance: Tolerance,
}

impl Stated {
    /// Whether it is about the figure called `key`.
    pub fn covers(&self, key: &Key) -> bool {
        self.metric == key.metric
            && self.scope.as_ref().is_none_or(|scope| *scope == key.scope)
            && key.subject.starts_with(&self.subject)
    }

    /// Whether it is about some of a metric's figures only.
    pub fn is_narrow(&self) -> bool {
        self.scope.is_some() || !self.subject.is_empty()
    }

    fn specificity(&self) -> (usize, bool) {
        (self.subject.len(), self.scope.is_some())
    }
}

/// The tolerance of a figure: the most specific statement that covers it. A longer subject is more
/// specific than an architecture. Without any, there is none.
pub fn of(key: &Key, stated: &[Stated]) -> Tolerance {
    let covering = stated.iter().filter(|stated| stated.covers(key));
    covering.max_by_key(|stated| stated.specificity()).map_or(Tolerance::NONE, |stated| stated.tolerance)
}

/// What is written when nobody has stated anything: a line for each metric that has figures. What one
/// hop took explains what moved and is not gated.
pub fn defaults(figures: &Figures) -> Vec<Stated> {
    let whole = |metric: Metric| {
        let tolerance = Tolerance::parse(metric.tolerance(), metric).unwrap_or(Tolerance::NONE);
        Stated { notes: Vec::new(), scope: None, subject: Vec::new(), metric, tolerance }
    };
    let of_hops = Stated {
        subject: vec!["hop".to_owned()],
        tolerance: Tolerance::Any,
        ..whole(Metric::Figure(Figure::OwnTime))
    };
    let all = Metric::all().map(whole).chain([of_hops]);
    let mut defaults: Vec<Stated> =
        all.filter(|stated| figures.keys().any(|key| stated.covers(key))).collect();
    let gated = |stated: &Stated| stated.tolerance != Tolerance::NONE || stated.metric == Metric::Digest;
    defaults.retain(gated);
    defaults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerances_are_read_as_they_are_written() {
        for text in ["0", "any", "5%", "0.5%", "200us", "5% or 200us"] {
            let read = Tolerance::parse(text, Metric::Figure(Figure::P99)).unwrap();
            assert_eq!(read.text(Unit::Micros), text);
        }
        assert_eq!(
            Tolerance::parse("1.5ms", Metric::Figure(Figure::P99)),
            Ok(Tolerance::Within { share: 0, amount: 1_500_000 })
        );
        assert_eq!(
            Tolerance::parse("10", Metric::Figure(Figure::FailedAttempts)).unwrap().text(Unit::Count),
            "10"
        );
        for text in ["", "10", "5 percent", "-1%", "5% or 6%", "1us or 2us", "5%or 1us", "1e3us"] {
            assert!(Tolerance::parse(text, Metric::Figure(Figure::P99)).is_err(), "{text}");
        }
        for text in ["10us", "1ms"] {
            assert!(Tolerance::parse(text, Metric::Figure(Figure::FailedAttempts)).is_err(), "{text}");
        }
        assert!(Tolerance::parse("1%", Metric::Digest).is_err());
    }

    #[test]
    fn the_larger_of_share_and_amount_counts_and_its_edge_is_inside() {
        let tolerance = Tolerance::parse("5% or 10us", Metric::Figure(Figure::P99)).unwrap();
        let us = Thousandths::whole;
        assert!(tolerance.allows(us(1_000), us(1_050)));
        assert!(!tolerance.allows(us(1_000), us(1_051)));
        assert!(tolerance.allows(us(20), us(30)));
        assert!(tolerance.allows(us(20), us(10)));
        assert!(!tolerance.allows(us(20), us(31)));
        assert!(Tolerance::NONE.allows(us(7), us(7)));
        assert!(!Tolerance::NONE.allows(us(7), us(8)));
    }

    #[test]
    fn the_most_specific_statement_applies() {
        let stated = |scope: Option<&str>, subject: &[&str], percent: u64| Stated {
            notes: Vec::new(),
            scope: scope.map(str::to_owned),
            subject: subject.iter().map(|word| (*word).to_owned()).collect(),
            metric: Metric::Figure(Figure::P99),
            tolerance: Tolerance::Within { share: percent * 1_000, amount: 0 },
        };
        let all = [
            stated(None, &["endpoint", "a"], 3),
            stated(None, &[], 1),
            stated(Some("mesh"), &[], 2),
            stated(None, &["endpoint"], 4),
        ];
        let share = |scope, subject: &[&str]| {
            of(&Key::new(scope, subject, Metric::Figure(Figure::P99)), &all).text(Unit::Micros)
        };
        assert_eq!(share("direct", &["all"]), "1%");
        assert_eq!(share("mesh", &["all"]), "2%");
        assert_eq!(share("mesh", &["endpoint", "a"]), "3%");
        assert_eq!(share("mesh", &["endpoint", "b"]), "4%");
        let other = Key::new("mesh", &["all"], Metric::Figure(Figure::FailedAttempts));
        assert_eq!(of(&other, &all), Tolerance::NONE);
    }
}

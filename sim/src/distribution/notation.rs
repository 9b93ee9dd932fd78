//! How a distribution is written: a duration alone, or a name with its arguments in parentheses.
//! Reads it, prints it, and says what is wrong with a text.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use hoplab_config::quantity;

use super::{Branch, Distribution, Empirical};

/// How deep mixes may stand in mixes.
const DEPTH_LIMIT: usize = 8;

/// Coefficients of variation that can be drawn with: beyond, the shape of the gamma distribution is no number.
const CV: (RangeInclusive<f64>, &str) = (0.001..=1_000.0, "0.001 to 1000");
/// How fast tails may fall; 1 and below are refused for their infinite mean.
const ALPHA: (RangeInclusive<f64>, &str) = (0.001..=1e6, "0.001 to 1000000");

/// How each distribution is written, by its name: of durations, and of sizes.
const FORMS: &[(&str, &str, &str)] = &[
    ("exp", "exp(10ms)", "exp(2 KiB)"),
    ("lognormal", "lognormal(p50=4ms, p99=20ms)", "lognormal(p50=2 KiB, p99=100 KiB)"),
    ("uniform", "uniform(1s, 10s)", "uniform(1 KiB, 10 KiB)"),
    ("gamma", "gamma(mean=10ms, cv=0.5)", "gamma(mean=2 KiB, cv=0.5)"),
    ("pareto", "pareto(min=1ms, alpha=1.8)", "pareto(min=1 KiB, alpha=1.8)"),
    ("mix", "mix(90%: 5ms, 10%: 55ms)", "mix(90%: 1 KiB, 10%: 1 MiB)"),
    ("empirical", "empirical(file.csv)", "empirical(file.csv)"),
];

/// What a distribution is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Durations.
    Time,
    /// Sizes, a byte in the place of a nanosecond.
    Bytes,
}

impl Measure {
    /// Reads one quantity.
    pub(super) fn read(self, text: &str) -> Result<Duration, quantity::NotAQuantity> {
        match self {
            Self::Time => text.parse::<quantity::Duration>().map(|duration| duration.0),
            Self::Bytes => text.parse::<quantity::Size>().map(|size| Duration::from_nanos(size.0)),
        }
    }

    /// What one quantity is called.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Time => "duration",
            Self::Bytes => "size",
        }
    }

    /// What the least and the most of a range are called.
    fn ends(self) -> (&'static str, &'static str) {
        match self {
            Self::Time => ("the shortest", "the longest"),
            Self::Bytes => ("the least", "the most"),
        }
    }
}

/// Why a text is no distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotADistribution {
    text: String,
    wrong: Wrong,
}

/// What is wrong with a distribution's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// There is no such distribution.
    #[error("is no distribution")]
    Name,
    /// A parenthesis is missing or too many.
    #[error("has parentheses that do not match")]
    Parentheses,
    /// Too many or too few arguments, or under other names.
    #[error("has other arguments than `{form}`")]
    Arguments {
        /// How it is written.
        form: &'static str,
    },
    /// An argument is no quantity.
    #[error("{0}")]
    Quantity(Box<quantity::NotAQuantity>),
    /// A bare number was expected, from here to there.
    #[error("needs a plain number from {1} for `{0}`")]
    Number(&'static str, &'static str),
    /// Two arguments are in the wrong order.
    #[error("has {low} above {high}")]
    Order {
        /// What should be lower.
        low: &'static str,
        /// What should be higher.
        high: &'static str,
    },
    /// A median of zero.
    #[error("has a median of zero, which leaves the logarithm nothing to hold on to")]
    ZeroMedian,
    /// A Pareto distribution without a mean.
    #[error("has no finite mean: `alpha` must be above 1")]
    InfiniteMean,
    /// The shares of a mix are off.
    #[error("has shares that sum to {sum} instead of 100%")]
    Shares {
        /// What they sum to.
        sum: String,
    },
    /// Mixes in mixes in mixes.
    #[error("is nested too deep")]
    Depth,
    /// The file of an empirical distribution is missing or wrong.
    #[error("cannot be used: {0}")]
    File(String),
}

impl From<quantity::NotAQuantity> for Wrong {
    fn from(wrong: quantity::NotAQuantity) -> Self {
        Self::Quantity(Box::new(wrong))
    }
}

impl std::error::Error for NotADistribution {}

impl fmt::Display for NotADistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wrong {
            Wrong::Quantity(wrong) => wrong.fmt(f),
            wrong => write!(f, "`{}` {wrong}", self.text),
        }
    }
}

impl NotADistribution {
    /// The name that is not known, if that is what is wrong.
    pub fn unknown_name(&self) -> Option<&str> {
        let name = self.text.split('(').next().unwrap_or_default().trim();
        (self.wrong == Wrong::Name).then_some(name)
    }

    /// What is wrong.
    pub fn wrong(&self) -> &Wrong {
        &self.wrong
    }
}

impl Distribution {
    /// The names of the distributions that have one.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMS.iter().map(|(name, ..)| *name)
    }

    /// Reads `text`; `samples` fetches what `empirical(file)` names, or says why it cannot.
    pub fn read(
        text: &str,
        samples: &mut dyn FnMut(&str) -> Result<Empirical, String>,
    ) -> Result<Self, NotADistribution> {
        Self::read_as(Measure::Time, text, samples)
    }

    /// Reads `text` as a distribution of what `measure` says.
    pub(super) fn read_as(
        measure: Measure,
        text: &str,
        samples: &mut dyn FnMut(&str) -> Result<Empirical, String>,
    ) -> Result<Self, NotADistribution> {
        Reader { samples, measure, depth: 0 }.read(text)
    }
}

/// Reads distributions, and those within them.
struct Reader<'a> {
    samples: &'a mut dyn FnMut(&str) -> Result<Empirical, String>,
    measure: Measure,
    depth: usize,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) -> Result<Distribution, NotADistribution> {
        let text = text.trim();
        self.parts(text).map_err(|failure| match failure {
            Failure::Here(wrong) => NotADistribution { text: text.to_owned(), wrong },
            Failure::Within(error) => error,
        })
    }

    fn parts(&mut self, text: &str) -> Result<Distribution, Failure> {
        let Some((name, rest)) = text.split_once('(') else {
            if text.starts_with(|c: char| c.is_alphabetic()) || text.is_empty() {
                return Err(Wrong::Name.into());
            }
            return Ok(Distribution::Constant(self.measure.read(text)?));
        };
        let known = FORMS.iter().find(|(known, ..)| *known == name.trim());
        let (name, of_time, of_bytes) = *known.ok_or(Wrong::Name)?;
        let form = match self.measure {
            Measure::Time => of_time,
            Measure::Bytes => of_bytes,
        };
        let inner = rest.strip_suffix(')').ok_or(Wrong::Parentheses)?;
        let list = arguments(inner).ok_or(Wrong::Parentheses)?;
        match name {
            "mix" => self.mix(&list, form),
            "empirical" => match list[..] {
                [file] if !file.is_empty() => {
                    let sample = (self.samples)(file).map_err(Wrong::File)?;
                    Ok(Distribution::Empirical(sample))
                }
                _ => Err(Wrong::Arguments { form }.into()),
            },
            _ => Ok(plain(name, &list, form, self.measure)?),
        }
    }

    fn mix(&mut self, list: &[&str], form: &'static str) -> Result<Distribution, Failure> {
        if self.depth == DEPTH_LIMIT {
            return Err(Wrong::Depth.into());
        }
        self.depth += 1;
        let mut branches = Vec::new();
        for argument in list {
            let (share, text) = argument.split_once(':').ok_or(Wrong::Arguments { form })?;
            let share = share.parse::<quantity::Share>().map_err(Wrong::from)?.0;
            branches.push(Branch { share, distribution: self.read(text).map_err(Failure::Within)? });
        }
        self.depth -= 1;
        let sum: f64 = branches.iter().map(|branch| branch.share).sum();
        if (sum - 1.0).abs() > 1e-9 {
            return Err(Wrong::Shares { sum: quantity::Share(sum).to_string() }.into());
        }
        Ok(Distribution::Mix(branches))
    }
}

/// Where a text went wrong: as a whole, or in a distribution within it.
enum Failure {
    Here(Wrong),
    Within(NotADistribution),
}

impl<W: Into<Wrong>> From<W> for Failure {
    fn from(wrong: W) -> Self {
        Self::Here(wrong.into())
    }
}

/// A distribution whose arguments are plain quantities.
fn plain(name: &str, list: &[&str], form: &'static str, measure: Measure) -> Result<Distribution, Wrong> {
    let quantity = |text: &str| measure.read(text);
    let named = |index: usize, name: &str| {
        let (key, value) = list.get(index)?.split_once('=')?;
        (key.trim() == name).then_some(value)
    };
    match (name, list) {
        ("exp", [mean]) => Ok(Distribution::Exponential { mean: quantity(mean)? }),
        ("uniform", [from, to]) => {
            let (from, to) = (quantity(from)?, quantity(to)?);
            let (least, most) = measure.ends();
            ordered(from, to, least, most)?;
            Ok(Distribution::Uniform { from, to })
        }
        ("lognormal", [_, _]) if let (Some(p50), Some(p99)) = (named(0, "p50"), named(1, "p99")) => {
            let (p50, p99) = (quantity(p50)?, quantity(p99)?);
            if p50.is_zero() {
                return Err(Wrong::ZeroMedian);
            }
            ordered(p50, p99, "`p50`", "`p99`")?;
            Ok(Distribution::LogNormal { p50, p99 })
        }
        ("gamma", [_, _]) if let (Some(mean), Some(cv)) = (named(0, "mean"), named(1, "cv")) => {
            Ok(Distribution::Gamma { mean: quantity(mean)?, cv: number("cv", cv, CV)? })
        }
        ("pareto", [_, _]) if let (Some(min), Some(alpha)) = (named(0, "min"), named(1, "alpha")) => {
            let (min, alpha) = (quantity(min)?, number("alpha", alpha, ALPHA)?);
            if alpha <= 1.0 { Err(Wrong::InfiniteMean) } else { Ok(Distribution::Pareto { min, alpha }) }
        }
        _ => Err(Wrong::Arguments { form }),
    }
}

fn ordered(
    low: Duration,
    high: Duration,
    low_name: &'static str,
    high_name: &'static str,
) -> Result<(), Wrong> {
    if low > high { Err(Wrong::Order { low: low_name, high: high_name }) } else { Ok(()) }
}

fn number(
    name: &'static str,
    text: &str,
    (range, in_words): (RangeInclusive<f64>, &'static str),
) -> Result<f64, Wrong> {
    let number = text.trim().parse::<f64>().ok().filter(|number| range.contains(number));
    number.ok_or(Wrong::Number(name, in_words))
}

/// The arguments between the commas that stand in no further parentheses; `None` when those do not match.
fn arguments(inner: &str) -> Option<Vec<&str>> {
    let mut depth = 0_usize;
    let mut start = 0;
    let mut list = Vec::new();
    for (index, c) in inner.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                list.push(inner[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    list.push(inner[start..].trim());
    (depth == 0).then_some(list)
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Written { distribution: self, measure: Measure::Time }.fmt(f)
    }
}

/// A distribution as it is written, of what `measure` says.
pub(super) struct Written<'a> {
    pub(super) distribution: &'a Distribution,
    pub(super) measure: Measure,
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { distribution, measure } = *self;
        let text = |duration: &Duration| match measure {
            Measure::Time => quantity::Duration(*duration).to_string(),
            Measure::Bytes => quantity::Size(duration.as_nanos() as u64).to_string(),
        };
        match distribution {
            Distribution::Constant(duration) => f.write_str(&text(duration)),
            Distribution::Exponential { mean } => write!(f, "exp({})", text(mean)),
            Distribution::LogNormal { p50, p99 } => {
                write!(f, "lognormal(p50={}, p99={})", text(p50), text(p99))
            }
            Distribution::Uniform { from, to } => write!(f, "uniform({}, {})", text(from), text(to)),
            Distribution::Gamma { mean, cv } => write!(f, "gamma(mean={}, cv={cv})", text(mean)),
            Distribution::Pareto { min, alpha } => write!(f, "pareto(min={}, alpha={alpha})", text(min)),
            Distribution::Mix(branches) => {
                f.write_str("mix(")?;
                for (index, branch) in branches.iter().enumerate() {
                    let gap = if index == 0 { "" } else { ", " };
                    let distribution = Written { distribution: &branch.distribution, measure };
                    write!(f, "{gap}{}: {distribution}", quantity::Share(branch.share))?;
                }
                f.write_str(")")
            }
            Distribution::Empirical(empirical) => write!(f, "empirical({})", empirical.file()),
        }
    }
}

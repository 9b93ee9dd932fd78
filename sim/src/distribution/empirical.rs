//! A distribution as it was measured: a file of durations or of sizes, one a line, between which the inverse
//! of the distribution function is linear. Reads the text; fetching it is the caller's.

use std::sync::Arc;
use std::time::Duration;

use hoplab_config::quantity;

use super::notation::Measure;

/// Durations that were measured, by the file that they came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Empirical {
    /// The file's name as the scenario writes it.
    file: Arc<str>,
    /// In rising order; at least one.
    sorted: Arc<[Duration]>,
}

/// Why a text is no sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASample {
    /// Nothing but comments and a header.
    #[error("holds no {noun}")]
    Empty {
        /// What it should hold.
        noun: &'static str,
    },
    /// There is a second column.
    #[error("line {line}: one column is expected, one {noun} a line")]
    Columns {
        /// Counted from 1.
        line: usize,
        /// What should stand there.
        noun: &'static str,
    },
    /// The first line is neither a quantity nor a header that ends in a unit.
    #[error(
        "line {line}: `{header}` names no unit: write `{header}_{unit}`, or give each {noun} its own unit"
    )]
    Unit {
        /// Counted from 1.
        line: usize,
        /// What stands there.
        header: String,
        /// A unit that would do.
        unit: &'static str,
        /// What should stand there.
        noun: &'static str,
    },
    /// Not a quantity of the kind.
    #[error("line {line}: {wrong}")]
    Quantity {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        wrong: quantity::NotAQuantity,
    },
}

impl Empirical {
    /// Reads the `text` of `file`: a duration a line, either with its unit or under a header that
    /// ends in one (`service_us`, `latency (ms)`). Empty lines and those after `#` do not count.
    pub fn read(file: &str, text: &str) -> Result<Self, NotASample> {
        Self::read_as(Measure::Time, file, text)
    }

    /// As [`Empirical::read`], of sizes: `response_bytes`, `size (KiB)`.
    pub fn read_sizes(file: &str, text: &str) -> Result<Self, NotASample> {
        Self::read_as(Measure::Bytes, file, text)
    }

    fn read_as(measure: Measure, file: &str, text: &str) -> Result<Self, NotASample> {
        let lines = text.lines().map(str::trim).enumerate().map(|(index, line)| (index + 1, line));
        let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).peekable();
        let unit = match lines.peek() {
            Some(&(line, first)) if !first.starts_with(|c: char| c.is_ascii_digit() || "-+.".contains(c)) => {
                lines.next();
                header_unit(measure, line, first)?
            }
            _ => "",
        };
        let mut sorted =
            lines.map(|(line, text)| quantity(measure, line, text, unit)).collect::<Result<Vec<_>, _>>()?;
        if sorted.is_empty() {
            return Err(NotASample::Empty { noun: measure.noun() });
        }
        sorted.sort_unstable();
        Ok(Self { file: file.into(), sorted: sorted.into() })
    }

    /// The file's name as the scenario writes it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The duration that a share `probability` does not exceed.
    pub(super) fn quantile(&self, probability: f64) -> Duration {
        let place = probability * (self.sorted.len() - 1) as f64;
        let below = self.sorted[place as usize];
        let above = self.sorted[(place as usize + 1).min(self.sorted.len() - 1)];
        below + super::scale(above.saturating_sub(below), place.fract())
    }

    /// The share that does not exceed `duration`.
    pub(super) fn probability(&self, duration: Duration) -> f64 {
        let not_above = self.sorted.partition_point(|measured| *measured <= duration);
        let Some(below) = not_above.checked_sub(1) else { return 0.0 };
        let Some(above) = self.sorted.get(not_above) else { return 1.0 };
        let gap = above.saturating_sub(self.sorted[below]).as_nanos() as f64;
        let part = duration.saturating_sub(self.sorted[below]).as_nanos() as f64 / gap;
        (below as f64 + part) / (self.sorted.len() - 1) as f64
    }

    /// The mean of what [`Empirical::quantile`] gives.
    pub(super) fn mean(&self) -> Duration {
        let nanos = |duration: &Duration| duration.as_nanos() as f64;
        let gaps = self.sorted.windows(2);
        let mean = match gaps.len() {
            0 => nanos(&self.sorted[0]),
            count => {
                gaps.map(|pair| f64::midpoint(nanos(&pair[0]), nanos(&pair[1]))).sum::<f64>() / count as f64
            }
        };
        Duration::from_nanos(mean.round() as u64)
    }
}

/// The unit at the end of a header.
fn header_unit(measure: Measure, line: usize, header: &str) -> Result<&str, NotASample> {
    let noun = measure.noun();
    if header.contains([',', ';', '\t']) {
        return Err(NotASample::Columns { line, noun });
    }
    let bare = header.trim_matches('"').trim_end_matches([')', ']']);
    let unit = match bare.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default() {
        "bytes" => "B",
        unit => unit,
    };
    let example = match measure {
        Measure::Time => "us",
        Measure::Bytes => "bytes",
    };
    match measure.read(&format!("1{unit}")) {
        Ok(_) => Ok(unit),
        Err(_) => Err(NotASample::Unit { line, header: bare.to_owned(), unit: example, noun }),
    }
}

fn quantity(measure: Measure, line: usize, text: &str, unit: &str) -> Result<Duration, NotASample> {
    if text.contains([',', ';', '\t']) {
        return Err(NotASample::Columns { line, noun: measure.noun() });
    }
    measure.read(&format!("{text}{unit}")).map_err(|wrong| NotASample::Quantity { line, wrong })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        Empirical::read("times.csv", text).unwrap_err().to_string()
    }

    #[test]
    fn headers_name_the_unit_or_every_line_does() {
        for text in [
            "# measured\nservice_us\n300\n100\n\n200\n",
            "latency (us)\n100\n200\n300",
            "0.1 ms\n200us\n300us",
        ] {
            let sample = Empirical::read("times.csv", text).unwrap();
            assert_eq!(sample.sorted.iter().map(Duration::as_micros).collect::<Vec<_>>(), [100, 200, 300]);
            assert_eq!(sample.mean(), Duration::from_micros(200));
            assert_eq!(sample.quantile(0.25), Duration::from_micros(150));
            assert_eq!(sample.quantile(1.0), Duration::from_micros(300));
        }
    }

    #[test]
    fn complaints_name_the_line() {
        assert_eq!(complaint("# nothing\n"), "holds no duration");
        assert_eq!(complaint("a_us,b_us\n1,2"), "line 1: one column is expected, one duration a line");
        assert_eq!(complaint("us\n1\n2,3"), "line 3: one column is expected, one duration a line");
        assert_eq!(
            complaint("latency\n1"),
            "line 1: `latency` names no unit: write `latency_us`, or give each duration its own unit"
        );
        assert_eq!(complaint("1\n"), "line 1: `1` has no unit: write a duration such as `250us`");
    }
}

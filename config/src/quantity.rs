//! Quantities as configuration files write them: a number and its unit in one text, `"250us"`,
//! `"200 rps"`, `"1 KiB"`, `"2%"`, `"10 Gbps"`, `"25ms..250ms"`.
//!
//! Each quantity is a type of its own that parses, prints and deserialises; what is wrong with a
//! text is said in its terms. A space between number and unit is optional. Not here: distributions.

mod notation;

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};

use notation::{Kind, TextVisitor, Unit};
pub use notation::{NotAQuantity, Wrong};

const DURATION: Kind = Kind {
    noun: "a duration",
    example: "250us",
    units: &[
        Unit::new("ns", 1.0),
        Unit::new("us", 1e3),
        Unit::new("µs", 1e3),
        Unit::new("ms", 1e6),
        Unit::new("s", 1e9),
        Unit::new("min", 60e9),
        Unit::new("m", 60e9),
        Unit::new("h", 3_600e9),
    ],
};

const RATE: Kind = Kind {
    noun: "a rate",
    example: "200 rps",
    units: &[
        Unit::new("rps", 1.0),
        Unit::new("/s", 1.0),
        Unit::new("/min", 1.0 / 60.0),
        Unit::new("/h", 1.0 / 3_600.0),
    ],
};

const SIZE: Kind = Kind {
    noun: "a size",
    example: "1 KiB",
    units: &[
        Unit::new("B", 1.0),
        Unit::new("KiB", 1_024.0),
        Unit::new("MiB", 1_048_576.0),
        Unit::new("GiB", 1_073_741_824.0),
        Unit::new("KB", 1e3),
        Unit::new("kB", 1e3),
        Unit::new("MB", 1e6),
        Unit::new("GB", 1e9),
    ],
};

const SHARE: Kind = Kind { noun: "a percentage", example: "2%", units: &[Unit::new("%", 0.01)] };

const BANDWIDTH: Kind = Kind {
    noun: "a bandwidth",
    example: "10 Gbps",
    units: &[
        Unit::new("bps", 1.0),
        Unit::new("Kbps", 1e3),
        Unit::new("kbps", 1e3),
        Unit::new("Mbps", 1e6),
        Unit::new("Gbps", 1e9),
    ],
};

const SPREAD: Kind = Kind { noun: "a range of durations", example: "25ms..250ms", units: DURATION.units };

/// A length of time: `"250us"`, `"1.5s"`, `"1m"`. Exact to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(pub std::time::Duration);

/// Events per second: `"200 rps"`, `"12/min"`. Finite, not negative.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Rate(pub f64);

/// Bytes: `"1 KiB"` is 1,024, `"1 KB"` is 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(pub u64);

/// A part of a whole, 0 to 1: `"2%"` is 0.02.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Share(pub f64);

/// Bits per second: `"10 Gbps"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bandwidth(pub u64);

/// A range of durations, both ends included: `"25ms..250ms"`. The first is not above the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Spread {
    /// The shortest, or the first.
    pub from: std::time::Duration,
    /// The longest, or the last.
    pub to: std::time::Duration,
}

impl FromStr for Duration {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        DURATION.read_whole(text).map(std::time::Duration::from_nanos).map(Self)
    }
}

impl FromStr for Rate {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        RATE.read(text).map(Self)
    }
}

impl FromStr for Size {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        SIZE.read_whole(text).map(Self)
    }
}

impl FromStr for Share {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let share = SHARE.read(text)?;
        if share > 1.0 { Err(SHARE.wrong(text, Wrong::OverHundred)) } else { Ok(Self(share)) }
    }
}

impl FromStr for Bandwidth {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        match BANDWIDTH.read_whole(text)? {
            // As far as its smallest unit goes, when it was written as more.
            0 if BANDWIDTH.read(text)? > 0.0 => Err(BANDWIDTH.wrong(text, Wrong::TooSmall)),
            0 => Err(BANDWIDTH.wrong(text, Wrong::Zero)),
            bits => Ok(Self(bits)),
        }
    }
}

impl FromStr for Spread {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let (from, to) = text.split_once("..").ok_or_else(|| SPREAD.wrong(text, Wrong::NoRange))?;
        let (Duration(from), Duration(to)) = (from.parse()?, to.parse()?);
        if from > to { Err(SPREAD.wrong(text, Wrong::Backwards)) } else { Ok(Self { from, to }) }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DURATION.write(f, self.0.as_nanos() as f64, "", &["h", "m", "s", "ms", "us", "ns"])
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RATE.write(f, self.0, " ", &["rps"])
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SIZE.write(f, self.0 as f64, " ", &["GiB", "MiB", "KiB", "GB", "MB", "KB", "B"])
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Twelve digits are more than a file says and fewer than binary fractions betray.
        let percent = (self.0 * 1e14).round() / 1e12;
        write!(f, "{percent}%")
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BANDWIDTH.write(f, self.0 as f64, " ", &["Gbps", "Mbps", "Kbps", "bps"])
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", Duration(self.from), Duration(self.to))
    }
}

macro_rules! deserialize_from_text {
    ($($quantity:ty = $kind:expr),+ $(,)?) => { $(
        impl<'de> Deserialize<'de> for $quantity {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = deserializer.deserialize_str(TextVisitor(&$kind))?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+ };
}

deserialize_from_text! {
    Duration = DURATION,
    Rate = RATE,
    Size = SIZE,
    Share = SHARE,
    Bandwidth = BANDWIDTH,
    Spread = SPREAD,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanos(text: &str) -> u128 {
        text.parse::<Duration>().unwrap().0.as_nanos()
    }

    fn complaint<T: FromStr<Err = NotAQuantity> + fmt::Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err().to_string()
    }

    #[test]
    fn quantities_mean_what_they_say() {
        assert_eq!(nanos("250us"), 250_000);
        assert_eq!(nanos("0.1 us"), 100);
        assert_eq!(nanos("1.5s"), 1_500_000_000);
        assert_eq!(nanos("1m"), nanos("1min"));
        assert_eq!(nanos("2h"), 7_200_000_000_000);
        assert_eq!("200 rps".parse(), Ok(Rate(200.0)));
        assert_eq!("30/min".parse(), Ok(Rate(0.5)));
        assert_eq!("1 KiB".parse(), Ok(Size(1024)));
        assert_eq!("1.5 MB".parse(), Ok(Size(1_500_000)));
        assert_eq!("2%".parse(), Ok(Share(0.02)));
        assert_eq!("100 %".parse(), Ok(Share(1.0)));
        assert_eq!("10 Gbps".parse(), Ok(Bandwidth(10_000_000_000)));
        let spread: Spread = "25ms..250ms".parse().unwrap();
        assert_eq!((spread.from.as_millis(), spread.to.as_millis()), (25, 250));
    }

    #[test]
    fn complaints_name_the_text_and_the_way_out() {
        assert_eq!(complaint::<Duration>("5"), "`5` has no unit: write a duration such as `250us`");
        assert_eq!(
            complaint::<Duration>("5 sec"),
            "`5 sec` has the unit `sec`, which is none of ns, us, µs, ms, s, min, m, h: \
             write a duration such as `250us`"
        );
        assert_eq!(complaint::<Duration>("-1s"), "`-1s` is negative: write a duration such as `250us`");
        assert_eq!(complaint::<Duration>("fast"), "`fast` has no number: write a duration such as `250us`");
        assert_eq!(
            complaint::<Duration>("1.2.3s"),
            "`1.2.3s` has no number: write a duration such as `250us`"
        );
        assert_eq!(
            complaint::<Duration>("9999999999h"),
            "`9999999999h` is too large: write a duration such as `250us`"
        );
        assert_eq!(complaint::<Share>("150%"), "`150%` is over 100%: write a percentage such as `2%`");
        assert_eq!(complaint::<Bandwidth>("0 bps"), "`0 bps` is zero: write a bandwidth such as `10 Gbps`");
        assert_eq!(
            complaint::<Spread>("25ms"),
            "`25ms` has no `..`: write a range of durations such as `25ms..250ms`"
        );
        assert_eq!(
            complaint::<Spread>("2s..1s"),
            "`2s..1s` runs backwards: write a range of durations such as `25ms..250ms`"
        );
    }

    #[test]
    fn a_bare_number_in_a_file_is_refused_with_an_example() {
        #[derive(Debug, serde::Deserialize)]
        struct File {
            #[expect(dead_code, reason = "only the error is of interest")]
            timeout: Duration,
        }
        let error = toml::from_str::<File>("timeout = 5").unwrap_err().to_string();
        assert!(error.contains("expected a duration such as \"250us\""), "{error}");
        let error = toml::from_str::<File>("timeout = \"5\"").unwrap_err().to_string();
        assert!(error.contains("`5` has no unit"), "{error}");
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(nanos in 0_u64..1 << 50, bytes in 0_u64..1 << 50, bits in 1_u64..1 << 50) {
            let duration = Duration(std::time::Duration::from_nanos(nanos));
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
            prop_assert_eq!(Bandwidth(bits).to_string().parse(), Ok(Bandwidth(bits)));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<Duration>();
            let _ = text.parse::<Spread>();
            let _ = text.parse::<Share>();
        }
    }
}

//! How deadlines are written in header fields. Nothing here allocates; what is written is rounded down.

use std::time::Duration;

/// What a field's value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// What is left, as gRPC writes it: up to eight digits and a unit, one of `H`, `M`, `S`, `m`, `u` and `n`.
    Grpc,
    /// What is left, in whole milliseconds.
    Millis,
    /// An instant: milliseconds since 1970-01-01T00:00:00Z.
    UnixMillis,
}

/// gRPC's units, the finest first, with their nanoseconds.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// What eight digits can say.
const GRPC_MAX: u128 = 99_999_999;

impl Notation {
    /// The amount of time that `value` says; `None` when it is malformed. Zero is none left, though gRPC has no word
    /// for it.
    pub fn read(self, value: &[u8]) -> Option<Duration> {
        match self {
            Self::Grpc => {
                let (unit, digits) = value.split_last()?;
                let (_, nanos) = UNITS.iter().find(|(known, _)| known == unit)?;
                let amount = number(digits).filter(|_| digits.len() <= 8)?;
                let nanos = u128::from(amount) * nanos;
                Some(Duration::new((nanos / 1_000_000_000) as u64, (nanos % 1_000_000_000) as u32))
            }
            Self::Millis | Self::UnixMillis => number(value).map(Duration::from_millis),
        }
    }

    /// `amount` as the field's value: rounded down, for gRPC to the finest unit that eight digits can say it in.
    pub fn text(self, amount: Duration) -> Text {
        match self {
            Self::Grpc => {
                let nanos = amount.as_nanos();
                let (unit, length) =
                    UNITS.into_iter().find(|(_, length)| nanos / length <= GRPC_MAX).unwrap_or(UNITS[5]);
                Text::of((nanos / length).min(GRPC_MAX) as u64, Some(unit))
            }
            Self::Millis | Self::UnixMillis => {
                Text::of(u64::try_from(amount.as_millis()).unwrap_or(u64::MAX), None)
            }
        }
    }
}

/// Digits and nothing else, as far as 64 bits go.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// A short text that lives on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    bytes: [u8; Self::BYTES_MAX],
    start: usize,
}

impl Text {
    /// The digits of the largest number, and a unit.
    const BYTES_MAX: usize = 21;

    fn of(mut number: u64, unit: Option<u8>) -> Self {
        let mut text = Self { bytes: [0; Self::BYTES_MAX], start: Self::BYTES_MAX };
        if let Some(unit) = unit {
            text.prepend(unit);
        }
        loop {
            text.prepend(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                return text;
            }
        }
    }

    fn prepend(&mut self, byte: u8) {
        self.start -= 1;
        self.bytes[self.start] = byte;
    }

    /// Its bytes, all of them ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(notation: Notation, nanos: u128) -> String {
        let amount = Duration::new((nanos / 1_000_000_000) as u64, (nanos % 1_000_000_000) as u32);
        String::from_utf8(notation.text(amount).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn grpc_takes_the_finest_unit_that_fits() {
        for (nanos, expected) in [
            (0, "0n"),
            (99_999_999, "99999999n"),
            (100_000_000, "100000u"),
            (2_000_000_000, "2000000u"),
            (99_999_999_999, "99999999u"),
            (100_000_000_000, "100000m"),
            (100_000_000_000_000, "100000S"),
            (99_999_999 * 60_000_000_000 + 1, "99999999M"),
            (100_000_000 * 60_000_000_000, "1666666H"),
            (u128::from(u64::MAX) * 1_000_000_000, "99999999H"),
        ] {
            assert_eq!(text(Notation::Grpc, nanos), expected, "{nanos}");
        }
        assert_eq!(text(Notation::Millis, 1_999_999), "1");
        assert_eq!(text(Notation::UnixMillis, 1_767_225_600_000 * 1_000_000), "1767225600000");
        assert_eq!(text(Notation::Millis, u128::from(u64::MAX) * 1_000_000_000), u64::MAX.to_string());
    }

    #[test]
    fn only_what_the_notation_knows_is_read() {
        let hour = Duration::from_hours(1);
        for (value, expected) in [
            ("1H", Some(hour)),
            ("60M", Some(hour)),
            ("3600S", Some(hour)),
            ("3600000m", Some(hour)),
            ("00000001u", Some(Duration::from_micros(1))),
            ("0n", Some(Duration::ZERO)),
            ("000000001S", None),
            ("S", None),
            ("", None),
            ("1", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            ("1 S", None),
            ("1.5S", None),
            ("1SS", None),
        ] {
            assert_eq!(Notation::Grpc.read(value.as_bytes()), expected, "{value}");
        }
        for (value, expected) in [
            ("1500", Some(Duration::from_millis(1_500))),
            ("0", Some(Duration::ZERO)),
            ("18446744073709551615", Some(Duration::from_millis(u64::MAX))),
            ("18446744073709551616", None),
            ("", None),
            ("1.5", None),
            ("-1", None),
            ("1ms", None),
        ] {
            assert_eq!(Notation::Millis.read(value.as_bytes()), expected, "{value}");
            assert_eq!(Notation::UnixMillis.read(value.as_bytes()), expected, "{value}");
        }
    }

    proptest! {
        /// What is written is read again, less what the unit cannot say, and is never more.
        #[test]
        fn a_round_trip_loses_less_than_a_unit(exponent in 0_u32..62, low in 0_u64..1 << 62) {
            let nanos = low >> exponent;
            let amount = Duration::from_nanos(nanos);
            for (notation, unit) in [(Notation::Millis, 1_000_000), (Notation::UnixMillis, 1_000_000)] {
                let read = notation.read(notation.text(amount).as_bytes()).unwrap();
                prop_assert!(read <= amount && amount.saturating_sub(read) < Duration::from_nanos(unit));
            }
            let text = Notation::Grpc.text(amount);
            let (unit, digits) = text.as_bytes().split_last().unwrap();
            prop_assert!((1..=8).contains(&digits.len()), "the specification allows eight digits");
            let (_, length) = UNITS.into_iter().find(|(known, _)| known == unit).unwrap();
            let read = Notation::Grpc.read(text.as_bytes()).unwrap();
            prop_assert!(read <= amount && amount.saturating_sub(read).as_nanos() < length);
        }

        #[test]
        fn no_value_panics(value in proptest::collection::vec(any::<u8>(), 0..24)) {
            for notation in [Notation::Grpc, Notation::Millis, Notation::UnixMillis] {
                let _ = notation.read(&value);
            }
        }
    }
}

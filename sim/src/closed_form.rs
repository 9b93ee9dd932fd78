//! Judges a figure against a value that mathematics knows, by the figure's 95 % interval, so that no seed has to be
//! chosen. Reads no record: what is judged is handed in.
//!
//! It *holds* when all of the interval is within the tolerance about the value, or when the interval contains the value
//! and reaches at most `within` of the value to either side of the figure. It *fails* when the interval and what lies
//! within the tolerance have nothing in common: the truth is then further away than is tolerated. Everything else
//! *cannot be judged*: there is no interval, it is too wide, or it excludes the value and reaches beyond what is
//! tolerated.

use crate::record::Interval;

/// A value that is known, and how far from it is all right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClosedForm {
    /// The value, in the figure's unit.
    pub value: f64,
    /// How much of the value: 0.02 for 2 %.
    pub within: f64,
}

/// How a figure compares with a value that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Judged {
    Holds,
    Fails,
    /// The sample does not tell; so many times as many requests would, where that is known.
    Open {
        takes: Option<f64>,
    },
}

impl ClosedForm {
    /// How `figure`, which the sample may not carry, and its `interval`, which it may not have, compare with the value.
    pub(crate) fn judge(&self, figure: Option<f64>, interval: Option<Interval>) -> Judged {
        let (Some(figure), Some(interval)) = (figure, interval) else { return Judged::Open { takes: None } };
        let tolerated = self.value.abs() * self.within;
        let reach = (interval.high - figure).max(figure - interval.low);
        let (low, high) = (interval.low - self.value, interval.high - self.value);
        if low > tolerated || high < -tolerated {
            return Judged::Fails;
        }
        let is_tolerated = low >= -tolerated && high <= tolerated;
        let is_around = low <= 0.0 && high >= 0.0 && reach <= tolerated;
        if is_tolerated || is_around {
            return Judged::Holds;
        }
        // Intervals shrink with the root of the sample; one that is narrow and excludes the value takes a half.
        let wanted = reach.min(tolerated) / if reach <= tolerated { 2.0 } else { 1.0 };
        let takes = (tolerated > 0.0 && wanted > 0.0).then(|| (reach / wanted).powi(2).max(1.0));
        Judged::Open { takes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(figure: f64, low: f64, high: f64) -> Judged {
        ClosedForm { value: 50.0, within: 0.02 }.judge(Some(figure), Some(Interval::between(low, high)))
    }

    #[test]
    fn an_interval_holds_fails_or_does_not_tell() {
        assert_eq!(judged(50.4, 49.6, 51.2), Judged::Holds);
        assert_eq!(judged(52.0, 51.1, 52.9), Judged::Fails);
        assert_eq!(judged(47.0, 45.1, 48.9), Judged::Fails);
        assert_eq!(
            judged(50.5, 50.1, 50.9),
            Judged::Holds,
            "the value is excluded, and all that is left is near to it"
        );
        assert_eq!(judged(50.5, 48.5, 52.5), Judged::Open { takes: Some(4.0) }, "too wide");
        assert_eq!(judged(50.8, 50.3, 51.3), Judged::Open { takes: Some(4.0) }, "excluded, but tolerated");
    }

    #[test]
    fn without_an_interval_there_is_no_judgement() {
        let form = ClosedForm { value: 50.0, within: 0.02 };
        assert_eq!(form.judge(Some(50.0), None), Judged::Open { takes: None });
        assert_eq!(form.judge(None, None), Judged::Open { takes: None });
    }

    #[test]
    fn what_is_exact_holds_without_width() {
        let form = ClosedForm { value: 50.0, within: 0.0 };
        let point = |at: f64| form.judge(Some(at), Some(Interval::between(at, at)));
        assert_eq!((point(50.0), point(50.1)), (Judged::Holds, Judged::Fails));
    }
}

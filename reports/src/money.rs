//! What each architecture costs in money, at the scenario's prices. Not here: what money is counted for
//! ([`hoplab_sim::record::Prices`]).

use hoplab_sim::record::{Architecture, Money, Prices, Record};

/// The prices of the scenario, and what each of the architectures costs, in their order; `None` where there are no prices.
pub(crate) fn of(record: &Record) -> Option<(&Prices, Vec<(&str, Money)>)> {
    let prices = record.prices.as_ref()?;
    let money = record.architectures.iter().map(|(name, seen)| (name.as_str(), spent(record, prices, seen)));
    Some((prices, money.collect()))
}

/// What one architecture costs.
pub(crate) fn spent(record: &Record, prices: &Prices, seen: &Architecture) -> Money {
    let seconds = record.duration_us.saturating_sub(record.warmup_us) as f64 / 1e6 * record.runs() as f64;
    let sent = seen.total.requests.sent;
    // Records of older hoplabs know no better.
    prices.money(&seen.resources, seconds, sent, seen.at_gateway.unwrap_or(sent))
}

/// An amount to three digits, without its currency.
pub(crate) fn amount(value: f64) -> String {
    let digits = if value > 0.0 { value.log10().floor() as i32 + 1 } else { 1 };
    let decimals = usize::try_from(3 - digits).unwrap_or(0).min(6);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits() {
        for (value, text) in
            [(0.0, "0.00"), (0.001_234, "0.00123"), (1.236, "1.24"), (45.67, "45.7"), (1_234.5, "1234")]
        {
            assert_eq!(amount(value), text);
        }
    }
}

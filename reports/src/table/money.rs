//! The grid that says what each architecture costs in money.

use hoplab_sim::record::Record;

use super::{Grid, printable};
use crate::money::{self, amount};

/// What each architecture costs; `None` where the scenario has no prices.
pub(super) fn rows(record: &Record) -> Option<Grid> {
    let (prices, all) = money::of(record)?;
    let mut rows = vec![["", "an hour", "a million requests"].map(str::to_owned).to_vec()];
    for (name, money) in all {
        let million = money.million_requests.map_or_else(|| "–".to_owned(), amount);
        rows.push(vec![printable(name), amount(money.hour), million]);
    }
    Some((format!("What it costs in {}, at the prices of the scenario", prices.currency), rows))
}

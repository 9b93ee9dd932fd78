//! The grid that says what each phase of an adoption gained and cost over the one before it.

use hoplab_sim::figures::Figure;
use hoplab_sim::record::Record;

use super::{Grid, printable};
use crate::adoption::{Step, steps};
use crate::column;
use crate::format::{bytes, count};
use crate::money::amount;

/// The phases; `None` where there are none.
pub(crate) fn rows(record: &Record) -> Option<Grid> {
    let steps = steps(record);
    if steps.is_empty() {
        return None;
    }
    let currency = record.prices.as_ref().map(|prices| format!("{} an hour", prices.currency));
    let mut head =
        ["", "is", "over", "saved", "lost", "median", "p99", "cores", "memory"].map(str::to_owned).to_vec();
    head.extend(currency);
    let mut rows = vec![head];
    let medians = differences(&steps, |step| step.median_us);
    let p99s = differences(&steps, |step| step.p99_us);
    let cores =
        column::figures(Figure::Cores, &steps.iter().map(|step| Some(step.cores.abs())).collect::<Vec<_>>());
    for (index, step) in steps.iter().enumerate() {
        let mut row = vec![
            printable(step.name),
            record.phases.get(step.name).map(|is| printable(is)).unwrap_or_default(),
            printable(step.before),
            count(step.paired.total.saved),
            count(step.paired.total.lost),
            medians[index].clone(),
            p99s[index].clone(),
            more(step.cores, cores[index].clone()),
            more(step.memory as f64, bytes(step.memory.unsigned_abs())),
        ];
        row.extend(step.hour.map(|hour| more(hour, amount(hour.abs()))));
        rows.push(row);
    }
    let title = "Phase by phase, each over the one before: requests saved and lost, response times while all is well, what it takes";
    Some((title.to_owned(), rows))
}

/// What is more or less by so much, whose amount is `text`.
fn more(by: f64, text: String) -> String {
    match by {
        _ if by > 0.0 => format!("+{text}"),
        _ if by < 0.0 => format!("−{text}"),
        _ => text,
    }
}

fn differences(steps: &[Step<'_>], of: fn(&Step<'_>) -> Option<i64>) -> Vec<String> {
    column::differences(&steps.iter().map(|step| of(step).map(|us| us as f64)).collect::<Vec<_>>())
}

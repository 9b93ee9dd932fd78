//! The figures of a sweep as CSV: one file for its points, one for what was searched.

use hoplab_sim::sweep::record::{Axis, Figure, Sweep};

use crate::data::{File, Row, file};
use crate::outcomes::Outcomes;

/// Every file of a sweep.
pub(super) fn files(sweep: &Sweep) -> Result<Vec<File>, csv::Error> {
    let mut files = Vec::new();
    if !sweep.points.is_empty() {
        files.push(file("sweep.csv", points(sweep))?);
    }
    if sweep.search.is_some() {
        files.push(file("search.csv", tries(sweep))?);
    }
    Ok(files)
}

fn head(sweep: &Sweep, columns: &[&str]) -> Row {
    let keys = sweep.axes.iter().map(|axis| axis.key.clone());
    keys.chain(columns.iter().map(|&column| column.to_owned())).collect()
}

/// A cell an axis; an empty one where the axis was searched along.
fn settings(sweep: &Sweep, places: impl IntoIterator<Item = Option<usize>>) -> Row {
    let label = |(axis, place): (&Axis, Option<usize>)| {
        place.map_or_else(String::new, |place| axis.labels[place].clone())
    };
    sweep.axes.iter().zip(places).map(label).collect()
}

fn points(sweep: &Sweep) -> Vec<Row> {
    let columns = [
        "architecture",
        "sent",
        "offered_rps",
        "goodput_rps",
        "error_rate",
        "amplification",
        "mean_us",
        "p50_us",
        "p90_us",
        "p99_us",
        "p99_us_low",
        "p99_us_high",
        "p999_us",
        "expectations",
        "held",
        "cannot_be_judged",
        "seeds",
        "seeds_held",
    ];
    let mut rows = vec![head(sweep, &columns)];
    let said = |figure: Option<f64>| figure.map_or_else(String::new, |value| value.to_string());
    let value = |figure: Option<Figure>| said(figure.map(|figure| figure.value));
    for point in &sweep.points {
        for (name, figures) in &point.architectures {
            let interval = figures.p99_us.and_then(|figure| figure.interval);
            let outcomes = Outcomes::of(&figures.expectations);
            let mut row = settings(sweep, point.places.iter().copied().map(Some));
            row.extend([
                name.clone(),
                figures.requests.sent.to_string(),
                figures.offered_rps.to_string(),
                figures.goodput_rps.to_string(),
                value(figures.error_rate),
                said(figures.amplification),
                value(figures.mean_us),
                value(figures.p50_us),
                value(figures.p90_us),
                value(figures.p99_us),
                said(interval.map(|interval| interval.low)),
                said(interval.map(|interval| interval.high)),
                value(figures.p999_us),
                outcomes.all().to_string(),
                outcomes.hold.to_string(),
                outcomes.unjudged.to_string(),
                sweep.seeds.to_string(),
                figures.in_seeds.map_or_else(String::new, |seeds| seeds.hold.to_string()),
            ]);
            rows.push(row);
        }
    }
    rows
}

fn tries(sweep: &Sweep) -> Vec<Row> {
    let mut rows = vec![head(sweep, &["architecture", "value", "number", "holds", "outcome", "unmet", "of"])];
    for found in sweep.search.iter().flat_map(|search| &search.found) {
        let (tries, grid) = (found.tries.iter(), found.grid.iter());
        for (tried, of) in tries.map(|tried| (tried, "search")).chain(grid.map(|point| (point, "grid"))) {
            let mut row = settings(sweep, found.places.iter().copied());
            let holds = tried.holds.to_string();
            row.extend([
                found.architecture.clone(),
                tried.value.clone(),
                tried.number.to_string(),
                holds,
                tried.outcome.name().to_owned(),
                tried.unmet.clone(),
                of.to_owned(),
            ]);
            rows.push(row);
        }
    }
    rows
}

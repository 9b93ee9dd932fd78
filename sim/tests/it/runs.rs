//! Runs of scenarios for tests, from their texts.

use std::sync::Arc;

use hoplab_sim::record::Record;
use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::plan::Source;
use hoplab_sim::scenario::{self, Overrides};

/// What a run of the scenario `text` leaves.
pub(crate) fn run(text: &str) -> Record {
    let source = Source { path: "test.toml".to_owned(), text: text.to_owned() };
    let plan =
        scenario::parse(&[source], &Overrides::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let plan = Arc::new(plan);
    run::run(&plan, &Progress::new(&plan))
}

//! What a drawn run shows: what was broken, and what was exercised.

use serde::{Deserialize, Serialize};

use super::Drawn;
use super::coverage::Exercised;
use crate::batch::Panicked;
use crate::record::Record;

/// What a run with drawn faults shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The seed.
    pub seed: u64,
    /// The run's digest; empty when it panicked.
    pub digest: String,
    /// Its faults, those of the scenario first.
    pub faults: Vec<DrawnFault>,
    /// What did not hold: invariants first.
    pub broken: Vec<Broken>,
    /// What was exercised.
    pub exercised: Exercised,
}

/// A fault of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrawnFault {
    /// Its name.
    pub name: String,
    /// What it does, in words.
    pub text: String,
    /// Whether it was drawn.
    pub is_drawn: bool,
    /// The architectures under which it touched nothing, though they have what it is aimed at.
    pub untouched: Vec<String>,
}

impl DrawnFault {
    /// Whether it touched nothing in one of `architectures`.
    pub(super) fn untouched_in(&self, architectures: &[String]) -> bool {
        self.untouched.iter().any(|name| architectures.contains(name))
    }
}

impl Seen {
    /// The panic that ended it, if one did.
    pub fn panicked(&self) -> Option<&Broken> {
        self.broken.iter().find(|broken| broken.kind == RuleKind::Panic)
    }
}

/// Something that did not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// The invariant's name, `panic`, or the expectation.
    pub rule: String,
    /// What kind of rule it is.
    pub kind: RuleKind,
    /// Under which architecture.
    pub architecture: String,
    /// What was seen.
    pub text: String,
}

/// A kind of rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    /// No simulation panics.
    Panic,
    /// What must hold of any run.
    Invariant,
    /// What the scenario expects.
    Expectation,
}

impl Broken {
    /// The invariant, if it is one.
    pub(super) fn invariant(&self) -> Option<&str> {
        (self.kind == RuleKind::Invariant).then_some(&*self.rule)
    }
}

/// What the run of `drawn` shows, of which the first `written` faults are the scenario's own.
pub(super) fn judge(written: usize, drawn: &Drawn, result: &Result<Record, Panicked>) -> Seen {
    let plan = &*drawn.plan;
    let faults = plan.faults.iter().enumerate().map(|(index, fault)| DrawnFault {
        name: fault.name.clone(),
        text: fault.kind.in_words(&plan.services),
        is_drawn: index >= written,
        untouched: untouched(&fault.name, result),
    });
    let (digest, broken) = match result {
        Ok(record) => (record.digest.clone(), broken(record)),
        Err(panicked) => (String::new(), vec![panic(panicked)]),
    };
    let exercised = Exercised::of(plan, result.as_ref().ok());
    Seen { seed: drawn.seed, digest, faults: faults.collect(), broken, exercised }
}

fn panic(panicked: &Panicked) -> Broken {
    Broken {
        rule: "panic".to_owned(),
        kind: RuleKind::Panic,
        architecture: panicked.architecture.clone(),
        text: panicked.text(),
    }
}

fn untouched(fault: &str, result: &Result<Record, Panicked>) -> Vec<String> {
    let Ok(record) = result else { return Vec::new() };
    let its = record.untouched_faults().into_iter().filter(|untouched| untouched.fault == fault);
    its.flat_map(|untouched| untouched.under).map(str::to_owned).collect()
}

/// Everything that did not hold in a run, invariants first.
fn broken(record: &Record) -> Vec<Broken> {
    let mut all = Vec::new();
    for (architecture, seen) in &record.architectures {
        all.extend(seen.violations.iter().map(|found| Broken {
            rule: found.invariant.clone(),
            kind: RuleKind::Invariant,
            architecture: architecture.clone(),
            text: found.first.first().cloned().unwrap_or_default(),
        }));
        let failed = seen.expectations.iter().filter(|expectation| expectation.fails());
        all.extend(failed.map(|expectation| Broken {
            rule: expectation.text.clone(),
            kind: RuleKind::Expectation,
            architecture: architecture.clone(),
            text: expectation.seen_text.clone(),
        }));
    }
    all.sort_by_key(|broken| broken.kind);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::explore::Exploration;
    use crate::scenario::plan::Source;
    use crate::scenario::{Overrides, parse};

    #[test]
    fn a_panic_is_a_broken_rule_and_the_same_seed_draws_the_same() {
        let text = "[scenario]\nduration = \"60s\"\n[compare]\narchitectures = [\"gateway\"]\n\
                    [services.first]\nreplicas = 2\nendpoints.get.steps = [{ work = \"1ms\" }]\n\
                    [load.all]\nrate = \"1 rps\"\nmix = { \"first.get\" = 1 }";
        let source = Source { path: "it.toml".to_owned(), text: text.to_owned() };
        let plan =
            Arc::new(parse(&[source], &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}")));
        let exploration = Exploration::of(&plan).unwrap_or_else(|wrong| panic!("{wrong}"));
        let mut sides = BTreeSet::new();
        for seed in 1..=300 {
            let drawn = exploration.draw(seed).unwrap_or_else(|wrong| panic!("{wrong}"));
            assert!((1..=3).contains(&drawn.plan.faults.len()));
            let settled = drawn.plan.faults.iter().map(|fault| fault.at + fault.lasts).max();
            assert!(settled.is_some_and(|settled| settled + plan.invariants.settle < plan.duration));
            let again = exploration.draw(seed).unwrap_or_else(|wrong| panic!("{wrong}"));
            assert_eq!(drawn.draft.text(), again.draft.text());
            for side in ["\"client\"", "\"gateway\"", "reader = \"client\""] {
                sides.extend(drawn.draft.text().contains(side).then_some(side));
            }
        }
        assert_eq!(sides.len(), 3, "clients and the gateway are drawn: {sides:?}");
        let drawn = exploration.draw(7).unwrap_or_else(|wrong| panic!("{wrong}"));
        let panicked = Panicked {
            architecture: "gateway".to_owned(),
            seed: 7,
            pod: Some("first-0".to_owned()),
            place: "sim/src/it.rs:1:2".to_owned(),
            message: "a bug,\n  and more".to_owned(),
        };
        assert_eq!(
            panicked.to_string(),
            "first-0 panicked at sim/src/it.rs:1:2: a bug, and more (under gateway, seed 7)"
        );
        let seen = exploration.judge(&drawn, &Err(panicked));
        let broken = &seen.broken[0];
        assert_eq!((&*broken.rule, broken.kind), ("panic", RuleKind::Panic));
        assert_eq!(broken.text, "first-0 panicked at sim/src/it.rs:1:2: a bug, and more");
        assert!(seen.faults.iter().all(|fault| fault.is_drawn));
    }
}

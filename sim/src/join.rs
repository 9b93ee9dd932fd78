//! Joins the records of several seeds into one, which says what a single run of all their requests would
//! say: counters and histograms are summed, means are weighed, and the spread between the seeds gives
//! the intervals. What shows single moments (breakers' changes, single decisions, the slowest requests)
//! is the first seed's. The order of the records decides on nothing but what is first.

mod sums;

use indexmap::IndexMap;

use crate::expect;
use crate::journal::Journal;
use crate::record::{Architecture, Expectation, Outcome, Paired, Phase, Record, Seeds, Traffic, Window};
use crate::scenario::plan::Plan;
use crate::scenario::{self, Overrides};
use crate::statistics::Resamples;

/// Why records do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// There is none.
    #[error("there is no record to join")]
    Nothing,
    /// They are of different scenarios, scales or architectures.
    #[error("the record of seed {seed} is of another scenario, scale or list of architectures")]
    Scenario {
        /// Whose record it is.
        seed: u64,
    },
    /// A seed is missing, or there twice.
    #[error("the record of seed {seed} is not there, or there twice")]
    Seed {
        /// Which.
        seed: u64,
    },
}

/// What of a record is worth keeping when others are joined to it: single moments are left to the `first`.
pub fn kept(record: Record, first: bool) -> Record {
    if first {
        return record;
    }
    let kept = |(name, mut seen): (String, Architecture)| {
        seen.breakers_left_out += seen.breakers.len() as u64;
        seen.policies_left_out += seen.policies.len() as u64;
        let (breakers, policies, slowest) = (Vec::new(), Vec::new(), Vec::new());
        (name, Architecture { breakers, policies, slowest, ..seen })
    };
    let architectures = record.architectures.into_iter().map(kept).collect();
    Record { architectures, ..record }
}

/// Joins the records of consecutive seeds, given in their order, each as [`kept`] leaves it.
pub fn join(records: Vec<Record>) -> Result<Record, Mismatch> {
    let first = records.first().ok_or(Mismatch::Nothing)?;
    for (record, seed) in records.iter().zip(first.seed..) {
        let alike = record.sources == first.sources
            && (record.scale - first.scale).abs() < f64::EPSILON
            && record.architectures.keys().eq(first.architectures.keys());
        if !alike {
            return Err(Mismatch::Scenario { seed: record.seed });
        }
        if record.seed != seed {
            return Err(Mismatch::Seed { seed });
        }
    }
    let resamples = Resamples::draw(first.seed, records.len());
    let names: Vec<String> = first.architectures.keys().cloned().collect();
    let seeds: Vec<u64> = records.iter().map(|record| record.seed).collect();
    let plan = plan_of(first);
    let architectures: IndexMap<String, Architecture> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let all: Vec<&Architecture> = records.iter().map(|record| &record.architectures[name]).collect();
            let mut joined = architecture(&all, &resamples);
            let together =
                plan.as_ref().map(|plan| expect::judge_together(plan, index, &joined, seeds.len() as u64));
            joined.expectations = expectations(&all, &seeds, &together.unwrap_or_default());
            (name.clone(), joined)
        })
        .collect();
    let joined = |of: fn(&Record) -> &IndexMap<String, Paired>| -> IndexMap<String, Paired> {
        let joined = of(first).keys().map(|name| {
            let all: Vec<&Paired> = records.iter().filter_map(|record| of(record).get(name)).collect();
            (name.clone(), paired(&all, &resamples))
        });
        joined.collect()
    };
    let (paired, adoption) = (joined(|record| &record.paired), joined(|record| &record.adoption));
    let digests: Vec<String> = records.iter().map(|record| record.digest.clone()).collect();
    let digest = Journal::digest_of(digests.iter().map(|digest| ("seed", digest.as_str())));
    let first = records.into_iter().next().ok_or(Mismatch::Nothing)?;
    Ok(Record { digest, seeds: Some(Seeds { digests }), architectures, paired, adoption, ..first })
}

/// What was run, as the record has its text.
fn plan_of(record: &Record) -> Option<Plan> {
    let overrides = Overrides {
        architectures: Some(record.architectures.keys().cloned().collect()),
        seed: Some(record.seed),
        scale: record.scale,
    };
    scenario::parse(&record.sources, &overrides).ok()
}

fn architecture(all: &[&Architecture], resamples: &Resamples) -> Architecture {
    let first = all[0];
    let traffic = |of: &dyn Fn(&Architecture) -> Option<&Traffic>| {
        let all: Vec<&Traffic> = all.iter().filter_map(|seen| of(seen)).collect();
        sums::traffic(&all, resamples)
    };
    let digests = all.iter().map(|seen| ("seed", seen.digest.as_str()));
    let served = |seen: &Architecture| seen.total.latency.count;
    let weighed: Vec<_> = all.iter().map(|seen| (served(seen), &seen.breakdown_us)).collect();
    let failed = all.iter().map(|seen| (seen.total.failed_latency.count, &seen.failed_breakdown_us));
    let failed: Vec<_> = failed.collect();
    let total = traffic(&|seen| Some(&seen.total));
    let endpoints = first.endpoints.keys();
    let endpoints = endpoints.map(|name| (name.clone(), traffic(&|seen| seen.endpoints.get(name)))).collect();
    let phases = first.phases.keys().map(|name| {
        let all: Vec<&Phase> = all.iter().filter_map(|seen| seen.phases.get(name)).collect();
        (name.clone(), phase(&all, resamples))
    });
    let left_out = |of: fn(&Architecture) -> u64| all.iter().map(|seen| of(seen)).sum();
    Architecture {
        digest: Journal::digest_of(digests),
        total,
        endpoints,
        phases: phases.collect(),
        breakdown_us: sums::means(&weighed),
        failed_breakdown_us: sums::means(&failed),
        hops: sums::hops(all.iter().map(|seen| (served(seen), &seen.hops[..]))),
        edges: sums::edges(all.iter().map(|seen| &seen.edges)),
        pods: sums::pods(all.iter().map(|seen| &seen.pods)),
        breakers: first.breakers.clone(),
        breakers_left_out: left_out(|seen| seen.breakers_left_out),
        breakers_cut_us: first.breakers_cut_us,
        changes: sums::changes(all.iter().map(|seen| &seen.changes[..])),
        policies: first.policies.clone(),
        policies_left_out: left_out(|seen| seen.policies_left_out),
        policies_cut_us: first.policies_cut_us,
        decisions: sums::decisions(all.iter().map(|seen| &seen.decisions[..])),
        decisions_in_warmup: sums::decisions(all.iter().map(|seen| &seen.decisions_in_warmup[..])),
        violations: sums::violations(all.iter().map(|seen| &seen.violations[..])),
        work: sums::work(all.iter().map(|seen| &seen.work)),
        resources: sums::resources(all.iter().map(|seen| &seen.resources)),
        at_gateway: all.iter().map(|seen| seen.at_gateway).sum(),
        without_sidecar: first.without_sidecar.clone(),
        network: sums::network(all.iter().map(|seen| &seen.network)),
        faults: sums::faults(all.iter().map(|seen| &seen.faults[..])),
        windows: windows(all.iter().map(|seen| &seen.windows)),
        endpoint_windows: endpoint_windows(all),
        expectations: Vec::new(),
        slowest: first.slowest.clone(),
        effort: sums::effort(all.iter().map(|seen| seen.effort)),
    }
}

fn phase(all: &[&Phase], resamples: &Resamples) -> Phase {
    let first = all[0];
    let traffic = |of: &dyn Fn(&Phase) -> Option<&Traffic>| {
        let all: Vec<&Traffic> = all.iter().filter_map(|seen| of(seen)).collect();
        sums::traffic(&all, resamples)
    };
    let weighed: Vec<_> = all.iter().map(|seen| (seen.total.latency.count, &seen.breakdown_us)).collect();
    let endpoints = first.endpoints.keys();
    Phase {
        from_us: first.from_us,
        until_us: first.until_us,
        total: traffic(&|seen| Some(&seen.total)),
        endpoints: endpoints.map(|name| (name.clone(), traffic(&|seen| seen.endpoints.get(name)))).collect(),
        breakdown_us: sums::means(&weighed),
        edges: sums::edges(all.iter().map(|seen| &seen.edges)),
        work: sums::work(all.iter().map(|seen| &seen.work)),
        pods: sums::pods(all.iter().map(|seen| &seen.pods)),
        decisions: sums::decisions(all.iter().map(|seen| &seen.decisions[..])),
    }
}

fn windows<'a>(of_seeds: impl Iterator<Item = &'a Vec<Window>>) -> Vec<Window> {
    let of_seeds: Vec<_> = of_seeds.collect();
    let most = of_seeds.iter().map(|windows| windows.len()).max().unwrap_or(0);
    let joined = |index: usize| {
        let windows: Vec<&Window> = of_seeds.iter().filter_map(|windows| windows.get(index)).collect();
        sums::window(&windows)
    };
    (0..most).map(joined).collect()
}

fn endpoint_windows(all: &[&Architecture]) -> IndexMap<String, Vec<Window>> {
    let of = |name: &String| {
        let of_seeds = all.iter().filter_map(|seen| seen.endpoint_windows.get(name));
        (name.clone(), windows(of_seeds))
    };
    all[0].endpoint_windows.keys().map(of).collect()
}

/// An expectation fails when it does in a seed; what was seen is then that of the seed furthest from holding. Where
/// the runs of single seeds are too short to judge it, and none fails, all of them `together` decide.
fn expectations(all: &[&Architecture], seeds: &[u64], together: &[Expectation]) -> Vec<Expectation> {
    let joined = |index: usize| {
        let of_seeds: Vec<&Expectation> = all.iter().map(|seen| &seen.expectations[index]).collect();
        let seeds_with = |outcome: Outcome| -> Vec<u64> {
            let with = of_seeds.iter().zip(seeds).filter(|(seen, _)| seen.outcome == outcome);
            with.map(|(_, seed)| *seed).collect()
        };
        let failed_in = seeds_with(Outcome::Fails);
        let unjudged_in = seeds_with(Outcome::CannotBeJudged);
        let decides = match together.get(index) {
            Some(together) if failed_in.is_empty() && !unjudged_in.is_empty() => together,
            _ => of_seeds[sums::worst(&of_seeds)],
        };
        Expectation { failed_in, unjudged_in, ..decides.clone() }
    };
    (0..all[0].expectations.len()).map(joined).collect()
}

fn paired(all: &[&Paired], resamples: &Resamples) -> Paired {
    let first = all[0];
    let joined = |of: &dyn Fn(&Paired) -> Option<&crate::record::Difference>| {
        let all: Vec<_> = all.iter().filter_map(|paired| of(paired)).collect();
        sums::difference(&all, resamples)
    };
    let phases = first.phases.keys();
    let endpoints = first.endpoints.keys();
    Paired {
        baseline: first.baseline.clone(),
        total: joined(&|paired| Some(&paired.total)),
        phases: phases.map(|name| (name.clone(), joined(&|paired| paired.phases.get(name)))).collect(),
        endpoints: endpoints
            .map(|name| (name.clone(), joined(&|paired| paired.endpoints.get(name))))
            .collect(),
    }
}

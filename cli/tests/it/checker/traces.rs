//! The requests of a run as they were traced: runs again what a record was made of, under each architecture and with
//! each seed, and keeps every request whole. Owns how a run is cut into parts and windows; adds nothing up.

use std::ops::Range;
use std::sync::Arc;

use hoplab_sim::lens::{Lens, Request, Seen, Wanted};
use hoplab_sim::run::{self, Progress};
use hoplab_sim::scenario::plan::Source;
use hoplab_sim::scenario::{self, Overrides};
use serde_json::Value;

use super::packets;

/// Everything that was asked for in a run.
pub(super) struct Traces {
    pub(super) frame: Frame,
    pub(super) architectures: Vec<Architecture>,
}

/// How the run is cut.
pub(super) struct Frame {
    pub(super) seeds: u64,
    pub(super) warmup: u64,
    pub(super) end: u64,
    pub(super) window: u64,
    /// The parts of the run by name: `steady`, each fault, `recovery`.
    pub(super) parts: Vec<(String, Range<u64>)>,
}

/// The requests under one architecture.
pub(super) struct Architecture {
    pub(super) name: String,
    pub(super) requests: Vec<Asked>,
    /// What became of packets after the warm-up.
    pub(super) network: packets::Edges,
}

/// A request, and which of the seeds its run had.
pub(super) struct Asked {
    pub(super) seed: usize,
    pub(super) request: Request,
}

impl Traces {
    /// Of the run that left `record`. Times are nanoseconds.
    pub(super) fn of(record: &Value) -> Self {
        let first = record["seed"].as_u64().unwrap();
        let seeds = record["seeds"]["digests"].as_array().map_or(1, Vec::len) as u64;
        let frame = Frame::of(record, seeds);
        let names = record["architectures"].as_object().unwrap().keys();
        let architectures = names.map(|name| {
            let (mut requests, mut network) = (Vec::new(), packets::Edges::new());
            for (index, seed) in (0..seeds as usize).zip(first..) {
                let seen = look(record, name, seed);
                packets::add(&mut network, &seen.pods, &seen.packets, &frame.reported());
                requests.extend(seen.requests.into_iter().map(|request| Asked { seed: index, request }));
            }
            Architecture { name: name.clone(), requests, network }
        });
        Self { architectures: architectures.collect(), frame }
    }
}

/// The requests under an architecture with a seed, all of them, and all packets.
fn look(record: &Value, architecture: &str, seed: u64) -> Seen {
    let sources = record["sources"].as_array().unwrap().iter().map(|source| Source {
        path: source["path"].as_str().unwrap().to_owned(),
        text: source["text"].as_str().unwrap().to_owned(),
    });
    let sources: Vec<Source> = sources.collect();
    let overrides = Overrides {
        architectures: Some(vec![architecture.to_owned()]),
        seed: Some(seed),
        scale: record["scale"].as_f64().unwrap(),
    };
    let plan = scenario::parse(&sources, &overrides).unwrap_or_else(|problems| panic!("{problems}"));
    let plan = Arc::new(plan);
    let lens = Lens { requests: Some(Wanted::All), packets: usize::MAX, ..Lens::default() };
    let (seen, looked) = run::look(&plan, 0, &lens, &Progress::new(&plan)).unwrap();
    let recorded = &record["architectures"][architecture]["digest"];
    assert!(record["seeds"].is_object() || seen.digest == *recorded, "another run than the recorded one");
    looked
}

impl Frame {
    fn of(record: &Value, seeds: u64) -> Self {
        let nanos = |value: &Value| value.as_u64().unwrap() * 1_000;
        let (warmup, end) = (nanos(&record["warmup_us"]), nanos(&record["duration_us"]));
        let faults = record["faults"].as_array().unwrap().iter().map(|fault| {
            let from = nanos(&fault["at_us"]);
            (fault["name"].as_str().unwrap().to_owned(), from..from + nanos(&fault["for_us"]))
        });
        let faults: Vec<(String, Range<u64>)> = faults.collect();
        let together = together(&faults);
        let first = together.first().map_or(end, |(_, of)| of.start);
        let last = together.last().map_or(end, |(_, of)| of.end);
        let mut parts = vec![("steady".to_owned(), 0..first)];
        parts.extend(faults);
        parts.extend(together.iter().filter(|(name, _)| name.contains(" + ")).cloned());
        for pair in together.windows(2) {
            parts.push((format!("after {}", pair[0].0), pair[0].1.end..pair[1].1.start));
        }
        parts.push(("recovery".to_owned(), last..u64::MAX));
        let reported = |part: Range<u64>| part.start.max(warmup)..part.end.min(end);
        let parts = parts.into_iter().map(|(name, part)| (name, reported(part)));
        let parts = parts.filter(|(_, part)| !part.is_empty()).collect();
        Self { seeds, warmup, end, window: nanos(&record["window_us"]), parts }
    }

    /// The run after the warm-up.
    pub(super) fn reported(&self) -> Range<u64> {
        self.warmup..self.end
    }

    /// The windows, from the start of the run.
    pub(super) fn windows(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        (0..self.end.div_ceil(self.window)).map(|index| index * self.window..(index + 1) * self.window)
    }
}

/// Faults that overlap, taken as one; in the order of time.
fn together(faults: &[(String, Range<u64>)]) -> Vec<(String, Range<u64>)> {
    let mut faults = faults.to_vec();
    faults.sort_by_key(|(_, fault)| fault.start);
    let mut together: Vec<(String, Range<u64>)> = Vec::new();
    for (name, fault) in faults {
        match together.last_mut() {
            Some((names, last)) if fault.start < last.end => {
                *names = format!("{names} + {name}");
                last.end = last.end.max(fault.end);
            }
            _ => together.push((name, fault)),
        }
    }
    together
}

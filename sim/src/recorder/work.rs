//! Processor time by service: all of it, and what was spent for nobody. Sums alone, so that they grow with the
//! topology. Not here: who waits for what ([`crate::awaited`]), and which parts an instant lies in ([`crate::scenario::phases`]).

use hoplab_proxy::host::Instant;
use indexmap::IndexMap;

use crate::awaited::Waiter;
use crate::record;
use crate::scenario::plan::Plan;

/// Sums by service, by its index.
#[derive(Default)]
pub(super) struct Works(Vec<Sum>);

#[derive(Clone, Copy, Default)]
struct Sum {
    nanos: u64,
    wasted_nanos: u64,
    wasted_requests: u64,
}

/// A piece of work.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    service: usize,
    pub(super) until: Instant,
    sum: Sum,
}

impl Piece {
    /// Work on a core of `service`, done for `waiter`.
    pub(super) fn of(service: usize, from: Instant, until: Instant, waiter: &Waiter) -> Self {
        let wasted_nanos = until.saturating_since(waiter.gone_since().max(from)).as_nanos() as u64;
        let first = wasted_nanos > 0 && waiter.wastes();
        let nanos = until.saturating_since(from).as_nanos() as u64;
        Self { service, until, sum: Sum { nanos, wasted_nanos, wasted_requests: u64::from(first) } }
    }
}

impl Works {
    /// Nothing done yet.
    pub(super) fn new(services: usize) -> Self {
        Self(vec![Sum::default(); services])
    }

    pub(super) fn add(&mut self, piece: Piece) {
        let sum = &mut self.0[piece.service];
        sum.nanos += piece.sum.nanos;
        sum.wasted_nanos += piece.sum.wasted_nanos;
        sum.wasted_requests += piece.sum.wasted_requests;
    }

    /// The sums by name, of those services that did something.
    pub(super) fn record(&self, plan: &Plan) -> IndexMap<String, record::Work> {
        let done = plan.services.iter().zip(&self.0).filter(|(_, sum)| sum.nanos > 0);
        done.map(|(service, sum)| {
            let wasted = record::Wasted { requests: sum.wasted_requests, cpu_us: sum.wasted_nanos / 1_000 };
            (service.name.clone(), record::Work { cpu_us: sum.nanos / 1_000, wasted })
        })
        .collect()
    }
}

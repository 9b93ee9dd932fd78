//! The present state, as it is scraped: endpoints and concurrency limits. Upstreams of one name (routes may have some of
//! their own) are told as one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::text::{Family, Kind, Text};
use super::{OTHER, SERIES_MAX};
use crate::telemetry::gauges::{EndpointGauge, Gauge, LimitGauge};

const IN: Family = Family {
    name: "hoplab_endpoint_in",
    kind: Kind::Gauge,
    help: "1 for an endpoint that requests are sent to; 0 while it is ejected, down, or behind an open breaker.",
};
const EJECTED: Family = Family {
    name: "hoplab_endpoint_ejected",
    kind: Kind::Gauge,
    help: "1 for an endpoint that outlier detection has ejected.",
};
const CONNECTIONS: Family = Family {
    name: "hoplab_endpoint_connections",
    kind: Kind::Gauge,
    help: "Connections to an endpoint that are open or being opened.",
};
const ENDPOINT_IN_FLIGHT: Family = Family {
    name: "hoplab_endpoint_requests_in_flight",
    kind: Kind::Gauge,
    help: "Requests that have a connection to an endpoint.",
};
const PENDING: Family = Family {
    name: "hoplab_endpoint_requests_pending",
    kind: Kind::Gauge,
    help: "Requests that wait for a connection to an endpoint, its opening included.",
};
const LIMIT: Family = Family {
    name: "hoplab_concurrency_limit",
    kind: Kind::Gauge,
    help: "How many requests may be in progress; an adaptive limit as it is now.",
};
const IN_PROGRESS: Family = Family {
    name: "hoplab_concurrency_in_progress",
    kind: Kind::Gauge,
    help: "How many requests are in progress under a concurrency limit.",
};

/// What a gauge says for a family.
type Value<G> = fn(&G) -> u32;

/// The present state.
#[derive(Debug, Default)]
pub(super) struct Present {
    endpoints: BTreeMap<(Arc<str>, Arc<str>), EndpointGauge>,
    limits: BTreeMap<Arc<str>, LimitGauge>,
}

impl Present {
    /// What `gauges` say.
    pub(super) fn of(gauges: impl Iterator<Item = Gauge>) -> Self {
        let mut present = Self::default();
        for gauge in gauges {
            match gauge {
                Gauge::Endpoint(gauge) => present.endpoint(gauge),
                Gauge::Limit(gauge) => present.limit(gauge),
            }
        }
        present
    }

    fn endpoint(&mut self, mut gauge: EndpointGauge) {
        let mut key = (Arc::clone(&gauge.upstream), Arc::clone(&gauge.endpoint));
        if self.endpoints.len() >= SERIES_MAX && !self.endpoints.contains_key(&key) {
            key = (OTHER.into(), Arc::default());
            (gauge.upstream, gauge.endpoint) = key.clone();
        }
        self.endpoints
            .entry(key)
            .and_modify(|known| {
                known.is_in &= gauge.is_in;
                known.is_ejected |= gauge.is_ejected;
                known.connections += gauge.connections;
                known.in_flight += gauge.in_flight;
                known.pending += gauge.pending;
            })
            .or_insert(gauge);
    }

    fn limit(&mut self, gauge: LimitGauge) {
        self.limits
            .entry(Arc::clone(&gauge.name))
            .and_modify(|known| {
                known.limit += gauge.limit;
                known.in_progress += gauge.in_progress;
            })
            .or_insert(gauge);
    }

    /// Writes all of it.
    pub(super) fn write(&self, text: &mut Text) {
        let of_endpoints: [(Family, Value<EndpointGauge>); 5] = [
            (IN, |gauge| gauge.is_in.into()),
            (EJECTED, |gauge| gauge.is_ejected.into()),
            (CONNECTIONS, |gauge| gauge.connections),
            (ENDPOINT_IN_FLIGHT, |gauge| gauge.in_flight),
            (PENDING, |gauge| gauge.pending),
        ];
        for (family, value) in of_endpoints {
            text.family(family);
            for gauge in self.endpoints.values() {
                let labels = [("upstream", &*gauge.upstream), ("endpoint", &*gauge.endpoint)];
                text.sample("", &labels, &[], value(gauge));
            }
        }
        let of_limits: [(Family, Value<LimitGauge>); 2] =
            [(LIMIT, |gauge| gauge.limit), (IN_PROGRESS, |gauge| gauge.in_progress)];
        for (family, value) in of_limits {
            text.family(family);
            for gauge in self.limits.values() {
                text.sample("", &[("limit", &*gauge.name)], &[], value(gauge));
            }
        }
    }
}

//! What the machines of an architecture cost in money, at the prices that a scenario gives. Knows no run: the caller says
//! what was taken, and for how long.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::resources::Resources;

const GIB: f64 = (1_u64 << 30) as f64;
const HOUR: f64 = 3_600.0;

/// The container whose requests a managed service may charge for.
const GATEWAY: &str = "gateway";

/// Prices, all in one currency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// The currency, as it is to be shown.
    pub currency: String,
    /// Of a core for an hour.
    pub core_hour: f64,
    /// Of a GiB of memory for an hour.
    pub gib_hour: f64,
    /// Of a GiB that a pod sends to others.
    pub gib_sent: f64,
    /// Of a million requests that reach the gateway, where it is a managed one.
    pub million_requests: f64,
    /// Which share of the cores that are paid is busy, above 0 and at most 1.
    pub utilisation: f64,
}

/// What an architecture costs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Money {
    /// An hour of it, by kind of container.
    pub by_kind: IndexMap<String, f64>,
    /// An hour of it.
    pub hour: f64,
    /// A million requests of clients, at this rate; `None` where there were none.
    pub million_requests: Option<f64>,
}

impl Prices {
    /// What `resources` cost that were taken within so many `seconds`, over which clients sent so many `requests`, and so many
    /// reached the gateway: each of a client's attempts, but none that found nobody there.
    pub fn money(
        &self,
        resources: &IndexMap<String, Resources>,
        seconds: f64,
        requests: u64,
        at_gateway: u64,
    ) -> Money {
        let millions_an_hour = |count: u64| count as f64 / 1e6 / seconds * HOUR;
        let hourly = |(kind, of): (&String, &Resources)| {
            let cores = of.cores_mean / self.utilisation * self.core_hour;
            let memory = of.memory as f64 / GIB * self.gib_hour;
            let sent = of.bytes as f64 / GIB / seconds * HOUR * self.gib_sent;
            let taken = if kind == GATEWAY { millions_an_hour(at_gateway) } else { 0.0 };
            (kind.clone(), cores + memory + sent + taken * self.million_requests)
        };
        let by_kind: IndexMap<String, f64> = resources.iter().map(hourly).collect();
        let hour = by_kind.values().sum();
        Money { by_kind, hour, million_requests: (requests > 0).then(|| hour / millions_an_hour(requests)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_cores_memory_bytes_and_requests() {
        let prices = Prices {
            currency: "USD".to_owned(),
            core_hour: 0.04,
            gib_hour: 0.005,
            gib_sent: 0.01,
            million_requests: 1.0,
            utilisation: 0.5,
        };
        let of = Resources { cores_mean: 2.0, memory: 4 << 30, bytes: 1 << 30, ..Resources::default() };
        let all = IndexMap::from([("sidecar".to_owned(), of), ("gateway".to_owned(), of)]);
        // 100 requests a second for 10 s: 360,000 an hour; a GiB in 10 s: 360 an hour. Half as many again came to the gateway.
        let money = prices.money(&all, 10.0, 1_000, 1_500);
        let sidecar = 4.0 * 0.04 + 4.0 * 0.005 + 360.0 * 0.01;
        assert!((money.by_kind["sidecar"] - sidecar).abs() < 1e-9, "{money:?}");
        assert!((money.by_kind["gateway"] - sidecar - 0.54).abs() < 1e-9, "{money:?}");
        assert!((money.hour - 2.0 * sidecar - 0.54).abs() < 1e-9);
        assert!((money.million_requests.unwrap() - money.hour / 0.36).abs() < 1e-9);
        assert_eq!(prices.money(&all, 10.0, 0, 0).million_requests, None);
    }
}

//! Load control as configuration writes it, one file a policy, for gateway and sidecars alike: every key
//! optional, unknown keys refused, in layers.
//!
//! ```toml
//! limits.rate        = { algorithm = "token-bucket", rate = "100 rps", burst = 20, by = { header = "x-user" } }
//! limits.admission   = { success_rate = "95%" }
//! limits.concurrency = 100                         # or { max = 1000 }, with the keys of an adaptive limit
//! limits.priority    = { header = "x-priority" }
//! ```

mod admission;
mod concurrency;
mod priority;
mod rate;

pub use admission::AdmissionPolicy;
pub use concurrency::{AdaptivePolicy, ConcurrencyPolicy};
pub use priority::PriorityPolicy;
pub use rate::{Algorithm, RatePolicy};

use super::settings::{By, Settings};
use crate::upstream::Contradiction;
use crate::upstream::policies::layer::layer;

layer! {
    /// What is limited where requests arrive. What is left out comes from the layer below; nothing is limited that
    /// no layer says.
    pub struct LimitsPolicy {
        /// How many requests may come in a while; beyond it 429 with `Retry-After`.
        pub rate: RatePolicy = "any number",
        /// When requests are refused with 503 because too few succeed.
        pub admission: AdmissionPolicy = "never",
        /// How many requests may be in progress, each until its answer's last byte; beyond it 503.
        pub concurrency: ConcurrencyPolicy = "any number",
        /// With `concurrency`: which requests may use how much of the limit, rounded down; beyond it 503.
        pub priority: PriorityPolicy = "all may use all of it",
    }
}

impl LimitsPolicy {
    /// The limits with every default filled in, or everything that contradicts itself.
    pub fn resolve(&self) -> Result<Settings, Vec<Contradiction>> {
        let mut found: Vec<Contradiction> = self.rate.iter().flat_map(RatePolicy::contradictions).collect();
        found.extend(self.concurrency.iter().flat_map(ConcurrencyPolicy::contradictions));
        let concurrency = self.concurrency.as_ref().and_then(ConcurrencyPolicy::resolve);
        if self.priority.is_some() && concurrency.is_none() {
            found.push(Contradiction {
                key: "priority",
                fact: "priorities are shares of a concurrency limit, and there is none".to_owned(),
                hint: "write `concurrency = 100` beside it, or take it out".to_owned(),
            });
        }
        found.extend(self.priority.iter().flat_map(PriorityPolicy::contradictions));
        if !found.is_empty() {
            return Err(found);
        }
        Ok(Settings {
            rate: self.rate.as_ref().and_then(RatePolicy::resolve),
            admission: self.admission.as_ref().and_then(AdmissionPolicy::resolve),
            concurrency,
            priority: self.priority.as_ref().map(PriorityPolicy::resolve),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> LimitsPolicy {
        hoplab_config::read("test.toml", text).unwrap()
    }

    #[test]
    fn an_upper_layer_says_what_is_different() {
        let lower = read("rate = { rate = \"100 rps\", burst = 20 }\nconcurrency = 100\nadmission = {}");
        let upper = read("rate = { burst = 5 }\nconcurrency = 0\nadmission = { max_rejection = \"0%\" }");
        let both = upper.over(&lower);
        let expected = read("rate = { rate = \"100 rps\", burst = 5 }").resolve().unwrap();
        assert_eq!(both.resolve().unwrap(), expected);
        assert!(LimitsPolicy::default().resolve().unwrap().is_empty());
        let off = read("rate = { algorithm = \"none\" }").over(&lower).resolve().unwrap();
        assert_eq!(off.rate, None);
    }

    #[test]
    fn priorities_need_a_limit() {
        for text in ["priority = {}", "priority = {}\nconcurrency = 0"] {
            let found = read(text).resolve().unwrap_err();
            assert_eq!(found[0].key, "priority");
        }
        assert!(read("priority = {}\nconcurrency = 1").resolve().unwrap().priority.is_some());
    }
}

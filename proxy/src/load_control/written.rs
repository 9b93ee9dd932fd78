//! Load control as configuration writes it, one file a policy, for gateway and sidecars alike: every key
//! optional, unknown keys refused, in layers.
//!
//! ```toml
//! limits.rate        = { algorithm = "token-bucket", rate = "100 rps", burst = 20, by = { header = "x-user" } }
//! limits.admission   = { success_rate = "95%" }
//! limits.concurrency = 100                         # or { max = 1000 }, with the keys of an adaptive limit
//! limits.priority    = { header = "x-priority" }
//! limits.content     = "10 MB"
//! ```

mod admission;
mod concurrency;
mod priority;
mod rate;

pub use admission::AdmissionPolicy;
pub use concurrency::{AdaptivePolicy, ConcurrencyPolicy};
pub use priority::PriorityPolicy;
pub use rate::{Algorithm, RatePolicy};

use hoplab_config::quantity;

use super::settings::{By, Settings, Size};
use crate::server::HEAD_BYTES_MAX;
use crate::upstream::policies::layer::layer;
use crate::upstream::{Contradiction, SizeLimit};

layer! {
    /// What is limited where requests arrive. What is left out comes from the layer below; nothing is limited that
    /// no layer says.
    pub struct LimitsPolicy {
        /// The most content that a request may have; beyond it 413: at once where the request tells its length, before
        /// anything is sent on; else when more has come, with which it ends towards the upstream, too. A tunnel has none.
        pub content: SizeLimit = "any",
        /// The most bytes that the fields of a request's head may have, beyond which 431: names, values and four bytes a
        /// field, but for the fields that hops add (`Host`, `Via`, `X-Forwarded-For`, `traceparent` and the like, up to
        /// 4 KiB of them), so that one hop takes what another like it does. No head of more than 64 KiB is taken.
        pub fields: SizeLimit = "what a head may have",
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
    fn size(&self) -> Size {
        let bytes = |limit: Option<SizeLimit>| limit.and_then(SizeLimit::bytes);
        Size { content: bytes(self.content), fields: bytes(self.fields) }
    }

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
        let size = self.size();
        if size.fields.is_some_and(|most| most > HEAD_BYTES_MAX as u64) {
            found.push(Contradiction {
                key: "fields",
                fact: format!(
                    "a head of more than {} is refused in any case",
                    quantity::Size(HEAD_BYTES_MAX as u64)
                ),
                hint: "write less, or take it out".to_owned(),
            });
        }
        if !found.is_empty() {
            return Err(found);
        }
        Ok(Settings {
            size,
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
    fn sizes_are_limited_where_a_layer_says_so_and_none_takes_it_back() {
        let lower = read("content = \"10 MB\"\nfields = \"10 KiB\"");
        let size = |policy: &LimitsPolicy| policy.resolve().unwrap().size;
        assert_eq!(size(&lower), Size { content: Some(10_000_000), fields: Some(10_240) });
        let upper = read("content = \"none\"").over(&lower);
        assert_eq!(size(&upper), Size { content: None, fields: Some(10_240) });
        let found = read("fields = \"65 KiB\"").resolve().unwrap_err();
        assert_eq!(
            (found[0].key, &*found[0].fact),
            ("fields", "a head of more than 64 KiB is refused in any case")
        );
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

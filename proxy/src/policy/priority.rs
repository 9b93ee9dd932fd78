//! Priorities: how much of a limit on concurrency a request may use, by how much it matters. When there is no more room
//! for the less important, there still is for the more important: under overload they are shed in their order.
//! Deterministic; owns no limit.
//!
//! The names are the criticalities of Google's SRE book (chapter 21, "Handling Overload").

use http::{HeaderMap, HeaderName};

/// How much a request matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Criticality {
    /// A failure is seen by users and is serious: the last that is shed.
    CriticalPlus,
    /// A failure is seen by users.
    Critical,
    /// It may be tried again in minutes: batches.
    SheddablePlus,
    /// It may fail often, and now and then altogether.
    Sheddable,
}

impl Criticality {
    /// All of them, the most important first.
    pub const ALL: [Self; 4] = [Self::CriticalPlus, Self::Critical, Self::SheddablePlus, Self::Sheddable];

    /// Its name in header fields and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::CriticalPlus => "critical-plus",
            Self::Critical => "critical",
            Self::SheddablePlus => "sheddable-plus",
            Self::Sheddable => "sheddable",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// Where a request says how much it matters, and what it may use.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The header field that says it.
    pub header: HeaderName,
    /// What is believed of a request that says nothing, or what is not known.
    pub otherwise: Criticality,
    /// The share of the limit that a request may use, in the order of [`Criticality::ALL`]; 0 to 1.
    pub shares: [f64; 4],
}

/// Priorities of requests.
#[derive(Debug, Clone)]
pub struct Priorities {
    config: Config,
}

impl Priorities {
    /// As `config` says.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// How much the request with these `headers` matters.
    pub fn criticality(&self, headers: &HeaderMap) -> Criticality {
        let said = headers.get(&self.config.header).and_then(|value| value.to_str().ok());
        said.and_then(|name| Criticality::named(name.trim())).unwrap_or(self.config.otherwise)
    }

    /// The share of the limit that the request with these `headers` may use.
    pub fn share(&self, headers: &HeaderMap) -> f64 {
        self.config.shares[self.criticality(headers) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_request_says_how_much_it_matters() {
        let header = HeaderName::from_static("x-priority");
        let shares = [1.0, 0.9, 0.8, 0.7];
        let priorities =
            Priorities::new(Config { header: header.clone(), otherwise: Criticality::Critical, shares });
        let share = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header.clone(), HeaderValue::from_str(value).unwrap());
            priorities.share(&headers)
        };
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
        near(priorities.share(&HeaderMap::new()), 0.9);
        for (criticality, expected) in Criticality::ALL.into_iter().zip(shares) {
            near(share(criticality.name()), expected);
        }
        near(share(" sheddable "), 0.7);
        near(share("SHEDDABLE"), 0.9);
        near(share("most important"), 0.9);
    }
}

//! Which requests may use how much of the concurrency limit, as configuration writes it.

use http::HeaderName;
use serde::{Deserialize, Deserializer, de};

use super::rate::header_name;
use crate::load_control::settings;
use crate::policy::priority::{Config, Criticality};
use crate::quantity::Share;
use crate::upstream::Contradiction;
use crate::upstream::policies::layer::{layer, whole};

layer! {
    /// Which requests may use how much of the concurrency limit, by the criticalities of Google's SRE book.
    pub struct PriorityPolicy {
        /// The header field that says how much a request matters.
        #[serde(deserialize_with = "header")]
        pub header: HeaderName,
        /// What is believed of a request that says nothing, or what is not known.
        pub default: Criticality,
        /// The share that `critical-plus` may use.
        pub critical_plus: Share,
        /// The share that `critical` may use.
        pub critical: Share,
        /// The share that `sheddable-plus` may use.
        pub sheddable_plus: Share,
        /// The share that `sheddable` may use.
        pub sheddable: Share,
    }
}

whole!(HeaderName, Criticality);

impl PriorityPolicy {
    pub(super) fn resolve(&self) -> Config {
        let written = [self.critical_plus, self.critical, self.sheddable_plus, self.sheddable];
        let mut shares = settings::SHARES;
        for (share, written) in shares.iter_mut().zip(written) {
            *share = written.map_or(*share, |written| written.0);
        }
        Config {
            header: self.header.clone().unwrap_or(settings::PRIORITY_HEADER),
            otherwise: self.default.unwrap_or(Criticality::Critical),
            shares,
        }
    }

    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        let shares = self.resolve().shares;
        let upside_down =
            Criticality::ALL.windows(2).zip(shares.windows(2)).find(|(_, share)| share[0] < share[1]);
        let contradiction = upside_down.map(|(names, share)| Contradiction {
            key: "limits.priority",
            fact: format!(
                "`{}` may use {}, less than `{}`, which may use {}",
                names[0].name(),
                Share(share[0]),
                names[1].name(),
                Share(share[1])
            ),
            hint: "what matters more may use at least as much".to_owned(),
        });
        contradiction.into_iter().collect()
    }
}

fn header<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HeaderName>, D::Error> {
    header_name(&String::deserialize(deserializer)?).map(Some).map_err(de::Error::custom)
}

impl<'de> Deserialize<'de> for Criticality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::named(&text).ok_or_else(|| {
            let known = Self::ALL.map(|known| format!("`{}`", known.name())).join(", ");
            de::Error::custom(format!("there is no criticality `{text}`: write one of {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_control::LimitsPolicy;

    fn read(priority: &str) -> Result<LimitsPolicy, String> {
        let text = format!("concurrency = 10\npriority = {{ {priority} }}");
        toml::from_str(&text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let resolved = |text: &str| read(text).unwrap().resolve().unwrap().priority;
        let header = HeaderName::from_static("x-priority");
        let usual = Config { header, otherwise: Criticality::Critical, shares: [1.0, 0.9, 0.8, 0.7] };
        assert_eq!(resolved(""), Some(usual.clone()));
        let other = Config {
            header: HeaderName::from_static("x-class"),
            otherwise: Criticality::Sheddable,
            shares: [1.0, 0.9, 0.8, 0.5],
        };
        assert_eq!(
            resolved("header = \"X-Class\", default = \"sheddable\", sheddable = \"50%\""),
            Some(other)
        );
        for (text, complaint) in [
            ("header = \"\"", "`` is no header field: write a name such as `x-user`"),
            (
                "default = \"high\"",
                "there is no criticality `high`: write one of `critical-plus`, `critical`",
            ),
            ("critical = \"101%\"", "`101%` is over 100%"),
            ("high = \"100%\"", "unknown field `high`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn the_less_important_may_not_use_more() {
        for text in ["critical = \"70%\"", "sheddable = \"90%\"", "critical_plus = \"50%\""] {
            let found = read(text).unwrap().resolve().unwrap_err();
            assert_eq!(found[0].key, "limits.priority", "{text}");
        }
    }
}

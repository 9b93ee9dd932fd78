//! Which requests may use how much of the concurrency limit, as configuration writes it.

use hoplab_config::form::Form;
use hoplab_config::quantity::Share;
use hoplab_config::read::parsed;
use hoplab_config::{Choice, Context, Place, Value, way};
use http::HeaderName;

use super::rate::header_name;
use crate::load_control::settings;
use crate::policy::priority::{Config, Criticality};
use crate::upstream::Contradiction;
use crate::upstream::policies::layer::{layer, whole};

layer! {
    /// Which requests may use how much of the concurrency limit, by the criticalities of Google's SRE book.
    pub struct PriorityPolicy {
        /// The header field that says how much a request matters.
        pub header: HeaderName as Header = "`\"x-priority\"`",
        /// What a request is that says nothing, or what is not known.
        pub default: Criticality = "`\"critical\"`",
        /// The share that `critical-plus` may use.
        pub critical_plus: Share = Share(settings::SHARES[0]),
        /// The share that `critical` may use; no more than those that matter more.
        pub critical: Share = Share(settings::SHARES[1]),
        /// The share that `sheddable-plus` may use, likewise.
        pub sheddable_plus: Share = Share(settings::SHARES[2]),
        /// The share that `sheddable` may use, likewise.
        pub sheddable: Share = Share(settings::SHARES[3]),
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
            key: "priority",
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

way!(Header: HeaderName, Form::Text { what: "a header field", example: "x-priority" }, header);

fn header(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<HeaderName> {
    parsed(value, place, ("a header field", "write a name such as `\"x-priority\"`"), context, header_name)
}

impl Choice for Criticality {
    const NOUN: &'static str = "criticality";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::CriticalPlus, "critical-plus", "what matters most"),
        (Self::Critical, "critical", "what users see"),
        (Self::SheddablePlus, "sheddable-plus", "what can be made up for"),
        (Self::Sheddable, "sheddable", "what may be missing"),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_control::LimitsPolicy;

    fn read(priority: &str) -> Result<LimitsPolicy, String> {
        let text = format!("concurrency = 10\npriority = {{ {priority} }}");
        hoplab_config::read("test.toml", &text).map_err(|problems| problems.in_words().join("; "))
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
                "unknown criticality \"high\": there are \"critical-plus\", \"critical\", \"sheddable-plus\", \"sheddable\"",
            ),
            ("critical = \"101%\"", "`101%` is over 100%"),
            (
                "high = \"100%\"",
                "unknown key \"high\": there are \"header\", \"default\", \"critical_plus\", \"critical\", \"sheddable_plus\", \"sheddable\"",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn the_less_important_may_not_use_more() {
        for text in ["critical = \"70%\"", "sheddable = \"90%\"", "critical_plus = \"50%\""] {
            let found = read(text).unwrap().resolve().unwrap_err();
            assert_eq!(found[0].key, "priority", "{text}");
        }
    }
}

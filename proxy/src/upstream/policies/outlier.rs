//! When to stop using an endpoint that stands out, as configuration writes it.

use std::time::Duration;

use hoplab_config::quantity::Share;
use hoplab_config::{AboveZero, AtLeastOne, Choice};

use super::Contradiction;
use super::layer::{layer, whole};
use crate::policy::outlier::{self, Config};
use crate::upstream::settings;

layer! {
    /// When to stop using an endpoint that stands out, in Envoy's terms. `max_ejected = "0%"` switches off what
    /// a lower layer says.
    pub struct OutlierPolicy {
        /// Answers of 500 and above in a row that eject; `0`: none do.
        pub consecutive_5xx: u32 = settings::OUTLIER_CONSECUTIVE_5XX,
        /// Answers of 502 to 504 in a row that eject; `0`: none do.
        pub consecutive_gateway: u32 = 0,
        /// Attempts in a row without an answer (not connected to, reset, too late) that eject, and count nowhere else;
        /// `0`: each counts as a 503.
        pub consecutive_local: u32 = 0,
        /// The success rate in the last interval that ejects, compared with that of the others.
        pub success_rate: SuccessRatePolicy = "as its keys say",
        /// The share of failures in the last interval that ejects, whatever the others do.
        pub failure_percentage: FailurePercentagePolicy = "none does",
        /// How often rates are looked at, from the proxy's start on; then they begin anew.
        pub interval: Duration as AboveZero = settings::OUTLIER_INTERVAL,
        /// The Nth ejection lasts N times this, up to the maximum; N is one less for each interval from end to end
        /// without being ejected.
        pub base_ejection: Duration as AboveZero = settings::OUTLIER_BASE_EJECTION,
        /// The longest ejection.
        pub max_ejection: Duration as AboveZero = settings::OUTLIER_MAX_EJECTION,
        /// How much longer an ejection is at most, at random, over `max_ejection` too.
        pub jitter: Duration = Duration::ZERO,
        /// The share of all endpoints, *rounded down*, that are ejected at a time at most: 10 % of 9 is none, of 19 one.
        /// When more are outliers at the end of an interval, the worst are ejected.
        pub max_ejected: Share = Share(settings::OUTLIER_MAX_EJECTED),
        /// `true`: one may be ejected, whatever `max_ejected` says.
        pub always_eject_one: bool = false,
        /// `true`: an endpoint that has no others beside it is never ejected.
        pub keep_lone: bool = false,
        /// With `consecutive_local`: what ends a run of attempts without an answer.
        pub local_success: LocalSuccess = "`\"answer\"`",
    }
}

/// What ends a run of attempts without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LocalSuccess {
    /// An answer.
    #[default]
    Answer,
    /// A connection, as in Envoy: resets and timeouts after connecting never make a run of two.
    Connection,
}

whole!(LocalSuccess);

impl Choice for LocalSuccess {
    const NOUN: &'static str = "success";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Answer, "answer", "an answer"),
        (
            Self::Connection,
            "connection",
            "a connection, as in Envoy: resets and timeouts after connecting never make a run of two",
        ),
    ];
}

layer! {
    /// The success rate that ejects. `stdev = 0.0` switches off.
    pub struct SuccessRatePolicy {
        /// How many standard deviations below the mean of the endpoints with enough requests.
        pub stdev: f64 = settings::OUTLIER_STDEV,
        /// With fewer endpoints that have enough requests, the rate says nothing.
        pub min_endpoints: u32 as AtLeastOne = settings::OUTLIER_MIN_ENDPOINTS,
        /// With fewer requests in an interval, it says nothing about an endpoint.
        pub min_requests: u32 as AtLeastOne = settings::OUTLIER_SUCCESS_RATE_MIN_REQUESTS,
    }
}

layer! {
    /// The share of failures that ejects. `threshold = "0%"` switches off.
    pub struct FailurePercentagePolicy {
        /// The share, which is reached.
        pub threshold: Share = Share(settings::OUTLIER_FAILURE_PERCENTAGE),
        /// With fewer endpoints that have enough requests, the share says nothing.
        pub min_endpoints: u32 as AtLeastOne = settings::OUTLIER_MIN_ENDPOINTS,
        /// With fewer requests in an interval, it says nothing about an endpoint.
        pub min_requests: u32 as AtLeastOne = settings::OUTLIER_FAILURE_PERCENTAGE_MIN_REQUESTS,
    }
}

impl OutlierPolicy {
    pub(super) fn resolve(&self) -> Option<Config> {
        let base_ejection = self.base_ejection.unwrap_or(settings::OUTLIER_BASE_EJECTION);
        let success_rate = self.success_rate.clone().unwrap_or_default();
        let config = Config {
            consecutive_5xx: self.consecutive_5xx.unwrap_or(settings::OUTLIER_CONSECUTIVE_5XX),
            consecutive_gateway: self.consecutive_gateway.unwrap_or(0),
            consecutive_local: self.consecutive_local.unwrap_or(0),
            success_rate: success_rate.resolve(),
            failure_percentage: self.failure_percentage.as_ref().and_then(FailurePercentagePolicy::resolve),
            interval: self.interval.unwrap_or(settings::OUTLIER_INTERVAL),
            base_ejection,
            max_ejection: self.max_ejection.unwrap_or(settings::OUTLIER_MAX_EJECTION.max(base_ejection)),
            jitter: self.jitter.unwrap_or_default(),
            max_ejected: self.max_ejected.map_or(settings::OUTLIER_MAX_EJECTED, |share| share.0),
            always_eject_one: self.always_eject_one.unwrap_or(false),
            keep_lone: self.keep_lone.unwrap_or(false),
            connection_is_success: self.local_success.unwrap_or_default() == LocalSuccess::Connection,
        };
        (config.max_ejected > 0.0 || config.always_eject_one).then_some(config)
    }

    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        let mut found = Vec::new();
        let Some(config) = self.resolve() else { return found };
        let mut say = |key, fact: &str, hint: &str| {
            found.push(Contradiction { key, fact: fact.to_owned(), hint: hint.to_owned() });
        };
        let base = self.base_ejection.unwrap_or(settings::OUTLIER_BASE_EJECTION);
        if self.max_ejection.is_some_and(|max| max < base) {
            let hint = "make `max_ejection` at least as long as `base_ejection`";
            say("outlier.max_ejection", "the longest ejection is shorter than the first", hint);
        }
        let runs = [config.consecutive_5xx, config.consecutive_gateway, config.consecutive_local];
        let rates = config.success_rate.is_some() || config.failure_percentage.is_some();
        if !rates && runs.iter().all(|run| *run == 0) {
            let hint = "write what does, or `max_ejected = \"0%\"` to switch it off";
            say("outlier", "nothing ejects an endpoint", hint);
        }
        let by_connection = self.local_success == Some(LocalSuccess::Connection);
        if by_connection && self.consecutive_local.unwrap_or(0) == 0 {
            let hint = "write `consecutive_local = 5` beside it, or take it out";
            say("outlier.local_success", "attempts without an answer are not told apart", hint);
        }
        found
    }
}

impl SuccessRatePolicy {
    fn resolve(&self) -> Option<outlier::SuccessRate> {
        let stdev = self.stdev.unwrap_or(settings::OUTLIER_STDEV);
        (stdev > 0.0).then(|| outlier::SuccessRate {
            stdev,
            min_endpoints: self.min_endpoints.unwrap_or(settings::OUTLIER_MIN_ENDPOINTS),
            min_requests: self.min_requests.unwrap_or(settings::OUTLIER_SUCCESS_RATE_MIN_REQUESTS),
        })
    }
}

impl FailurePercentagePolicy {
    fn resolve(&self) -> Option<outlier::FailurePercentage> {
        let threshold = self.threshold.map_or(settings::OUTLIER_FAILURE_PERCENTAGE, |share| share.0);
        (threshold > 0.0).then(|| outlier::FailurePercentage {
            threshold,
            min_endpoints: self.min_endpoints.unwrap_or(settings::OUTLIER_MIN_ENDPOINTS),
            min_requests: self.min_requests.unwrap_or(settings::OUTLIER_FAILURE_PERCENTAGE_MIN_REQUESTS),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Policies;

    fn policies(outlier: &str) -> Result<Policies, String> {
        hoplab_config::read("test.toml", &format!("outlier = {{ {outlier} }}"))
            .map_err(|problems| problems.in_words().join("; "))
    }

    fn resolved(outlier: &str) -> Option<Config> {
        policies(outlier).unwrap().resolve().unwrap().outlier
    }

    #[test]
    fn what_is_left_out_is_as_envoy_has_it() {
        let success_rate = Some(outlier::SuccessRate { stdev: 1.9, min_endpoints: 5, min_requests: 100 });
        let envoy = Config {
            consecutive_5xx: 5,
            consecutive_gateway: 0,
            consecutive_local: 0,
            success_rate,
            failure_percentage: None,
            interval: Duration::from_secs(10),
            base_ejection: Duration::from_secs(30),
            max_ejection: Duration::from_mins(5),
            jitter: Duration::ZERO,
            max_ejected: 0.1,
            always_eject_one: false,
            keep_lone: false,
            connection_is_success: false,
        };
        assert_eq!(resolved(""), Some(envoy));
        let rule = outlier::FailurePercentage { threshold: 0.85, min_endpoints: 5, min_requests: 50 };
        assert_eq!(resolved("failure_percentage = {}").unwrap().failure_percentage, Some(rule));
        let long = resolved("base_ejection = \"10m\"").unwrap();
        assert_eq!(long.max_ejection, long.base_ejection);
        assert_eq!(resolved("max_ejected = \"0%\""), None);
        assert!(resolved("max_ejected = \"0%\", always_eject_one = true").is_some());
        assert_eq!(Policies::default().resolve().unwrap().outlier, None);
    }

    #[test]
    fn nginx_is_a_way_to_write_it() {
        let nginx = resolved(
            "consecutive_5xx = 0, consecutive_local = 1, success_rate.stdev = 0.0, base_ejection = \"10s\", \
             max_ejection = \"10s\", max_ejected = \"100%\"",
        );
        let Config { consecutive_local, max_ejection, success_rate, .. } = nginx.unwrap();
        assert_eq!((consecutive_local, max_ejection, success_rate), (1, Duration::from_secs(10), None));
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("interval = \"0s\"", "must be above zero: leave the key out for the default"),
            ("base_ejection = \"0s\"", "must be above zero"),
            ("jitter = \"-1s\"", "`-1s` is negative"),
            ("max_ejected = \"101%\"", "`101%` is over 100%"),
            (
                "max_ejected = 10",
                "a whole number where a percentage belongs: write a percentage such as `\"2%\"`",
            ),
            ("success_rate.stdev = -1.0", "`-1.0` is negative: write 0 or more"),
            ("success_rate.stdev = inf", "`inf` is no finite number: write, say, `1.5`"),
            ("success_rate.min_requests = 0", "must be at least 1: leave the key out for the default"),
            ("failure_percentage.threshold = \"120%\"", "`120%` is over 100%"),
            ("consecutive_4xx = 5", "unknown key \"consecutive_4xx\": did you mean \"consecutive_5xx\"?"),
        ] {
            let error = policies(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (text, key) in [
            ("max_ejection = \"20s\"", "outlier.max_ejection"),
            ("base_ejection = \"10s\", max_ejection = \"5s\"", "outlier.max_ejection"),
            ("consecutive_5xx = 0, success_rate.stdev = 0.0", "outlier"),
            ("local_success = \"connection\"", "outlier.local_success"),
        ] {
            let found = policies(text).unwrap().resolve().unwrap_err();
            assert_eq!(found.iter().map(|found| found.key).collect::<Vec<_>>(), [key], "{text}");
        }
    }
}

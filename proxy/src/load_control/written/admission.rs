//! When requests are refused because too few succeed, as configuration writes it.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::load_control::settings;
use crate::policy::admission::Config;
use crate::quantity::{Rate, Share};
use crate::upstream::policies::above_zero;
use crate::upstream::policies::layer::layer;

layer! {
    /// When requests are refused because too few succeed, in the terms of Envoy's admission control.
    /// `max_rejection = "0%"` switches off what a lower layer says.
    pub struct AdmissionPolicy {
        /// Below this share of successes, requests are refused.
        #[serde(deserialize_with = "success_rate")]
        pub success_rate: Share,
        /// How steeply: 1 is linear, more refuses more.
        #[serde(deserialize_with = "aggression")]
        pub aggression: f64,
        /// Over how long requests are counted.
        #[serde(deserialize_with = "above_zero")]
        pub window: Duration,
        /// Below this rate, nothing is refused.
        pub min_rate: Rate,
        /// The share of requests that are refused at most.
        pub max_rejection: Share,
    }
}

impl AdmissionPolicy {
    pub(super) fn resolve(&self) -> Option<Config> {
        let config = Config {
            success_rate: self.success_rate.map_or(settings::SUCCESS_RATE, |share| share.0),
            aggression: self.aggression.unwrap_or(settings::AGGRESSION),
            window: self.window.unwrap_or(settings::ADMISSION_WINDOW),
            rate_min: self.min_rate.map_or(0.0, |rate| rate.0),
            rejection_max: self.max_rejection.map_or(settings::REJECTION_MAX, |share| share.0),
        };
        (config.rejection_max > 0.0).then_some(config)
    }
}

fn success_rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Share>, D::Error> {
    let share = Share::deserialize(deserializer)?;
    if share.0 > 0.0 {
        return Ok(Some(share));
    }
    let way_out = "write a percentage such as `95%`, or `max_rejection = \"0%\"` to switch it off";
    Err(de::Error::custom(format!("no success rate is below 0%: {way_out}")))
}

fn aggression<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match f64::deserialize(deserializer)? {
        aggression if aggression >= 1.0 && aggression.is_finite() => Ok(Some(aggression)),
        aggression => Err(de::Error::custom(format!(
            "an aggression of {aggression} is none: write a number from 1.0 on"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_control::LimitsPolicy;

    fn read(admission: &str) -> Result<LimitsPolicy, String> {
        toml::from_str(&format!("admission = {{ {admission} }}")).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_left_out_is_as_envoy_has_it() {
        let resolved = |text: &str| read(text).unwrap().resolve().unwrap().admission;
        let window = Duration::from_secs(30);
        let envoy = Config { success_rate: 0.95, aggression: 1.0, window, rate_min: 0.0, rejection_max: 0.8 };
        assert_eq!(resolved(""), Some(envoy));
        let steep = Config { aggression: 2.0, rate_min: 5.0, ..envoy };
        assert_eq!(resolved("aggression = 2.0, min_rate = \"5 rps\""), Some(steep));
        assert_eq!(resolved("max_rejection = \"0%\""), None);
        for (text, complaint) in [
            ("success_rate = \"0%\"", "no success rate is below 0%: write a percentage such as `95%`"),
            ("success_rate = \"101%\"", "`101%` is over 100%"),
            ("aggression = 0.5", "an aggression of 0.5 is none: write a number from 1.0 on"),
            ("aggression = inf", "an aggression of inf is none"),
            ("window = \"0s\"", "must be above zero"),
            ("threshold = \"95%\"", "unknown field `threshold`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }
}

//! When requests are refused because too few succeed, as configuration writes it.

use std::time::Duration;

use hoplab_config::form::{Describe, Form};
use hoplab_config::quantity::{Rate, Share};
use hoplab_config::read::checked;
use hoplab_config::{AboveZero, Context, Place, Value, way};

use crate::load_control::settings;
use crate::policy::admission::Config;
use crate::upstream::policies::layer::layer;

layer! {
    /// When requests are refused because too few succeed, in the terms of Envoy's admission control.
    /// `max_rejection = "0%"` switches off what a lower layer says.
    pub struct AdmissionPolicy {
        /// Below this share of successes (answers below 500), a part of the requests is refused, with the probability
        /// max(0, (n - s / `success_rate`) / (n + 1)) ^ (1 / `aggression`) for s of n.
        pub success_rate: Share as SuccessRate = Share(settings::SUCCESS_RATE),
        /// How steeply: 1 is linear, more refuses more.
        pub aggression: f64 as Aggression = settings::AGGRESSION,
        /// Over how long requests are counted, 90 % to 100 % of it.
        pub window: Duration as AboveZero = settings::ADMISSION_WINDOW,
        /// At a lower rate, nothing is refused.
        pub min_rate: Rate = Rate(0.0),
        /// The share of requests that are refused at most.
        pub max_rejection: Share = Share(settings::REJECTION_MAX),
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

way!(SuccessRate: Share, Share::form(), success_rate);
way!(Aggression: f64, Form::Number { least: 1.0 }, aggression);

fn success_rate(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Share> {
    let check = |share: &Share| if share.0 > 0.0 { Ok(()) } else { Err("no success rate is below 0%") };
    let hint = "write a percentage such as `95%`, or `max_rejection = \"0%\"` to switch it off";
    checked(value, place, context, check, hint)
}

fn aggression(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<f64> {
    let check = |aggression: &f64| {
        if *aggression >= 1.0 { Ok(()) } else { Err(format!("an aggression of {aggression} is none")) }
    };
    checked(value, place, context, check, "write a number from 1.0 on")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_control::LimitsPolicy;

    fn read(admission: &str) -> Result<LimitsPolicy, String> {
        hoplab_config::read("test.toml", &format!("admission = {{ {admission} }}"))
            .map_err(|problems| problems.in_words().join("; "))
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
            ("aggression = inf", "`inf` is no finite number: write, say, `1.5`"),
            ("window = \"0s\"", "must be above zero"),
            (
                "threshold = \"95%\"",
                "unknown key \"threshold\": there are \"success_rate\", \"aggression\", \"window\", \"min_rate\", \"max_rejection\"",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }
}

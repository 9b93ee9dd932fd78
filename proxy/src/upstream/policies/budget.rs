//! The retry budget as configuration writes it: `"20%"`, `"none"`, or a table whose first key says which kind of
//! budget it is.

use std::time::Duration;

use hoplab_config::form::{Describe, Form};
use hoplab_config::quantity::{Rate, Share};
use hoplab_config::{AboveZero, Context, Place, Read, Value, wrong_type};

use super::Contradiction;
use super::layer::{Layer, layer};
use crate::policy::budget::{self, active, concurrent, recent, throttle, tokens};
use crate::upstream::settings;

/// How many retries there may be.
#[derive(Debug, Clone, PartialEq)]
pub enum BudgetPolicy {
    /// `"none"`: as many as are wanted. Switches off what a lower layer says.
    None,
    /// One of the kinds, and what it goes by.
    Some(BudgetKeys),
}

layer! {
    /// The keys of all kinds; exactly one of `concurrent`, `active`, `recent`, `tokens` and `throttle`.
    pub struct BudgetKeys {
        /// So many retries at once.
        pub concurrent: u32,
        /// A share of the requests in flight.
        pub active: Share,
        /// With `active`: retries at once that are always allowed.
        pub min: u32 = settings::BUDGET_RETRIES_MIN,
        /// A share of the requests of the last while.
        pub recent: Share,
        /// With `recent`: retries a second that are always allowed.
        pub floor: Rate = Rate(settings::BUDGET_FLOOR_PER_SECOND),
        /// With `recent`: how long the while is.
        pub ttl: Duration as AboveZero = settings::BUDGET_TTL,
        /// A bucket of so many tokens.
        pub tokens: u32,
        /// With `tokens`: what a retry takes.
        pub retry_cost: u32 = settings::BUDGET_RETRY_COST,
        /// With `tokens`: what a retry after a timeout takes.
        pub timeout_cost: u32 = "as `retry_cost`",
        /// With `tokens`: what a success puts back.
        pub success: u32 = settings::BUDGET_SUCCESS,
        /// Adaptive throttling: so many requests for each that is accepted.
        pub throttle: f64,
        /// With `throttle`: over how long.
        pub window: Duration as AboveZero = settings::THROTTLE_WINDOW,
    }
}

/// The kinds of budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Concurrent,
    Active,
    Recent,
    Tokens,
    Throttle,
}

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Self::Concurrent => "concurrent",
            Self::Active => "active",
            Self::Recent => "recent",
            Self::Tokens => "tokens",
            Self::Throttle => "throttle",
        }
    }
}

impl Layer for BudgetPolicy {
    /// A layer that names a kind replaces another kind below it; else keys are merged one by one.
    fn over(&self, lower: &Self) -> Self {
        match (self, lower) {
            (Self::Some(upper), Self::Some(lower))
                if upper.kinds().next().is_none() || upper.kinds().eq(lower.kinds()) =>
            {
                Self::Some(upper.over(lower))
            }
            (Self::Some(upper), Self::Some(lower)) if lower.kinds().next().is_none() => {
                Self::Some(upper.over(lower))
            }
            _ => self.clone(),
        }
    }
}

impl BudgetPolicy {
    pub(super) fn resolve(&self) -> Option<budget::Config> {
        let Self::Some(keys) = self else { return None };
        let config = match keys.kinds().next()? {
            Kind::Concurrent => {
                let retries_max = keys.concurrent.unwrap_or(settings::BUDGET_RETRIES_MIN);
                budget::Config::Concurrent(concurrent::Config { retries_max })
            }
            Kind::Active => budget::Config::Active(active::Config {
                share: keys.active.unwrap_or_default().0,
                retries_min: keys.min.unwrap_or(settings::BUDGET_RETRIES_MIN),
            }),
            Kind::Recent => budget::Config::Recent(recent::Config {
                share: keys.recent.unwrap_or_default().0,
                floor_per_second: keys.floor.map_or(settings::BUDGET_FLOOR_PER_SECOND, |floor| floor.0),
                ttl: keys.ttl.unwrap_or(settings::BUDGET_TTL),
            }),
            Kind::Tokens => budget::Config::Tokens(tokens::Config {
                tokens_max: keys.tokens.unwrap_or_default(),
                retry_cost: keys.retry_cost.unwrap_or(settings::BUDGET_RETRY_COST),
                timeout_cost: keys.timeout_cost.or(keys.retry_cost).unwrap_or(settings::BUDGET_RETRY_COST),
                success: keys.success.unwrap_or(settings::BUDGET_SUCCESS),
            }),
            Kind::Throttle => budget::Config::Throttle(throttle::Config {
                multiplier: keys.throttle.unwrap_or_default(),
                window: keys.window.unwrap_or(settings::THROTTLE_WINDOW),
            }),
        };
        Some(config)
    }

    /// What cannot be told from one layer alone.
    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        let Self::Some(keys) = self else { return Vec::new() };
        let mut found = Vec::new();
        let mut add = |fact: String, hint: &str| {
            found.push(Contradiction { key: "retry.budget", fact, hint: hint.to_owned() });
        };
        let Some(kind) = keys.kinds().next() else {
            add(
                "it does not say which kind of budget it is".to_owned(),
                "write `concurrent`, `active`, `recent`, `tokens` or `throttle` beside",
            );
            return found;
        };
        if let Some(stray) = keys.stray(kind) {
            add(stray, "leave it out, or name the kind it belongs to");
        }
        let nothing = match self.resolve() {
            Some(budget::Config::Active(config)) => config.share == 0.0 && config.retries_min == 0,
            Some(budget::Config::Recent(config)) => config.share == 0.0 && config.floor_per_second == 0.0,
            _ => false,
        };
        if nothing {
            add("it never allows a retry".to_owned(), "write more, or `attempts = 0` to switch retries off");
        }
        if let Some(budget::Config::Tokens(config)) = self.resolve()
            && config.retry_cost.min(config.timeout_cost) > config.tokens_max
        {
            add(
                format!(
                    "a retry takes {} of {} tokens, so that there is never one",
                    config.retry_cost, config.tokens_max
                ),
                "make `tokens` a multiple of `retry_cost`, as 500 and 14 in the AWS SDKs",
            );
        }
        found
    }
}

impl BudgetKeys {
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        let kinds = [
            self.concurrent.map(|_| Kind::Concurrent),
            self.active.map(|_| Kind::Active),
            self.recent.map(|_| Kind::Recent),
            self.tokens.map(|_| Kind::Tokens),
            self.throttle.map(|_| Kind::Throttle),
        ];
        kinds.into_iter().flatten()
    }

    /// A key that does not belong to a budget of `kind`.
    fn stray(&self, kind: Kind) -> Option<String> {
        let belongs = [
            ("min", self.min.is_some(), Kind::Active),
            ("floor", self.floor.is_some(), Kind::Recent),
            ("ttl", self.ttl.is_some(), Kind::Recent),
            ("retry_cost", self.retry_cost.is_some(), Kind::Tokens),
            ("timeout_cost", self.timeout_cost.is_some(), Kind::Tokens),
            ("success", self.success.is_some(), Kind::Tokens),
            ("window", self.window.is_some(), Kind::Throttle),
        ];
        let (key, _, of) = belongs.into_iter().find(|(_, there, of)| *there && *of != kind)?;
        Some(format!("`{key}` belongs to `{}`, not to `{}`", of.key(), kind.key()))
    }

    /// What one layer can say wrongly by itself, and a way out.
    fn check(&self) -> Result<(), (String, &'static str)> {
        let kinds: Vec<_> = self.kinds().map(|kind| format!("`{}`", kind.key())).collect();
        if kinds.len() > 1 {
            return Err((format!("{} are different budgets", kinds.join(" and ")), "write one of them"));
        }
        let fact = if self.concurrent == Some(0) || self.tokens == Some(0) {
            ("a budget of zero allows no retry", "write `attempts = 0` to switch retries off")
        } else if self.retry_cost == Some(0) || self.timeout_cost == Some(0) {
            ("a retry that costs nothing is never refused", "write a cost such as `14`")
        } else if self.throttle.is_some_and(|multiplier| multiplier < 1.0) {
            ("the throttle's K must be at least 1, so that what is accepted passes", "write `2.0`")
        } else {
            return Ok(());
        };
        Err((fact.0.to_owned(), fact.1))
    }
}

impl Read for BudgetPolicy {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if let Some(text) = value.get_ref().as_str() {
            if text == "none" {
                return Some(Self::None);
            }
            let active = Some(Share::read(value, place, context)?);
            return Some(Self::Some(BudgetKeys { active, ..BudgetKeys::default() }));
        }
        if !value.get_ref().is_table() {
            let expected = ("a budget", "write `\"20%\"`, `\"none\"` or, say, `{ concurrent = 3 }`");
            wrong_type(value, place, expected, context);
            return None;
        }
        let keys = BudgetKeys::read(value, place, context)?;
        if let Err((fact, hint)) = keys.check() {
            context.error(place, fact).hint(hint);
            return None;
        }
        Some(Self::Some(keys))
    }
}

impl Describe for BudgetPolicy {
    fn form() -> Form {
        let share = Form::Text { what: "a percentage of the requests in flight", example: "20%" };
        let none = Form::Text { what: "no budget", example: "none" };
        Form::Either(vec![share, none, BudgetKeys::form()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(budget: &str) -> Result<BudgetPolicy, String> {
        hoplab_config::read_value(budget).map_err(|problems| problems.in_words().join("; "))
    }

    fn resolved(budget: &str) -> Option<budget::Config> {
        let policy = read(budget).unwrap();
        assert_eq!(policy.contradictions(), [], "{budget}");
        policy.resolve()
    }

    #[test]
    fn every_kind_is_read_with_its_defaults() {
        let active = |share, retries_min| budget::Config::Active(active::Config { share, retries_min });
        assert_eq!(resolved("\"none\""), None);
        assert_eq!(resolved("\"20%\""), Some(active(0.2, 3)));
        assert_eq!(resolved("{ active = \"10%\", min = 0 }"), Some(active(0.1, 0)));
        let concurrent = budget::Config::Concurrent(concurrent::Config { retries_max: 7 });
        assert_eq!(resolved("{ concurrent = 7 }"), Some(concurrent));
        let ttl = Duration::from_secs(10);
        let recent = |floor_per_second| {
            Some(budget::Config::Recent(recent::Config { share: 0.2, floor_per_second, ttl }))
        };
        assert_eq!(resolved("{ recent = \"20%\" }"), recent(10.0));
        assert_eq!(resolved("{ recent = \"20%\", floor = \"1 rps\", ttl = \"10s\" }"), recent(1.0));
        let tokens = |retry_cost, timeout_cost| {
            Some(budget::Config::Tokens(tokens::Config {
                tokens_max: 500,
                retry_cost,
                timeout_cost,
                success: 1,
            }))
        };
        assert_eq!(resolved("{ tokens = 500 }"), tokens(14, 14));
        assert_eq!(resolved("{ tokens = 500, retry_cost = 5, timeout_cost = 10 }"), tokens(5, 10));
        let window = Duration::from_secs(120);
        let throttle = budget::Config::Throttle(throttle::Config { multiplier: 2.0, window });
        assert_eq!(resolved("{ throttle = 2 }"), Some(throttle));
    }

    #[test]
    fn a_layer_merges_keys_of_its_kind_and_replaces_another() {
        let merged = |upper: &str, lower: &str| read(upper).unwrap().over(&read(lower).unwrap());
        assert_eq!(merged("{ min = 5 }", "\"20%\""), read("{ active = \"20%\", min = 5 }").unwrap());
        assert_eq!(merged("\"10%\"", "{ min = 5 }"), read("{ active = \"10%\", min = 5 }").unwrap());
        assert_eq!(
            merged("\"10%\"", "{ active = \"20%\", min = 5 }").resolve(),
            resolved("{ active = \"10%\", min = 5 }")
        );
        assert_eq!(merged("{ concurrent = 3 }", "\"20%\""), read("{ concurrent = 3 }").unwrap());
        assert_eq!(merged("\"none\"", "\"20%\""), BudgetPolicy::None);
        assert_eq!(merged("\"20%\"", "\"none\""), read("\"20%\"").unwrap());
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (budget, complaint) in [
            ("\"120%\"", "`120%` is over 100%: write a percentage such as `2%`"),
            (
                "3",
                "a whole number where a budget belongs: write `\"20%\"`, `\"none\"` or, say, `{ concurrent = 3 }`",
            ),
            ("{ concurrent = 0 }", "a budget of zero allows no retry: write `attempts = 0`"),
            ("{ concurrent = -1 }", "`-1` is negative: write 0 or more"),
            ("{ concurrent = 3, recent = \"20%\" }", "`concurrent` and `recent` are different budgets"),
            ("{ recent = \"20%\", ttl = \"0s\" }", "must be above zero"),
            ("{ tokens = 500, retry_cost = 0 }", "a retry that costs nothing is never refused"),
            ("{ throttle = 0.5 }", "the throttle's K must be at least 1"),
            ("{ throttle = nan }", "`nan` is no finite number: write, say, `1.5`"),
            ("{ throttle = 2, window = \"0s\" }", "must be above zero"),
            (
                "{ share = \"20%\" }",
                "unknown key \"share\": there are \"concurrent\", \"active\", \"min\", \"recent\", \"floor\", \"ttl\", \"tokens\", \"retry_cost\", \"timeout_cost\", \"success\", \"throttle\", \"window\"",
            ),
        ] {
            let error = read(budget).unwrap_err();
            assert!(error.starts_with(complaint), "{budget}: {error}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_found_once_the_layers_are_merged() {
        for (budget, complaint) in [
            ("{ min = 5 }", "it does not say which kind of budget it is"),
            ("{ recent = \"20%\", min = 5 }", "`min` belongs to `active`, not to `recent`"),
            ("{ tokens = 10 }", "a retry takes 14 of 10 tokens, so that there is never one"),
        ] {
            let contradictions = read(budget).unwrap().contradictions();
            assert_eq!(contradictions.len(), 1, "{budget}");
            assert_eq!(contradictions[0].fact, complaint, "{budget}");
        }
    }
}

//! The policies of an upstream as configuration writes them: every key optional, unknown keys
//! refused, in layers, one file a policy. [`Policies::resolve`] fills in the defaults, finds what
//! contradicts itself, and gives [`Settings`].

mod balance;
mod breaker;
mod budget;
mod buffer;
mod deadline;
mod health;
mod hedge;
pub(crate) mod layer;
mod limit;
mod outlier;
mod pool;
mod queue;
mod retry;
mod statuses;

use std::time::Duration;

use hoplab_config::{AboveZero, Context, Outline, Place};

pub use balance::{BalanceKeys, BalancePolicy, Kind as BalanceKind, Preference as ZonePreference};
pub use breaker::BreakerPolicy;
pub use budget::{BudgetKeys, BudgetPolicy};
pub use buffer::BufferPolicy;
pub use deadline::{DeadlineField, DeadlinePolicy};
pub use health::{HealthKeys, HealthPolicy, Initial};
pub use hedge::{HedgeAfter, HedgePolicy};
use layer::{layer, whole};
use limit::Allotted;
pub use limit::{SizeLimit, TimeLimit};
pub use outlier::{FailurePercentagePolicy, OutlierPolicy, SuccessRatePolicy};
pub use pool::{PoolPolicy, WholePolicy};
pub use queue::QueuePolicy;
pub use retry::{RetryAfter, RetryPolicy, Trailers, method};
pub use statuses::FaultStatuses;

use super::Protocol;
use super::settings::{self, Settings};

layer! {
    /// How an upstream is called. What is left out comes from the layer below, at last from [`Settings`].
    pub struct Policies {
        /// How long a request may take, all its attempts and the whole answer included, less the time that the caller
        /// lets it wait for content, which may be as long and is answered 408; `"none"`: any time, as streams take that
        /// do not end.
        pub timeout: TimeLimit = settings::TIMEOUT_LIMIT,
        /// How long a request may take until the head of its answer, all its attempts included, less the time that the
        /// caller lets it wait for content, which this does not limit. The upstream is not told of it.
        pub head_timeout: TimeLimit = "as long as the whole",
        /// How long opening a connection may take, the TLS handshake included.
        pub connect_timeout: Duration as AboveZero = settings::CONNECT_TIMEOUT,
        /// How long nothing may pass on a request's stream, either way.
        pub idle_timeout: TimeLimit = "any time; an hour with `timeout = \"none\"`",
        /// What is spoken with the upstream. Sidecars speak HTTP/2 with each other, and a scenario's services what they
        /// say, unless this is written.
        pub protocol: Protocol = "`\"http1\"`",
        /// How deadlines travel.
        pub deadline: DeadlinePolicy = "they do not",
        /// When to try again.
        pub retry: RetryPolicy = "never",
        /// When to send a second attempt beside a late one.
        pub hedge: HedgePolicy = "never",
        /// When to stop asking an endpoint, or the upstream, for a while.
        pub breaker: BreakerPolicy = "never",
        /// How long requests wait when no endpoint is usable.
        pub queue: QueuePolicy = "they do not",
        /// How to choose an endpoint.
        pub balance: BalancePolicy = "`\"round-robin\"`",
        /// How many connections and waiting requests there may be.
        pub pool: PoolPolicy = "as its keys say",
        /// What is taken in before it is passed on, or faster than that.
        pub buffer: BufferPolicy = "nothing",
        /// When to stop using an endpoint that stands out.
        pub outlier: OutlierPolicy = "never",
        /// How endpoints are asked whether they are well.
        pub health: HealthPolicy = "they are not",
        /// By which statuses callers are told of faults, where not by the usual ones: `{ reset = 503 }`.
        pub statuses: FaultStatuses = "the usual ones",
    }
}

whole!(Protocol);

/// Policies that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The key at fault, its tables before it: `retry.per_try_timeout`.
    pub key: &'static str,
    /// What is wrong.
    pub fact: String,
    /// What would be right.
    pub hint: String,
}

impl Contradiction {
    /// Notes all that were `found` where they were written in these layers, the upper ones first. What could not be read
    /// contradicts nothing.
    pub fn note_all(found: Vec<Self>, layers: &[&Outline], context: &mut Context<'_>) {
        let is_unread = |found: &Self| {
            let written = layers.iter().find_map(|layer| layer.find(found.key));
            written.is_some_and(|place| context.is_told(place))
        };
        let found: Vec<Self> = found.into_iter().filter(|found| !is_unread(found)).collect();
        for Self { key, fact, hint } in found {
            let place = Outline::place_in(layers, key).unwrap_or(Place::BEGINNING);
            context.error(place, format!("{key}: {fact}")).hint(hint);
        }
    }
}

impl Policies {
    /// The policies with every default filled in, or everything that contradicts itself.
    pub fn resolve(&self) -> Result<Settings, Vec<Contradiction>> {
        let contradictions = self.contradictions();
        if !contradictions.is_empty() {
            return Err(contradictions);
        }
        Ok(self.settings())
    }

    /// The policies with every default filled in, whether they contradict each other or not.
    pub fn settings(&self) -> Settings {
        let timeout = self.timeout.unwrap_or(settings::TIMEOUT_LIMIT).duration();
        Settings {
            timeout,
            head_timeout: self.head_timeout.and_then(TimeLimit::duration),
            connect_timeout: self.connect_timeout.unwrap_or(settings::CONNECT_TIMEOUT),
            idle_timeout: match self.idle_timeout {
                Some(TimeLimit::Within(limit)) => Some(limit),
                // For ever, also where it would be an hour.
                Some(TimeLimit::Unlimited) => Some(Duration::MAX),
                None => timeout.is_none().then_some(settings::STREAM_IDLE_TIMEOUT),
            },
            protocol: self.protocol,
            deadline: self.deadline.as_ref().and_then(DeadlinePolicy::resolve),
            per_try_timeout: self.per_try_timeout(),
            retry: self.retry.as_ref().map(RetryPolicy::resolve),
            budget: self
                .retry
                .as_ref()
                .and_then(|retry| retry.budget.as_ref())
                .and_then(BudgetPolicy::resolve),
            hedge: self.hedge.as_ref().and_then(HedgePolicy::resolve),
            body_limit: self
                .retry
                .as_ref()
                .and_then(|retry| retry.body_limit)
                .map_or(settings::BODY_LIMIT, |size| size.0),
            retry_within: self
                .retry
                .as_ref()
                .and_then(|retry| retry.within)
                .filter(|within| !within.is_zero()),
            queue: self.queue.as_ref().and_then(QueuePolicy::resolve),
            breaker: self.breaker.as_ref().and_then(BreakerPolicy::resolve),
            balance: self.balance.clone().unwrap_or_default().resolve(),
            buffer: self.buffer.as_ref().map(BufferPolicy::resolve).unwrap_or_default(),
            limits: self.pool.clone().unwrap_or_default().resolve_within(timeout),
            outlier: self.outlier.as_ref().and_then(OutlierPolicy::resolve),
            health: self.health.as_ref().and_then(HealthPolicy::resolve),
            statuses: self.statuses.clone().unwrap_or_default(),
        }
    }

    /// As [`Policies::resolve`], where they are applied by `whom`, who stands in `zone`, if anybody said so.
    pub fn resolve_at(&self, whom: &str, zone: Option<&str>) -> Result<Settings, Vec<Contradiction>> {
        let settings = self.resolve()?;
        if settings.balance.config.zones.is_some() && zone.is_none() {
            return Err(vec![Contradiction {
                key: "balance.zone",
                fact: format!("nobody says which zone {whom} stands in"),
                hint: "write `zone = \"near\"` at the top".to_owned(),
            }]);
        }
        Ok(settings)
    }

    fn per_try_timeout(&self) -> Option<Duration> {
        self.retry.as_ref().and_then(|retry| retry.per_try_timeout).and_then(TimeLimit::duration)
    }

    fn contradictions(&self) -> Vec<Contradiction> {
        let mut found = Vec::new();
        let per_try = self.per_try_timeout();
        let allotted = Allotted::of(self.timeout, self.head_timeout);
        let whole = Allotted::of(self.timeout, None);
        if let Some(head) = self.head_timeout.and_then(TimeLimit::duration)
            && whole.is_over_after(head)
        {
            found.push(whole.contradiction("head_timeout", "its answer can be late"));
        }
        if let Some(per_try) = per_try
            && allotted.is_shorter_than(per_try)
        {
            let fact = "one try may take longer than the request may";
            found.push(allotted.contradicts("retry.per_try_timeout", fact));
        }
        let within = self.retry.as_ref().filter(|retry| retry.is_on()).and_then(|retry| retry.within);
        if within.is_some_and(|within| allotted.is_over_after(within)) {
            found.push(allotted.contradiction("retry.within", "no further attempt is made"));
        }
        if self.idle_timeout.and_then(TimeLimit::duration).is_some_and(|idle| whole.is_over_after(idle)) {
            found.push(whole.contradiction("idle_timeout", "its stream can be idle for so long"));
        }
        found.extend(self.deadline.iter().flat_map(|deadline| deadline.contradictions(&whole, per_try)));
        found.extend(self.hedge.iter().flat_map(|hedge| hedge.contradictions(&allotted, per_try)));
        found.extend(self.retry.iter().filter(|retry| retry.is_on()).flat_map(RetryPolicy::contradictions));
        found.extend(self.balance.iter().flat_map(BalancePolicy::contradictions));
        found.extend(self.pool.iter().flat_map(|pool| pool.contradictions(&allotted)));
        found.extend(self.queue.iter().flat_map(|queue| queue.contradictions(&allotted)));
        found.extend(self.buffer.iter().flat_map(BufferPolicy::contradictions));
        found.extend(self.breaker.iter().flat_map(BreakerPolicy::contradictions));
        found.extend(self.outlier.iter().flat_map(OutlierPolicy::contradictions));
        found.extend(self.health.iter().flat_map(|health| health.contradictions(self.outlier.is_some())));
        found
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::policy::balance::Algorithm;
    use crate::policy::budget::{self, active};
    use crate::policy::retry::Condition;

    fn read(text: &str) -> Result<Policies, String> {
        hoplab_config::read("test.toml", text).map_err(|problems| problems.in_words().join("; "))
    }

    #[test]
    fn a_whole_policy_is_read_and_resolved() {
        let policies = read(
            r#"
            timeout = "1s"
            retry = { attempts = 2, on = ["connect-failure", "503"], backoff = "25ms..250ms", budget = "20%" }
            breaker = { failures = 5, open_for = "5s" }
            balance = "peak-ewma"
            "#,
        )
        .unwrap();
        let settings = policies.resolve().unwrap();
        assert_eq!(settings.timeout, Some(Duration::from_secs(1)));
        let budget = active::Config { share: 0.2, retries_min: 3 };
        assert_eq!(settings.budget, Some(budget::Config::Active(budget)));
        assert!(matches!(settings.balance.config.algorithm, Algorithm::PeakEwma(_)));
        let breaker = settings.breaker.unwrap().config;
        assert_eq!((breaker.failures, breaker.open_for), (5, Duration::from_secs(5)));
        let retry = settings.retry.unwrap();
        assert_eq!(retry.attempts, 2);
        assert_eq!(retry.on, [Condition::ConnectFailure, Condition::Status(StatusCode::SERVICE_UNAVAILABLE)]);
    }

    #[test]
    fn layers_are_merged_key_by_key() {
        let lower = read("timeout = \"1s\"\nretry = { attempts = 2, budget = \"20%\" }").unwrap();
        let upper = read("retry = { attempts = 0 }\nbreaker = { failures = 0 }").unwrap();
        let merged = upper.over(&lower);
        assert_eq!(merged.timeout, Some(TimeLimit::Within(Duration::from_secs(1))));
        let retry = merged.retry.as_ref().unwrap();
        assert_eq!(retry.attempts, Some(0));
        assert!(retry.budget.as_ref().unwrap().resolve().is_some());
        assert_eq!(merged.resolve().unwrap().breaker, None);
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            (
                "balance = \"best\"",
                "unknown balance \"best\": there are \"round-robin\", \"random\", \"least-request\", \"peak-ewma\", \"ring\", \"maglev\"",
            ),
            ("timeout = \"0s\"", "must be above zero: write `\"none\"` for any time"),
            ("timeout = \"-1s\"", "`-1s` is negative: write a duration such as `250us`"),
            ("retry = { on = [\"200\"] }", "unknown retry condition `200`"),
            ("retry = { methods = [\"get\"] }", "`get` is no method: write it in capitals, such as `GET`"),
            ("retry = { budget = \"120%\" }", "`120%` is over 100%: write a percentage such as `2%`"),
            ("retry = { attempts = -1 }", "`-1` is negative: write 0 or more"),
            ("retries = 3", "unknown key \"retries\": did you mean \"retry\"?"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_switched_off_contradicts_nothing_that_a_lower_layer_says() {
        let lower = read(
            r#"
            timeout = "10s"
            retry = { within = "5s", on = ["retriable-headers"], headers = ["x-again"] }
            hedge = { after = "5s" }
            breaker = { growth = 2.0, open_max = "1m" }
            outlier = { consecutive_local = 3, local_success = "connection" }
            health = { http = "/healthz", unejects = true }
            "#,
        )
        .unwrap();
        assert!(lower.resolve().is_ok());
        for (off, without) in [
            ("retry = { attempts = 0, on = [] }\ntimeout = \"1s\"", "retry.within"),
            ("hedge = { max = 0 }\ntimeout = \"4s\"", "hedge.after"),
            ("breaker = { failures = 0, growth = 1.0 }", "breaker.open_max"),
            ("outlier = { max_ejected = \"0%\", consecutive_local = 0 }\nhealth = { fall = 0 }", "outlier"),
        ] {
            let keys = |policies: &Policies| match policies.over(&lower).resolve() {
                Ok(_) => Vec::new(),
                Err(found) => found.iter().map(|found| found.key).collect::<Vec<_>>(),
            };
            let found = keys(&read(off).unwrap());
            assert!(!found.iter().any(|key| key.starts_with(without)), "{off}: {found:?}");
        }
        let off = "timeout = \"1s\"\nretry.attempts = 0\nhedge.max = 0\nbreaker = { failures = 0, growth = 1.0 }\n\
                   outlier.max_ejected = \"0%\"\nhealth.fall = 0";
        assert!(read(off).unwrap().over(&lower).resolve().is_ok());
    }

    #[test]
    fn what_contradicts_a_default_is_found_like_what_contradicts_a_key() {
        for (text, key, fact) in [
            (
                "timeout = \"1s\"\nretry = { per_try_timeout = \"2s\" }",
                "retry.per_try_timeout",
                "one try may take longer than the request may",
            ),
            (
                "retry = { per_try_timeout = \"180s\" }",
                "retry.per_try_timeout",
                "one try may take longer than the request may, whose `timeout` is 15s unless it is written",
            ),
            (
                "retry = { within = \"15s\" }",
                "retry.within",
                "the request is over before no further attempt is made, whose `timeout` is 15s unless it is written",
            ),
            (
                "hedge = { after = \"15s\" }",
                "hedge.after",
                "the request is over before its answer is late, whose `timeout` is 15s unless it is written",
            ),
            (
                "hedge = { after = \"2s\" }\nretry = { per_try_timeout = \"1s\" }",
                "hedge.after",
                "a try is over before its answer is late",
            ),
            (
                "idle_timeout = \"20s\"",
                "idle_timeout",
                "the request is over before its stream can be idle for so long, whose `timeout` is 15s unless it is written",
            ),
        ] {
            let found = read(text).unwrap().resolve().unwrap_err();
            assert_eq!((found[0].key, &*found[0].fact), (key, fact));
        }
        assert!(
            read("timeout = \"200s\"\nretry = { per_try_timeout = \"180s\" }").unwrap().resolve().is_ok()
        );
    }

    #[test]
    fn limits_can_be_switched_off() {
        let lower =
            read("timeout = \"1s\"\nhead_timeout = \"500ms\"\nretry.per_try_timeout = \"100ms\"").unwrap();
        let limits = |text: &str| {
            let settings = read(text).unwrap().over(&lower).resolve().unwrap();
            let ms = |limit: Option<Duration>| limit.map(|limit| limit.as_millis());
            [settings.timeout, settings.head_timeout, settings.per_try_timeout, settings.idle_timeout].map(ms)
        };
        assert_eq!(limits(""), [Some(1_000), Some(500), Some(100), None]);
        let hour = Some(3_600_000);
        assert_eq!(
            limits("timeout = \"none\""),
            [None, Some(500), Some(100), hour],
            "silence ends it at last"
        );
        assert_eq!(limits("head_timeout = \"none\""), [Some(1_000), None, Some(100), None]);
        let all = "timeout = \"none\"\nhead_timeout = \"none\"\nretry.per_try_timeout = \"none\"\nidle_timeout = \"2h\"";
        assert_eq!(limits(all), [None, None, None, Some(7_200_000)]);
    }

    #[test]
    fn the_time_until_the_head_contradicts_what_comes_after_it() {
        for (text, key, fact, hint) in [
            (
                "head_timeout = \"15s\"",
                "head_timeout",
                "the request is over before its answer can be late, whose `timeout` is 15s unless it is written",
                "make `head_timeout` shorter than `timeout`, or write `\"none\"` in the upper layer",
            ),
            (
                "timeout = \"none\"\nhead_timeout = \"2s\"\nretry.per_try_timeout = \"3s\"",
                "retry.per_try_timeout",
                "one try may take longer than the request may",
                "make `per_try_timeout` shorter than `head_timeout`, or write `\"none\"` in the upper layer",
            ),
            (
                "head_timeout = \"2s\"\nhedge.after = \"2s\"",
                "hedge.after",
                "the request is over before its answer is late",
                "make `after` shorter than `head_timeout`, or take it out",
            ),
            (
                "head_timeout = \"2s\"\nqueue.timeout = \"2s\"",
                "queue.timeout",
                "the request is over before it has waited for so long",
                "make `queue.timeout` shorter than `head_timeout`, or take it out",
            ),
        ] {
            let found = read(text).unwrap().resolve().unwrap_err();
            assert_eq!((found.len(), found[0].key, &*found[0].fact, &*found[0].hint), (1, key, fact, hint));
        }
        let nothing = "timeout = \"none\"\nidle_timeout = \"9h\"\nretry = { per_try_timeout = \"9h\", within = \"9h\" }\n\
                       hedge.after = \"8h\"\npool.pending_timeout = \"9h\"\ndeadline.reserve = \"1h\"";
        assert!(read(nothing).unwrap().resolve().is_ok());
    }
}

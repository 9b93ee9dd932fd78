//! Members that are the addresses of a name, as in Envoy's `STRICT_DNS`: all of them, and they alone. The name is asked
//! for again when its answer's time to live is over. When nobody answers, the last answer holds, and the name is asked for
//! again after a pause that grows (Envoy's `dns_failure_refresh_rate`).
//!
//! An answer without addresses, also that there is no such name, is an answer, and leaves nobody, as in Envoy. But it is
//! what a name server says, too, that has just been started: so it is taken up when it is said twice in a row.

use std::io;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

use super::{Found, Look};
use crate::host::{Endpoint, Host, Instant, Resolved};
use crate::timer::before;
use crate::upstream::{Fleet, Placed, Placement};

/// The shortest time after which a name is asked for again, whatever its time to live.
const AGAIN_MIN: Duration = Duration::from_secs(1);
/// The longest.
const AGAIN_MAX: Duration = Duration::from_mins(5);
/// The longest pause after nobody has answered.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long an answer is waited for; resolvers ask two servers twice in this time, as a rule.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often in a row it must be said that there is no address.
const EMPTY_ANSWERS: u32 = 2;

/// Watches one name.
pub(super) struct Watch {
    name: Endpoint,
    placement: Placement,
    /// Questions in a row that nobody has answered.
    failures: u32,
    /// Answers in a row without an address.
    empty: u32,
    random: ChaCha8Rng,
}

impl Watch {
    pub(super) fn new(name: Endpoint, placement: Placement, random: ChaCha8Rng) -> Self {
        Self { name, placement, failures: 0, empty: 0, random }
    }

    /// Asks for the name.
    pub(super) async fn ask<H: Host>(&self, host: &H) -> io::Result<Resolved> {
        let until = host.now() + PATIENCE;
        let answered = before(host, until, host.resolve(&self.name.host)).await;
        answered
            .unwrap_or_else(|| Err(io::Error::new(io::ErrorKind::TimedOut, "no name server has answered")))
    }

    /// What an answer makes of the members.
    pub(super) fn learn(&mut self, now: Instant, answer: io::Result<Resolved>) -> Look {
        let Resolved { mut addresses, ttl } = match answer {
            Ok(resolved) => resolved,
            Err(error) => {
                let fact = format!("cannot resolve `{}`: {error}", self.name.host);
                return Look { found: Found::Trouble(fact), again: now + self.pause() };
            }
        };
        self.failures = 0;
        let again = now + ttl.clamp(AGAIN_MIN, AGAIN_MAX);
        if addresses.is_empty() {
            self.empty += 1;
            if self.empty < EMPTY_ANSWERS {
                let fact = format!("`{}` has no address", self.name.host);
                return Look { found: Found::Trouble(fact), again: now + AGAIN_MIN };
            }
        } else {
            self.empty = 0;
        }
        // Name servers turn the order round, which is to move nobody's turn.
        addresses.sort_unstable();
        addresses.dedup();
        let placed = addresses.into_iter().map(|address| Placed {
            endpoint: Endpoint::new(address.to_string(), self.name.port),
            placement: self.placement.clone(),
        });
        Look { found: Found::Fleet(Fleet::of(placed)), again }
    }

    /// How long to wait after nobody has answered: from half to the whole of what doubles each time.
    fn pause(&mut self) -> Duration {
        let pause = AGAIN_MIN.saturating_mul(1 << self.failures.min(10)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        pause.mul_f64(self.random.random_range(0.5..=1.0)).max(AGAIN_MIN)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const NOW: Instant = Instant::START;

    fn watch() -> Watch {
        let name = Endpoint::new("payment", 8080);
        Watch::new(name, Placement { weight: 2, ..Placement::default() }, ChaCha8Rng::seed_from_u64(1))
    }

    fn resolved(addresses: &[&str], ttl: u64) -> Resolved {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Resolved { addresses, ttl: Duration::from_secs(ttl) }
    }

    fn ids(look: &Look) -> Option<Vec<String>> {
        let Found::Fleet(fleet) = &look.found else { return None };
        assert!(fleet.members().iter().all(|member| member.placement.weight == 2));
        Some(fleet.members().iter().map(|member| member.id.to_string()).collect())
    }

    #[test]
    fn members_are_the_addresses_whatever_their_order() {
        let mut watch = watch();
        for addresses in [["10.0.0.2", "10.0.0.1", "::1"], ["::1", "10.0.0.1", "10.0.0.2"]] {
            let look = watch.learn(NOW, Ok(resolved(&addresses, 30)));
            assert_eq!(ids(&look).unwrap(), ["10.0.0.1:8080", "10.0.0.2:8080", "[::1]:8080"]);
            assert_eq!(look.again, NOW + Duration::from_secs(30));
        }
        let look = watch.learn(NOW, Ok(resolved(&["10.0.0.1", "10.0.0.1"], 30)));
        assert_eq!(ids(&look).unwrap(), ["10.0.0.1:8080"]);
    }

    #[test]
    fn it_asks_again_when_the_answer_is_old_within_bounds() {
        let again = |ttl| watch().learn(NOW, Ok(resolved(&["10.0.0.1"], ttl))).again - NOW;
        assert_eq!([0, 5, 3_600].map(again).map(|again| again.as_secs()), [1, 5, 300]);
    }

    #[test]
    fn when_nobody_answers_the_last_answer_holds_and_pauses_grow() {
        let mut watch = watch();
        for most in [1, 2, 4, 8, 16, 30, 30] {
            let look = watch.learn(NOW, Err(io::ErrorKind::ConnectionRefused.into()));
            let Found::Trouble(fact) = look.found else { panic!("{:?}", look.found) };
            assert_eq!(fact, "cannot resolve `payment`: connection refused");
            let (pause, most) = (look.again - NOW, Duration::from_secs(most));
            assert!(pause <= most && pause >= (most / 2).max(AGAIN_MIN), "{pause:?} of {most:?}");
        }
        watch.learn(NOW, Ok(resolved(&["10.0.0.1"], 5)));
        let look = watch.learn(NOW, Err(io::ErrorKind::ConnectionRefused.into()));
        assert_eq!(look.again, NOW + AGAIN_MIN, "it begins anew");
    }

    #[test]
    fn nobody_is_left_when_it_is_said_twice_in_a_row() {
        let mut watch = watch();
        let look = watch.learn(NOW, Ok(resolved(&[], 30)));
        assert_eq!(look.found, Found::Trouble("`payment` has no address".to_owned()));
        assert_eq!(look.again, NOW + AGAIN_MIN);
        assert!(ids(&watch.learn(NOW, Ok(resolved(&["10.0.0.1"], 30)))).is_some());
        assert!(ids(&watch.learn(NOW, Ok(resolved(&[], 30)))).is_none());
        let look = watch.learn(NOW, Ok(resolved(&[], 30)));
        assert_eq!((ids(&look).unwrap().len(), look.again), (0, NOW + Duration::from_secs(30)));
    }
}

//! Why connections are not secured, told as news: each reason once a minute, since callers come again and again. Writes
//! nothing itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::{TlsPeer, TlsTrouble};

/// How long a reason is no news.
const OLD_AFTER: Duration = Duration::from_mins(1);

/// How many reasons are told apart in that time, of endpoints and of callers: either may have names in them.
const REASONS_MAX: usize = 100;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    endpoints: Mutex<Told>,
    callers: Mutex<Told>,
}

/// Reasons, and when they were told.
type Told = BTreeMap<String, Instant>;

impl Troubles {
    /// What is to be said of `trouble`, if it is news.
    pub(super) fn news(&self, TlsTrouble { at, with, fact }: &TlsTrouble) -> Option<String> {
        let (told, reason, who) = match with {
            TlsPeer::Endpoint(endpoint) => {
                (&self.endpoints, format!("{endpoint}: {fact}"), endpoint.to_string())
            }
            // Callers that are wrong in the same way are many, and have an address each.
            TlsPeer::Caller(caller) => {
                (&self.callers, fact.clone(), format!("a caller, {}", caller.ip().to_canonical()))
            }
        };
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, last| at.saturating_since(*last) < OLD_AFTER);
        if told.contains_key(&reason) || told.len() > REASONS_MAX {
            return None;
        }
        told.insert(reason, *at);
        if told.len() > REASONS_MAX {
            return Some(format!(
                "TLS: more than {REASONS_MAX} reasons in a minute; others are not told for now"
            ));
        }
        Some(format!("TLS with {who}: {fact}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(seconds: u64, with: TlsPeer, fact: &str) -> TlsTrouble {
        TlsTrouble { at: Instant::START + Duration::from_secs(seconds), with, fact: fact.to_owned() }
    }

    fn caller(last: u8) -> TlsPeer {
        TlsPeer::Caller(format!("[::ffff:10.0.0.{last}]:5000").parse().unwrap())
    }

    #[test]
    fn a_reason_is_told_once_a_minute_although_it_lasts() {
        let troubles = Troubles::default();
        let told = (0..=180).filter(|seconds| {
            let payment = TlsPeer::Endpoint("payment:8443".into());
            let said = troubles.news(&trouble(*seconds, payment, "it refuses us"));
            said.is_some_and(|said| said == "TLS with payment:8443: it refuses us")
        });
        assert_eq!(told.collect::<Vec<_>>(), [0, 60, 120, 180]);
        let order = TlsPeer::Endpoint("order:8443".into());
        assert!(troubles.news(&trouble(181, order, "it refuses us")).is_some(), "another one");
        let said = [1, 2].map(|last| troubles.news(&trouble(181, caller(last), "it shows no certificate")));
        assert_eq!(said, [Some("TLS with a caller, 10.0.0.1: it shows no certificate".to_owned()), None]);
    }

    #[test]
    fn callers_with_many_reasons_drown_neither_the_log_nor_endpoints() {
        let troubles = Troubles::default();
        let said: Vec<_> = (0..500)
            .filter_map(|alert| troubles.news(&trouble(0, caller(1), &format!("alert {alert}"))))
            .collect();
        assert_eq!(said.len(), REASONS_MAX + 1);
        assert!(said[REASONS_MAX].ends_with("others are not told for now"), "{said:?}");
        let payment = TlsPeer::Endpoint("payment:8443".into());
        assert!(troubles.news(&trouble(0, payment, "it refuses us")).is_some());
        assert!(troubles.news(&trouble(60, caller(1), "alert 0")).is_some(), "a minute later");
    }
}

//! Which outcomes a breaker counts as failures. Owns no state.

use http::StatusCode;

use crate::telemetry::Fault;

/// What counts as a failure: some statuses, and some of the faults that speak against an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blame {
    /// A bit for each status from 0 to 639, which covers 100 to 599.
    statuses: [u64; 10],
    connect_failure: bool,
    reset: bool,
    timeout: bool,
}

/// A kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any status from 500 to 599.
    ServerError,
    /// 502, 503 or 504.
    GatewayError,
    /// This status.
    Status(StatusCode),
    /// The connection could not be opened: refused, too slow, or the TLS handshake failed.
    ConnectFailure,
    /// The connection broke before the answer's head was complete.
    Reset,
    /// The answer's head did not come in time.
    Timeout,
}

impl Default for Blame {
    /// Every 5xx and every fault that speaks against an endpoint, as Envoy's `consecutive_5xx`.
    fn default() -> Self {
        [Kind::ServerError, Kind::ConnectFailure, Kind::Reset, Kind::Timeout].into_iter().collect()
    }
}

impl FromIterator<Kind> for Blame {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        let mut blame = Self { statuses: [0; 10], connect_failure: false, reset: false, timeout: false };
        for kind in kinds {
            match kind {
                Kind::ServerError => (500..=599).for_each(|status| blame.count(status)),
                Kind::GatewayError => (502..=504).for_each(|status| blame.count(status)),
                Kind::Status(status) => blame.count(status.as_u16()),
                Kind::ConnectFailure => blame.connect_failure = true,
                Kind::Reset => blame.reset = true,
                Kind::Timeout => blame.timeout = true,
            }
        }
        blame
    }
}

impl Blame {
    /// Whether an answer with `status` counts as a failure; every other answer is a success.
    pub fn answered(&self, status: StatusCode) -> bool {
        let status = usize::from(status.as_u16());
        self.statuses.get(status / 64).is_some_and(|word| word >> (status % 64) & 1 == 1)
    }

    /// Whether `fault` counts as a failure; one that does not says nothing about the endpoint.
    pub fn failed(&self, fault: Fault) -> bool {
        match fault {
            Fault::Reset | Fault::ProtocolError => self.reset,
            Fault::Timeout => self.timeout,
            _ => self.connect_failure && fault.blames_endpoint(),
        }
    }

    fn count(&mut self, status: u16) {
        if let Some(word) = self.statuses.get_mut(usize::from(status / 64)) {
            *word |= 1 << (status % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(blame: &Blame) -> Vec<u16> {
        let all = (100..=599).filter_map(|status| StatusCode::from_u16(status).ok());
        all.filter(|status| blame.answered(*status)).map(|status| status.as_u16()).collect()
    }

    #[test]
    fn by_default_every_server_error_and_every_fault_of_the_endpoint_counts() {
        let blame = Blame::default();
        assert_eq!(counted(&blame), (500..=599).collect::<Vec<_>>());
        for fault in [Fault::Refused, Fault::ConnectTimeout, Fault::Tls, Fault::Reset, Fault::Timeout] {
            assert!(blame.failed(fault), "{fault}");
        }
        for fault in [Fault::Overflow, Fault::BreakerOpen, Fault::Cancelled, Fault::Malformed] {
            assert!(!blame.failed(fault), "{fault}");
        }
    }

    #[test]
    fn a_list_counts_what_it_names_and_nothing_else() {
        let blame: Blame = [Kind::GatewayError, Kind::Status(StatusCode::TOO_MANY_REQUESTS), Kind::Timeout]
            .into_iter()
            .collect();
        assert_eq!(counted(&blame), [429, 502, 503, 504]);
        assert!(blame.failed(Fault::Timeout));
        assert!(!blame.failed(Fault::Refused) && !blame.failed(Fault::Reset));
        assert!(!blame.answered(StatusCode::from_u16(999).unwrap()));
    }
}

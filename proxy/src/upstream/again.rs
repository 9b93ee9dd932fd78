//! Whether a request is tried again: asks the retry policy, the kept content, the deadline and the budget, in
//! this order, and reports what came of it. The policies themselves are in [`crate::policy`].

use std::time::Duration;

use http::StatusCode;
use http::request::Parts;

use super::Upstream;
use super::attempt::{self, Attempted};
use super::replay::Replay;
use super::state::Retrying;
use crate::host::{Host, Instant};
use crate::policy::budget::{Cause, Outcome};
use crate::policy::retry::{Backoff, Failure, Retry};
use crate::telemetry::{Decision, Fault};

/// What one request remembers of its retries.
pub(super) struct Retries {
    count: u32,
    /// Why the attempt that is under way was made again.
    cause: Option<Cause>,
    backoff: Option<Backoff>,
}

impl<H: Host> Upstream<H> {
    /// No retry yet.
    pub(super) fn retries(&self) -> Retries {
        Retries { count: 0, cause: None, backoff: self.retry.as_ref().map(Retry::backoff) }
    }

    /// Whether to try again: how long to pause first, and the budget's permission.
    pub(super) fn again(
        &self,
        head: &Parts,
        replay: &Replay<H>,
        attempted: &Attempted<H>,
        retries: &mut Retries,
        deadline: Instant,
    ) -> Option<(Duration, Retrying<H>)> {
        let endpoint = attempt::endpoint(attempted);
        let failure = failure(attempted);
        let covered = self.retry.as_ref().is_some_and(|retry| retry.covers(failure));
        let accepted = is_accepted(attempted) && !covered;
        let retried = retries.cause.take();
        if accepted && retried.is_some() {
            self.state.decided(endpoint, Decision::RetrySucceeded);
        }
        self.state.observe(if accepted { Outcome::Accepted { retried } } else { Outcome::Refused });
        let (retry, backoff) = (self.retry.as_ref()?, retries.backoff.as_mut()?);
        if !covered || !retry.has_left(retries.count) || replay.broken().is_some() {
            return None;
        }
        // What else could stand in the way is ruled out.
        if !retry.wanted(&head.method, failure, retries.count) {
            self.state.decided(endpoint, Decision::RetryMethod);
            return None;
        }
        if !replay.is_whole() {
            self.state.decided(endpoint, Decision::RetryBodyTooLong);
            return None;
        }
        let told = attempted
            .as_ref()
            .ok()
            .and_then(|answered| retry.told(&answered.head.headers, || self.host.wall()));
        let pause = self.state.pause(backoff, told, retries.count + 1);
        // An attempt that could not even begin in time is no attempt.
        if self.host.now() + pause >= deadline {
            return None;
        }
        let cause = cause(attempted);
        let permit = self.state.retry(cause);
        let decision = if permit.is_some() { Decision::Retried } else { Decision::RetryBudgetSpent };
        self.state.decided(endpoint, decision);
        retries.count += 1;
        retries.cause = Some(cause);
        permit.map(|permit| (pause, permit))
    }
}

/// An attempt as the retry policy sees it.
pub(super) fn failure<H: Host>(attempted: &Attempted<H>) -> Failure<'_> {
    match attempted {
        Ok(answered) => {
            let head = &answered.head;
            Failure::Answered {
                status: head.status,
                headers: &head.headers,
                trailers: answered.content.trailers(),
            }
        }
        Err(failed) => Failure::Unanswered { fault: failed.fault, reach: failed.reach },
    }
}

/// Whether the upstream took the request on, as far as its status tells.
fn is_accepted<H: Host>(attempted: &Attempted<H>) -> bool {
    attempted.as_ref().is_ok_and(|answered| {
        let status = answered.status();
        !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
    })
}

fn cause<H: Host>(attempted: &Attempted<H>) -> Cause {
    match attempted {
        Err(failed) if matches!(failed.fault, Fault::Timeout | Fault::ConnectTimeout) => Cause::Timeout,
        _ => Cause::Failure,
    }
}

//! Whose the time of a request was, from its spans: a wait for an attempt is its callee's as far as the callee was at
//! it, and the wire's for the rest. Adds nothing up over requests.

use std::collections::BTreeMap;

use hoplab_sim::lens::{Request, Visit};

/// How long after its end a request's account waits for the spans of what it abandoned.
pub(super) const PATIENCE: u64 = 1_000_000_000;

/// A request's nanoseconds by hop and owner.
pub(super) type Account = BTreeMap<(String, String), u64>;

/// The account of a request that has ended, of the spans in it.
pub(super) fn of(request: &Request, visits: &[&Visit]) -> Account {
    let mut account = Account::new();
    if let Some(client) = visits.iter().find(|visit| visit.is_client) {
        share(client, (client.start_nanos, client.end_nanos), visits, &mut account);
    }
    let took = request.end_nanos.unwrap() - request.start_nanos;
    assert_eq!(account.values().sum::<u64>(), took, "the spans of {} do not tile it", request.id);
    account
}

/// Puts the part of `visit` that lies between two moments into the account.
fn share(visit: &Visit, (from, until): (u64, u64), visits: &[&Visit], account: &mut Account) {
    let mut begins = visit.start_nanos;
    for segment in &visit.segments {
        let (start, end) = (begins.max(from), segment.end_nanos.min(until));
        begins = segment.end_nanos;
        if start >= end {
            continue;
        }
        let mut put = |owner: &str, nanos: u64| {
            if nanos > 0 {
                *account.entry((visit.hop.clone(), owner.to_owned())).or_default() += nanos;
            }
        };
        let answer = segment.attempt.and_then(|id| visits.iter().find(|visit| visit.parent == Some(id)));
        let Some(answer) = answer else {
            put(segment.owner, end - start);
            continue;
        };
        let arrived = answer.start_nanos.clamp(start, end);
        let left = answer.end_nanos.clamp(arrived, end);
        put("wire", arrived - start + end - left);
        share(answer, (arrived, left), visits, account);
    }
}

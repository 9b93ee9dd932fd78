//! Whose the time of a request was, from its spans: a wait for an attempt is its callee's as far as the callee was at
//! it, and the wire's for the rest, but for when the connection stood still. Adds nothing up over requests.

use std::collections::BTreeMap;

use hoplab_sim::lens::{Attempt, Request, Visit};

/// How long after its end a request's account waits for the spans of what it abandoned.
pub(super) const PATIENCE: u64 = 1_000_000_000;

/// A request's nanoseconds by hop and owner.
pub(super) type Account = BTreeMap<(String, String), u64>;

/// The account of a request that has ended, of the spans in it.
pub(super) fn of(request: &Request, visits: &[&Visit]) -> Account {
    let mut account = Account::new();
    if let Some(client) = visits.iter().find(|visit| visit.is_client) {
        share(client, &[], (client.start_nanos, client.end_nanos), visits, &mut account);
    }
    let took = request.end_nanos.unwrap() - request.start_nanos;
    assert_eq!(account.values().sum::<u64>(), took, "the spans of {} do not tile it", request.id);
    account
}

/// Puts the part of `visit` that lies between two moments into the account; it was asked for by the last `asking`
/// attempt, which was made for the one before.
fn share(
    visit: &Visit,
    asking: &[&Attempt],
    (from, until): (u64, u64),
    visits: &[&Visit],
    account: &mut Account,
) {
    let mut begins = visit.start_nanos;
    let (mut own, mut answers) = (Vec::new(), Vec::new());
    for segment in &visit.segments {
        let (start, end) = (begins.max(from), segment.end_nanos.min(until));
        begins = segment.end_nanos;
        if start >= end {
            continue;
        }
        let Some(id) = segment.attempt else {
            // Whoever asked sends or takes bytes, which may be either way, and may itself wait for who asked it.
            let is_wire = segment.owner == "wire";
            own.extend(if is_wire {
                wire(asking, None, (start, end))
            } else {
                vec![(segment.owner, end - start)]
            });
            continue;
        };
        let attempt = visit.attempts.iter().find(|attempt| attempt.id == id);
        let Some(answer) = visits.iter().find(|visit| visit.parent == Some(id)) else {
            own.extend(wire(attempt.as_slice(), None, (start, end)));
            continue;
        };
        let arrived = answer.start_nanos.clamp(start, end);
        let left = answer.end_nanos.clamp(arrived, end);
        own.extend(wire(attempt.as_slice(), Some(false), (start, arrived)));
        own.extend(wire(attempt.as_slice(), Some(true), (left, end)));
        answers.push((answer, attempt, (arrived, left)));
    }
    for (owner, nanos) in own.into_iter().filter(|(_, nanos)| *nanos > 0) {
        *account.entry((visit.hop.clone(), owner.to_owned())).or_default() += nanos;
    }
    for (answer, attempt, time) in answers {
        let asking = [asking, attempt.as_slice()].concat();
        share(answer, &asking, time, visits, account);
    }
}

/// Whose a time on the connections of attempts is, on the way there, back, or either: moment by moment, between all at
/// which something begins or ends.
fn wire(attempts: &[&Attempt], is_back: Option<bool>, (from, until): (u64, u64)) -> Vec<(&'static str, u64)> {
    let stalls = attempts.iter().flat_map(|attempt| &attempt.stalls);
    let stalls: Vec<_> = stalls.filter(|stall| is_back.is_none_or(|back| back == stall.is_back)).collect();
    let mut moments: Vec<u64> =
        stalls.iter().flat_map(|stall| [stall.start_nanos, stall.end_nanos]).collect();
    moments.extend([from, until]);
    moments.retain(|moment| (from..=until).contains(moment));
    moments.sort_unstable();
    let owner = |start: u64, end: u64| {
        let on = stalls.iter().filter(|stall| stall.start_nanos <= start && end <= stall.end_nanos);
        let mut owners: Vec<&'static str> = on.map(|stall| stall.owner).collect();
        owners.sort_unstable();
        // By the alphabet a retransmission comes before a window.
        owners.first().copied().unwrap_or("wire")
    };
    moments.windows(2).map(|pair| (owner(pair[0], pair[1]), pair[1] - pair[0])).collect()
}

//! How owners of time are called where people read, and what of an architecture's time they add over the baseline's.

use std::collections::BTreeMap;

use super::figure::mean;
use super::rebuilt::Part;

/// Owners by their keys, as they are called, and as what they are in together.
const OWNERS: [(&str, &str, &str); 17] = [
    ("service_work", "service work", "service work"),
    ("service_sleep", "service sleep", "service work"),
    ("service_queue", "service queue", "service queue"),
    ("wire", "wire", "network"),
    ("retransmission", "retransmission", "network"),
    ("unread", "waiting for the reader", "network"),
    ("window", "window", "network"),
    ("connect", "connecting", "network"),
    ("pool", "waiting for a connection", "network"),
    ("tls", "TLS", "TLS"),
    ("proxy_cpu", "proxy CPU", "proxy CPU"),
    ("proxy_latency", "proxy latency", "proxy latency"),
    ("proxy_queue", "proxy queue", "proxy queue"),
    ("backoff", "retry back-off", "back-off, delay"),
    ("delay", "deliberate delay", "back-off, delay"),
    ("client", "client", "client, unknown"),
    ("other", "unknown", "client, unknown"),
];

/// What an owner is called.
pub(super) fn called(key: &str) -> &'static str {
    OWNERS.iter().find(|(of, ..)| *of == key).unwrap().1
}

/// What an owner is part of, by what it is called.
pub(super) fn together(called: &str) -> &'static str {
    OWNERS.iter().find(|(_, of, _)| *of == called).unwrap().2
}

/// What a part of a run adds to the mean over the same part under the baseline, in all and by owner; `None` where
/// either served nothing.
pub(super) fn added_us(baseline: &Part, part: &Part) -> Option<(f64, BTreeMap<&'static str, f64>)> {
    let mean = |part: &Part| mean(&part.total.served_us);
    let of = |part: &Part, key: &str| part.owned.mean_us(None).get(key).copied().unwrap_or_default();
    let added = OWNERS.iter().map(|(key, called, _)| (*called, of(part, key) - of(baseline, key)));
    Some((mean(part)? - mean(baseline)?, added.collect()))
}

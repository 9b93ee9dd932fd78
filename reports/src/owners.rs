//! Who may own a microsecond: the keys of the recorder's breakdowns, how they are called, grouped
//! and coloured. Owns no figures. Blue is the network, orange the proxies, green the services,
//! purple deliberate waiting; a key that is not known is `other`, for people unknown.

use std::collections::BTreeMap;

/// One owner.
#[derive(Debug)]
pub(crate) struct Owner {
    /// The key in a record.
    pub(crate) key: &'static str,
    /// Its name for people.
    pub(crate) label: &'static str,
    /// Where the table counts it.
    pub(crate) group: Group,
    /// Its colour on light ground, and in the plot files.
    pub(crate) light: (u8, u8, u8),
    /// Its colour on dark ground.
    pub(crate) dark: (u8, u8, u8),
}

/// The columns of the table's split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Wire,
    ProxyCpu,
    ProxyLatency,
    ProxyQueue,
    Tls,
    ServiceQueue,
    ServiceWork,
    Pause,
    Client,
}

impl Group {
    /// Every group, in the order of the table's columns.
    pub(crate) const ALL: [Self; 9] = [
        Self::Wire,
        Self::ProxyCpu,
        Self::ProxyLatency,
        Self::ProxyQueue,
        Self::Tls,
        Self::ServiceQueue,
        Self::ServiceWork,
        Self::Pause,
        Self::Client,
    ];

    /// Its name for people.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Wire => "network",
            Self::ProxyCpu => "proxy CPU",
            Self::ProxyLatency => "proxy latency",
            Self::ProxyQueue => "proxy queue",
            Self::Tls => "TLS",
            Self::ServiceQueue => "service queue",
            Self::ServiceWork => "service work",
            Self::Pause => "back-off, delay",
            Self::Client => "client, unknown",
        }
    }

    /// Whether the table leaves it out when it is zero everywhere.
    pub(crate) fn optional(self) -> bool {
        matches!(self, Self::ProxyLatency | Self::ServiceWork | Self::Pause | Self::Client)
    }
}

const fn owner(
    key: &'static str,
    label: &'static str,
    group: Group,
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
) -> Owner {
    Owner { key, label, group, light, dark }
}

/// Every owner that a record may name, in the order in which bars stack them; the last one takes
/// what is unknown.
pub(crate) const OWNERS: [Owner; 17] = [
    owner("service_work", "service work", Group::ServiceWork, (150, 196, 176), (66, 110, 92)),
    owner("service_sleep", "service sleep", Group::ServiceWork, (201, 222, 212), (47, 76, 64)),
    owner("service_queue", "service queue", Group::ServiceQueue, (0, 130, 96), (38, 182, 140)),
    owner("wire", "wire", Group::Wire, (86, 180, 233), (86, 165, 210)),
    owner("retransmission", "retransmission", Group::Wire, (54, 72, 168), (122, 136, 236)),
    owner("unread", "waiting for the reader", Group::Wire, (0, 110, 130), (40, 170, 180)),
    owner("window", "window", Group::Wire, (120, 160, 214), (64, 112, 178)),
    owner("connect", "connecting", Group::Wire, (158, 210, 240), (48, 106, 140)),
    owner("pool", "waiting for a connection", Group::Wire, (200, 228, 245), (36, 76, 100)),
    owner("tls", "TLS", Group::Tls, (0, 98, 158), (58, 122, 196)),
    owner("proxy_cpu", "proxy CPU", Group::ProxyCpu, (230, 159, 0), (230, 159, 0)),
    owner("proxy_latency", "proxy latency", Group::ProxyLatency, (244, 207, 126), (166, 118, 20)),
    owner("proxy_queue", "proxy queue", Group::ProxyQueue, (213, 94, 0), (226, 104, 20)),
    owner("backoff", "retry back-off", Group::Pause, (204, 121, 167), (204, 121, 167)),
    owner("delay", "deliberate delay", Group::Pause, (226, 178, 206), (138, 78, 112)),
    owner("client", "client", Group::Client, (140, 146, 156), (128, 136, 148)),
    owner("other", "unknown", Group::Client, (190, 194, 200), (86, 94, 104)),
];

/// The index into [`OWNERS`] of a record's key.
pub(crate) fn index(key: &str) -> usize {
    OWNERS.iter().position(|owner| owner.key == key).unwrap_or(OWNERS.len() - 1)
}

/// A breakdown in the order of [`OWNERS`], unknown keys added to the last.
pub(crate) fn amounts(breakdown_us: &BTreeMap<String, f64>) -> [f64; OWNERS.len()] {
    let mut amounts = [0.0; OWNERS.len()];
    for (key, us) in breakdown_us {
        amounts[index(key)] += us;
    }
    amounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_count_together_and_nothing_is_lost() {
        let breakdown =
            BTreeMap::from([("wire".into(), 1.0), ("gremlins".into(), 2.0), ("other".into(), 4.0)]);
        let amounts = amounts(&breakdown);
        assert_eq!(amounts[index("wire")].to_bits(), 1.0_f64.to_bits());
        assert_eq!(amounts[OWNERS.len() - 1].to_bits(), 6.0_f64.to_bits());
    }
}

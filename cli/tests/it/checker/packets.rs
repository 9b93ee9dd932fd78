//! What became of packets and connections, from the packets themselves as a capture has them: who opened a connection
//! by its SYN, and what was sent again by its sequence numbers. Owns no figure; what leaves no trace on the wire
//! (timeouts, probes, and what a reset did to an end) is not here.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;

use hoplab_sim::lens::{Loss, Packet, Pod};

/// What became of the connections that one party opened to another.
#[derive(Default, Clone, Copy)]
pub(super) struct Crossed {
    pub(super) packets: i64,
    pub(super) lost: i64,
    pub(super) dropped: i64,
    pub(super) retransmitted: i64,
    pub(super) connections: i64,
    pub(super) refused: i64,
}

impl Crossed {
    /// The counts, each by its key in a record and by its head in tables.
    pub(super) fn counts(self) -> [(&'static str, &'static str, i64); 6] {
        [
            ("packets", "packets", self.packets),
            ("lost", "lost", self.lost),
            ("dropped", "dropped", self.dropped),
            ("retransmitted", "retrans", self.retransmitted),
            ("connections", "opened", self.connections),
            ("refused", "refused", self.refused),
        ]
    }
}

/// By `caller → callee`.
pub(super) type Edges = BTreeMap<String, Crossed>;

type Address = (Ipv4Addr, u16);

/// A connection between two addresses, as far as it is known.
struct Connection {
    opener: Address,
    opening: u32,
    /// Per address, the first sequence number that it has not sent.
    next: BTreeMap<Address, u32>,
}

/// Adds what was sent within a part of the run, in nanoseconds, to the `edges`.
pub(super) fn add(edges: &mut Edges, pods: &[Pod], packets: &[Packet], range: &Range<u64>) {
    let names: BTreeMap<Ipv4Addr, &str> = pods.iter().map(|pod| (pod.address, party(&pod.name))).collect();
    let mut connections: BTreeMap<[Address; 2], Connection> = BTreeMap::new();
    for packet in packets {
        let (from, to) = (packet.source, packet.destination);
        let has = |flag: u8| packet.flags & flag != 0;
        let (is_fin, is_syn, is_reset, acknowledges) = (has(1), has(2), has(4), has(16));
        let mut key = [from, to];
        key.sort_unstable();
        let is_new = is_syn
            && !acknowledges
            && connections.get(&key).is_none_or(|known| known.opening != packet.sequence);
        if is_new {
            let next = BTreeMap::new();
            connections.insert(key, Connection { opener: from, opening: packet.sequence, next });
        }
        let connection = connections.get_mut(&key).expect("a connection begins with a SYN");
        let length = packet.payload.len() as u32 + u32::from(is_syn) + u32::from(is_fin);
        let end = packet.sequence.wrapping_add(length);
        let next = connection.next.entry(from).or_insert(packet.sequence);
        // Sequence numbers wrap.
        let is_repeated = length > 0 && end.wrapping_sub(*next).cast_signed() <= 0;
        if !is_repeated {
            *next = end;
        }
        if !range.contains(&packet.at_nanos) {
            continue;
        }
        let opener = connection.opener;
        let callee = if opener == from { to } else { from };
        let edge = edges.entry(format!("{} → {}", names[&opener.0], names[&callee.0])).or_default();
        edge.packets += 1;
        edge.lost += i64::from(packet.loss == Some(Loss::OnTheWire));
        edge.dropped += i64::from(packet.loss == Some(Loss::QueueFull));
        edge.retransmitted += i64::from(is_repeated);
        edge.connections += i64::from(is_new);
        let is_refusal = is_reset && acknowledges && packet.sequence == 0;
        edge.refused += i64::from(is_refusal && packet.loss.is_none());
    }
}

/// Whose a pod is: `payment-0` is payment's.
fn party(pod: &str) -> &str {
    if pod.starts_with("client-") { "client" } else { pod.rsplit_once('-').unwrap().0 }
}

//! When connections stood still though something was written to them: because a segment was lost and had not been sent
//! again, because more was written than could be sent, or because what had come was not read. The world tells of it as it happens, the recorder asks for
//! what of a request's time on the wire it was. Owns no connection and no request.
//!
//! Bounded by what is asked for: what lies before the oldest request whose account is open is forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hoplab_proxy::host::Instant;
use hoplab_proxy::telemetry::ConnectionId;

/// Why a direction of a connection stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stall {
    /// A segment was lost, and what replaces it has not been sent.
    Retransmission,
    /// Something has come that the peer has not read: it stands still, or reads slowly.
    Unread,
    /// Something is written that may not be sent: the congestion window, the peer's window or the pacer holds it back.
    Window,
}

/// Which way something is sent on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From who opened the connection: requests.
    Forth,
    /// To who opened it: answers.
    Back,
}

/// What is known of a run's connections. Cloning gives another handle.
#[derive(Debug, Clone, Default)]
pub struct Stalls {
    known: Arc<Mutex<Known>>,
}

/// Per direction of a connection, when it stood still for each reason.
type Known = BTreeMap<(ConnectionId, Way), [Times; 3]>;

/// When one of these was so.
#[derive(Debug, Default)]
struct Times {
    /// From when until when, in order.
    over: VecDeque<(Instant, Instant)>,
    /// Since when it is so.
    since: Option<Instant>,
}

/// A part of a stretch, and what it stood still for, if it did.
pub type Part = (Instant, Option<Stall>);

impl Stalls {
    /// From now on it stands still.
    pub fn begins(&self, connection: ConnectionId, way: Way, stall: Stall, now: Instant) {
        let mut known = self.known();
        let times = &mut known.entry((connection, way)).or_default()[stall as usize];
        times.since.get_or_insert(now);
    }

    /// It goes on.
    pub fn ends(&self, connection: ConnectionId, way: Way, stall: Stall, now: Instant) {
        if let Some(times) = self.known().get_mut(&(connection, way)) {
            times[stall as usize].end(now);
        }
    }

    /// Nothing is left of a connection.
    pub fn over(&self, connection: ConnectionId, now: Instant) {
        let mut known = self.known();
        for way in [Way::Forth, Way::Back] {
            known.get_mut(&(connection, way)).into_iter().flatten().for_each(|times| times.end(now));
        }
    }

    /// Cuts the time from `from` until `until` on connections that depend on each other, in these directions, into parts
    /// that tile it: where each ends, and what one of them stood still for: the first of [`Stall`] that holds. Nothing
    /// where none ever stood still.
    pub fn cut(
        &self,
        connections: &[ConnectionId],
        ways: &[Way],
        (from, until): (Instant, Instant),
    ) -> Vec<Part> {
        let known = self.known();
        let of = |stall: Stall| {
            let all = connections.iter().flat_map(|of| ways.iter().map(|way| (*of, *way)));
            let times = all.filter_map(|direction| known.get(&direction));
            let within = times.flat_map(move |times| times[stall as usize].within(from, until));
            (stall, within.collect::<Vec<_>>())
        };
        let all = [Stall::Retransmission, Stall::Unread, Stall::Window].map(of);
        let times = all.iter().flat_map(|(_, times)| times);
        let mut ends: Vec<Instant> = times.flat_map(|(start, end)| [*start, *end]).collect();
        if ends.is_empty() {
            return Vec::new();
        }
        ends.push(until);
        ends.sort_unstable();
        ends.dedup();
        let mut parts = Vec::new();
        let mut start = from;
        for end in ends.into_iter().filter(|end| *end > from) {
            let is_so = |times: &[(Instant, Instant)]| {
                times.iter().any(|(begun, ended)| *begun <= start && end <= *ended)
            };
            let stall = all.iter().find(|(_, times)| is_so(times)).map(|(stall, _)| *stall);
            parts.push((end, stall));
            start = end;
        }
        parts
    }

    /// Nobody asks for what was before this any more.
    pub fn forget(&self, before: Instant) {
        self.known().retain(|_, all| {
            for times in all.iter_mut() {
                while times.over.pop_front_if(|(_, end)| *end < before).is_some() {}
            }
            all.iter().any(|times| times.since.is_some() || !times.over.is_empty())
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    fn end(&mut self, now: Instant) {
        if let Some(since) = self.since.take().filter(|since| *since < now) {
            self.over.push_back((since, now));
        }
    }

    /// What of it lies between two moments.
    fn within(&self, from: Instant, until: Instant) -> impl Iterator<Item = (Instant, Instant)> {
        let first = self.over.partition_point(|(_, end)| *end <= from);
        let over = self.over.range(first..).copied().chain(self.since.map(|since| (since, until)));
        over.take_while(move |(start, _)| *start < until)
            .map(move |(start, end)| (start.max(from), end.min(until)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: ConnectionId = ConnectionId(1);

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    fn noted(stalls: &Stalls, stall: Stall, from: u64, until: u64) {
        stalls.begins(ONE, Way::Back, stall, at(from));
        stalls.ends(ONE, Way::Back, stall, at(until));
    }

    fn cut(stalls: &Stalls, from: u64, until: u64) -> Vec<(u64, Option<Stall>)> {
        let parts = stalls.cut(&[ONE], &[Way::Back], (at(from), at(until)));
        parts.into_iter().map(|(end, stall)| (end.micros(), stall)).collect()
    }

    #[test]
    fn a_stretch_is_cut_where_something_begins_or_ends() {
        let stalls = Stalls::default();
        noted(&stalls, Stall::Window, 10, 30);
        noted(&stalls, Stall::Retransmission, 20, 40);
        let (lost, held) = (Some(Stall::Retransmission), Some(Stall::Window));
        assert_eq!(cut(&stalls, 0, 50), [(10, None), (20, held), (30, lost), (40, lost), (50, None)]);
        assert_eq!(cut(&stalls, 12, 15), [(15, held)]);
        assert_eq!(cut(&stalls, 40, 50), []);
        stalls.begins(ONE, Way::Back, Stall::Window, at(60));
        assert_eq!(cut(&stalls, 50, 70), [(60, None), (70, held)], "it goes on");
        assert_eq!(stalls.cut(&[ONE], &[Way::Forth], (at(0), at(50))), [], "the other way");
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let stalls = Stalls::default();
        noted(&stalls, Stall::Window, 10, 30);
        noted(&stalls, Stall::Window, 40, 50);
        stalls.forget(at(31));
        assert_eq!(cut(&stalls, 0, 60), [(40, None), (50, Some(Stall::Window)), (60, None)]);
        stalls.forget(at(51));
        assert!(stalls.known().is_empty());
    }

    proptest! {
        /// Whatever happened when, the parts tile the stretch.
        #[test]
        fn parts_tile_a_stretch(
            times in prop::collection::vec((0_usize..3, any::<bool>(), 0_u64..30), 0..40),
            from in 0_u64..300,
            length in 1_u64..300,
        ) {
            let stalls = Stalls::default();
            let mut now = 0;
            for (stall, begins, pause) in times {
                now += pause;
                let stall = [Stall::Retransmission, Stall::Window, Stall::Unread][stall];
                let note = if begins { Stalls::begins } else { Stalls::ends };
                note(&stalls, ONE, Way::Back, stall, at(now));
            }
            let parts = cut(&stalls, from, from + length);
            let mut reached = from;
            for (end, _) in &parts {
                prop_assert!(*end > reached);
                reached = *end;
            }
            prop_assert!(parts.is_empty() || reached == from + length);
        }
    }
}

//! Deadlines that travel with a request: read from the header fields that are believed, and written into those that
//! the next hop reads, as what is left. Owns no clock: the caller says what time it is, on either clock.
//!
//! Three notations: gRPC's `grpc-timeout` (gRPC over HTTP/2, "Timeout"), whole milliseconds that are left (Envoy's
//! `x-envoy-expected-rq-timeout-ms`), and an instant of the calendar in milliseconds since 1970. The first two need no
//! clocks that agree, but know nothing of the time on the wire, which each hop gives away; the third knows it, and is
//! as wrong as the two clocks are apart. Not here: what is done at the deadline ([`crate::upstream`]).

mod notation;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::host::Instant;
pub use notation::{Notation, Text};

/// gRPC's field.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Which fields are believed, and what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The fields that are read; where several are there, the earliest deadline counts.
    pub read: Vec<Field>,
    /// The fields that are written. One that is read and not written goes no further.
    pub write: Vec<Field>,
    /// How much earlier than one's own deadline the next hop is told to be done, so that its answer is in time.
    pub reserve: Duration,
    /// Whether the next hop is told one's own time limits, too, or only what the request came with.
    pub own: bool,
}

impl Config {
    /// The fields that are believed, whoever wrote them.
    pub fn believed(&self) -> impl Iterator<Item = &HeaderName> {
        self.read.iter().map(|field| &field.name)
    }

    /// The same where what was written arrives: it is read and written on, in the same fields, and nothing is added.
    /// `None` when there is nothing to read.
    #[must_use]
    pub fn receiving(&self) -> Option<Self> {
        let fields = self.write.clone();
        let receiving =
            || Self { read: fields.clone(), write: fields.clone(), reserve: Duration::ZERO, own: false };
        (!fields.is_empty()).then(receiving)
    }
}

/// A header field that carries a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What it is called.
    pub name: HeaderName,
    /// What its value means.
    pub notation: Notation,
}

impl Field {
    /// gRPC's own.
    pub fn grpc() -> Self {
        Self { name: GRPC_TIMEOUT, notation: Notation::Grpc }
    }
}

/// A deadline that cannot be read. It is refused, as gRPC's servers do: one that is overlooked would be a deadline
/// that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline is malformed")]
pub struct Malformed;

/// Reads and writes deadlines.
#[derive(Debug, Clone)]
pub struct Deadline {
    config: Config,
}

impl Deadline {
    /// Reads and writes as `config` says.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// How it was configured.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// When a request that `arrived` with `headers` must be done; `None` when it does not say. `wall` is the calendar's
    /// time at `now`.
    pub fn read(
        &self,
        headers: &HeaderMap,
        arrived: Instant,
        now: Instant,
        wall: impl Fn() -> SystemTime,
    ) -> Result<Option<Instant>, Malformed> {
        let mut earliest: Option<Instant> = None;
        for Field { name, notation } in &self.config.read {
            for value in headers.get_all(name) {
                let amount = notation.read(value.as_bytes()).ok_or(Malformed)?;
                let deadline = match notation {
                    Notation::Grpc | Notation::Millis => arrived + amount,
                    Notation::UnixMillis => now + amount.saturating_sub(since_epoch(wall())),
                };
                earliest = Some(earliest.map_or(deadline, |earliest| earliest.min(deadline)));
            }
        }
        Ok(earliest)
    }

    /// When the next hop must be done so that one's own `deadline` is kept.
    pub fn of_next_hop(&self, deadline: Instant) -> Instant {
        let reserve_nanos = u64::try_from(self.config.reserve.as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(deadline.nanos().saturating_sub(reserve_nanos))
    }

    /// Writes what is left at `now` until the next hop's `deadline`; where there is none, what the request came with
    /// in these fields is taken off. Rounded down, so that no hop has more than the one before it.
    pub fn write(
        &self,
        headers: &mut HeaderMap,
        deadline: Option<Instant>,
        now: Instant,
        wall: impl Fn() -> SystemTime,
    ) {
        for field in &self.config.write {
            let text = deadline.map(|deadline| {
                let left = deadline.saturating_since(now);
                match field.notation {
                    Notation::Grpc | Notation::Millis => field.notation.text(left),
                    Notation::UnixMillis => {
                        let instant = since_epoch(wall()).saturating_add(left);
                        // The calendar may be set while the request waits: it came with no more than this.
                        let came_with = self.came_with(field, headers).unwrap_or(Duration::MAX);
                        field.notation.text(instant.min(came_with))
                    }
                }
            });
            match text.and_then(|text| HeaderValue::from_bytes(text.as_bytes()).ok()) {
                Some(value) => drop(headers.insert(field.name.clone(), value)),
                None => drop(headers.remove(&field.name)),
            }
        }
        let unwritten = |field: &&Field| self.config.write.iter().all(|written| written.name != field.name);
        for field in self.config.read.iter().filter(unwritten) {
            headers.remove(&field.name);
        }
    }

    /// The earliest that `headers` say in a field that is believed.
    fn came_with(&self, field: &Field, headers: &HeaderMap) -> Option<Duration> {
        self.config.read.iter().find(|read| *read == field)?;
        headers.get_all(&field.name).iter().filter_map(|value| field.notation.read(value.as_bytes())).min()
    }
}

fn since_epoch(wall: SystemTime) -> Duration {
    wall.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXPECTED: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");
    const ABSOLUTE: HeaderName = HeaderName::from_static("x-request-deadline");

    fn fields() -> Vec<Field> {
        vec![
            Field::grpc(),
            Field { name: EXPECTED, notation: Notation::Millis },
            Field { name: ABSOLUTE, notation: Notation::UnixMillis },
        ]
    }

    fn deadline(read: Vec<Field>, write: Vec<Field>, reserve: Duration) -> Deadline {
        Deadline::new(Config { read, write, reserve, own: true })
    }

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    /// A calendar that started with the host.
    fn wall(now: Instant) -> impl Fn() -> SystemTime {
        move || UNIX_EPOCH + Duration::from_secs(1_767_225_600) + Duration::from_nanos(now.nanos())
    }

    fn headers(of: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in of {
            headers.append(name.clone(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_earliest_that_is_believed_counts() {
        let all = deadline(fields(), Vec::new(), Duration::ZERO);
        let grpc = deadline(vec![Field::grpc()], Vec::new(), Duration::ZERO);
        let read = |policy: &Deadline, of: &[(HeaderName, &str)]| {
            policy.read(&headers(of), at(100), at(110), wall(at(110)))
        };
        let absolute = (1_767_225_600_000_u64 + 1_500).to_string();
        assert_eq!(read(&all, &[]), Ok(None));
        assert_eq!(read(&all, &[(GRPC_TIMEOUT, "2S")]), Ok(Some(at(2_100))), "from the arrival on");
        assert_eq!(read(&all, &[(EXPECTED, "1700"), (GRPC_TIMEOUT, "2S")]), Ok(Some(at(1_800))));
        assert_eq!(read(&all, &[(ABSOLUTE, &absolute), (EXPECTED, "1700")]), Ok(Some(at(1_500))));
        assert_eq!(read(&all, &[(GRPC_TIMEOUT, "2S"), (GRPC_TIMEOUT, "1S")]), Ok(Some(at(1_100))));
        assert_eq!(read(&grpc, &[(EXPECTED, "1"), (GRPC_TIMEOUT, "2S")]), Ok(Some(at(2_100))));
        assert_eq!(read(&all, &[(ABSOLUTE, "1000")]), Ok(Some(at(110))), "long ago has passed now");
        assert_eq!(read(&all, &[(GRPC_TIMEOUT, "2s")]), Err(Malformed));
        assert_eq!(read(&grpc, &[(EXPECTED, "soon")]), Ok(None), "nobody reads it");
    }

    #[test]
    fn what_is_left_is_written_and_nothing_else_stays() {
        let policy = deadline(fields(), fields(), Duration::from_millis(5));
        let mut map = headers(&[(GRPC_TIMEOUT, "9S"), (GRPC_TIMEOUT, "8S"), (EXPECTED, "9000")]);
        let next = policy.of_next_hop(at(1_000));
        policy.write(&mut map, Some(next), Instant::from_nanos(250_000), wall(Instant::from_nanos(250_000)));
        let absolute = (1_767_225_600_000_u64 + 995).to_string();
        let written = [(GRPC_TIMEOUT, "994750u"), (EXPECTED, "994"), (ABSOLUTE, &absolute)];
        assert_eq!(map, headers(&written));
        policy.write(&mut map, None, at(1), wall(at(1)));
        assert!(map.is_empty(), "nobody can vouch for them");

        let lost = deadline(vec![Field::grpc()], Vec::new(), Duration::ZERO);
        let mut map = headers(&[(GRPC_TIMEOUT, "9S"), (EXPECTED, "9000")]);
        lost.write(&mut map, Some(at(1)), at(0), wall(at(0)));
        assert_eq!(map, headers(&[(EXPECTED, "9000")]), "what is not ours passes");
    }

    #[test]
    fn a_calendar_that_is_set_back_gives_nobody_more_time() {
        let field = || vec![Field { name: ABSOLUTE, notation: Notation::UnixMillis }];
        let policy = deadline(field(), field(), Duration::ZERO);
        let mut map = headers(&[(ABSOLUTE, "10000")]);
        let wall = |millis| move || UNIX_EPOCH + Duration::from_millis(millis);
        let until = policy.read(&map, at(0), at(0), wall(9_000)).unwrap();
        assert_eq!(until, Some(at(1_000)));
        policy.write(&mut map, until, at(100), wall(9_100));
        assert_eq!(map[ABSOLUTE], "10000");
        policy.write(&mut map, until, at(100), wall(9_500));
        assert_eq!(map[ABSOLUTE], "10000", "set forward by 0.4 s");
        policy.write(&mut map, until, at(100), wall(5_000));
        assert_eq!(map[ABSOLUTE], "5900", "set back by 4 s");
    }

    proptest! {
        /// However long hops hold a request, and whatever they speak, none is told more than the one before it.
        #[test]
        fn a_deadline_never_grows_over_hops(
            budget_nanos in 0_u64..200_000_000_000,
            hops in proptest::collection::vec((0_u64..3_000_000_000, 0_u64..3_000_000_000, 0_usize..3, 0_u64..10_000_000), 1..8),
        ) {
            let mut now = Instant::from_nanos(777);
            let mut end = now + Duration::from_nanos(budget_nanos);
            let mut last = 0;
            let mut map = HeaderMap::new();
            let sender = deadline(Vec::new(), vec![fields()[0].clone()], Duration::ZERO);
            sender.write(&mut map, Some(end), now, wall(now));
            for (held, wire, notation, reserve) in hops {
                let hop = deadline(
                    vec![fields()[last].clone()],
                    vec![fields()[notation].clone()],
                    Duration::from_nanos(reserve),
                );
                // What is relative is counted from the arrival, whatever the wire took; nobody can know.
                now = now + Duration::from_nanos(wire);
                end = end + Duration::from_nanos(if last < 2 { wire } else { 0 });
                let arrived = now;
                now = now + Duration::from_nanos(held);
                let read = hop.read(&map, arrived, now, wall(now)).unwrap().unwrap();
                prop_assert!(read <= end.max(now), "{read:?} is after {end:?}");
                let next = hop.of_next_hop(read);
                prop_assert!(next <= read);
                hop.write(&mut map, Some(next), now, wall(now));
                prop_assert_eq!(map.len(), 1);
                let probe = deadline(vec![fields()[notation].clone()], Vec::new(), Duration::ZERO);
                let written = probe.read(&map, now, now, wall(now)).unwrap().unwrap();
                prop_assert!(written <= next.max(now), "{written:?} was written for {next:?}");
                (end, last) = (next.max(now), notation);
            }
        }
    }
}

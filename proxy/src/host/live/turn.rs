//! What time it is for the task that has its turn: the machine's clock is looked at once a turn, which takes some
//! microseconds, instead of seventeen times a request, which took half of one.

use std::cell::Cell;

use tokio::time::Instant as Moment;

use crate::instant::Instant;

thread_local! {
    static TURN: Cell<Turn> = const { Cell::new(Turn::None) };
}

/// What the clock says.
#[derive(Clone, Copy)]
enum Turn {
    /// No task has its turn: it is looked at.
    None,
    /// Nobody has looked yet.
    Begun,
    /// As of when somebody looked, from the start of a host on.
    At { start: Moment, now: Instant },
}

/// Does a task's turn.
pub(super) fn take<T>(turn: impl FnOnce() -> T) -> T {
    let _over = Over { before: TURN.replace(Turn::Begun) };
    turn()
}

/// The time of the turn, or the machine's, since a host's `start`.
pub(super) fn now_since(start: Moment) -> Instant {
    match TURN.get() {
        Turn::At { start: of, now } if of == start => now,
        Turn::At { .. } | Turn::None => since(start),
        Turn::Begun => {
            let now = since(start);
            TURN.set(Turn::At { start, now });
            now
        }
    }
}

/// The machine's time since a host's `start`.
pub(super) fn since(start: Moment) -> Instant {
    Instant::from_nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Something has ended that was waited for: the turn's time is no earlier.
pub(super) fn look_again() {
    if let Turn::At { .. } = TURN.get() {
        TURN.set(Turn::Begun);
    }
}

/// Ends a turn when it is dropped.
struct Over {
    before: Turn,
}

impl Drop for Over {
    fn drop(&mut self) {
        TURN.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;
    use std::time::Duration;

    use super::*;

    fn passes(start: Moment) -> bool {
        let before = now_since(start);
        sleep(Duration::from_micros(1));
        now_since(start) > before
    }

    #[test]
    fn time_stands_still_in_a_turn_until_a_wait_ends() {
        let start = Moment::now();
        assert!(passes(start));
        take(|| {
            assert!(!passes(start));
            assert!(passes(start - Duration::from_secs(1)), "for another host it does not");
            let before = now_since(start);
            sleep(Duration::from_micros(1));
            assert!(since(start) > before);
            look_again();
            assert!(now_since(start) > before && !passes(start));
        });
        assert!(passes(start));
    }
}

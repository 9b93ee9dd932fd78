//! A hierarchical timing wheel: six levels of 64 slots, each level 64 times as coarse as the one below.
//!
//! Timers that run out at the same microsecond do so in the order in which they were set. One that is put off stays
//! where it is until its old slot's turn comes, and is set anew only then: most are put off again and again, or dropped.
//! Owns no clock and wakes nobody ([`super::clock`]).

use std::task::{Poll, Waker};

use slab::Slab;

const LEVELS: usize = 6;
/// How many bits of a time a level's slots tell apart.
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
/// The latest time that a timer may be set to, in microseconds.
const END: u64 = 1 << (LEVELS as u32 * BITS);

/// Names a timer of a wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimerId(usize);

/// The wheel, and its timers.
#[derive(Debug)]
pub(super) struct Wheel {
    now_us: u64,
    levels: [Level; LEVELS],
    timers: Slab<Timer>,
}

#[derive(Debug)]
struct Level {
    /// One bit a slot that holds timers.
    occupied: u64,
    slots: [Slot; SLOTS],
}

/// The timers of a slot, as a list through them: the first that was set, and the last.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    first: Option<usize>,
    last: Option<usize>,
}

#[derive(Debug)]
struct Timer {
    at_us: u64,
    waker: Option<Waker>,
    /// The level and the slot that it is in; none once it has run out.
    place: Option<(usize, usize)>,
    before: Option<usize>,
    after: Option<usize>,
}

impl Default for Wheel {
    fn default() -> Self {
        let level = || Level { occupied: 0, slots: [Slot::default(); SLOTS] };
        Self { now_us: 0, levels: std::array::from_fn(|_| level()), timers: Slab::new() }
    }
}

impl Wheel {
    /// The time that it has come to, in microseconds.
    pub(super) fn now_us(&self) -> u64 {
        self.now_us
    }

    /// A timer that runs out at `at_us`, or has if that is past.
    pub(super) fn set(&mut self, at_us: u64) -> TimerId {
        debug_assert!(at_us < END, "{at_us} is beyond the wheel");
        let timer = Timer { at_us, waker: None, place: None, before: None, after: None };
        let index = self.timers.insert(timer);
        if at_us > self.now_us {
            self.link(index);
        }
        TimerId(index)
    }

    /// Lets a timer run out at `at_us` instead. Whom to wake if that is past.
    #[must_use]
    pub(super) fn reset(&mut self, TimerId(index): TimerId, at_us: u64) -> Option<Waker> {
        let timer = &mut self.timers[index];
        let is_put_off = timer.place.is_some() && at_us >= timer.at_us;
        timer.at_us = at_us;
        if is_put_off {
            return None;
        }
        self.unlink(index);
        if at_us > self.now_us {
            self.link(index);
            return None;
        }
        self.timers[index].waker.take()
    }

    /// Whether a timer has run out; otherwise `waker` is woken when it does.
    pub(super) fn poll(&mut self, TimerId(index): TimerId, waker: &Waker) -> Poll<()> {
        let timer = &mut self.timers[index];
        if timer.place.is_none() {
            return Poll::Ready(());
        }
        match &mut timer.waker {
            Some(known) if known.will_wake(waker) => {}
            known => *known = Some(waker.clone()),
        }
        Poll::Pending
    }

    /// Forgets a timer; whom it would have woken.
    #[must_use]
    pub(super) fn remove(&mut self, TimerId(index): TimerId) -> Option<Waker> {
        self.unlink(index);
        self.timers.remove(index).waker
    }

    /// Goes on to the next time at which timers run out, and adds whom they wake; whether there is one.
    pub(super) fn advance(&mut self, woken: &mut Vec<Waker>) -> bool {
        while let Some((level, slot, starts_us)) = self.next_slot() {
            self.now_us = starts_us;
            if self.turn(level, slot, woken) {
                return true;
            }
        }
        false
    }

    /// The occupied slot whose turn comes next, and when: a finer one comes before all coarser ones.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.levels.iter().position(|level| level.occupied != 0)?;
        let slot = self.levels[level].occupied.trailing_zeros() as usize;
        let shift = level as u32 * BITS;
        let whole = self.now_us >> (shift + BITS) << (shift + BITS);
        Some((level, slot, whole + ((slot as u64) << shift)))
    }

    /// Takes the timers out of a slot that begins now: those that run out now, and others to finer slots. Whether any has
    /// run out.
    fn turn(&mut self, level: usize, slot: usize, woken: &mut Vec<Waker>) -> bool {
        let Level { occupied, slots } = &mut self.levels[level];
        *occupied &= !(1 << slot);
        let mut next = std::mem::take(&mut slots[slot]).first;
        let mut any = false;
        while let Some(index) = next {
            let timer = &mut self.timers[index];
            next = timer.after.take();
            timer.before = None;
            timer.place = None;
            if timer.at_us <= self.now_us {
                woken.extend(timer.waker.take());
                any = true;
            } else {
                self.link(index);
            }
        }
        any
    }

    /// Puts a timer last into the slot of its time, which is not past.
    fn link(&mut self, index: usize) {
        let at_us = self.timers[index].at_us;
        let differs = (self.now_us ^ at_us) | (SLOTS as u64 - 1);
        let level = ((differs.ilog2() / BITS) as usize).min(LEVELS - 1);
        let slot = (at_us >> (level as u32 * BITS)) as usize % SLOTS;
        let Level { occupied, slots } = &mut self.levels[level];
        *occupied |= 1 << slot;
        let before = slots[slot].last.replace(index);
        match before {
            Some(before) => self.timers[before].after = Some(index),
            None => slots[slot].first = Some(index),
        }
        let timer = &mut self.timers[index];
        (timer.place, timer.before) = (Some((level, slot)), before);
    }

    /// Takes a timer out of its slot, if it is in one.
    fn unlink(&mut self, index: usize) {
        let timer = &mut self.timers[index];
        let Some((level, slot)) = timer.place.take() else { return };
        let (before, after) = (timer.before.take(), timer.after.take());
        let Level { occupied, slots } = &mut self.levels[level];
        match before {
            Some(before) => self.timers[before].after = after,
            None => slots[slot].first = after,
        }
        match after {
            Some(after) => self.timers[after].before = before,
            None => slots[slot].last = before,
        }
        if slots[slot].first.is_none() {
            *occupied &= !(1 << slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;

    /// Notes its number when it is woken.
    struct Noting(usize, Arc<Mutex<Vec<usize>>>);

    impl Wake for Noting {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn noting(number: usize, noted: &Arc<Mutex<Vec<usize>>>) -> Waker {
        Arc::new(Noting(number, Arc::clone(noted))).into()
    }

    /// When all timers of a wheel run out, and which.
    fn run(wheel: &mut Wheel, noted: &Arc<Mutex<Vec<usize>>>) -> Vec<(u64, Vec<usize>)> {
        let mut woken = Vec::new();
        let mut ran_out = Vec::new();
        while wheel.advance(&mut woken) {
            woken.drain(..).for_each(Waker::wake);
            ran_out.push((wheel.now_us(), std::mem::take(&mut *noted.lock().unwrap())));
        }
        ran_out
    }

    #[test]
    fn what_is_put_off_is_set_anew_when_its_old_time_comes() {
        let (mut wheel, noted) = (Wheel::default(), Arc::default());
        let timers = [5, 70, 70].map(|at_us| wheel.set(at_us));
        for (number, timer) in timers.iter().enumerate() {
            assert_eq!(wheel.poll(*timer, &noting(number, &noted)), Poll::Pending);
        }
        assert!(wheel.reset(timers[0], 70).is_none());
        // The second is brought forward and back: it comes last.
        assert!(wheel.reset(timers[1], 7).is_none());
        assert!(wheel.reset(timers[1], 70).is_none());
        assert_eq!(run(&mut wheel, &noted), [(70, vec![2, 0, 1])]);
        assert_eq!(wheel.poll(timers[0], Waker::noop()), Poll::Ready(()));
    }

    #[test]
    fn what_is_past_has_run_out_and_what_is_gone_wakes_nobody() {
        let (mut wheel, noted) = (Wheel::default(), Arc::default());
        let timers = [10, 20].map(|at_us| wheel.set(at_us));
        assert_eq!(wheel.poll(timers[1], &noting(1, &noted)), Poll::Pending);
        assert!(wheel.advance(&mut Vec::new()), "time stops where somebody may look");
        let past = wheel.set(10);
        assert_eq!(wheel.poll(past, Waker::noop()), Poll::Ready(()));
        assert!(wheel.reset(timers[1], 9).is_some(), "it was waited for");
        assert!(wheel.remove(timers[0]).is_none());
        assert!(!wheel.advance(&mut Vec::new()));
    }

    proptest! {
        /// As a list that is sorted by time, the first that was set first.
        #[test]
        fn timers_run_out_in_time_and_in_order(
            steps in proptest::collection::vec((0_u64..1 << 34, 0_u32..34, any::<bool>()), 1..200),
        ) {
            let (mut wheel, noted) = (Wheel::default(), Arc::default());
            let mut expected: Vec<(u64, usize)> = Vec::new();
            for (number, (at_us, shift, is_removed)) in steps.into_iter().enumerate() {
                let at_us = 1 + (at_us >> shift);
                let timer = wheel.set(at_us);
                prop_assert_eq!(wheel.poll(timer, &noting(number, &noted)), Poll::Pending);
                if is_removed {
                    prop_assert!(wheel.remove(timer).is_some());
                } else {
                    expected.push((at_us, number));
                }
            }
            expected.sort_unstable();
            let ran_out = run(&mut wheel, &noted);
            let ran_out = ran_out.iter().flat_map(|(at_us, all)| all.iter().map(|number| (*at_us, *number)));
            prop_assert_eq!(ran_out.collect::<Vec<_>>(), expected);
        }
    }
}

//! The cores of a container: pieces of work, first come first served, at a [`Pace`] that changes while they
//! last. Two kinds of work may share them: a proxy's goes ahead of what its application has waiting there.
//!
//! Whatever changes the pace says so here, and work under way is told when it may be done earlier. Not here:
//! what work is for, and who hears how long it took.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use hoplab_proxy::host::Instant;

use super::busy::Busy;
use super::clock::Clock;
use super::lock;
use super::meter::{ContainerKind, Meters};
use super::pace::Pace;

/// The cores of a container, or of two that share them.
pub(super) struct Cores {
    state: Mutex<State>,
    clock: Arc<Clock>,
    meters: Arc<Mutex<Meters>>,
}

/// Whose work goes first where both wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Before all that waits in the other lane.
    Ahead,
    /// As a rule.
    Behind,
}

/// Names a slowdown of a container's cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlowdownId(usize);

struct State {
    /// How many there are; `None`: as many as are asked for.
    count: Option<u32>,
    busy: u32,
    /// How busy they are, while somebody wants to know.
    lately: Option<Busy>,
    ahead: Line,
    behind: Line,
    pace: Pace,
    slowdowns: Vec<Slowdown>,
    is_halted: bool,
    running: Running,
}

struct Slowdown {
    times: f64,
    is_on: bool,
    hits: u64,
}

impl Cores {
    /// So many, all idle; any number when `None`.
    pub(super) fn new(count: Option<u32>, clock: Arc<Clock>, meters: Arc<Mutex<Meters>>) -> Self {
        let state = State {
            count,
            busy: 0,
            lately: None,
            ahead: Line::default(),
            behind: Line::default(),
            pace: Pace::default(),
            slowdowns: Vec::new(),
            is_halted: false,
            running: Running::default(),
        };
        Self { state: Mutex::new(state), clock, meters }
    }

    /// Waits for a core, and occupies it until what is returned is dropped.
    pub(super) async fn core(&self, kind: ContainerKind, lane: Lane) -> Core<'_> {
        let mut claim = Claim { cores: self, lane, place: None };
        poll_fn(|context| claim.poll(context)).await;
        claim.place = None;
        lock(&self.meters).occupied(kind, self.clock.now());
        Core { cores: self, kind }
    }

    /// How many pieces of work wait in `lane`.
    pub(super) fn waiting(&self, lane: Lane) -> usize {
        self.state().line(lane).len
    }

    /// Whether a core is free right now.
    pub(super) fn has_free(&self) -> bool {
        self.state().has_free()
    }

    /// Keeps account of how busy they are from now on.
    pub(super) fn watch(&self) {
        self.state().lately.get_or_insert_default();
    }

    /// Which share of them was busy lately, 0 to 1, where that is watched.
    pub(super) fn busy(&self) -> f64 {
        let now = self.clock.now();
        self.state().busy_lately(now)
    }

    /// From now on work takes so many `times` as long, also what is under way, until it is lifted. It has hit
    /// every piece of work that was under way or began meanwhile.
    pub(super) fn slow(&self, times: f64) -> SlowdownId {
        let mut state = self.state();
        let hits = state.running.count() as u64;
        state.slowdowns.push(Slowdown { times, is_on: true, hits });
        let id = SlowdownId(state.slowdowns.len() - 1);
        state.repace(self.clock.now());
        id
    }

    /// Ends a slowdown.
    pub(super) fn lift(&self, SlowdownId(index): SlowdownId) {
        let mut state = self.state();
        state.slowdowns[index].is_on = false;
        state.repace(self.clock.now());
    }

    /// How many pieces of work a slowdown has hit.
    pub(super) fn hits(&self, SlowdownId(index): SlowdownId) -> u64 {
        self.state().slowdowns[index].hits
    }

    /// Lets them stand still from now on, or go on.
    pub(super) fn halt(&self, is_halted: bool) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_halted, is_halted) != is_halted {
            state.repace(self.clock.now());
        }
    }

    /// From now until `until` work takes so many `times` as long besides.
    pub(super) fn crowd(&self, times: f64, until: Instant) {
        let now = self.clock.now();
        let mut state = self.state();
        let before = state.pace.times(now);
        state.pace.crowd(now, times, until);
        // What gets slower only wakes too early, and looks again.
        if state.pace.times(now) < before || times < 1.0 {
            state.running.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn line(&mut self, lane: Lane) -> &mut Line {
        match lane {
            Lane::Ahead => &mut self.ahead,
            Lane::Behind => &mut self.behind,
        }
    }

    fn has_free(&self) -> bool {
        self.count.is_none_or(|count| self.busy < count)
    }

    /// Takes a core that is free.
    fn take(&mut self, now: Instant) {
        self.busy_lately(now);
        self.busy += 1;
    }

    /// Gives a core back: to the next one that waits, if any.
    fn release(&mut self, now: Instant) {
        if let Some(next) = self.ahead.next().or_else(|| self.behind.next()) {
            next.wake();
            return;
        }
        self.busy_lately(now);
        self.busy -= 1;
    }

    fn busy_lately(&mut self, now: Instant) -> f64 {
        let Some(lately) = &mut self.lately else { return 0.0 };
        lately.average(now, self.count.map_or(0.0, |count| f64::from(self.busy) / f64::from(count)))
    }

    fn repace(&mut self, now: Instant) {
        let on = self.slowdowns.iter().filter(|slowdown| slowdown.is_on);
        let times = on.map(|slowdown| slowdown.times).product();
        self.pace.slow(now, if self.is_halted { f64::INFINITY } else { times });
        self.running.wake();
    }

    /// A piece of work begins: where it is noted, at what progress it is done, and when that is as it stands.
    fn begin(&mut self, now: Instant, work: Duration) -> (usize, f64, Instant) {
        for slowdown in self.slowdowns.iter_mut().filter(|slowdown| slowdown.is_on) {
            slowdown.hits += 1;
        }
        let target = self.pace.progress(now) + work.as_nanos() as f64;
        (self.running.enter(), target, self.pace.reaches(target))
    }
}

/// A core that is occupied until it is dropped.
pub(super) struct Core<'a> {
    cores: &'a Cores,
    kind: ContainerKind,
}

impl Core<'_> {
    /// Does what takes `work` at full pace.
    pub(super) async fn work(&self, work: Duration) {
        let cores = self.cores;
        let (slot, target, mut armed) = cores.state().begin(cores.clock.now(), work);
        let _leaves = Leaves { cores, slot };
        let mut alarm = cores.clock.sleep_until(armed);
        poll_fn(|context| {
            loop {
                let mut state = cores.state();
                let until = state.pace.reaches(target);
                if until <= cores.clock.now() {
                    return Poll::Ready(());
                }
                state.running.stays(slot, context.waker());
                drop(state);
                if armed != until {
                    armed = until;
                    alarm.reset(until);
                }
                ready!(Pin::new(&mut alarm).poll(context));
            }
        })
        .await;
    }
}

impl Drop for Core<'_> {
    fn drop(&mut self) {
        lock(&self.cores.meters).released(self.kind, self.cores.clock.now());
        self.cores.state().release(self.cores.clock.now());
    }
}

/// A piece of work that is under way until this is dropped.
struct Leaves<'a> {
    cores: &'a Cores,
    slot: usize,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.cores.state().running.leave(self.slot);
    }
}

/// Somebody who wants a core. Dropped, it wants none, and gives back what it was given and has not taken.
struct Claim<'a> {
    cores: &'a Cores,
    lane: Lane,
    /// The place in the line, once it waits.
    place: Option<u64>,
}

impl Claim<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.cores.state();
        match self.place {
            None if state.has_free() => {
                state.take(self.cores.clock.now());
                Poll::Ready(())
            }
            None => {
                self.place = Some(state.line(self.lane).join(context.waker()));
                Poll::Pending
            }
            Some(place) if state.line(self.lane).stays(place, context.waker()) => Poll::Pending,
            Some(_) => Poll::Ready(()),
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut state = self.cores.state();
        if !state.line(self.lane).leave(place) {
            state.release(self.cores.clock.now());
        }
    }
}

/// Those who wait, in the order in which they came. Who leaves keeps its place until it comes to the front.
#[derive(Default)]
struct Line {
    places: VecDeque<(u64, Option<Waker>)>,
    /// The next place.
    next: u64,
    /// How many have not left.
    len: usize,
}

impl Line {
    fn join(&mut self, waker: &Waker) -> u64 {
        let place = self.next;
        self.next += 1;
        self.len += 1;
        self.places.push_back((place, Some(waker.clone())));
        place
    }

    /// Whose turn it is: not in the line any more.
    fn next(&mut self) -> Option<Waker> {
        while let Some((_, waker)) = self.places.pop_front() {
            if let Some(waker) = waker {
                self.len -= 1;
                return Some(waker);
            }
        }
        None
    }

    fn waiter(&mut self, place: u64) -> Option<&mut Option<Waker>> {
        let first = self.places.front()?.0;
        let index = usize::try_from(place.checked_sub(first)?).ok()?;
        self.places.get_mut(index).map(|(_, waker)| waker)
    }

    /// Whether `place` still waits; if so, `waker` is whom to wake.
    fn stays(&mut self, place: u64, waker: &Waker) -> bool {
        match self.waiter(place) {
            Some(Some(known)) => {
                known.clone_from(waker);
                true
            }
            _ => false,
        }
    }

    /// Leaves the line; `false` when its turn had come.
    fn leave(&mut self, place: u64) -> bool {
        let left = self.waiter(place).is_some_and(|waker| waker.take().is_some());
        self.len -= usize::from(left);
        while self.places.pop_front_if(|(_, waker)| waker.is_none()).is_some() {}
        left
    }
}

/// The pieces of work under way, and how to wake them.
#[derive(Default)]
struct Running {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Running {
    fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn enter(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        })
    }

    fn stays(&mut self, slot: usize, waker: &Waker) {
        match &mut self.slots[slot] {
            Some(known) => known.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
    }

    fn leave(&mut self, slot: usize) {
        self.slots[slot] = None;
        self.free.push(slot);
    }

    fn wake(&self) {
        self.slots.iter().flatten().for_each(Waker::wake_by_ref);
    }
}

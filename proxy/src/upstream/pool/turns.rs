//! Who waits for a connection where pools have limits together, in the order of coming, over all pools of an upstream:
//! what one of them frees another may have. Who is woken looks for itself, and waits on at its place when there is nothing.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Those who wait.
#[derive(Default)]
pub(super) struct Turns(Mutex<VecDeque<Waiter>>);

struct Waiter {
    pool: u32,
    woken: Arc<Notify>,
}

/// A place among those who wait; given up when dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    pool: u32,
    woken: Arc<Notify>,
}

impl Turns {
    /// Waits for a connection of the pool with this number.
    pub(super) fn join(&self, pool: u32) -> Turn<'_> {
        let woken = Arc::<Notify>::default();
        self.lock().push_back(Waiter { pool, woken: Arc::clone(&woken) });
        Turn { turns: self, pool, woken }
    }

    /// Whether somebody waits for a connection of the pool with this number.
    pub(super) fn is_waited_for(&self, pool: u32) -> bool {
        self.lock().iter().any(|waiter| waiter.pool == pool)
    }

    /// There may be a connection in the pool with this number.
    pub(super) fn wake_of(&self, pool: u32) {
        if let Some(first) = self.lock().iter().find(|waiter| waiter.pool == pool) {
            first.woken.notify_one();
        }
    }

    /// There may be room for another connection, in whichever pool.
    pub(super) fn wake(&self) {
        let mut woken = BTreeSet::new();
        for waiter in self.lock().iter().filter(|waiter| woken.insert(waiter.pool)) {
            waiter.woken.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Whether nobody came before for a connection of this pool.
    pub(super) fn is_next(&self) -> bool {
        let waiting = self.turns.lock();
        let first = waiting.iter().find(|waiter| waiter.pool == self.pool);
        first.is_some_and(|first| Arc::ptr_eq(&first.woken, &self.woken))
    }

    /// Completes when there may be something, also when that was so before.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.lock().retain(|waiter| !Arc::ptr_eq(&waiter.woken, &self.woken));
        // Who was woken and goes has perhaps not taken what there was.
        self.turns.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn is_woken(turn: &Turn<'_>) -> bool {
        pin!(turn.woken()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn the_first_of_a_pool_is_woken_and_passes_it_on() {
        let turns = Turns::default();
        let [a, b, c] = [1, 1, 2].map(|pool| turns.join(pool));
        assert!(a.is_next() && !b.is_next() && c.is_next());
        turns.wake_of(1);
        assert_eq!([&a, &b, &c].map(is_woken), [true, false, false]);
        turns.wake();
        assert_eq!([&a, &b, &c].map(is_woken), [true, false, true]);
        drop(a);
        assert!(b.is_next() && is_woken(&b) && turns.is_waited_for(1));
        drop(b);
        assert!(!turns.is_waited_for(1) && turns.is_waited_for(2));
    }
}

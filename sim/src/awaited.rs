//! Who still waits for what: for each request at a service, since when nobody has wanted its answer, so that work for
//! nobody can be told from work for somebody. It knows what no server knows by itself: whether the caller's own caller
//! is still there.
//!
//! A call is entered under its key by whoever makes it, and found by whoever answers it, whatever stands between.
//! Bounded by the calls in flight. Not here: what becomes of what was wasted (the recorder).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hoplab_proxy::host::Instant;

use crate::call::CallKey;

/// Somebody who waits for an answer: a client, or a service for its own caller's sake.
pub(crate) struct Waiter {
    above: Option<Arc<Waiter>>,
    /// When it went away, in nanoseconds; far in the future while it is there.
    gone_nanos: AtomicU64,
    /// Whether something was done for it in vain.
    wasted: AtomicBool,
}

impl Waiter {
    /// A client.
    pub(crate) fn client() -> Arc<Self> {
        Self::below(None, Instant::from_nanos(u64::MAX))
    }

    fn below(above: Option<Arc<Self>>, gone: Instant) -> Arc<Self> {
        let (gone_nanos, wasted) = (AtomicU64::new(gone.nanos()), AtomicBool::new(false));
        Arc::new(Self { above, gone_nanos, wasted })
    }

    /// It has gone away, or has its answer.
    pub(crate) fn leaves(&self, now: Instant) {
        self.gone_nanos.fetch_min(now.nanos(), Ordering::Relaxed);
    }

    /// Since when it is of no use to work for it: it went away, or one that it works for did.
    pub(crate) fn gone_since(&self) -> Instant {
        let own = Instant::from_nanos(self.gone_nanos.load(Ordering::Relaxed));
        self.above.as_ref().map_or(own, |above| above.gone_since().min(own))
    }

    /// Notes that something was done for it in vain; whether it is the first time.
    pub(crate) fn wastes(&self) -> bool {
        !self.wasted.swap(true, Ordering::Relaxed)
    }
}

/// The calls in flight, by their keys. Cloning gives another handle.
#[derive(Clone, Default)]
pub(crate) struct Awaited {
    calls: Arc<Mutex<BTreeMap<CallKey, Arc<Waiter>>>>,
}

impl Awaited {
    /// `caller` waits for the call `key`, until what is returned is dropped.
    pub(crate) fn call(&self, key: CallKey, caller: &Arc<Waiter>) -> Call {
        self.lock().insert(key, Arc::clone(caller));
        Call { awaited: self.clone(), key, caller: Arc::clone(caller) }
    }

    /// The waiter that a service is for its own callees while it answers the call `key`, which arrives `now`; one that
    /// is not entered any more is answered for nobody. A request without a key has no caller that could be known.
    pub(crate) fn answer(&self, key: Option<CallKey>, now: Instant) -> Arc<Waiter> {
        let forever = Instant::from_nanos(u64::MAX);
        match key.map(|key| self.lock().get(&key).cloned()) {
            Some(Some(caller)) => Waiter::below(Some(caller), forever),
            Some(None) => Waiter::below(None, now),
            None => Waiter::below(None, forever),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CallKey, Arc<Waiter>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is waited for.
pub(crate) struct Call {
    awaited: Awaited,
    key: CallKey,
    caller: Arc<Waiter>,
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut calls = self.awaited.lock();
        if calls.get(&self.key).is_some_and(|caller| Arc::ptr_eq(caller, &self.caller)) {
            calls.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    #[test]
    fn whoever_leaves_leaves_all_below_working_for_nobody() {
        let awaited = Awaited::default();
        let forever = Instant::from_nanos(u64::MAX);
        let client = Waiter::client();
        let keys = [CallKey::root(0, 1), CallKey::root(0, 2)];
        let first_call = awaited.call(keys[0], &client);
        let first = awaited.answer(Some(keys[0]), at(1));
        let second_call = awaited.call(keys[1], &first);
        let second = awaited.answer(Some(keys[1]), at(2));
        assert_eq!((first.gone_since(), second.gone_since()), (forever, forever));
        first.leaves(at(7));
        assert_eq!((first.gone_since(), second.gone_since()), (at(7), at(7)));
        client.leaves(at(5));
        client.leaves(at(6));
        assert_eq!((first.gone_since(), second.gone_since()), (at(5), at(5)));
        drop((first_call, second_call));
        assert_eq!(awaited.answer(Some(keys[0]), at(9)).gone_since(), at(9), "nobody waits any more");
        assert_eq!(awaited.answer(None, at(9)).gone_since(), forever, "nobody can tell");
        assert!(second.wastes() && !second.wastes());
    }

    #[test]
    fn a_call_that_is_made_twice_is_awaited_until_both_are_over() {
        let awaited = Awaited::default();
        let (one, other) = (Waiter::client(), Waiter::client());
        let key = CallKey::root(0, 1);
        let earlier = awaited.call(key, &one);
        let later = awaited.call(key, &other);
        drop(earlier);
        assert_eq!(awaited.answer(Some(key), at(1)).gone_since(), Instant::from_nanos(u64::MAX));
        drop(later);
        assert_eq!(awaited.answer(Some(key), at(1)).gone_since(), at(1));
    }
}

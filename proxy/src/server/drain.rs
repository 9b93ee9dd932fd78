//! The word that it is time to drain, for every connection of an accept loop. Not tokio's `watch`: that
//! wakes its receivers in a random order, and with them the order of everything that they then send.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Whether draining has begun. Whoever waits is woken in the order of waiting; dropped, it wakes nobody.
#[derive(Default)]
pub(super) struct Drain {
    begun: AtomicBool,
    told: Notify,
}

impl Drain {
    /// Tells everyone.
    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    /// Completes once draining has begun.
    pub(super) async fn begun(&self) {
        // It hears of what is told from here on, also before it is first polled.
        let told = self.told.notified();
        if !self.begun.load(Ordering::Acquire) {
            told.await;
        }
    }
}

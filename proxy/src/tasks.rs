//! Structured tasks: whatever was spawned into a [`Tasks`] ends when it is dropped. That is what
//! makes a crash a crash, and there are no detached tasks.
//!
//! [`Tasks`] is owned by the one future that everything belongs to; what runs inside spawns
//! through a [`Spawner`], which does not keep the set alive.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::task::JoinSet;

use crate::host::Host;
use crate::telemetry::Report;

/// A set of tasks that ends when it is dropped.
#[derive(Default)]
pub struct Tasks {
    set: Arc<Mutex<JoinSet<()>>>,
}

impl Tasks {
    /// A handle that spawns into this set; a panic in a task will be reported to `host`.
    pub fn spawner<H: Host>(&self, host: H) -> Spawner<H> {
        Spawner { host, set: Arc::downgrade(&self.set) }
    }
}

/// Spawns into a [`Tasks`], as long as that is there.
pub struct Spawner<H> {
    host: H,
    set: Weak<Mutex<JoinSet<()>>>,
}

impl<H: Host> Spawner<H> {
    /// Starts `task`, or drops it when the set is gone. Finished tasks are cleared away on the occasion.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let Some(set) = self.set.upgrade() else { return };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(finished) = set.try_join_next() {
            if finished.is_err_and(|error| error.is_panic()) {
                self.host.report(Report::Panicked);
            }
        }
        set.spawn(task);
    }
}

impl<H: Clone> Clone for Spawner<H> {
    fn clone(&self) -> Self {
        Self { host: self.host.clone(), set: Weak::clone(&self.set) }
    }
}

/// hyper starts its own tasks the same way.
impl<H: Host, F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner<H> {
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

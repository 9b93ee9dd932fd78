//! Structured tasks: whatever was spawned into a [`Tasks`] ends when it is dropped. That is what
//! makes a crash a crash, and there are no detached tasks.
//!
//! [`Tasks`] is owned by the one future that everything belongs to; what runs inside spawns
//! through a [`Spawner`], which does not keep the set alive. A panic in a task is reported while it
//! unwinds, also one of a task that is being dropped. While the host says that its process is stopped, no task goes on.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use tokio::task::JoinSet;

use crate::host::Host;
use crate::telemetry::Report;

/// A set of tasks that ends when it is dropped.
#[derive(Default)]
pub struct Tasks {
    set: Arc<Mutex<JoinSet<()>>>,
}

impl Tasks {
    /// A handle that spawns into this set; a panic in a task is reported to `host`.
    pub fn spawner<H: Host>(&self, host: H) -> Spawner<H> {
        Spawner { host: Arc::new(host), set: Arc::downgrade(&self.set) }
    }
}

/// Spawns into a [`Tasks`], as long as that is there.
pub struct Spawner<H> {
    host: Arc<H>,
    set: Weak<Mutex<JoinSet<()>>>,
}

impl<H: Host> Spawner<H> {
    /// Starts `task`, or drops it when the set is gone. Finished tasks are cleared away on the occasion.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let Some(set) = self.set.upgrade() else { return };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        while set.try_join_next().is_some() {}
        set.spawn(Watched { task: Some(task), host: Arc::clone(&self.host) });
    }
}

impl<H> Clone for Spawner<H> {
    fn clone(&self) -> Self {
        Self { host: Arc::clone(&self.host), set: Weak::clone(&self.set) }
    }
}

/// hyper starts its own tasks the same way.
impl<H: Host, F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner<H> {
    fn execute(&self, task: F) {
        self.spawn(task);
    }
}

pin_project_lite::pin_project! {
    /// A task, and who is told when it panics. It is gone before the rest of it is dropped.
    struct Watched<H: Host, F> {
        #[pin]
        task: Option<F>,
        host: Arc<H>,
    }

    impl<H: Host, F> PinnedDrop for Watched<H, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            watched(this.host.as_ref(), || this.task.set(None));
        }
    }
}

impl<H: Host, F: Future<Output = ()>> Future for Watched<H, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let Some(task) = this.task.as_pin_mut() else { return Poll::Ready(()) };
        ready!(this.host.poll_running(context));
        watched(this.host.as_ref(), || this.host.turn(|| task.poll(context)))
    }
}

/// Does `step`; a panic in it is reported to `host` as it passes.
fn watched<H: Host, T>(host: &H, step: impl FnOnce() -> T) -> T {
    let _alarm = Alarm { host, was_panicking: std::thread::panicking() };
    step()
}

struct Alarm<'a, H: Host> {
    host: &'a H,
    was_panicking: bool,
}

impl<H: Host> Drop for Alarm<'_, H> {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.was_panicking {
            self.host.report(Report::Panicked);
        }
    }
}

//! The future that a world runs for. The runtime polls it before all tasks once it is woken, and says nowhere that it is:
//! so that is noted here.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};

/// Whether the main future is to be polled.
#[derive(Debug, Default)]
pub(super) struct Main {
    is_woken: AtomicBool,
    /// The runtime's.
    waker: OnceLock<Waker>,
}

impl Main {
    /// Whether it has been woken since it was last polled.
    pub(super) fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::Relaxed)
    }

    /// Runs it.
    pub(super) async fn run<T>(self: &Arc<Self>, main: impl Future<Output = T>) -> T {
        let (mut main, noting) = (pin!(main), Waker::from(Arc::clone(self)));
        poll_fn(|context| {
            self.waker.get_or_init(|| context.waker().clone());
            self.is_woken.store(false, Ordering::Relaxed);
            main.as_mut().poll(&mut Context::from_waker(&noting))
        })
        .await
    }
}

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        self.waker.get().into_iter().for_each(Waker::wake_by_ref);
    }
}

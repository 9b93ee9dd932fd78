//! Time for hyper: its `Timer` over [`Host`]. hyper counts in `std::time::Instant`, so one such
//! instant is fixed as the host's start; only differences to it are ever used.

#![expect(
    clippy::disallowed_methods,
    reason = "hyper's instants need an origin; nothing depends on its value"
)]

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant as StdInstant};

use hyper::rt::{Sleep, Timer};

use crate::host::{Host, Instant};

static ORIGIN: LazyLock<StdInstant> = LazyLock::new(StdInstant::now);

/// The host's clock, as hyper wants it.
#[derive(Clone)]
pub(crate) struct HostTimer<H>(pub(crate) H);

impl<H: Host> Timer for HostTimer<H> {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(HostSleep { inner: self.0.sleep_until(self.0.now() + duration) })
    }

    fn sleep_until(&self, deadline: StdInstant) -> Pin<Box<dyn Sleep>> {
        let deadline = Instant::START + deadline.saturating_duration_since(*ORIGIN);
        Box::pin(HostSleep { inner: self.0.sleep_until(deadline) })
    }

    fn now(&self) -> StdInstant {
        *ORIGIN + Duration::from_nanos(self.0.now().nanos())
    }
}

pin_project_lite::pin_project! {
    struct HostSleep<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future<Output = ()>> Future for HostSleep<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().inner.poll(cx)
    }
}

impl<F: Future<Output = ()> + Send + Sync> Sleep for HostSleep<F> {}

/// Waits for `future` until `deadline`; `None` when that comes first. At the same instant the
/// future wins.
pub(crate) fn before<H: Host, F: Future>(
    host: &H,
    deadline: Instant,
    future: F,
) -> impl Future<Output = Option<F::Output>> {
    Before { future, sleep: host.sleep_until(deadline) }
}

pin_project_lite::pin_project! {
    // Written out, since an `async fn` would hold its argument twice: before its first poll, and after.
    struct Before<F, S> {
        #[pin]
        future: F,
        #[pin]
        sleep: S,
    }
}

impl<F: Future, S: Future<Output = ()>> Future for Before<F, S> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Some(output));
        }
        this.sleep.poll(cx).map(|()| None)
    }
}

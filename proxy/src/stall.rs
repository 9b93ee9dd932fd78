//! How long a peer is waited for that takes nothing of what it is sent: nginx's `send_timeout`. Whoever sends says how much
//! was taken so far, where it waits, and that it does not.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::host::Host;

/// The patience with one peer.
pub(crate) struct Stall<H> {
    host: H,
    timeout: Duration,
    wait: Option<Wait>,
}

/// A wait, which began when so much was taken.
struct Wait {
    taken: u64,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl<H: Host> Stall<H> {
    pub(crate) fn new(host: H, timeout: Duration) -> Self {
        Self { host, timeout, wait: None }
    }

    /// Completes when the peer, which has taken so much, has taken nothing for too long.
    pub(crate) fn poll_over(&mut self, taken: u64, cx: &mut Context<'_>) -> Poll<()> {
        let wait = match &mut self.wait {
            Some(wait) if wait.taken == taken => wait,
            wait => {
                let host = self.host.clone();
                let over = host.now() + self.timeout;
                wait.insert(Wait { taken, over: Box::pin(async move { host.sleep_until(over).await }) })
            }
        };
        wait.over.as_mut().poll(cx)
    }

    /// The peer is not waited for.
    pub(crate) fn end(&mut self) {
        self.wait = None;
    }
}

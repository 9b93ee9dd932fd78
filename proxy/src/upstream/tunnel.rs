//! The last stage of an attempt whose upstream has switched to another protocol: a tunnel, through which bytes pass both
//! ways until both have ended, each by itself. One task owns all of it, whether or not the caller reads: the connection,
//! which nobody else gets any more, the idle timer, and the places that the request takes up. `select` says what
//! happened, `apply` what follows.
//!
//! The request's own time was over with the upstream's consent, which was a good answer whatever becomes of the tunnel:
//! no deadline ends it, and no policy blames the endpoint for its end. Not here: the caller's connection, and who counts
//! bytes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::content::Content;
use super::idle::Idle;
use super::pool::{Lease, Upload};
use super::state::{InFlight, Verdict};
use crate::body::Body;
use crate::handover::{Giver, handover};
use crate::host::Host;
use crate::tasks::Spawner;
use crate::telemetry::Fault;
use crate::upgrade::bytes::Unwritten;

/// An attempt whose upstream has switched to another protocol.
pub(super) struct Tunnel<H: Host> {
    pub(super) host: H,
    /// What the upstream sends.
    pub(super) content: Content<Body>,
    pub(super) upload: Upload,
    pub(super) idle: Idle<H>,
    #[expect(dead_code, reason = "counts as long as it lives")]
    pub(super) held: Held<H>,
}

/// What is held as long as the tunnel lives.
#[expect(dead_code, reason = "they count as long as they live")]
pub(super) struct Held<H: Host> {
    pub(super) lease: Lease<H>,
    pub(super) verdict: Verdict<H>,
    pub(super) in_flight: InFlight<H>,
}

/// Which ways are still open.
#[derive(Debug, Clone, Copy)]
struct Ways {
    to_caller: bool,
    to_upstream: bool,
    /// Whether the upstream's connection was reset before its way had ended; which reading it need not tell again.
    is_reset: bool,
}

/// What happens to a tunnel.
enum Event {
    /// The upstream has sent something, or nothing any more.
    Came(Option<Result<Frame<Bytes>, Fault>>),
    /// All that the caller has to say was sent, or it cannot be.
    Sent(Result<(), Unwritten>),
    /// The caller went away.
    Abandoned,
    /// Nothing may have passed for too long.
    Late,
}

impl<H: Host> Tunnel<H> {
    /// What the upstream sends, as the caller reads it.
    pub(super) fn body(self, spawner: &Spawner<H>) -> Body {
        let (giver, taker) = handover(SizeHint::default(), 0);
        spawner.spawn(self.run(giver));
        Body::handed(taker)
    }

    async fn run(mut self, giver: Giver) {
        let mut ways = Ways { to_caller: true, to_upstream: true, is_reset: false };
        self.idle.passes();
        let mut sleep = Box::pin(self.host.sleep_until(self.idle.until()));
        let over = loop {
            match self.select(&giver, ways, sleep.as_mut()).await {
                Event::Late if self.host.now() < self.idle.until() => {
                    sleep = Box::pin(self.host.sleep_until(self.idle.until()));
                }
                event => {
                    if let Some(over) = self.apply(&giver, &mut ways, event) {
                        break over;
                    }
                }
            }
        };
        // What it held is free before anybody hears that it is over.
        drop(self);
        giver.over(over);
    }

    /// Waits for what happens first.
    async fn select(
        &mut self,
        giver: &Giver,
        ways: Ways,
        mut sleep: Pin<&mut impl Future<Output = ()>>,
    ) -> Event {
        poll_fn(|cx| {
            // A caller that has heard all that there is may leave that way; the other tells whether it is there.
            if ways.to_caller && giver.poll_abandoned(cx).is_ready() {
                return Poll::Ready(Event::Abandoned);
            }
            if ways.to_upstream
                && let Poll::Ready(sent) = self.upload.poll_sent(cx)
            {
                return Poll::Ready(Event::Sent(sent));
            }
            if ways.to_caller && giver.poll_wanted(cx).is_pending() {
                self.content.gather(cx);
            } else if ways.to_caller
                && let Poll::Ready(came) = Pin::new(&mut self.content).poll_frame(cx)
            {
                return Poll::Ready(Event::Came(came));
            }
            sleep.as_mut().poll(cx).map(|()| Event::Late)
        })
        .await
    }

    /// Does what follows; how the tunnel ended, once it has.
    fn apply(&mut self, giver: &Giver, ways: &mut Ways, event: Event) -> Option<Result<(), Fault>> {
        match event {
            Event::Came(Some(Ok(frame))) => {
                self.idle.passes();
                if !frame.is_trailers() {
                    giver.give(frame, false);
                }
            }
            Event::Came(None) if ways.is_reset => return Some(Err(Fault::Reset)),
            Event::Came(None) => {
                self.idle.passes();
                giver.end(Ok(()));
                ways.to_caller = false;
            }
            Event::Sent(Ok(())) => ways.to_upstream = false,
            // Who takes no more may have said something before, and all of it over HTTP/2.
            Event::Sent(Err(Unwritten::Stream)) => {
                ways.to_upstream = false;
                ways.is_reset = ways.to_caller && self.upload.has_own_connection();
            }
            Event::Came(Some(Err(fault))) | Event::Sent(Err(Unwritten::Content(fault))) => {
                return Some(Err(fault));
            }
            Event::Abandoned => return Some(Err(Fault::Cancelled)),
            Event::Late => return Some(Err(Fault::TunnelIdle)),
        }
        (!ways.to_caller && !ways.to_upstream).then_some(Ok(()))
    }
}

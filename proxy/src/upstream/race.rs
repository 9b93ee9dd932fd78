//! A round of attempts beside each other: one, and others when its answer is late. The first good answer wins;
//! the others are dropped, which closes their HTTP/1.1 connections and resets their HTTP/2 streams.
//!
//! Each attempt has an exchange of its own. When the round is over, or is dropped, their attempts and the time that
//! decided go into the request's: the first attempt's until the decisive one began, and then that one's.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use http::Method;
use http::request::Parts;

use super::Upstream;
use super::again::failure;
use super::attempt::{Attempted, Begun, Failed, Tried};
use super::deadline::Limits;
use super::idle::Idle;
use super::replay::Replay;
use super::settings;
use crate::exchange::Exchange;
use crate::host::{Host, Instant};
use crate::policy::hedge::Hedge;
use crate::policy::retry::Reach;
use crate::telemetry::Decision;
use crate::timer::before;

/// An attempt under way, and its place among those of the round.
struct Runner<'a, H: Host> {
    lane: usize,
    future: Pin<Box<dyn Future<Output = Attempted<H>> + Send + 'a>>,
}

impl<H: Host> Upstream<H> {
    /// How many hedges a request with `method` may have. It counts as one that may be hedged.
    pub(super) fn hedges(&self, method: &Method) -> u32 {
        let hedged = self.settings.hedge.as_ref().filter(|hedge| hedge.methods.contains(method));
        let hedges = hedged.map_or(0, |hedge| hedge.hedges_max);
        if hedges > 0 {
            self.state.hedge(Hedge::enter);
        }
        hedges
    }

    /// Makes an attempt, and up to `hedges` more beside it, which are counted down. Boxed, since few upstreams
    /// are hedged: the future of every request would hold the room for it.
    pub(super) fn race<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        head: &'a Parts,
        replay: &'a Replay<H>,
        tried: &'a mut Tried,
        hedges: &'a mut u32,
        limits: Limits,
    ) -> Pin<Box<dyn Future<Output = Attempted<H>> + Send + 'a>> {
        Box::pin(self.run_race(exchange, head, replay, tried, hedges, limits))
    }

    async fn run_race(
        &self,
        exchange: &mut Exchange,
        head: &Parts,
        replay: &Replay<H>,
        tried: &mut Tried,
        hedges: &mut u32,
        limits: Limits,
    ) -> Attempted<H> {
        let mut lanes = Lanes::of(exchange, self.host.clone());
        let mut lane = lanes.open();
        let begun = self.begin(&mut lane.exchange, tried, limits.head(replay.waited())).await?;
        let start = self.host.now();
        let mut runners = vec![self.run(lane, head, replay, begun, limits)];
        let delay = self.state.hedge(Hedge::delay).flatten();
        let mut late = delay.filter(|_| *hedges > 0).map(|delay| start + delay);
        let mut held = None;
        loop {
            let Some((lane, attempted)) = next(&self.host, &mut runners, late).await else {
                late = None;
                if let Some((lane, begun)) = self.hedge(&mut lanes, replay, tried) {
                    runners.push(self.run(lane, head, replay, begun, limits));
                    *hedges -= 1;
                    late = delay.filter(|_| *hedges > 0).map(|delay| self.host.now() + delay);
                }
                continue;
            };
            lanes.decisive = lane;
            let good = self.is_good(&attempted);
            // A first attempt that is given up counts as long as it was waited for: its rank stays what it is.
            if good && (lane == 0 || runners.first().is_some_and(|runner| runner.lane == 0)) {
                self.state.hedge(|hedge, now| hedge.observe(now, now - start));
            }
            let over = good || runners.is_empty();
            if over {
                let (lane, attempted) = better(held, (lane, attempted));
                lanes.answered = Some(lane);
                if good && lane > 0 {
                    let endpoint = attempted.as_ref().map(|answered| &answered.verdict.member().label).ok();
                    self.state.decided(endpoint, Decision::HedgeWon);
                }
                return attempted;
            }
            held = set_aside(held, (lane, attempted), replay, limits.head(replay.waited()));
        }
    }

    /// Carries out an attempt in a lane of its own.
    fn run<'a>(
        &'a self,
        mut lane: Lane<H>,
        head: &'a Parts,
        replay: &'a Replay<H>,
        begun: Begun<H>,
        limits: Limits,
    ) -> Runner<'a, H> {
        let number = lane.number;
        let future = async move {
            let attempted = self.carry(&mut lane.exchange, head, replay, begun, limits).await;
            let until = limits.head(replay.waited());
            if self.is_good(&attempted) { attempted } else { self.received(attempted, replay, until).await }
        };
        Runner { lane: number, future: Box::pin(future) }
    }

    /// An answer that will do only where nothing better comes, with what follows its head at once: so far it can be kept
    /// without its connection. All is over at `deadline`.
    async fn received(&self, attempted: Attempted<H>, replay: &Replay<H>, deadline: Instant) -> Attempted<H> {
        let mut answered = attempted?;
        if answered.content.is_received() {
            return Ok(answered);
        }
        let patience = self.host.now() + settings::FOLLOWING_PATIENCE;
        let passes = || answered.idle.iter().for_each(Idle::passes);
        let rest = answered.content.read_rest(self.settings.body_limit, passes);
        match before(&self.host, patience.min(deadline), rest).await {
            Some(Err(fault)) => {
                let endpoint = Some(Arc::clone(&answered.verdict.member().label));
                // What the caller broke is the caller's.
                let (fault, reach) =
                    replay.broken().map_or((fault, Reach::Sent), |broken| (broken, Reach::Held));
                answered.verdict.failed(fault, true);
                Err(Failed { fault, reach, endpoint })
            }
            Some(Ok(())) | None => Ok(answered),
        }
    }

    /// Begins an attempt beside those of `lanes`, where content, endpoints and budget allow it.
    fn hedge(
        &self,
        lanes: &mut Lanes<'_, H>,
        replay: &Replay<H>,
        tried: &mut Tried,
    ) -> Option<(Lane<H>, Begun<H>)> {
        if !replay.is_whole() {
            return None;
        }
        // The budget is asked, and pays, first: to choose moves turns and breakers.
        if self.state.hedge(Hedge::admit) != Some(true) {
            self.state.decided(None, Decision::HedgeBudgetSpent);
            return None;
        }
        let mut lane = lanes.open();
        let begun = self.begin_beside(&mut lane.exchange, tried)?;
        self.state.decided(Some(begun.endpoint()), Decision::Hedged);
        Some((lane, begun))
    }

    /// Whether an answer ends the round: one that is neither an error nor what would be tried again.
    fn is_good(&self, attempted: &Attempted<H>) -> bool {
        let failed = |attempted| self.retry.as_ref().is_some_and(|retry| retry.covers(failure(attempted)));
        attempted.as_ref().is_ok_and(|answered| !answered.status().is_server_error()) && !failed(attempted)
    }
}

/// Keeps the better of two that will do only where nothing good comes. It holds no connection, since the attempts beside
/// it may wait for one; and so an answer whose content is still to come is let go of, as in Envoy.
fn set_aside<H: Host>(
    held: Option<(usize, Attempted<H>)>,
    (lane, mut attempted): (usize, Attempted<H>),
    replay: &Replay<H>,
    deadline: Instant,
) -> Option<(usize, Attempted<H>)> {
    let is_kept = attempted.as_mut().map_or(true, |answered| answered.let_go(replay, deadline));
    if is_kept { Some(better(held, (lane, attempted))) } else { held }
}

/// An answer before none, and the later of equals.
fn better<H: Host>(
    held: Option<(usize, Attempted<H>)>,
    last: (usize, Attempted<H>),
) -> (usize, Attempted<H>) {
    match held {
        Some(held) if held.1.is_ok() && last.1.is_err() => held,
        _ => last,
    }
}

/// Waits for whichever attempt ends first, in the order of their start; `None` when it is `late` before.
async fn next<H: Host>(
    host: &H,
    runners: &mut Vec<Runner<'_, H>>,
    late: Option<Instant>,
) -> Option<(usize, Attempted<H>)> {
    let mut sleep = late.map(|late| Box::pin(host.sleep_until(late)));
    poll_fn(|cx| {
        for place in 0..runners.len() {
            if let Poll::Ready(attempted) = runners[place].future.as_mut().poll(cx) {
                let runner = runners.remove(place);
                return Poll::Ready(Some((runner.lane, attempted)));
            }
        }
        match &mut sleep {
            Some(sleep) => sleep.as_mut().poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}

/// The exchanges that were taken out of their lanes, with their lanes' numbers.
type Closed = Arc<Mutex<Vec<(usize, Exchange)>>>;

/// The lanes of a round. Dropped, after its runners, it joins them into the request's exchange.
struct Lanes<'a, H: Host> {
    exchange: &'a mut Exchange,
    host: H,
    opened: usize,
    closed: Closed,
    /// The lane whose end was waited for.
    decisive: usize,
    /// The lane whose answer is handed on.
    answered: Option<usize>,
}

impl<'a, H: Host> Lanes<'a, H> {
    fn of(exchange: &'a mut Exchange, host: H) -> Self {
        exchange.mark(host.now());
        Self { exchange, host, opened: 0, closed: Closed::default(), decisive: 0, answered: None }
    }

    fn open(&mut self) -> Lane<H> {
        let host = self.host.clone();
        let exchange = self.exchange.branch(host.now());
        let number = self.opened;
        self.opened += 1;
        Lane { exchange, host, number, into: Arc::clone(&self.closed) }
    }
}

impl<H: Host> Drop for Lanes<'_, H> {
    fn drop(&mut self) {
        let mut lanes = std::mem::take(&mut *self.closed.lock().unwrap_or_else(PoisonError::into_inner));
        lanes.sort_unstable_by_key(|(number, _)| *number);
        let lanes = lanes.into_iter().map(|(_, exchange)| exchange).collect();
        self.exchange.join(lanes, self.decisive, self.answered);
    }
}

/// The exchange of one attempt. Dropped, it goes where the round looks for it.
struct Lane<H: Host> {
    exchange: Exchange,
    host: H,
    number: usize,
    into: Closed,
}

impl<H: Host> Drop for Lane<H> {
    fn drop(&mut self) {
        let exchange = self.exchange.close(self.host.now());
        self.into.lock().unwrap_or_else(PoisonError::into_inner).push((self.number, exchange));
    }
}

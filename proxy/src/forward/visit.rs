//! A request's stay at a proxy: its exchange, and the promise to report it as a span, whatever happens.
//! Content passes through here frame by frame, so that it is paid for and its time has an owner.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::{Body, Breakable, Said};
use crate::exchange::Exchange;
use crate::framing;
use crate::grpc;
use crate::host::{Host, Instant, Work};
use crate::load_control::{LoadControl, Pass, Refusal};
use crate::server::{Connection, Cutter};
use crate::telemetry::{Fault, Outcome, Owner, Report, Role};

/// A request's stay at a proxy. Dropped unfinished, it reports that the caller went away.
pub struct Visit<H: Host> {
    host: H,
    role: Role,
    secure: bool,
    /// Whether the request is gRPC, so that it is answered likewise.
    grpc: bool,
    /// Ends the connection of a caller that does not read, where its answer breaks off.
    cutter: Option<Cutter>,
    /// Gone once the span was reported. Boxed, since a visit is moved from stage to stage.
    exchange: Option<Box<Exchange>>,
    /// The places that it takes up until then.
    passes: Vec<Pass<H>>,
    /// How much of the request's content was read, where somebody wants to know.
    received: Option<Arc<AtomicU64>>,
}

impl<H: Host> Visit<H> {
    pub(super) fn new(host: H, role: Role, exchange: Exchange, connection: &Connection, grpc: bool) -> Self {
        let secure = connection.secure;
        let (exchange, passes) = (Some(Box::new(exchange)), Vec::new());
        let cutter = connection.cutter();
        Self { host, role, secure, grpc, cutter, exchange, passes, received: None }
    }

    /// What was gathered so far.
    pub fn exchange(&mut self) -> &mut Exchange {
        self.exchange.as_mut().expect("only the end of a visit takes its exchange")
    }

    /// Asks `limits` to admit the request, which takes a while where it delays it; its place is held until the end.
    pub async fn pass(
        &mut self,
        limits: &Arc<LoadControl<H>>,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Result<(), Refusal> {
        let pass = limits.admit(self.exchange(), headers, connection).await?;
        self.passes.push(pass);
        Ok(())
    }

    /// The request's content, which breaks off where it is more than it may be.
    pub(super) fn limit(&self, body: Body) -> Body {
        self.passes.iter().fold(body, |body, pass| pass.limit(body))
    }

    /// Whether the request is gRPC.
    pub(super) fn is_grpc(&self) -> bool {
        self.grpc
    }

    /// Notes where the request goes, if somebody wants to know.
    pub(super) fn goes_to(&mut self, upstream: &Arc<str>) {
        if let Some(facts) = &mut self.exchange().facts {
            facts.upstream = Some(Arc::clone(upstream));
        }
    }

    /// Notes what the caller is told, and how many bytes of content with it.
    pub(super) fn answers(&mut self, status: StatusCode, bytes: u64) {
        if let Some(facts) = &mut self.exchange().facts {
            facts.answered(status, bytes);
        }
    }

    /// Does `work`, and notes who owned its time.
    pub(super) async fn work(&mut self, mut work: Work) {
        if self.secure && work.requests > 0 {
            work.tls_bytes += work.bytes;
        }
        let Self { host, exchange, .. } = self;
        let exchange = exchange.as_mut().expect("only the end of a visit takes its exchange");
        exchange.enter(Owner::Queue);
        host.work(work, |owner, from| exchange.turn(owner, from)).await;
        exchange.mark(host.now());
    }

    /// The request's content on its way to the upstream. Content of known length is encrypted now,
    /// all else was paid on arrival; content of unknown length is paid as it passes.
    pub(super) async fn meter_request(&mut self, body: Body, upstream_is_secure: bool) -> Body {
        let body = self.counting(body);
        if let Some(bytes) = body.exact_length() {
            if bytes > 0 && upstream_is_secure {
                self.work(Work { tls_bytes: bytes, ..Work::default() }).await;
            }
            return body;
        }
        let meter = Meter::of(self, upstream_is_secure);
        Body::breakable(Metered { body, meter, host: self.host.clone(), paying: None })
    }

    /// The request's content, which is counted as it is read where somebody wants to know.
    fn counting(&mut self, body: Body) -> Body {
        if self.exchange().facts.is_none() {
            return body;
        }
        let received = Arc::clone(self.received.get_or_insert_default());
        body.tapped(count_into(received))
    }

    /// What the caller is told through a tunnel, with which the visit ends once both ways have. How long it lives says
    /// nothing of anybody, so that all of its time is the upstream's, and it is an answer of 101 whatever the caller speaks.
    pub(super) fn tunnel(mut self, mut told: Body, meter: Meter) -> Body {
        let attempt = self.exchange().attempt();
        self.exchange().enter(attempt.map_or(Owner::Downstream, Owner::Upstream));
        // The connection's own task sees it break. And who is kept by what the connection keeps must not keep that.
        self.cutter = None;
        (self.exchange().interim, self.exchange().upgrade) = (None, None);
        let (host, sent) = (self.host.clone(), Arc::<AtomicU64>::default());
        let counted = Arc::clone(&sent);
        if let Some(taker) = told.handed_over() {
            taker.on_over(Box::new(move |over| {
                if let Some(facts) = &mut self.exchange().facts {
                    facts.bytes_sent = sent.load(Ordering::Relaxed);
                }
                self.finish(match over {
                    Ok(()) => answered(StatusCode::SWITCHING_PROTOCOLS),
                    Err(fault) => Outcome::Failed(fault),
                });
            }));
        }
        let told = told.tapped(count_into(counted));
        Body::breakable(Metered { body: told, meter, host, paying: None })
    }

    /// Ends the visit with an answer that has no content of an upstream.
    pub(super) fn answer(mut self, outcome: Outcome, answer: Response<Body>) -> Response<Body> {
        self.answers(answer.status(), answer.body().exact_length().unwrap_or(0));
        self.finish(outcome);
        answer
    }

    /// Ends the visit since the answer has broken off, although nobody may read it.
    fn break_off(&mut self, fault: Fault) {
        self.finish(Outcome::Failed(fault));
        if let Some(cutter) = self.cutter.take() {
            cutter.cut();
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        if self.exchange.is_some() {
            self.finish_at(outcome, self.host.now());
        }
    }

    fn finish_at(&mut self, outcome: Outcome, now: Instant) {
        if let Some(mut exchange) = self.exchange.take() {
            // Who breaks the answer off may have another's time.
            let now = now.max(exchange.timeline.last());
            if let (Some(facts), Some(received)) = (&mut exchange.facts, &self.received) {
                facts.bytes_received = received.load(Ordering::Relaxed);
            }
            let span = exchange.into_span(self.role, outcome, now);
            self.host.report(Report::Span(span));
            self.passes.drain(..).for_each(|pass| pass.end(outcome));
        }
    }
}

impl<H: Host> Drop for Visit<H> {
    fn drop(&mut self) {
        self.finish(Outcome::Failed(Fault::Cancelled));
    }
}

/// Counts the bytes of frames that pass.
fn count_into(bytes: Arc<AtomicU64>) -> impl FnMut(&Said) + Send + Unpin + 'static {
    move |said| {
        if let Some(Ok(frame)) = said {
            bytes.fetch_add(frame.data_ref().map_or(0, Bytes::len) as u64, Ordering::Relaxed);
        }
    }
}

/// What a byte of content costs here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meter {
    /// How many of the two sides are encrypted.
    tls_sides: u64,
}

impl Meter {
    pub(super) fn of<H: Host>(visit: &Visit<H>, upstream_is_secure: bool) -> Self {
        Self { tls_sides: u64::from(visit.secure) + u64::from(upstream_is_secure) }
    }

    pub(super) fn work(self, bytes: u64) -> Work {
        Work { bytes, tls_bytes: bytes * self.tls_sides, ..Work::default() }
    }
}

type BoxedWork = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Work that is being done for a frame, and the frame.
type Paying = (BoxedWork, Frame<Bytes>);

/// The frame's work, begun, which tells `enters` whose its time is; `None` when it costs nothing.
fn pay<H: Host>(
    host: &H,
    meter: Meter,
    frame: &Frame<Bytes>,
    enters: impl FnMut(Owner, Instant) + Send + 'static,
) -> Option<BoxedWork> {
    let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
    let host = host.clone();
    (bytes > 0).then(|| -> BoxedWork { Box::pin(async move { host.work(meter.work(bytes), enters).await }) })
}

/// Whose the time of work was, from when on, as it told.
#[derive(Clone, Default)]
struct Turns(Arc<Mutex<Vec<(Owner, Instant)>>>);

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Vec<(Owner, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's content of unknown length, paid for as it passes. Its time belongs to the attempt
/// that waits for the answer.
struct Metered<H> {
    body: Body,
    meter: Meter,
    host: H,
    paying: Option<Paying>,
}

impl<H: Host> HttpBody for Metered<H> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        loop {
            if let Some((work, _)) = &mut this.paying {
                ready!(work.as_mut().poll(cx));
                return Poll::Ready(this.paying.take().map(|(_, frame)| Ok(frame)));
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => match pay(&this.host, this.meter, &frame, |_, _| {}) {
                    Some(work) => this.paying = Some((work, frame)),
                    None => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.paying.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl<H: Host> Breakable for Metered<H> {
    fn poll_broken(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fault> {
        self.body.poll_broken(cx)
    }
}

/// An answer's content on its way to the caller: ends the visit with its last frame.
pub(super) struct Counted<H: Host> {
    host: H,
    visit: Stay<H>,
    body: Body,
    /// What the answer amounts to, as far as it was read.
    status: StatusCode,
    /// What is paid as it passes; nothing when the length was known and paid for.
    meter: Option<(Meter, Turns)>,
    paying: Option<Paying>,
    reading: bool,
}

/// A visit that goes on while content passes.
enum Stay<H: Host> {
    /// Content is at hand: it ends as it is read.
    Own(Visit<H>),
    /// Content may break off although nobody reads it, and the visit with it.
    Shared(Arc<Mutex<Visit<H>>>),
}

impl<H: Host> Stay<H> {
    fn of(visit: Visit<H>, body: &mut Body) -> Self {
        let Some(taker) = body.handed_over() else { return Self::Own(visit) };
        let visit = Arc::new(Mutex::new(visit));
        let shared = Arc::clone(&visit);
        taker.on_break(Box::new(move |fault| lock(&shared).break_off(fault)));
        Self::Shared(visit)
    }

    fn with<T>(&mut self, change: impl FnOnce(&mut Visit<H>) -> T) -> T {
        match self {
            Self::Own(visit) => change(visit),
            Self::Shared(visit) => change(&mut lock(visit)),
        }
    }
}

fn lock<H: Host>(visit: &Mutex<Visit<H>>) -> MutexGuard<'_, Visit<H>> {
    visit.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<H: Host> Counted<H> {
    /// `body`, at whose end `visit` ends as answered with `status`, or with what trailers say of a call of gRPC.
    pub(super) fn body(mut visit: Visit<H>, mut body: Body, meter: Meter, status: StatusCode) -> Body {
        if body.is_end_stream() {
            visit.finish(answered(status));
            return body;
        }
        visit.exchange().enter(Owner::Downstream);
        let meter = body.exact_length().is_none().then(|| (meter, Turns::default()));
        let host = visit.host.clone();
        let visit = Stay::of(visit, &mut body);
        Body::breakable(Self { host, visit, body, status, meter, paying: None, reading: false })
    }

    /// From here on, the time belongs to `owner`; and when that is.
    fn turn_to(&mut self, owner: Owner) -> Instant {
        let now = self.host.now();
        self.visit.with(|visit| {
            if let Some(exchange) = &mut visit.exchange {
                exchange.turn(owner, now);
            }
        });
        now
    }

    fn begin_reading(&mut self) {
        if !std::mem::replace(&mut self.reading, true) {
            let attempt =
                self.visit.with(|visit| visit.exchange.as_ref().and_then(|exchange| exchange.attempt()));
            self.turn_to(attempt.map_or(Owner::Downstream, Owner::Upstream));
        }
    }

    fn hand_over(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.reading = false;
        let now = self.turn_to(Owner::Downstream);
        if let Some(trailers) = frame.trailers_ref() {
            self.status = grpc::amounts_to(self.status, trailers.get(grpc::STATUS));
        }
        let (is_last, outcome) = (self.body.is_end_stream(), answered(self.status));
        self.visit.with(|visit| {
            let facts = visit.exchange.as_mut().and_then(|exchange| exchange.facts.as_mut());
            if let Some(facts) = facts {
                facts.bytes_sent += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            if is_last {
                visit.finish_at(outcome, now);
            }
        });
        Poll::Ready(Some(Ok(frame)))
    }

    fn finish(&mut self, outcome: Outcome) {
        self.visit.with(|visit| visit.finish(outcome));
    }

    fn poll_paid(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let Some((work, _)) = &mut self.paying else { return Poll::Ready(None) };
        ready!(work.as_mut().poll(cx));
        self.account();
        match self.paying.take() {
            Some((_, frame)) => self.hand_over(frame),
            None => Poll::Ready(None),
        }
    }

    /// Says whose the time of the work was that was being done, as far as it was.
    fn account(&mut self) {
        let Some((_, turns)) = &self.meter else { return };
        let turns = std::mem::take(&mut *turns.lock());
        self.visit.with(|visit| {
            if let Some(exchange) = &mut visit.exchange {
                for (owner, from) in turns {
                    exchange.turn(owner, from);
                }
            }
        });
    }
}

impl<H: Host> HttpBody for Counted<H> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let this = &mut *self;
        if this.paying.is_some() {
            return this.poll_paid(cx);
        }
        this.begin_reading();
        match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    framing::settle_trailers(trailers);
                }
                let work = this.meter.as_ref().and_then(|(meter, turns)| {
                    let turns = turns.clone();
                    let noted = move |owner, from| turns.lock().push((owner, from));
                    pay(&this.host, *meter, &frame, noted)
                });
                let Some(work) = work else { return this.hand_over(frame) };
                this.turn_to(Owner::Queue);
                this.paying = Some((work, frame));
                this.poll_paid(cx)
            }
            Some(Err(fault)) => {
                this.finish(Outcome::Failed(fault));
                Poll::Ready(Some(Err(fault)))
            }
            None => {
                this.finish(answered(this.status));
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.paying.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<H: Host> Breakable for Counted<H> {
    fn poll_broken(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fault> {
        let fault = ready!(self.body.poll_broken(cx));
        self.finish(Outcome::Failed(fault));
        Poll::Ready(fault)
    }
}

impl<H: Host> Drop for Counted<H> {
    fn drop(&mut self) {
        self.account();
        // Who counts bytes has all of them, and does not wait for the end.
        if self.paying.is_none() && self.body.exact_length() == Some(0) {
            self.finish(answered(self.status));
        }
    }
}

fn answered(status: StatusCode) -> Outcome {
    Outcome::Answered(status.as_u16())
}

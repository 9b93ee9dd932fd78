//! A request's content that can be sent again: what one attempt reads is kept, up to a limit, and
//! the next attempt begins with it. Beyond the limit it streams on, and cannot be sent again.
//!
//! Knows how long attempts waited for the caller to send: that time is not the upstream's.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::Body;
use crate::host::{Host, Instant};
use crate::telemetry::Fault;

/// A request's content, to be handed to one attempt after the other. Cloning gives another handle.
pub(super) struct Replay<H> {
    source: Option<Arc<Mutex<Source<H>>>>,
}

impl<H> Clone for Replay<H> {
    fn clone(&self) -> Self {
        Self { source: self.source.clone() }
    }
}

struct Source<H> {
    host: H,
    body: Body,
    length: SizeHint,
    kept: Vec<Bytes>,
    kept_bytes: u64,
    keep_bytes_max: u64,
    overflown: bool,
    trailers: Option<HeaderMap>,
    ended: bool,
    broken: Option<Fault>,
    /// Attempts of earlier rounds read no further.
    round: u32,
    /// How many readers there were.
    readers: u32,
    /// Beyond the limit, the one reader that has got everything so far.
    only: Option<u32>,
    /// Who waits for content, by their numbers: the source itself remembers only the last.
    waiting: Vec<(u32, Waker)>,
    /// Since when somebody waits.
    waits_since: Option<Instant>,
    /// How long somebody waited before.
    waited: Duration,
    /// Who wants to know when the wait is over.
    resumes: Vec<Waker>,
}

/// How long attempts have waited for the caller to send.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waits {
    /// In all waits that are over.
    pub(super) over: Duration,
    /// Since when one is under way, if one is.
    pub(super) since: Option<Instant>,
}

impl<H: Host> Replay<H> {
    /// `body`, of which at most `keep_bytes_max` are kept.
    pub(super) fn new(body: Body, keep_bytes_max: u64, host: &H) -> Self {
        if body.is_end_stream() {
            return Self { source: None };
        }
        let length = body.size_hint();
        let source = Source {
            host: host.clone(),
            body,
            length,
            kept: Vec::new(),
            kept_bytes: 0,
            keep_bytes_max,
            overflown: false,
            trailers: None,
            ended: false,
            broken: None,
            round: 0,
            readers: 0,
            only: None,
            waiting: Vec::new(),
            waits_since: None,
            waited: Duration::ZERO,
            resumes: Vec::new(),
        };
        Self { source: Some(Arc::new(Mutex::new(source))) }
    }

    /// From here on, the attempts before read no further.
    pub(super) fn begin_round(&self) {
        if let Some(source) = &self.source {
            let mut source = lock(source);
            source.round += 1;
            source.wake();
        }
    }

    /// The answer is complete: the caller's content is wanted no more. Whether all of it was sent.
    pub(super) fn stop(&self) -> bool {
        let is_sent = self.is_sent();
        if !is_sent {
            self.begin_round();
        }
        is_sent
    }

    /// Whether all of the caller's content was sent, as far as one attempt is told from another.
    pub(super) fn is_sent(&self) -> bool {
        self.source.as_ref().is_none_or(|source| lock(source).is_read())
    }

    /// How long attempts have waited for the caller to send.
    pub(super) fn waits(&self) -> Waits {
        self.source.as_ref().map_or_else(Waits::default, |source| {
            let source = lock(source);
            Waits { over: source.waited, since: source.waits_since }
        })
    }

    /// All of that until now. The clock is looked at where the caller is waited for.
    pub(super) fn waited(&self) -> Duration {
        self.source.as_ref().map_or(Duration::ZERO, |source| {
            let source = lock(source);
            let since = source.waits_since.map(|since| source.host.now().saturating_since(since));
            source.waited + since.unwrap_or_default()
        })
    }

    /// Completes when the wait `since` then is over.
    pub(super) fn poll_resumed(&self, since: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let Some(source) = &self.source else { return Poll::Ready(()) };
        let mut source = lock(source);
        if source.waits_since != Some(since) {
            return Poll::Ready(());
        }
        if !source.resumes.iter().any(|waker| waker.will_wake(cx.waker())) {
            source.resumes.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The content from its beginning, for one attempt of this round; attempts beside each other share it.
    pub(super) fn body(&self) -> Body {
        let Some(source) = &self.source else { return Body::empty() };
        let mut locked = lock(source);
        locked.readers += 1;
        let (number, round) = (locked.readers, locked.round);
        let reader = Reader { number, round, next: 0, read_bytes: 0, source: source.clone() };
        drop(locked);
        Body::boxed(reader)
    }

    /// Whether the content can still be sent from its beginning.
    pub(super) fn is_whole(&self) -> bool {
        self.source.as_ref().is_none_or(|source| {
            let source = lock(source);
            !source.overflown && source.broken.is_none()
        })
    }

    /// What the caller did wrong while sending the content, if anything.
    pub(super) fn broken(&self) -> Option<Fault> {
        lock(self.source.as_ref()?).broken
    }
}

fn lock<H>(source: &Mutex<Source<H>>) -> MutexGuard<'_, Source<H>> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The content as one attempt reads it.
struct Reader<H: Host> {
    number: u32,
    round: u32,
    next: usize,
    read_bytes: u64,
    source: Arc<Mutex<Source<H>>>,
}

impl<H: Host> Source<H> {
    /// Whether all of it was read: to its end, or by who counts its bytes (HTTP/1.1) and does not ask for the end.
    fn is_read(&self) -> bool {
        self.ended || self.body.exact_length() == Some(0)
    }

    fn poll_data(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        self.waiting.retain(|(waiting, _)| *waiting != number);
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            self.waiting.push((number, cx.waker().clone()));
            self.waits_since.get_or_insert_with(|| self.host.now());
            return Poll::Pending;
        };
        self.wake();
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(fault)) => {
                self.broken = Some(fault);
                return Poll::Ready(Some(Err(fault)));
            }
            None => {
                self.ended = true;
                return Poll::Ready(None);
            }
        };
        if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
            self.ended = true;
        } else if let Some(data) = frame.data_ref() {
            self.kept_bytes += data.len() as u64;
            if self.kept_bytes > self.keep_bytes_max {
                self.overflown = true;
                self.only = Some(number);
                self.kept.clear();
            } else {
                self.kept.push(data.clone());
            }
        }
        self.ended |= self.body.is_end_stream();
        Poll::Ready(Some(Ok(frame)))
    }

    /// Lets the others look for themselves.
    fn wake(&mut self) {
        for (_, waker) in self.waiting.drain(..) {
            waker.wake();
        }
        if let Some(since) = self.waits_since.take() {
            self.waited += self.host.now().saturating_since(since);
            self.resumes.drain(..).for_each(Waker::wake);
        }
    }
}

impl<H: Host> Drop for Reader<H> {
    fn drop(&mut self) {
        let mut source = lock(&self.source);
        let before = source.waiting.len();
        source.waiting.retain(|(waiting, _)| *waiting != self.number);
        // The source would wake this one alone.
        if source.waiting.len() < before {
            source.wake();
        }
    }
}

impl<H: Host> HttpBody for Reader<H> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let shared = Arc::clone(&self.source);
        let mut source = lock(&shared);
        if source.round != self.round || source.only.is_some_and(|only| only != self.number) {
            return Poll::Ready(Some(Err(Fault::Cancelled)));
        }
        if let Some(data) = source.kept.get(self.next).cloned() {
            self.next += 1;
            self.read_bytes += data.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if source.ended {
            // Trailers are handed out once per reader, after all data.
            let trailers = source.trailers.clone().filter(|_| self.next != usize::MAX);
            self.next = usize::MAX;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        }
        if let Some(fault) = source.broken {
            return Poll::Ready(Some(Err(fault)));
        }
        let frame = ready!(source.poll_data(self.number, cx));
        match &frame {
            Some(Ok(frame)) if frame.is_data() => {
                self.next = source.kept.len();
                self.read_bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            _ => self.next = usize::MAX,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let source = lock(&self.source);
        source.ended
            && self.next >= source.kept.len()
            && (source.trailers.is_none() || self.next == usize::MAX)
    }

    fn size_hint(&self) -> SizeHint {
        let length = lock(&self.source).length.exact();
        length.map_or_else(SizeHint::default, |length| {
            SizeHint::with_exact(length.saturating_sub(self.read_bytes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use http_body_util::{BodyExt, StreamBody};

    use crate::host::live::Live;
    use crate::telemetry::{Observer, Report};

    struct Nobody;

    impl Observer for Nobody {
        fn observe(&self, _: Report) {}
    }

    fn host() -> Live {
        Live::new(Nobody)
    }

    fn chunks(sizes: &[usize], trailers: bool) -> Body {
        let mut frames: Vec<Result<Frame<Bytes>, Fault>> =
            sizes.iter().map(|&size| Ok(Frame::data(Bytes::from(vec![b'x'; size])))).collect();
        if trailers {
            let mut map = HeaderMap::new();
            map.insert("x-sum", "7".parse().unwrap());
            frames.push(Ok(Frame::trailers(map)));
        }
        Body::boxed(StreamBody::new(futures_util::stream::iter(frames)))
    }

    fn read(body: Body) -> Result<(usize, bool), Fault> {
        let collected = body.collect().now_or_never().expect("all frames are there")?;
        let trailers = collected.trailers().is_some();
        Ok((collected.to_bytes().len(), trailers))
    }

    #[test]
    fn a_second_attempt_reads_the_same_content() {
        for trailers in [false, true] {
            let replay = Replay::new(chunks(&[10, 20, 30], trailers), 64 * 1024, &host());
            let mut first = replay.body();
            let frame = first.frame().now_or_never().unwrap().unwrap().unwrap();
            assert_eq!(frame.data_ref().unwrap().len(), 10);
            replay.begin_round();
            let second = replay.body();
            assert_eq!(read(first), Err(Fault::Cancelled), "the earlier attempt reads no further");
            assert_eq!(read(second), Ok((60, trailers)));
            assert!(replay.is_whole());
            replay.begin_round();
            assert_eq!(read(replay.body()), Ok((60, trailers)));
        }
    }

    #[test]
    fn attempts_beside_each_other_read_the_same_content() {
        let replay = Replay::new(chunks(&[10, 20, 30], true), 100, &host());
        let (mut first, mut second) = (replay.body(), replay.body());
        for size in [10, 20] {
            for body in [&mut first, &mut second] {
                let frame = body.frame().now_or_never().unwrap().unwrap().unwrap();
                assert_eq!(frame.data_ref().unwrap().len(), size);
            }
        }
        assert_eq!(read(first), Ok((30, true)));
        assert_eq!(read(second), Ok((30, true)));
    }

    #[test]
    fn beyond_the_limit_one_of_those_beside_each_other_goes_on() {
        let replay = Replay::new(chunks(&[60, 60, 60], true), 100, &host());
        let (mut first, second) = (replay.body(), replay.body());
        first.frame().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!(read(second), Ok((180, true)));
        assert_eq!(read(first), Err(Fault::Cancelled));
    }

    #[test]
    fn beyond_the_limit_it_streams_on_and_is_whole_no_more() {
        let replay = Replay::new(chunks(&[60, 60], true), 100, &host());
        assert_eq!(read(replay.body()), Ok((120, true)));
        assert!(!replay.is_whole());
    }

    #[test]
    fn a_broken_caller_is_remembered() {
        let frames = vec![Ok(Frame::data(Bytes::from("x"))), Err(Fault::Malformed)];
        let body = Body::boxed(StreamBody::new(futures_util::stream::iter(frames)));
        let replay = Replay::new(body, 100, &host());
        assert_eq!(read(replay.body()), Err(Fault::Malformed));
        assert_eq!(replay.broken(), Some(Fault::Malformed));
        assert!(!replay.is_whole());
    }
}

//! A request's content that can be sent again: what one attempt reads is kept, up to a limit, and
//! the next attempt begins with it. Beyond the limit it streams on, and cannot be sent again.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::body::Body;
use crate::telemetry::Fault;

/// How much of a request's content is kept for another attempt, as in Linkerd.
pub(super) const KEEP_BYTES_MAX: usize = 64 * 1024;

/// A request's content, to be handed to one attempt after the other.
pub(super) struct Replay {
    source: Option<Arc<Mutex<Source>>>,
}

struct Source {
    body: Body,
    length: SizeHint,
    kept: Vec<Bytes>,
    kept_bytes: usize,
    keep_bytes_max: usize,
    overflown: bool,
    trailers: Option<HeaderMap>,
    ended: bool,
    broken: Option<Fault>,
    reader: u32,
}

impl Replay {
    /// `body`, of which at most `keep_bytes_max` are kept.
    pub(super) fn new(body: Body, keep_bytes_max: usize) -> Self {
        if body.is_end_stream() {
            return Self { source: None };
        }
        let length = body.size_hint();
        let source = Source {
            body,
            length,
            kept: Vec::new(),
            kept_bytes: 0,
            keep_bytes_max,
            overflown: false,
            trailers: None,
            ended: false,
            broken: None,
            reader: 0,
        };
        Self { source: Some(Arc::new(Mutex::new(source))) }
    }

    /// The content from its beginning, for the next attempt. Earlier attempts read no further.
    pub(super) fn body(&self) -> Body {
        let Some(source) = &self.source else { return Body::empty() };
        let mut locked = lock(source);
        locked.reader += 1;
        let reader = Reader { number: locked.reader, next: 0, read_bytes: 0, source: source.clone() };
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

fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The content as one attempt reads it.
struct Reader {
    number: u32,
    next: usize,
    read_bytes: u64,
    source: Arc<Mutex<Source>>,
}

impl Source {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
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
            self.kept_bytes += data.len();
            if self.kept_bytes > self.keep_bytes_max {
                self.overflown = true;
                self.kept.clear();
            } else {
                self.kept.push(data.clone());
            }
        }
        self.ended |= self.body.is_end_stream();
        Poll::Ready(Some(Ok(frame)))
    }
}

impl HttpBody for Reader {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let shared = Arc::clone(&self.source);
        let mut source = lock(&shared);
        if source.reader != self.number {
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
        let frame = ready!(source.poll_data(cx));
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
            let replay = Replay::new(chunks(&[10, 20, 30], trailers), KEEP_BYTES_MAX);
            let mut first = replay.body();
            let frame = first.frame().now_or_never().unwrap().unwrap().unwrap();
            assert_eq!(frame.data_ref().unwrap().len(), 10);
            let second = replay.body();
            assert_eq!(read(first), Err(Fault::Cancelled), "the earlier attempt reads no further");
            assert_eq!(read(second), Ok((60, trailers)));
            assert!(replay.is_whole());
            assert_eq!(read(replay.body()), Ok((60, trailers)));
        }
    }

    #[test]
    fn beyond_the_limit_it_streams_on_and_is_whole_no_more() {
        let replay = Replay::new(chunks(&[60, 60], true), 100);
        assert_eq!(read(replay.body()), Ok((120, true)));
        assert!(!replay.is_whole());
    }

    #[test]
    fn a_broken_caller_is_remembered() {
        let frames = vec![Ok(Frame::data(Bytes::from("x"))), Err(Fault::Malformed)];
        let body = Body::boxed(StreamBody::new(futures_util::stream::iter(frames)));
        let replay = Replay::new(body, 100);
        assert_eq!(read(replay.body()), Err(Fault::Malformed));
        assert_eq!(replay.broken(), Some(Fault::Malformed));
        assert!(!replay.is_whole());
    }
}

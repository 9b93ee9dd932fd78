//! The content of an upstream's answer, of which a part may have been read ahead. What is there together with the
//! head is taken with it, so that a short answer is whole at once, and one that breaks at once has not begun. And gRPC
//! says how a call ended in trailers, so to try again after a code, these are read before anything is handed on: one
//! message at most, so that an answer of several (a stream) is handed on as soon as that is known.
//!
//! Owns no time: the caller says how long to read ahead.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::grpc::{self, PREFIX_BYTES};

/// Content that is being read.
pub(super) struct Content<B> {
    rest: B,
    /// The frame that came with the head.
    first: Option<Frame<Bytes>>,
    /// Boxed, since it is rare: every answer would hold the room for it.
    ahead: Option<Box<Ahead>>,
}

#[derive(Default)]
struct Ahead {
    frames: VecDeque<Frame<Bytes>>,
    message: Message,
    /// Whether there is nothing behind them.
    whole: bool,
}

impl Content<crate::body::Body> {
    /// As [`crate::body::Body::gather`], for what was not received yet.
    pub(super) fn gather(&mut self, cx: &mut Context<'_>) {
        self.rest.gather(cx);
    }
}

impl<B: Body<Data = Bytes> + Unpin> Content<B> {
    pub(super) fn new(rest: B) -> Self {
        Self { rest, first: None, ahead: None }
    }

    /// Takes the first frame, if it is there already.
    pub(super) fn take_first(&mut self) -> Result<(), B::Error> {
        if !self.rest.is_end_stream()
            && let Some(Some(frame)) = self.rest.frame().now_or_never()
        {
            self.first = Some(frame?);
        }
        Ok(())
    }

    /// All of it, when it was received with the head and is no more than bytes.
    pub(super) fn whole(&mut self) -> Option<Bytes> {
        if self.ahead.is_some() || !self.rest.is_end_stream() {
            return None;
        }
        match self.first.take() {
            None => Some(Bytes::new()),
            Some(frame) => frame.into_data().map_err(|frame| self.first = Some(frame)).ok(),
        }
    }

    /// Reads the first message, as far as it has no more than `limit` bytes. What was read is handed out all the same, and
    /// `passes` is called for each frame. Can be dropped half-way.
    pub(super) async fn read_message(&mut self, limit: u64, passes: impl Fn()) -> Result<(), B::Error> {
        self.read_until(|message| message.is_whole() || message.is_exceeded(limit), passes).await
    }

    /// Goes on to the end, unless there is more than one message or than `limit` bytes.
    pub(super) async fn read_end(&mut self, limit: u64, passes: impl Fn()) -> Result<(), B::Error> {
        self.read_until(|message| message.is_exceeded(limit), passes).await
    }

    /// Goes on to the end, unless there are more than `limit` bytes.
    pub(super) async fn read_rest(&mut self, limit: u64, passes: impl Fn()) -> Result<(), B::Error> {
        self.read_until(|message| message.read > limit, passes).await
    }

    async fn read_until(
        &mut self,
        is_enough: impl Fn(&Message) -> bool,
        passes: impl Fn(),
    ) -> Result<(), B::Error> {
        let ahead = self.ahead.get_or_insert_default();
        if let Some(first) = self.first.take() {
            ahead.message.read(first.data_ref().map_or(&[], |data| data));
            ahead.frames.push_back(first);
        }
        while !ahead.whole && !is_enough(&ahead.message) {
            let Some(frame) = self.rest.frame().await else {
                ahead.whole = true;
                break;
            };
            let frame = frame?;
            passes();
            if let Some(data) = frame.data_ref() {
                ahead.message.read(data);
            }
            ahead.frames.push_back(frame);
        }
        Ok(())
    }

    /// The trailers, where they were read ahead.
    pub(super) fn trailers(&self) -> Option<&HeaderMap> {
        let last = self.ahead.as_ref().and_then(|ahead| ahead.frames.back());
        last.or(self.first.as_ref())?.trailers_ref()
    }

    /// Whether all of it was received, handed out or not.
    pub(super) fn is_received(&self) -> bool {
        self.rest.is_end_stream() || self.ahead.as_ref().is_some_and(|ahead| ahead.whole)
    }
}

/// Whether an answer with this head says only in its trailers how a call of gRPC ended.
pub(super) fn ends_in_trailers(head: &response::Parts) -> bool {
    grpc::is_grpc(&head.headers) && !head.headers.contains_key(grpc::STATUS)
}

/// How far a first message was read.
#[derive(Default)]
struct Message {
    read: u64,
    prefix: [u8; PREFIX_BYTES],
}

impl Message {
    fn read(&mut self, data: &[u8]) {
        let known = usize::try_from(self.read).map_or(PREFIX_BYTES, |read| read.min(PREFIX_BYTES));
        for (place, byte) in self.prefix[known..].iter_mut().zip(data) {
            *place = *byte;
        }
        self.read += data.len() as u64;
    }

    /// Where it ends, as far as is known.
    fn end(&self) -> u64 {
        let [_, length @ ..] = self.prefix;
        PREFIX_BYTES as u64 + u64::from(u32::from_be_bytes(length))
    }

    /// Whether all of it was read.
    fn is_whole(&self) -> bool {
        self.read >= PREFIX_BYTES as u64 && self.read >= self.end()
    }

    /// Whether more than the message, or than `limit`, was read.
    fn is_exceeded(&self, limit: u64) -> bool {
        self.read > limit.min(self.end())
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Content<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Some(ahead) = &mut self.ahead {
            if let Some(frame) = ahead.frames.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if ahead.whole {
                return Poll::Ready(None);
            }
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        let is_read = self.ahead.as_ref().is_none_or(|ahead| ahead.frames.is_empty());
        self.first.is_none() && is_read && self.is_received()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.iter().flat_map(|ahead| &ahead.frames);
        let data = self.first.iter().chain(ahead).filter_map(Frame::data_ref);
        let read: u64 = data.map(|data| data.len() as u64).sum();
        let is_whole = self.ahead.as_ref().is_some_and(|ahead| ahead.whole);
        let rest = if is_whole { SizeHint::with_exact(0) } else { self.rest.size_hint() };
        let mut hint = SizeHint::new();
        hint.set_lower(read + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(read + upper);
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream::{self, StreamExt};
    use http::HeaderValue;
    use http_body_util::StreamBody;
    use proptest::prelude::*;

    use super::*;

    /// Content in chunks of `size` bytes, then trailers; or, without an end, what never comes.
    fn content(
        bytes: &[u8],
        size: usize,
        ends: bool,
    ) -> Content<impl Body<Data = Bytes, Error = Infallible> + Unpin + use<>> {
        let chunks = bytes.chunks(size).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk))));
        let chunks: Vec<_> = chunks.collect();
        let trailers = HeaderMap::from_iter([(grpc::STATUS, HeaderValue::from_static("14"))]);
        let end = stream::iter([Ok(Frame::trailers(trailers))]);
        let rest = if ends { end.left_stream() } else { stream::pending().right_stream() };
        Content::new(StreamBody::new(stream::iter(chunks).chain(rest)))
    }

    fn messages(lengths: &[u32]) -> Vec<u8> {
        let message = |&length: &u32| [&[0], &length.to_be_bytes()[..], &vec![7; length as usize]].concat();
        lengths.iter().flat_map(message).collect()
    }

    proptest! {
        #[test]
        fn the_trailers_behind_one_message_are_found(length in 0..200_u32, size in 1..64_usize, none: bool) {
            let bytes = if none { Vec::new() } else { messages(&[length]) };
            let mut content = content(&bytes, size, true);
            content.read_end(1_000, || ()).now_or_never().unwrap().unwrap();
            prop_assert_eq!(content.trailers().unwrap()[&grpc::STATUS].as_bytes(), b"14");
            prop_assert!(content.is_received() && !content.is_end_stream());
            prop_assert_eq!(content.size_hint().exact(), Some(bytes.len() as u64));
            let whole = content.collect().now_or_never().unwrap().unwrap();
            prop_assert!(whole.trailers().is_some());
            prop_assert_eq!(whole.to_bytes(), bytes);
        }

        #[test]
        fn a_stream_is_let_go_with_its_second_message(
            lengths in proptest::collection::vec(0..200_u32, 2..5), size in 1..64_usize,
        ) {
            let mut content = content(&messages(&lengths), size, false);
            prop_assert!(content.read_end(1_000, || ()).now_or_never().is_some(), "it waited for the end");
            prop_assert!(content.trailers().is_none() && !content.is_received());
        }

        #[test]
        fn no_more_is_kept_than_the_limit_and_a_frame(length in 0..2_000_u32, size in 1..64_usize, limit in 0..500_u64) {
            let mut content = content(&messages(&[length]), size, true);
            content.read_end(limit, || ()).now_or_never().unwrap().unwrap();
            let kept = content.ahead.as_ref().unwrap().frames.iter().filter_map(Frame::data_ref);
            prop_assert!(kept.map(Bytes::len).sum::<usize>() as u64 <= limit + size as u64);
        }
    }

    #[test]
    fn a_message_is_read_by_itself_and_what_comes_behind_it_is_not_waited_for() {
        for size in [1, 5, 64, 1_000] {
            let mut content = content(&messages(&[100]), size, false);
            assert!(content.read_message(1_000, || ()).now_or_never().is_some(), "the message is there");
            assert!(content.read_end(1_000, || ()).now_or_never().is_none(), "nothing comes behind it");
        }
    }

    #[test]
    fn what_was_read_is_handed_out_when_reading_ahead_is_given_up() {
        let mut content = content(&messages(&[100]), 10, false);
        assert!(content.read_end(1_000, || ()).now_or_never().is_none(), "the end never comes");
        let mut read = 0;
        while let Some(Some(Ok(frame))) = content.frame().now_or_never() {
            read += frame.into_data().unwrap().len();
        }
        assert_eq!(read, 105);
    }
}

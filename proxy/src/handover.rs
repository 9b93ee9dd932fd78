//! The content of an answer between the one who owns its attempt and the caller who reads it: frames that were asked
//! for, whether there are more, and what broke. A caller that waits asks for some bytes, so that what is there leaves
//! together; beyond that nothing is read ahead unless the owner may, up to a limit, and a slow caller slows the upstream down
//! as it did without a task between. But the owner goes on where the caller stands still, and knows which of the two is waited for. Owns no time,
//! no connection and no task.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::telemetry::Fault;

/// How much a caller that waits asks for: a frame may exceed it.
const WANTED_BYTES: usize = 64 * 1024;

/// Called when the content breaks off, also while nobody reads it.
pub(crate) type OnBreak = Box<dyn FnOnce(Fault) + Send>;

/// Called when all is over that belongs to the content, and the caller has read what there was of it.
pub(crate) type OnOver = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// Where the owner puts frames.
pub(crate) struct Giver(Arc<Mutex<Shared>>);

/// The content as the caller reads it.
pub(crate) struct Taker {
    shared: Arc<Mutex<Shared>>,
    left: SizeHint,
}

#[derive(Default)]
struct Shared {
    frames: VecDeque<Frame<Bytes>>,
    /// How much was asked for and not given yet.
    wanted_bytes: usize,
    /// How much was given and not taken yet.
    unread_bytes: u64,
    /// How much may be, whatever was asked for.
    unread_bytes_max: u64,
    /// Whether the caller waits.
    is_waiting: bool,
    /// How the content ended, once it has.
    end: Option<Result<(), Fault>>,
    on_break: Option<OnBreak>,
    /// How all ended that belongs to the content, where that is more than the content.
    over: Option<Result<(), Fault>>,
    on_over: Option<OnOver>,
    /// Whether the caller has read to the end, or reads no more.
    is_read: bool,
    is_abandoned: bool,
    giver: Option<Waker>,
    taker: Option<Waker>,
}

/// Two ends of a handover; the content is as long as `length` says, and so much of it may be given unasked as is to lie
/// unread.
pub(crate) fn handover(length: SizeHint, unread_bytes_max: u64) -> (Giver, Taker) {
    let shared = Shared { wanted_bytes: WANTED_BYTES, unread_bytes_max, ..Shared::default() };
    let shared = Arc::new(Mutex::new(shared));
    (Giver(Arc::clone(&shared)), Taker { shared, left: length })
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls who wants to know that all is over, once that is so, and was read where it ended well.
fn call_over(mut shared: MutexGuard<'_, Shared>) {
    let Some(over) = shared.over.filter(|over| over.is_err() || shared.is_read) else { return };
    let on_over = shared.on_over.take();
    drop(shared);
    if let Some(on_over) = on_over {
        on_over(over);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Shared {
    /// Whether more may be given unasked.
    fn has_room(&self) -> bool {
        self.unread_bytes < self.unread_bytes_max
    }
}

impl Giver {
    /// Completes when the caller has asked for more than it was given, or more may be given unasked.
    pub(crate) fn poll_wanted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut shared = lock(&self.0);
        if shared.wanted_bytes > 0 || shared.has_room() {
            return Poll::Ready(());
        }
        shared.giver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Completes when the caller has gone away.
    pub(crate) fn poll_abandoned(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut shared = lock(&self.0);
        if shared.is_abandoned {
            return Poll::Ready(());
        }
        shared.giver = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether the caller has read everything and waits for more, or more would be taken all the same.
    pub(crate) fn is_waited_for(&self) -> bool {
        let shared = lock(&self.0);
        shared.is_waiting || shared.has_room()
    }

    /// Gives a frame that was wanted, and says whether it is the last.
    pub(crate) fn give(&self, frame: Frame<Bytes>, is_last: bool) {
        let mut shared = lock(&self.0);
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        shared.wanted_bytes = shared.wanted_bytes.saturating_sub(bytes);
        shared.unread_bytes += bytes as u64;
        shared.frames.push_back(frame);
        shared.is_waiting = false;
        if is_last {
            shared.end = Some(Ok(()));
        }
        let taker = shared.taker.take();
        drop(shared);
        wake(taker);
    }

    /// Says how the content ended. One that broke off ends there, whatever the caller has not read yet.
    pub(crate) fn end(&self, end: Result<(), Fault>) {
        let mut shared = lock(&self.0);
        shared.end = Some(end);
        let (taker, on_break) = (shared.taker.take(), shared.on_break.take());
        drop(shared);
        if let (Err(fault), Some(on_break)) = (end, on_break) {
            on_break(fault);
        }
        wake(taker);
    }

    /// Says that all is over that belongs to the content, and the content with it, if it was not before.
    pub(crate) fn over(&self, over: Result<(), Fault>) {
        let mut shared = lock(&self.0);
        shared.end.get_or_insert(over);
        shared.over = Some(over);
        let taker = shared.taker.take();
        call_over(shared);
        wake(taker);
    }
}

impl fmt::Debug for Giver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Giver")
    }
}

impl Drop for Giver {
    /// An owner that is gone without a word was ended with everything else; nobody will read on.
    fn drop(&mut self) {
        let mut shared = lock(&self.0);
        let taker = shared.taker.take();
        shared.end.get_or_insert(Err(Fault::Reset));
        drop(shared);
        wake(taker);
    }
}

impl Taker {
    /// Has `on_break` called when the content breaks off, also while nobody reads it.
    pub(crate) fn on_break(&mut self, on_break: OnBreak) {
        let mut shared = lock(&self.shared);
        match shared.end {
            Some(Err(fault)) => {
                drop(shared);
                on_break(fault);
            }
            Some(Ok(())) => {}
            None => shared.on_break = Some(on_break),
        }
    }

    /// Has `on_over` called when all is over that belongs to the content.
    pub(crate) fn on_over(&mut self, on_over: OnOver) {
        let mut shared = lock(&self.shared);
        shared.on_over = Some(on_over);
        call_over(shared);
    }

    /// Completes once the content has broken off, also while frames are left that nobody has read.
    pub(crate) fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        let mut shared = lock(&self.shared);
        if let Some(Err(fault)) = shared.end {
            return Poll::Ready(fault);
        }
        shared.taker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Body for Taker {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let mut shared = lock(&self.shared);
        if let Some(frame) = shared.frames.pop_front() {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            let was_full = !shared.has_room();
            shared.unread_bytes -= bytes;
            let giver = if was_full && shared.has_room() { shared.giver.take() } else { None };
            drop(shared);
            wake(giver);
            self.left = less(&self.left, bytes);
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(end) = shared.end {
            shared.is_read = true;
            call_over(shared);
            return Poll::Ready(end.err().map(Err));
        }
        shared.taker = Some(cx.waker().clone());
        shared.is_waiting = true;
        let wanted_bytes = std::mem::replace(&mut shared.wanted_bytes, WANTED_BYTES);
        let giver = if wanted_bytes > 0 { None } else { shared.giver.take() };
        drop(shared);
        wake(giver);
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let shared = lock(&self.shared);
        shared.frames.is_empty() && shared.end == Some(Ok(()))
    }

    fn size_hint(&self) -> SizeHint {
        self.left
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        (shared.is_abandoned, shared.is_read) = (true, true);
        let (giver, on_break) = (shared.giver.take(), shared.on_break.take());
        call_over(shared);
        drop(on_break);
        wake(giver);
    }
}

/// What is left of `length` after `read` bytes.
fn less(length: &SizeHint, read: u64) -> SizeHint {
    let mut left = SizeHint::new();
    if let Some(upper) = length.upper() {
        left.set_upper(upper.saturating_sub(read));
    }
    left.set_lower(length.lower().saturating_sub(read));
    left
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    fn data(size: usize) -> Frame<Bytes> {
        Frame::data(Bytes::from(vec![b'x'; size]))
    }

    fn is_asked(giver: &Giver) -> bool {
        poll_fn(|cx| giver.poll_wanted(cx)).now_or_never().is_some()
    }

    #[test]
    fn a_caller_that_waits_asks_for_some_bytes_and_one_that_does_not_for_none() {
        let (giver, mut taker) = handover(SizeHint::with_exact(100 + WANTED_BYTES as u64), 0);
        assert!(is_asked(&giver) && !giver.is_waited_for(), "some may come with the head");
        giver.give(data(50), false);
        assert!(is_asked(&giver));
        giver.give(data(WANTED_BYTES), false);
        assert!(!is_asked(&giver));
        for left in [50 + WANTED_BYTES as u64, 50] {
            taker.frame().now_or_never().unwrap().unwrap().unwrap();
            assert!(!is_asked(&giver), "it does not wait yet");
            assert_eq!(taker.size_hint().exact(), Some(left));
        }
        assert!(taker.frame().now_or_never().is_none());
        assert!(is_asked(&giver) && giver.is_waited_for());
        giver.give(data(50), true);
        assert!(!giver.is_waited_for());
    }

    #[test]
    fn more_may_be_given_than_was_asked_for() {
        let (giver, mut taker) = handover(SizeHint::default(), 2 * WANTED_BYTES as u64);
        for _ in 0..2 {
            assert!(is_asked(&giver) && giver.is_waited_for(), "though nobody reads");
            giver.give(data(WANTED_BYTES), false);
        }
        assert!(!is_asked(&giver) && !giver.is_waited_for());
        taker.frame().now_or_never().unwrap().unwrap().unwrap();
        assert!(is_asked(&giver), "there is room again");
    }

    #[test]
    fn the_last_frame_is_known_as_such() {
        let (giver, mut taker) = handover(SizeHint::default(), 0);
        giver.give(data(1), true);
        drop(giver);
        assert!(!taker.is_end_stream());
        taker.frame().now_or_never().unwrap().unwrap().unwrap();
        assert!(taker.is_end_stream());
        assert!(taker.frame().now_or_never().unwrap().is_none());
    }

    #[test]
    fn what_breaks_off_is_told_though_nobody_reads() {
        let (giver, mut taker) = handover(SizeHint::default(), 0);
        let told = Arc::new(Mutex::new(None));
        let note = Arc::clone(&told);
        taker.on_break(Box::new(move |fault| *note.lock().unwrap() = Some(fault)));
        giver.give(data(1), false);
        giver.end(Err(Fault::Timeout));
        assert_eq!(*told.lock().unwrap(), Some(Fault::Timeout));
        assert!(taker.frame().now_or_never().unwrap().unwrap().is_ok(), "what came before is there");
        assert_eq!(taker.frame().now_or_never().unwrap().unwrap().unwrap_err(), Fault::Timeout);
    }

    #[test]
    fn an_owner_that_vanishes_breaks_the_content_off() {
        let (giver, mut taker) = handover(SizeHint::default(), 0);
        drop(giver);
        assert_eq!(taker.frame().now_or_never().unwrap().unwrap().unwrap_err(), Fault::Reset);
    }

    #[test]
    fn that_all_is_over_is_told_once_it_was_read_and_at_once_when_it_broke() {
        let told = Arc::new(Mutex::new(None));
        let note = |taker: &mut Taker| {
            let told = Arc::clone(&told);
            taker.on_over(Box::new(move |over| *told.lock().unwrap() = Some(over)));
        };
        let (giver, mut taker) = handover(SizeHint::default(), 0);
        note(&mut taker);
        giver.give(data(1), false);
        giver.end(Ok(()));
        assert!(taker.frame().now_or_never().unwrap().unwrap().is_ok());
        assert!(taker.frame().now_or_never().unwrap().is_none());
        assert_eq!(*told.lock().unwrap(), None, "the content is over, and nothing else");
        drop(taker);
        giver.over(Ok(()));
        assert_eq!(told.lock().unwrap().take(), Some(Ok(())));
        let (giver, mut taker) = handover(SizeHint::default(), 0);
        note(&mut taker);
        giver.give(data(1), false);
        giver.over(Ok(()));
        assert_eq!(*told.lock().unwrap(), None, "nobody has read it");
        drop(taker);
        assert_eq!(told.lock().unwrap().take(), Some(Ok(())));
        let (giver, mut taker) = handover(SizeHint::default(), 0);
        giver.over(Err(Fault::Reset));
        note(&mut taker);
        assert_eq!(told.lock().unwrap().take(), Some(Err(Fault::Reset)));
    }

    #[test]
    fn a_caller_that_leaves_is_noticed() {
        let (giver, taker) = handover(SizeHint::default(), 0);
        let mut abandoned = poll_fn(|cx| giver.poll_abandoned(cx)).boxed();
        assert!(abandoned.as_mut().now_or_never().is_none());
        drop(taker);
        assert!(abandoned.now_or_never().is_some());
    }
}

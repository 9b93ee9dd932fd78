//! How large requests may be: what their heads tell is looked at when they come, and content is counted as it passes
//! where nobody has told its length. Knows no connection, and gives no answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body as HttpBody, SizeHint};

use super::settings::Size;
use crate::body::{Body, Breakable, Said};
use crate::message;
use crate::telemetry::{Decision, Fault};

impl Size {
    /// What of it a request with these fields exceeds, as far as they tell.
    pub(super) fn exceeded(&self, fields: &HeaderMap) -> Option<(Decision, Fault)> {
        let told = || fields.get(CONTENT_LENGTH)?.to_str().ok()?.parse::<u64>().ok();
        if self.content.is_some_and(|most| told().is_some_and(|told| told > most)) {
            return Some((Decision::ContentTooLarge, Fault::ContentTooLarge));
        }
        let is_exceeded = self.fields.is_some_and(|most| message::fields_bytes(fields) > most);
        is_exceeded.then_some((Decision::FieldsTooLarge, Fault::FieldsTooLarge))
    }
}

/// `content`, of which at most so many bytes pass: then it breaks off as `refuse` says, once.
pub(super) fn limited(
    content: Body,
    most: u64,
    refuse: impl FnMut() -> Fault + Send + Unpin + 'static,
) -> Body {
    Body::breakable(Limited { content, left: most, refuse, refused: None })
}

/// Content that may have so many bytes.
struct Limited<F> {
    content: Body,
    left: u64,
    refuse: F,
    refused: Option<Fault>,
}

impl<F: FnMut() -> Fault + Unpin> HttpBody for Limited<F> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Said> {
        if let Some(fault) = self.refused {
            return Poll::Ready(Some(Err(fault)));
        }
        let said = ready!(Pin::new(&mut self.content).poll_frame(cx));
        let bytes = match &said {
            Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
            Some(Err(_)) | None => 0,
        };
        let Some(left) = self.left.checked_sub(bytes) else {
            let fault = (self.refuse)();
            self.refused = Some(fault);
            // Nobody reads on.
            self.content = Body::empty();
            return Poll::Ready(Some(Err(fault)));
        };
        self.left = left;
        Poll::Ready(said)
    }

    fn is_end_stream(&self) -> bool {
        self.refused.is_none() && self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.refused.is_some() { SizeHint::default() } else { self.content.size_hint() }
    }
}

impl<F: FnMut() -> Fault + Unpin> Breakable for Limited<F> {
    fn poll_broken(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fault> {
        self.content.poll_broken(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, stream};
    use http::HeaderValue;
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn chunks(sizes: &[usize]) -> Body {
        let frames: Vec<_> = sizes.iter().map(|size| Ok(Frame::data(vec![7; *size].into()))).collect();
        Body::boxed(StreamBody::new(stream::iter(frames)))
    }

    fn read(most: u64, sizes: &[usize]) -> Result<usize, Fault> {
        let content = limited(chunks(sizes), most, || Fault::ContentTooLarge);
        Ok(content.collect().now_or_never().expect("all frames are there")?.to_bytes().len())
    }

    #[test]
    fn as_much_passes_as_may() {
        assert_eq!(read(30, &[10, 20]), Ok(30));
        assert_eq!(read(29, &[10, 20]), Err(Fault::ContentTooLarge));
        assert_eq!(read(0, &[1]), Err(Fault::ContentTooLarge));
        assert_eq!(read(0, &[]), Ok(0));
    }

    #[test]
    fn what_was_refused_is_refused_once_and_stays_so() {
        let mut refusals = 0;
        let (tell, told) = std::sync::mpsc::channel();
        let mut content = limited(chunks(&[10, 10]), 5, move || {
            tell.send(()).unwrap();
            Fault::ContentTooLarge
        });
        for _ in 0..3 {
            let frame = content.frame().now_or_never().unwrap().unwrap();
            assert_eq!(frame.unwrap_err(), Fault::ContentTooLarge);
        }
        assert!(!content.is_end_stream());
        drop(content);
        while told.recv().is_ok() {
            refusals += 1;
        }
        assert_eq!(refusals, 1);
    }

    #[test]
    fn heads_tell_how_long_content_is_and_how_large_their_fields_are() {
        let size = Size { content: Some(100), fields: Some(20) };
        let exceeded = |fields: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in fields {
                map.append(*name, HeaderValue::from_static(value));
            }
            size.exceeded(&map).map(|(_, fault)| fault)
        };
        assert_eq!(exceeded(&[("content-length", "100")]), None);
        assert_eq!(exceeded(&[("content-length", "101")]), Some(Fault::ContentTooLarge));
        assert_eq!(
            exceeded(&[("x-one", "twelve bytes")]),
            Some(Fault::FieldsTooLarge),
            "21 with four for itself"
        );
        assert_eq!(exceeded(&[("x-one", "eleven byte"), ("host", "an.example"), ("via", "1.1 a")]), None);
        assert_eq!(exceeded(&[("x-a", "1"), ("x-a", "2"), ("x-a", "3")]), Some(Fault::FieldsTooLarge));
    }
}

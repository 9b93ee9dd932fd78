//! What is particular to answers: each must have been asked for, its status says whether it has content, and interim
//! answers come before it. Interim answers are passed on from here, since hyper's own way costs every request an
//! allocation.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::line::{Line, Malformed, Version};
use super::watch::{Framing, Place, Side, Watch};
use crate::interim::Interim;

/// The largest head of an interim answer that is kept to be passed on.
const INTERIM_BYTES_MAX: usize = 64 * 1024;

/// Follows answers.
pub(crate) type Answers = Watch<Answering>;

/// A request that is to be answered.
#[derive(Debug)]
pub(crate) struct Question {
    /// Whether the answer is the head alone.
    is_head: bool,
    /// Whether it asks for another protocol.
    asks_to_switch: bool,
    /// Where interim answers go.
    interim: Option<Interim>,
}

/// The side that answers.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    question: Option<Question>,
    version: Option<Version>,
    status: u16,
    /// The fields of an interim answer that somebody wants.
    interim: Vec<u8>,
    /// Whether what follows is another protocol.
    has_switched: bool,
}

impl Question {
    pub(crate) fn new(method: &Method, interim: Option<Interim>) -> Self {
        Self { is_head: *method == Method::HEAD, asks_to_switch: false, interim }
    }

    /// The same, asking for another protocol.
    pub(crate) fn asking_to_switch(self) -> Self {
        Self { asks_to_switch: true, ..self }
    }
}

impl Answers {
    /// Expects an answer to `question`.
    pub(crate) fn expect(&mut self, question: Question) {
        self.side.question = Some(question);
    }

    /// Whether no answer is expected, or read.
    pub(crate) fn is_idle(&self) -> bool {
        self.side.question.is_none() && self.is_between()
    }

    /// Whether what follows the last answer is another protocol, of which nothing is known here.
    pub(crate) fn has_switched(&self) -> bool {
        self.side.has_switched
    }
}

impl Answering {
    fn is_interim(&self) -> bool {
        self.status < 200 && !self.is_switch()
    }

    fn is_switch(&self) -> bool {
        self.status == StatusCode::SWITCHING_PROTOCOLS.as_u16()
    }
}

impl Side for Answering {
    /// What nobody asked for is never to be taken for the answer to the next request (RFC 9112, 9.2).
    fn begin(&mut self) -> Result<(), Malformed> {
        if self.question.is_some() { Ok(()) } else { Err(Malformed) }
    }

    fn start(&mut self, line: Line<'_>) -> Result<Place, Malformed> {
        let (version, status) = line.status()?;
        (self.version, self.status) = (Some(version), status);
        // HTTP/1.0 knows no other protocols; else it must have been asked for.
        let may_switch =
            || version == Version::Http11 && self.question.as_ref().is_some_and(|asked| asked.asks_to_switch);
        if self.is_switch() && !may_switch() { Err(Malformed) } else { Ok(Place::Field) }
    }

    fn fields(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let is_wanted =
            self.is_interim() && self.question.as_ref().is_some_and(|asked| asked.interim.is_some());
        if is_wanted {
            self.interim.extend_from_slice(bytes);
        }
        if self.interim.len() > INTERIM_BYTES_MAX { Err(Malformed) } else { Ok(()) }
    }

    fn content(&mut self, framing: &Framing) -> Result<Place, Malformed> {
        if framing.chunked && self.version == Some(Version::Http10) {
            return Err(Malformed);
        }
        if self.is_interim() {
            let fields = std::mem::take(&mut self.interim);
            let interim = self.question.as_ref().and_then(|asked| asked.interim.as_ref());
            if let (Some(interim), Ok(status)) = (interim, StatusCode::from_u16(self.status)) {
                interim.pass(status, parse(&fields)?);
            }
            return Ok(Place::Start);
        }
        if self.is_switch() {
            self.question = None;
            self.has_switched = true;
            // Who tells of content makes it unclear where the other protocol begins (RFC 9110, 8.6; RFC 9112, 6.1).
            let is_framed = framing.chunked || framing.length.is_some();
            return if is_framed { Err(Malformed) } else { Ok(Place::UntilClosed) };
        }
        let is_head = self.question.take().is_some_and(|asked| asked.is_head);
        if is_head || matches!(self.status, 204 | 304) {
            return Ok(Place::Start);
        }
        Ok(framing.place(Place::UntilClosed))
    }
}

/// The fields of a head, each of which ends in carriage return and line feed, as does the head.
fn parse(bytes: &[u8]) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
        if line.is_empty() {
            continue;
        }
        let colon = line.iter().position(|&byte| byte == b':').ok_or(Malformed)?;
        let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| Malformed)?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).map_err(|_| Malformed)?;
        headers.try_append(name, value).map_err(|_| Malformed)?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;

    /// How much of `stream` is clear when it arrives in pieces of `piece` bytes, after one request; and the interim
    /// answers in it.
    fn clear(method: &Method, stream: &str, piece: usize) -> (usize, Vec<(StatusCode, HeaderMap)>) {
        let passed = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&passed);
        let interim = Interim::new(move |status, headers| note.lock().unwrap().push((status, headers)));
        let mut watch = Answers::default();
        watch.expect(Question::new(method, Some(interim)));
        let mut clear = 0;
        for piece in stream.as_bytes().chunks(piece) {
            let passed = watch.pass(piece);
            clear += passed;
            if passed < piece.len() {
                break;
            }
        }
        let passed = std::mem::take(&mut *passed.lock().unwrap());
        (clear, passed)
    }

    const GOOD: [(Method, &str); 9] = [
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab\ncd"),
        (Method::GET, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
        (Method::GET, "HTTP/1.0 200 OK\r\n\r\nanything\n\r\n until it is closed"),
        (
            Method::GET,
            "HTTP/1.1 599 x\r\nTransfer-Encoding: chunked\r\n\r\n5 ;x=y\r\na\nb\nc\r\n0\r\nx-sum: 1\r\n\r\n",
        ),
        (Method::GET, "HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n"),
        (Method::GET, "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"),
        (Method::HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (Method::GET, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
        (
            Method::GET,
            "HTTP/1.1 103 x\r\nLink: a\r\nLink: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        ),
    ];

    const BAD: [(Method, &str); 18] = [
        (Method::GET, "\r\nHTTP/1.1 200 OK\r\n\r\n"),
        (Method::GET, "HTTP/1.1 200 OK\n\r\n"),
        (Method::GET, "HTTP/1.1 99 x\r\n\r\n"),
        (Method::GET, "HTTP/1.1 600 x\r\n\r\n"),
        (Method::GET, "HTTP/1.1 2000 x\r\n\r\n"),
        (Method::GET, "HTTP/1.1 101 x\r\n\r\n"),
        (Method::GET, "HTTP/2.0 200 OK\r\n\r\n"),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n"),
        (Method::GET, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naH"),
        (Method::GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\r\n"),
        (Method::GET, "HTTP/1.1 204 x\r\nContent-Length: 1\r\n\r\na"),
        (Method::GET, "HTTP/1.1 304 x\r\n\r\na"),
        (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"),
        (Method::GET, "HTTP/1.1 103 x\r\nLink : a\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
        (Method::GET, "HTTP/1.1 103 x\r\nLink\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
    ];

    proptest! {
        #[test]
        fn clear_answers_pass(which in 0..GOOD.len(), piece in 1_usize..40) {
            let (method, stream) = &GOOD[which];
            prop_assert_eq!(clear(method, stream, piece).0, stream.len());
        }

        #[test]
        fn ambiguous_answers_do_not_pass_whole(which in 0..BAD.len(), piece in 1_usize..40) {
            let (method, stream) = &BAD[which];
            prop_assert!(clear(method, stream, piece).0 < stream.len(), "{:?}", stream);
            prop_assert_eq!(clear(method, stream, piece), clear(method, stream, 1));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1_usize..40) {
            let mut watch = Answers::default();
            watch.expect(Question::new(&Method::GET, None));
            bytes.chunks(piece).for_each(|piece| { watch.pass(piece); });
        }

        #[test]
        fn interim_answers_are_read_however_they_come(piece in 1_usize..80) {
            let (method, stream) = GOOD.last().unwrap();
            let (_, interim) = clear(method, stream, piece);
            prop_assert_eq!(interim.len(), 1);
            prop_assert_eq!(interim[0].0, StatusCode::EARLY_HINTS);
            let links: Vec<_> = interim[0].1.get_all("link").iter().collect();
            prop_assert_eq!(links, ["a", "b"]);
        }
    }

    #[test]
    fn behind_another_protocol_that_was_asked_for_everything_passes() {
        const SWITCHED: &str = "HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n";
        let passed = |answer: &str| {
            let mut watch = Answers::default();
            watch.expect(Question::new(&Method::GET, None).asking_to_switch());
            (watch.pass(answer.as_bytes()), watch.has_switched())
        };
        let anything = format!("HTTP/1.1 103 x\r\n\r\n{SWITCHED}\0\n\nHTTP/1.1 200\n\n");
        assert_eq!(passed(&anything), (anything.len(), true));
        for refused in [
            "HTTP/1.0 101 x\r\nUpgrade: x\r\n\r\n",
            "HTTP/1.1 101 x\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 101 x\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 101 x\r\n\r\n",
        ] {
            assert!(passed(refused).0 < refused.len(), "{refused}");
        }
    }

    #[test]
    fn what_nobody_asked_for_does_not_pass() {
        assert_eq!(Answers::default().pass(b"HTTP/1.1 200 OK\r\n"), 0);
    }
}

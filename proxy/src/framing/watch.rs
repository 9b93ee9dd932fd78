//! Follows the messages of one direction of a connection, byte by byte and line by line: head, content by length or in
//! chunks, trailers, the next head. What differs between requests and answers is a [`Side`]'s to say.

use super::line::{Line, Malformed, Partial, number};

/// Where the next byte lies.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the line that starts a message.
    #[default]
    Start,
    /// In a field of its head.
    Field,
    /// In content of which this much is left.
    Content(u64),
    /// In content that ends with the connection.
    UntilClosed,
    /// In the line before a chunk.
    ChunkSize,
    /// In a chunk of which this much is left.
    Chunk(u64),
    /// Behind a chunk.
    ChunkEnd,
    /// In a field behind the last chunk.
    Trailer,
}

/// What a head says of the content behind it.
#[derive(Debug, Default)]
pub(super) struct Framing {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
}

/// What differs between requests and answers.
pub(super) trait Side {
    /// Whether a message may begin now.
    fn begin(&mut self) -> Result<(), Malformed>;

    /// Reads the line that starts a message, and says where the next one lies.
    fn start(&mut self, line: Line<'_>) -> Result<Place, Malformed>;

    /// Reads bytes of a head's fields, as they come, with the empty line behind them.
    fn fields(&mut self, bytes: &[u8]) -> Result<(), Malformed>;

    /// Where the byte behind the head lies.
    fn content(&mut self, framing: &Framing) -> Result<Place, Malformed>;
}

/// Where in the stream of messages the next byte lies.
#[derive(Debug, Default)]
pub(crate) struct Watch<S> {
    pub(super) side: S,
    place: Place,
    partial: Partial,
    framing: Framing,
}

#[expect(private_bounds, reason = "the sides are all here")]
impl<S: Side> Watch<S> {
    /// Follows `bytes`; how many of them are clear. Where it is not all, the next one would complete
    /// something that two readers could read differently, and nothing after it can be followed.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut clear = 0;
        while clear < bytes.len() {
            let rest = &bytes[clear..];
            clear += match self.place {
                Place::Content(left) | Place::Chunk(left) => self.skip(left, rest.len()),
                Place::UntilClosed => rest.len(),
                _ => {
                    if self.is_between() && self.side.begin().is_err() {
                        return clear;
                    }
                    let end = memchr::memchr(b'\n', rest);
                    if self.read(rest, end).is_err() {
                        return clear + end.unwrap_or(0);
                    }
                    end.map_or(rest.len(), |end| end + 1)
                }
            };
        }
        clear
    }

    /// Whether the last message is over and none has begun.
    pub(crate) fn is_between(&self) -> bool {
        self.place == Place::Start && self.partial.is_empty()
    }

    fn skip(&mut self, left: u64, available: usize) -> usize {
        let passed = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - passed as u64;
        self.place = match self.place {
            Place::Chunk(_) if left == 0 => Place::ChunkEnd,
            Place::Chunk(_) => Place::Chunk(left),
            _ if left == 0 => Place::Start,
            _ => Place::Content(left),
        };
        passed
    }

    /// Reads a line up to its `end`, or what there is of it.
    fn read(&mut self, bytes: &[u8], end: Option<usize>) -> Result<(), Malformed> {
        if self.place == Place::Field {
            self.side.fields(end.map_or(bytes, |end| &bytes[..=end]))?;
        }
        let Some(end) = end else {
            self.partial.extend(bytes);
            return Ok(());
        };
        self.place = if self.partial.is_empty() {
            self.judge(Line::whole(&bytes[..end]))?
        } else {
            let mut partial = std::mem::take(&mut self.partial);
            partial.extend(&bytes[..end]);
            self.judge(partial.line())?
        };
        Ok(())
    }

    fn judge(&mut self, line: Line<'_>) -> Result<Place, Malformed> {
        line.check_end()?;
        match self.place {
            Place::Start => {
                self.framing = Framing::default();
                self.side.start(line)
            }
            Place::Field if line.is_empty() => self.side.content(&self.framing),
            Place::Field => self.framing.read(line).map(|()| Place::Field),
            Place::ChunkSize => match line.chunk_size()? {
                0 => Ok(Place::Trailer),
                size => Ok(Place::Chunk(size)),
            },
            Place::ChunkEnd if line.is_empty() => Ok(Place::ChunkSize),
            Place::Trailer if line.is_empty() => Ok(Place::Start),
            Place::Trailer => line.check_start().map(|()| Place::Trailer),
            Place::ChunkEnd | Place::Content(_) | Place::UntilClosed | Place::Chunk(_) => Err(Malformed),
        }
    }
}

impl Framing {
    /// Reads a field. One length or one coding is all there may be: of equal lengths, too, one reader could take
    /// another than the next (RFC 9110, 8.6, allows to refuse them, and nginx does).
    fn read(&mut self, line: Line<'_>) -> Result<(), Malformed> {
        if !line.may_frame() {
            return line.check_start();
        }
        let framed = self.chunked || self.length.is_some();
        if line.names(b"content-length") {
            let value = line.value().filter(|_| !framed).ok_or(Malformed)?;
            self.length = Some(number(value, 10)?);
        } else if line.names(b"transfer-encoding") {
            let value = line.value().filter(|_| !framed).ok_or(Malformed)?;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Malformed);
            }
            self.chunked = true;
        }
        line.check_start()
    }

    /// Where content of this framing lies; `otherwise` where nothing frames it.
    pub(super) fn place(&self, otherwise: Place) -> Place {
        match self.length {
            _ if self.chunked => Place::ChunkSize,
            Some(0) => Place::Start,
            Some(length) => Place::Content(length),
            None => otherwise,
        }
    }
}

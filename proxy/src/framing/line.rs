//! One line of a message as a second reader sees it: how it ends, what it names, which number it says. Owns the
//! beginning of a line that came in pieces, and no more of it than is looked at.

/// How much of a line is looked at: enough for any length, any status and any coding that is understood.
const PREFIX_BYTES: usize = 64;

/// The longest line that says how large a chunk is: extensions are nothing that anybody uses.
const CHUNK_LINE_BYTES_MAX: usize = 1024;

/// Two readers could disagree about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is malformed")]
pub(crate) struct Malformed;

/// A line, without the line feed that ends it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// As much of it as is looked at.
    prefix: &'a [u8],
    length: usize,
    last: u8,
}

/// The beginning of a line whose end has not come yet.
#[derive(Debug)]
pub(super) struct Partial {
    prefix: [u8; PREFIX_BYTES],
    length: usize,
    last: u8,
}

impl Default for Partial {
    fn default() -> Self {
        Self { prefix: [0; PREFIX_BYTES], length: 0, last: 0 }
    }
}

impl Partial {
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if let Some(&last) = bytes.last() {
            self.last = last;
        }
        let start = self.length.min(PREFIX_BYTES);
        let kept = bytes.len().min(PREFIX_BYTES - start);
        self.prefix[start..start + kept].copy_from_slice(&bytes[..kept]);
        self.length += bytes.len();
    }

    pub(super) fn line(&self) -> Line<'_> {
        let prefix = &self.prefix[..self.length.min(PREFIX_BYTES)];
        Line { prefix, length: self.length, last: self.last }
    }
}

impl<'a> Line<'a> {
    /// A line that came in one piece.
    pub(super) fn whole(bytes: &'a [u8]) -> Self {
        let prefix = &bytes[..bytes.len().min(PREFIX_BYTES)];
        Self { prefix, length: bytes.len(), last: bytes.last().copied().unwrap_or_default() }
    }

    /// Whether there is nothing between it and the line before.
    pub(super) fn is_empty(self) -> bool {
        self.length == 1
    }

    /// Lines end in carriage return and line feed.
    pub(super) fn check_end(self) -> Result<(), Malformed> {
        if self.last == b'\r' { Ok(()) } else { Err(Malformed) }
    }

    /// Fields start with a name: what starts otherwise continues the line before, or ends the head
    /// for some and not for others.
    pub(super) fn check_start(self) -> Result<(), Malformed> {
        let start = self.prefix.first().copied().unwrap_or_default();
        let name = start.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&start);
        if name { Ok(()) } else { Err(Malformed) }
    }

    /// Whether it begins as the fields do that frame content, which most do not: their names need not be compared.
    pub(super) fn may_frame(self) -> bool {
        matches!(self.prefix.first(), Some(b'c' | b'C' | b't' | b'T'))
    }

    /// Whether the line is a field with this name, whatever a careless reader makes of white space.
    pub(super) fn names(self, name: &[u8]) -> bool {
        let Some((head, rest)) = self.prefix.split_at_checked(name.len()) else { return false };
        head.eq_ignore_ascii_case(name) && matches!(rest.trim_ascii_start().first(), Some(b':'))
    }

    /// The field's value without white space around it; `None` when the line is too long to say.
    pub(super) fn value(self) -> Option<&'a [u8]> {
        let line = self.prefix.get(..self.length)?;
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some(line[colon + 1..].trim_ascii())
    }

    /// The status of an answer that starts with this line. White space behind it may be missing, as nginx forgives.
    pub(super) fn status(self) -> Result<(Version, u16), Malformed> {
        let (version, rest) = match self.prefix.split_at_checked(9) {
            Some((b"HTTP/1.1 ", rest)) => (Version::Http11, rest),
            Some((b"HTTP/1.0 ", rest)) => (Version::Http10, rest),
            _ => return Err(Malformed),
        };
        let (digits, rest) = rest.split_at_checked(3).ok_or(Malformed)?;
        let status = u16::try_from(number(digits, 10)?).map_err(|_| Malformed)?;
        let apart = matches!(rest.first(), Some(b' ' | b'\r'));
        if apart && (100..600).contains(&status) { Ok((version, status)) } else { Err(Malformed) }
    }

    /// The size of the chunk behind this line. White space may stand before an extension (RFC 9112, 7.1.1).
    pub(super) fn chunk_size(self) -> Result<u64, Malformed> {
        if self.length > CHUNK_LINE_BYTES_MAX {
            return Err(Malformed);
        }
        let end = self.prefix.iter().position(|&byte| matches!(byte, b';' | b'\r')).ok_or(Malformed)?;
        let size = match self.prefix[end] {
            b';' => self.prefix[..end].trim_ascii_end(),
            _ => &self.prefix[..end],
        };
        number(size, 16)
    }
}

/// The version that a message states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// HTTP/1.0, which knows no chunks.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// Digits and nothing else, as a number.
pub(super) fn number(text: &[u8], radix: u32) -> Result<u64, Malformed> {
    let digits = text.iter().all(|&byte| char::from(byte).is_digit(radix));
    let text = std::str::from_utf8(text).ok().filter(|_| digits).ok_or(Malformed)?;
    u64::from_str_radix(text, radix).map_err(|_| Malformed)
}

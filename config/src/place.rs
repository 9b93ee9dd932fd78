//! Where something stands: a stretch of the text of one of the files that a file is made of.

use std::ops::Range;

/// A stretch of a source's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index of the source; 0 is the file itself.
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

impl Place {
    /// The file's beginning, for what is missing in it.
    pub const BEGINNING: Self = Self { source: 0, start: 0, end: 0 };

    /// The stretch `span` of the source with this index.
    pub fn new(source: usize, span: Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end }
    }
}

/// Something that was written, with its place.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// What.
    pub value: T,
    /// Where.
    pub place: Place,
}

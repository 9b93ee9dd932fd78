//! The families of malformed requests: what is drawn, how it is said, and what is to become of it.

use rand::rngs::ChaCha8Rng;

use super::{messages, streams};

/// The content of a request that has some.
pub(super) const CONTENT: &str = "hello, world";

/// Draws what is said on a stream, or on some of those above it, with a request for a path in it.
pub(super) type Generate = fn(&mut ChaCha8Rng, u32, &str) -> Vec<u8>;

pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) way: Way,
    pub(super) fate: Fate,
    pub(super) generate: Generate,
}

/// How it is said.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// On a connection that is used for more.
    Within,
    /// On a connection of its own, of which no more comes.
    Ending,
    /// As [`Self::Ending`], and instead of what a client says first.
    Alone,
}

/// What is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It never reaches a backend whole.
    Refused,
    /// It is well formed and whole before something else is wrong.
    Either,
    /// Nothing is wrong with it: it is answered.
    Whole,
    /// It cannot be known.
    Any,
}

impl Fate {
    /// How its path begins, by which it is known at the backend.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Refused => "/bad",
            Self::Either => "/either",
            Self::Whole => "/whole",
            Self::Any => "/any",
        }
    }
}

const fn refused(name: &'static str, generate: Generate) -> Family {
    Family { name, way: Way::Within, fate: Fate::Refused, generate }
}

pub(super) static FAMILIES: [Family; 29] = [
    refused("pseudo-field missing", messages::missing_pseudo_field),
    refused("pseudo-field repeated", messages::repeated_pseudo_field),
    refused("pseudo-field late", messages::late_pseudo_field),
    refused("pseudo-field out of place", messages::foreign_pseudo_field),
    refused("field", messages::bad_field),
    refused("method", messages::bad_method),
    refused("path", messages::bad_path),
    refused("scheme", messages::bad_scheme),
    refused("authority", messages::bad_authority),
    refused("length", messages::bad_length),
    refused("content", messages::wrong_content),
    refused("trailers", messages::bad_trailers),
    refused("oversized", messages::oversized),
    refused("compression", messages::bad_compression),
    refused("compression state", messages::compression_state),
    refused("frame", streams::fatal_frame),
    refused("stream", streams::wrong_stream),
    refused("window", streams::overflow),
    refused("reset", streams::reset_before_end),
    refused("continuation", streams::bad_continuation),
    Family { fate: Fate::Either, ..refused("behind the end", streams::behind_end) },
    Family { fate: Fate::Whole, ..refused("odd", messages::odd) },
    Family { fate: Fate::Whole, ..refused("odd", messages::odd) },
    Family { way: Way::Ending, ..refused("truncated", streams::truncated) },
    Family { way: Way::Ending, ..refused("unfinished head", streams::unfinished_head) },
    Family { way: Way::Ending, fate: Fate::Either, ..refused("garbage", streams::garbage) },
    Family { way: Way::Alone, ..refused("preface", streams::bad_preface) },
    Family { way: Way::Ending, fate: Fate::Any, ..refused("changed", streams::changed) },
    Family { way: Way::Ending, fate: Fate::Any, ..refused("changed", streams::changed) },
];

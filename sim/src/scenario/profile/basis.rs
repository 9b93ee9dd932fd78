//! How well a value of a profile is known. Not here: where it comes from ([`super::figures`]).

use hoplab_config::Choice;

/// How well a value is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// The source says so.
    Published,
    /// It follows from what the source says.
    Derived,
    /// Nobody has said so.
    Assumed,
}

impl Basis {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Derived => "derived",
            Self::Assumed => "assumed",
        }
    }
}

impl Choice for Basis {
    const NOUN: &'static str = "basis";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Published, "published", "the source says so"),
        (Self::Derived, "derived", "it follows from what the source says"),
        (Self::Assumed, "assumed", "nobody has said so"),
    ];
}

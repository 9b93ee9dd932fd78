//! A file that is not as hoplab left it, in words. Finding it is [`crate::checksums`]' matter.

use std::fmt;
use std::path::Path;

use crate::names::PARTS;

/// A file that is not as hoplab left it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alteration {
    /// The file, relative to its folder.
    pub path: String,
    /// What became of it.
    pub kind: Kind,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Its bytes are others.
    Changed,
    /// It is gone.
    Missing,
    /// It was not there, and lies among what hoplab wrote.
    Added,
    /// It was not there, and lies beside what hoplab wrote, where it is in nobody's way.
    Beside,
}

impl fmt::Display for Alteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.kind {
            Kind::Changed => write!(f, "{path} was altered"),
            Kind::Missing => write!(f, "{path} is missing"),
            Kind::Added => write!(f, "{path} was added"),
            Kind::Beside => write!(f, "{path} is not of hoplab"),
        }
    }
}

/// What is wrong with a folder, and what to do about it.
pub(crate) fn in_words(dir: &Path, alterations: &[Alteration]) -> String {
    const SAID_MAX: usize = 5;
    let mut said: Vec<String> = alterations.iter().take(SAID_MAX).map(ToString::to_string).collect();
    if alterations.len() > SAID_MAX {
        said.push(format!("{} more", alterations.len() - SAID_MAX));
    }
    let are_parts = alterations.iter().all(|found| found.path.starts_with(PARTS));
    let help = if are_parts {
        "remove these files, and the command that made them makes them again"
    } else {
        "take it from a copy, or remove it and run the command again that made it"
    };
    format!("{} is not as hoplab left it: {}\nhelp: {help}", dir.display(), said.join("; "))
}

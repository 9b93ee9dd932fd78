//! A text with its path. Not here: how it is fetched, and what it says.

use serde::{Deserialize, Serialize};

/// A file that something was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its path as written: as given for the first file, relative to it for others.
    pub path: String,
    /// Its text.
    pub text: String,
}

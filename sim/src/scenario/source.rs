//! A text that a scenario is made of. Not here: which file it is read from ([`super::load`]), and what it says.

use serde::{Deserialize, Serialize};

/// A file that a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its path as written: as given for the scenario, relative to it for an application.
    pub path: String,
    /// Its text.
    pub text: String,
}

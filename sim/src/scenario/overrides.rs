//! What is said over a scenario file when it is read. Not here: what says it, the command line as a rule.

/// What is said over the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Overrides {
    /// The architectures to run, by name; those that the file compares when `None`.
    pub architectures: Option<Vec<String>>,
    /// The seed; the file's when `None`.
    pub seed: Option<u64>,
    /// What to multiply duration and warm-up with. Faults stay where they are.
    pub scale: f64,
}

impl Default for Overrides {
    fn default() -> Self {
        Self { architectures: None, seed: None, scale: 1.0 }
    }
}

//! The processor time of services, and how much of it was for nobody.

use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// The processor time of a service, in all its pods; that of its sidecars is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Cores times time.
    pub cpu_us: u64,
    /// What of it was wasted; left out when nothing was.
    #[serde(default, skip_serializing_if = "Wasted::is_nothing")]
    pub wasted: Wasted,
}

/// Work that was done when nobody waited for it any more: the caller had gone away, or one that it worked for. What was
/// done before that moment is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wasted {
    /// Requests that were worked on then.
    pub requests: u64,
    /// The processor time that went into them then.
    pub cpu_us: u64,
}

impl Wasted {
    /// Whether nothing was wasted.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Sum for Work {
    fn sum<I: Iterator<Item = Self>>(work: I) -> Self {
        work.fold(Self::default(), |sum, work| Self {
            cpu_us: sum.cpu_us + work.cpu_us,
            wasted: Wasted {
                requests: sum.wasted.requests + work.wasted.requests,
                cpu_us: sum.wasted.cpu_us + work.wasted.cpu_us,
            },
        })
    }
}

//! Interim answers (1xx): what an upstream says before its answer, on the way to the caller (RFC 9110, 15.2: a
//! proxy must forward those that it did not ask for itself). The server puts an [`Interim`] into the extensions of a
//! request, and whoever reads the upstream's answer looks for it there. Owns no connection and waits for nothing.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};

/// Where the interim answers to one request go. Cloning gives another handle.
#[derive(Clone)]
pub struct Interim {
    pass: Arc<dyn Fn(StatusCode, HeaderMap) + Send + Sync>,
}

impl Interim {
    /// Interim answers are given to `pass`, in their order, and never after the answer itself.
    pub fn new(pass: impl Fn(StatusCode, HeaderMap) + Send + Sync + 'static) -> Self {
        Self { pass: Arc::new(pass) }
    }

    /// Passes on an interim answer. What may not be passed on is dropped: 100, which every hop says for itself, and
    /// 101, which is no interim answer but another protocol.
    pub fn pass(&self, status: StatusCode, headers: HeaderMap) {
        let own = status == StatusCode::CONTINUE || status == StatusCode::SWITCHING_PROTOCOLS;
        if status.is_informational() && !own {
            (self.pass)(status, headers);
        }
    }
}

impl fmt::Debug for Interim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interim")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn what_every_hop_says_for_itself_is_not_passed_on() {
        let passed = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&passed);
        let interim = Interim::new(move |status, _| note.lock().unwrap().push(status.as_u16()));
        for status in [100, 101, 102, 103, 199, 200] {
            interim.pass(StatusCode::from_u16(status).unwrap(), HeaderMap::new());
        }
        assert_eq!(*passed.lock().unwrap(), [102, 103, 199]);
    }
}

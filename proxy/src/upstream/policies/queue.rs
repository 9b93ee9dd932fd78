//! How long requests wait when nothing is usable, as configuration writes it.

use std::time::Duration;

use hoplab_config::AboveZero;

use super::layer::layer;
use super::{Allotted, Contradiction};
use crate::policy::failfast::Config;
use crate::upstream::settings::{self, Queue};

layer! {
    /// How long requests wait when no endpoint is usable. `length = 0` switches off what a lower layer says.
    pub struct QueuePolicy {
        /// Requests that wait at most.
        pub length: u32 = settings::QUEUE_LENGTH,
        /// How long no endpoint may be usable until all requests fail with 504, until one is again, which a request finds
        /// out.
        pub failfast: Duration as AboveZero = settings::QUEUE_FAILFAST,
        /// How long a request may wait: then it fails with 503; `"0s"` switches off.
        pub timeout: Duration = "until all fail",
    }
}

impl QueuePolicy {
    pub(super) fn resolve(&self) -> Option<Queue> {
        let length = self.length.unwrap_or(settings::QUEUE_LENGTH);
        let patience = self.failfast.unwrap_or(settings::QUEUE_FAILFAST);
        let timeout = self.timeout.filter(|timeout| !timeout.is_zero());
        (length > 0).then_some(Queue { config: Config { length, patience }, timeout })
    }

    /// What cannot be told from one key alone; the request has the time `allotted`.
    pub(super) fn contradictions(&self, allotted: &Allotted) -> Vec<Contradiction> {
        let Some(Queue { config, timeout: Some(timeout) }) = self.resolve() else { return Vec::new() };
        let key = "queue.timeout";
        if timeout >= config.patience {
            let default = if self.failfast.is_some() { "" } else { " unless it is written" };
            let patience = config.patience;
            let fact = format!(
                "all requests fail after a `failfast` of {patience:?}{default}, before one has waited for so long"
            );
            let hint = "make it shorter than `failfast`, or take it out".to_owned();
            return vec![Contradiction { key, fact, hint }];
        }
        let is_late = allotted.is_over_after(timeout);
        is_late.then(|| allotted.contradiction(key, "it has waited for so long")).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Policies;

    fn read(text: &str) -> Result<Option<Queue>, String> {
        let policies: Policies =
            hoplab_config::read("test.toml", text).map_err(|problems| problems.in_words().join("; "))?;
        Ok(policies.resolve().unwrap().queue)
    }

    #[test]
    fn a_queue_is_read() {
        let config = Config { length: 100, patience: Duration::from_secs(3) };
        let usual = Queue { config, timeout: None };
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("queue = {}"), Ok(Some(usual)));
        let short = Queue { config: Config { length: 7, ..config }, ..usual };
        assert_eq!(read("queue = { length = 7 }"), Ok(Some(short)));
        let impatient = Queue { timeout: Some(Duration::from_millis(5)), ..usual };
        assert_eq!(read("queue = { timeout = \"5ms\" }"), Ok(Some(impatient)));
        assert_eq!(read("queue = { length = 0, failfast = \"1s\" }"), Ok(None));
        for (text, complaint) in [
            ("queue = { length = -1 }", "`-1` is negative: write 0 or more"),
            ("queue = { failfast = \"0s\" }", "must be above zero: leave the key out for the default"),
            (
                "queue = { patience = \"1s\" }",
                "unknown key \"patience\": there are \"length\", \"failfast\", \"timeout\"",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }
}

//! What is taken in before it is passed on, or faster, as configuration writes it.

use super::layer::layer;
use super::{Contradiction, SizeLimit};
use crate::upstream::settings::{self, Buffer};

layer! {
    /// What is taken in before it is passed on, or faster, so that a slow caller holds no connection of the upstream. Calls of
    /// gRPC and other protocols pass as they come.
    pub struct BufferPolicy {
        /// Whether a request's content is read whole before an endpoint is chosen and connected to (nginx's
        /// `proxy_request_buffering`). What was read so can be sent again, whatever `retry.body_limit` says, and is sent with
        /// its length.
        pub requests: bool = false,
        /// Whether an answer's content is taken from the upstream as fast as it comes, whatever its caller reads (nginx's
        /// `proxy_buffering`). What has come is handed on at once.
        pub answers: bool = false,
        /// How much of one message is kept so: a request with more content is refused with 413, and of an answer no more
        /// is taken than its caller reads while it has yet to read as much.
        pub max: SizeLimit = SizeLimit::Within(settings::BUFFER_MAX),
    }
}

impl BufferPolicy {
    pub(super) fn resolve(&self) -> Buffer {
        let most = self.max.unwrap_or(SizeLimit::Within(settings::BUFFER_MAX)).bytes().unwrap_or(u64::MAX);
        let most_where = |on: Option<bool>| (on == Some(true)).then_some(most);
        Buffer { requests: most_where(self.requests), answers: most_where(self.answers) }
    }

    /// What cannot be told from one key alone.
    pub(super) fn contradictions(&self) -> Vec<Contradiction> {
        let is_in_vain = self.max.is_some() && self.requests.is_none() && self.answers.is_none();
        let contradiction = || Contradiction {
            key: "buffer.max",
            fact: "nothing is taken in".to_owned(),
            hint: "write `requests = true` or `answers = true` beside it".to_owned(),
        };
        is_in_vain.then(contradiction).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Policies;

    fn read(text: &str) -> Policies {
        hoplab_config::read("test.toml", text).unwrap()
    }

    #[test]
    fn each_way_has_the_limit() {
        let buffer = |text: &str| read(text).resolve().unwrap().buffer;
        let whole = Some(1 << 30);
        assert_eq!(buffer(""), Buffer { requests: None, answers: None });
        assert_eq!(buffer("buffer = { requests = true }"), Buffer { requests: whole, answers: None });
        assert_eq!(
            buffer("buffer.answers = true\nbuffer.max = \"1 KiB\""),
            Buffer { requests: None, answers: Some(1024) }
        );
        assert_eq!(buffer("buffer.requests = true\nbuffer.max = \"none\"").requests, Some(u64::MAX));
        let found = read("buffer.max = \"1 KiB\"").resolve().unwrap_err();
        assert_eq!(found[0].key, "buffer.max");
        let off = read("buffer.answers = false").over(&read("buffer = { answers = true, max = \"1 KiB\" }"));
        assert_eq!(off.resolve().unwrap().buffer, Buffer::default());
    }
}

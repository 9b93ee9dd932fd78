//! Limits of time and of size, as configuration writes them, and what does not fit into those of a request. Not here: what is done
//! when one is over ([`crate::upstream`]'s `clock`).

use std::time::Duration;

use hoplab_config::form::{Describe, Form, Shown, Word};
use hoplab_config::read::above_zero;
use hoplab_config::{Context, Place, Read, Value, quantity};

use super::Contradiction;
use super::layer::whole;
use crate::upstream::settings;

/// How long something may take. `"none"` switches off what a lower layer, or a default, says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// So long, which is not zero.
    Within(Duration),
    /// Any time.
    Unlimited,
}

whole!(TimeLimit);

const NONE: Word = Word { name: "none", about: "any time" };

impl TimeLimit {
    /// How long, if that is limited.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::Within(duration) => Some(duration),
            Self::Unlimited => None,
        }
    }
}

impl Read for TimeLimit {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().as_str() == Some(NONE.name) {
            return Some(Self::Unlimited);
        }
        above_zero(value, place, context, "write `\"none\"` for any time").map(Self::Within)
    }
}

impl Describe for TimeLimit {
    fn form() -> Form {
        Form::Either(vec![Duration::form(), Form::Word(vec![NONE])])
    }
}

impl Shown for TimeLimit {
    fn shown(&self) -> Option<String> {
        match self {
            Self::Within(duration) => duration.shown(),
            Self::Unlimited => NONE.name.shown(),
        }
    }
}

/// How much something may be. `"none"` switches off what a lower layer, or a default, says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeLimit {
    /// So many bytes.
    Within(u64),
    /// Any number.
    Unlimited,
}

whole!(SizeLimit);

const ANY_SIZE: Word = Word { name: "none", about: "any size" };

impl SizeLimit {
    /// How many bytes, if that is limited.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Within(bytes) => Some(bytes),
            Self::Unlimited => None,
        }
    }
}

impl Read for SizeLimit {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().as_str() == Some(ANY_SIZE.name) {
            return Some(Self::Unlimited);
        }
        quantity::Size::read(value, place, context).map(|size| Self::Within(size.0))
    }
}

impl Describe for SizeLimit {
    fn form() -> Form {
        Form::Either(vec![quantity::Size::form(), Form::Word(vec![ANY_SIZE])])
    }
}

impl Shown for SizeLimit {
    fn shown(&self) -> Option<String> {
        match self {
            Self::Within(bytes) => quantity::Size(*bytes).shown(),
            Self::Unlimited => ANY_SIZE.name.shown(),
        }
    }
}

/// How long a request has until the head of its answer, for those who find what does not fit into it.
pub(super) struct Allotted {
    /// The shorter one of its limits, if there is any.
    limit: Option<Duration>,
    /// The key that says so.
    key: &'static str,
    /// Where the limit comes from, if nobody wrote it.
    unwritten: String,
}

impl Allotted {
    /// Under these limits, as they are written.
    pub(super) fn of(timeout: Option<TimeLimit>, head_timeout: Option<TimeLimit>) -> Self {
        let unwritten = match timeout {
            Some(_) => String::new(),
            None => format!(", whose `timeout` is {:?} unless it is written", settings::TIMEOUT),
        };
        let whole = timeout.unwrap_or(settings::TIMEOUT_LIMIT).duration();
        match head_timeout.and_then(TimeLimit::duration) {
            Some(head) if whole.is_none_or(|whole| head < whole) => {
                Self { limit: Some(head), key: "head_timeout", unwritten: String::new() }
            }
            _ => Self { limit: whole, key: "timeout", unwritten },
        }
    }

    /// Whether it is over when so much time has passed.
    pub(super) fn is_over_after(&self, time: Duration) -> bool {
        self.limit.is_some_and(|limit| time >= limit)
    }

    /// Whether it is over before so much time has passed.
    pub(super) fn is_shorter_than(&self, time: Duration) -> bool {
        self.limit.is_some_and(|limit| time > limit)
    }

    /// That what `key` says comes too late, so that something does not happen `before` the request is over.
    pub(super) fn contradiction(&self, key: &'static str, before: &str) -> Contradiction {
        self.contradicts(key, &format!("the request is over before {before}"))
    }

    /// That `fact` follows from what `key` says.
    pub(super) fn contradicts(&self, key: &'static str, fact: &str) -> Contradiction {
        let Self { key: limit, unwritten, .. } = self;
        let name = match key.rsplit('.').next() {
            Some(name) if name != "timeout" => name,
            _ => key,
        };
        // What a lower layer says cannot be taken out.
        let way_out = match name {
            "head_timeout" | "per_try_timeout" | "idle_timeout" => "write `\"none\"` in the upper layer",
            _ => "take it out",
        };
        let hint = format!("make `{name}` shorter than `{limit}`, or {way_out}");
        Contradiction { key, fact: format!("{fact}{unwritten}"), hint }
    }
}

//! Where requests come from: `[load.NAME]`.

use hoplab_config::form::{Describe, Form, Key};
use hoplab_config::quantity::{Duration, Rate};
use hoplab_config::{At, Choice, Context, Keys, Names, Outlined, Place, Read, Required, Table, Value, table};

use hoplab_proxy::upstream::Policies;

use super::Counted;
use crate::distribution::{Distribution, Sizes};
use crate::scenario::plan::load::Arrivals;

table! {
    /// `[load.NAME]`.
    pub(in crate::scenario) struct Load {
        /// Open loop: how many requests are sent, or how many at points in time, linear between them.
        pub(in crate::scenario) rate: Curve = "`rate` or `users` is required",
        /// With `rate`: how requests are spread.
        pub(in crate::scenario) arrivals: Arrivals = "`\"poisson\"`",
        /// Closed loop: how many wait for their answers.
        pub(in crate::scenario) users: u32 as Counted = "`rate` or `users` is required",
        /// With `users`: the pause before each request.
        pub(in crate::scenario) think: Distribution = "`\"0s\"`",
        /// What is requested: endpoints, such as `"order.place"`, with weights above zero.
        pub(in crate::scenario) mix: Names<f64> =
            "required; with `[generate]` all endpoints of its entries, weighted by one over their rank",
        /// Header fields, each with a text, or with one of several, drawn anew for each request. Services do not pass them
        /// on.
        pub(in crate::scenario) headers: Names<Values> = "none",
        /// What its requests contain.
        pub(in crate::scenario) request: Sizes = "`\"0 B\"`",
        /// When the client gives up.
        pub(in crate::scenario) timeout: Duration = "none",
        /// `true`: `timeout` is told as `grpc-timeout`.
        pub(in crate::scenario) send_deadline: bool = false,
        /// Each request belongs to one of so many sessions, at random, and says its number in the field `x-session` and the
        /// cookie `session`; services pass it on with their calls.
        pub(in crate::scenario) sessions: u32 as Counted = "none",
        /// How its clients call by themselves: policies, such as `retry`; a phone that tries again.
        pub(in crate::scenario) calls: Outlined<Policies> = "as a plain HTTP library",
        /// Where its clients stand.
        pub(in crate::scenario) zone: String = "none",
        ..
        /// What it says of its kind.
        pub(in crate::scenario) says: Says,
    }
}

/// What a load says of its kind, right or wrong. No keys of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::scenario) struct Says {
    /// Whether it says `rate`.
    pub(in crate::scenario) rate: bool,
    /// Whether it says `users`.
    pub(in crate::scenario) users: bool,
    /// Whether it says `mix`.
    pub(in crate::scenario) mix: bool,
}

impl Keys for Says {
    fn keys() -> Vec<Key> {
        Vec::new()
    }

    fn take(table: &mut Table<'_, '_>, _: &mut Context<'_>) -> Self {
        Self { rate: table.has("rate"), users: table.has("users"), mix: table.has("mix") }
    }
}

impl Choice for Arrivals {
    const NOUN: &'static str = "arrivals";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Poisson, "poisson", "a Poisson process: exponential gaps"),
        (Self::Uniform, "uniform", "equal gaps"),
    ];
}

/// What a header field may say: one text, or a list to draw from.
#[derive(Debug, Clone)]
pub(in crate::scenario) struct Values(pub(in crate::scenario) At<Vec<At<String>>>);

impl Read for Values {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let values = if value.get_ref().is_array() {
            Vec::read(value, place, context)?
        } else {
            vec![At { value: String::read(value, place, context)?, place }]
        };
        Some(Self(At { value: values, place }))
    }
}

impl Describe for Values {
    fn form() -> Form {
        Form::Either(vec![String::form(), Vec::<At<String>>::form()])
    }
}

/// A rate over time: one for all of it, or points to draw lines between.
#[derive(Debug, Clone)]
pub(in crate::scenario) struct Curve(pub(in crate::scenario) Vec<At<Point>>);

table! {
    /// `{ at = "10s", rate = "200 rps" }`.
    pub(in crate::scenario) struct Point {
        /// When.
        pub(in crate::scenario) at: Duration = Required::BARE,
        /// How many requests are sent then.
        pub(in crate::scenario) rate: Rate = Required::BARE,
    }
}

impl Read for Curve {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().is_array() {
            return Vec::read(value, place, context).map(Self);
        }
        let rate = Rate::read(value, place, context)?;
        let at = Some(At { value: Duration::default(), place });
        Some(Self(vec![At { value: Point { at, rate: Some(At { value: rate, place }) }, place }]))
    }
}

impl Describe for Curve {
    fn form() -> Form {
        Form::Either(vec![Rate::form(), Vec::<At<Point>>::form()])
    }
}

//! What must hold of the result: `[[expect]]`. What a bound means depends on the metric, so bounds
//! stay as written here.

use hoplab_config::form::{Describe, Form, Key};
use hoplab_config::quantity::{Duration, Share};
use hoplab_config::{At, Context, Keys, Place, Read, Required, Table, Value, table, way};
use hoplab_proxy::telemetry::Decision;

use super::{Architectures, words};
use crate::invariants::Invariant;
use crate::world::ContainerKind;

table! {
    /// An entry of `[[expect]]`.
    pub(in crate::scenario) struct Expect {
        /// A figure: a percentile, `mean`, `error_rate`, `goodput`, `amplification`, …
        pub(in crate::scenario) metric: String as Metric = Required::BARE,
        /// An endpoint that some `mix` requests.
        pub(in crate::scenario) of: String as Endpoint = "all requests",
        /// For what is about calls, packets or connections: whose.
        pub(in crate::scenario) edge: String as Edge = "all edges",
        /// For `violations`: of which invariant.
        pub(in crate::scenario) invariant: String as InvariantName = "any",
        /// For `decisions`, which requires it: what policies decided.
        pub(in crate::scenario) decision: String as DecisionName = "required with it",
        /// For `amplification`: attempts sent to it over the requests that clients sent; for `decisions`: what they are
        /// about; for `wasted`, `wasted_time` and `wasted_requests`: whose processor time.
        pub(in crate::scenario) service: String as Service = "any",
        /// For `share`, which requires it: the attempts that were sent to it, over those to all pods of its service.
        pub(in crate::scenario) pod: String as Pod = "required with it",
        /// For what containers take, over the whole run: whose.
        pub(in crate::scenario) container: String as Container = "all together",
        /// For `within`, which requires it: within which time.
        pub(in crate::scenario) limit: Duration = "required with it",
        /// For `recovery_time`, which requires it: after which fault.
        pub(in crate::scenario) after: String as Fault = "required with it",
        /// For `recovery_time`, which requires it: which figure.
        pub(in crate::scenario) figure: String as Metric = "required with it",
        /// For `recovery_time`, which requires it: how far the figure may go: at most so much, of `goodput` at least.
        pub(in crate::scenario) bound: Bound = "required with it",
        /// The architectures that it is about, of those that are compared.
        pub(in crate::scenario) r#in: Vec<At<String>> as Architectures = "all",
        /// A fault's name, `"steady"` (before the first fault) or `"recovery"` (after the last).
        pub(in crate::scenario) during: String as Part = "all after the warm-up",
        /// What is all right at least.
        pub(in crate::scenario) min: Bound = "`min`, `max` or `value` is required",
        /// What is all right at most.
        pub(in crate::scenario) max: Bound = "`min`, `max` or `value` is required",
        /// Instead of `min` and `max`: what mathematics knows.
        pub(in crate::scenario) value: Bound = "`min`, `max` or `value` is required",
        /// How near to `value` the figure must be.
        pub(in crate::scenario) within: Share = "required with `value`",
        ..
        /// Whether there is a bound, right or wrong.
        pub(in crate::scenario) bounded: Bounded,
    }
}

way!(Metric: String, Form::Text { what: "a figure", example: "p99" }, String::read);
way!(Endpoint: String, Form::Text { what: "an endpoint", example: "order.place" }, String::read);
way!(Edge: String, Form::Text { what: "who calls whom", example: "order -> payment" }, String::read);
way!(Service: String, Form::Text { what: "a service", example: "payment" }, String::read);
way!(Pod: String, Form::Text { what: "a pod", example: "payment-0" }, String::read);
way!(Fault: String, Form::Text { what: "a fault's name", example: "payment-slow" }, String::read);
way!(Part: String, Form::Text { what: "a part of the run", example: "steady" }, String::read);
way!(InvariantName: String, words(Invariant::ALL.into_iter().map(Invariant::name)), String::read);
way!(DecisionName: String, words(Decision::ALL.into_iter().map(Decision::name)), String::read);
way!(Container: String, words(CONTAINERS.into_iter().map(ContainerKind::name)), String::read);

/// Containers that are told apart; a client's is no part of what is compared.
pub(in crate::scenario) const CONTAINERS: [ContainerKind; 3] =
    [ContainerKind::Application, ContainerKind::Sidecar, ContainerKind::Gateway];

/// Whether there is a bound, right or wrong. No key of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::scenario) struct Bounded(pub(in crate::scenario) bool);

impl Keys for Bounded {
    fn keys() -> Vec<Key> {
        Vec::new()
    }

    fn take(table: &mut Table<'_, '_>, _: &mut Context<'_>) -> Self {
        Self(["min", "max", "value", "within"].into_iter().any(|key| table.has(key)))
    }
}

/// A bound: a quantity in a text, or a plain number.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum Bound {
    Text(String),
    Number(f64),
}

impl Read for Bound {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        match value.get_ref().as_str() {
            Some(text) => Some(Self::Text(text.to_owned())),
            None => f64::read(value, place, context).map(Self::Number),
        }
    }
}

impl Describe for Bound {
    fn form() -> Form {
        Form::Either(vec![Form::Text { what: "a quantity", example: "300ms" }, f64::form()])
    }
}

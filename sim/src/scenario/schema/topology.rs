//! Services, their endpoints, and what those do: `[services.NAME]`, in a scenario or an application.

use hoplab_config::form::{Describe, Form, Word};
use hoplab_config::quantity::{Bandwidth, Duration, Rate, Share};
use hoplab_config::{At, Choice, Context, Keys, Names, Place, Read, Required, Table, Value, table, way};
use hoplab_proxy::upstream::{PRIORITY_MAX, WEIGHT_MAX};
use toml::de::DeValue;

use super::calls::Calls;
use super::{Counted, named};
use crate::distribution::{Distribution, Sizes};
use crate::scenario::plan::application::{DeadlineUse, OnCancel, OnError, Once};
use crate::scenario::plan::connections::Protocol;

table! {
    /// `[services.NAME]`.
    pub(in crate::scenario) struct Service {
        /// Pods.
        pub(in crate::scenario) replicas: u32 as Counted = 1,
        /// Cores of the application in each pod.
        pub(in crate::scenario) cores: u32 as Counted = 1,
        /// How many may wait for a core in a pod, at whichever step; beyond it, 503 at once.
        pub(in crate::scenario) queue: u32 = "unlimited",
        /// Where its pods stand.
        pub(in crate::scenario) zone: String = "none",
        /// Where each pod stands.
        pub(in crate::scenario) zones: Vec<At<String>> = "all in `zone`",
        /// How many requests each pod is to get in relation to the others.
        pub(in crate::scenario) weights: Vec<At<u32>> as Weights = "all `1`",
        /// When each pod is asked: proxies ask those of the lowest number first.
        pub(in crate::scenario) priorities: Vec<At<u32>> as Priorities = "all `0`",
        /// How many pods, the last ones, are backups.
        pub(in crate::scenario) backups: u32 = "none",
        /// Of the NIC of each of its pods.
        pub(in crate::scenario) bandwidth: Bandwidth = "the network's",
        /// What too many requests do to a pod.
        pub(in crate::scenario) overload: Overload = "none",
        /// What it makes of the deadline of a request.
        pub(in crate::scenario) deadline: DeadlineUse = "`\"ignore\"`",
        /// What it does when its caller hangs up, or the deadline that it forwards is over.
        pub(in crate::scenario) on_cancel: OnCancel = "`\"stop\"`",
        /// What it speaks with whoever calls it.
        pub(in crate::scenario) protocol: Protocol = "`\"http1\"`",
        /// How long it lets a connection be idle before it closes it.
        pub(in crate::scenario) keep_alive: Duration = "`\"75s\"`; for ever for HTTP/2",
        /// How old a connection may become, a tenth more or less, by the seed.
        pub(in crate::scenario) max_connection_age: Duration = "unlimited",
        /// `true`: a database or a cache, beside which no sidecar ever stands.
        pub(in crate::scenario) store: bool = false,
        /// How it calls others by itself, over `calls` of all.
        pub(in crate::scenario) calls: Calls = "as all do",
        /// What it answers, by name: called as `"service.endpoint"`.
        pub(in crate::scenario) endpoints: Names<Endpoint> = "none",
    }
}

way!(Weights: Vec<At<u32>>, listed(1, WEIGHT_MAX), Vec::read);
way!(Priorities: Vec<At<u32>>, listed(0, PRIORITY_MAX.into()), Vec::read);

/// A list of whole numbers, one a pod.
fn listed(least: u32, most: u32) -> Form {
    Form::List(Box::new(Form::Whole { least: least.into(), most: most.into() }))
}

impl Service {
    /// Its endpoints.
    pub(in crate::scenario) fn endpoints(&self) -> impl Iterator<Item = &(At<String>, Option<Endpoint>)> {
        self.endpoints.iter().flat_map(|at| &at.value.0)
    }

    /// Takes over what `other` says, key by key; endpoints by name, those that are new come last.
    pub(in crate::scenario) fn overlay(&mut self, other: Self) {
        self.replicas = other.replicas.or(self.replicas.take());
        self.cores = other.cores.or(self.cores.take());
        self.queue = other.queue.or(self.queue.take());
        self.zone = other.zone.or(self.zone.take());
        self.zones = other.zones.or(self.zones.take());
        self.weights = other.weights.or(self.weights.take());
        self.priorities = other.priorities.or(self.priorities.take());
        self.backups = other.backups.or(self.backups.take());
        self.bandwidth = other.bandwidth.or(self.bandwidth.take());
        self.overload = other.overload.or(self.overload.take());
        self.deadline = other.deadline.or(self.deadline.take());
        self.on_cancel = other.on_cancel.or(self.on_cancel.take());
        self.protocol = other.protocol.or(self.protocol.take());
        self.keep_alive = other.keep_alive.or(self.keep_alive.take());
        self.max_connection_age = other.max_connection_age.or(self.max_connection_age.take());
        self.store = other.store.or(self.store.take());
        self.calls = other.calls.or(self.calls.take());
        let Some(Names(own)) = self.endpoints.as_mut().map(|at| &mut at.value) else {
            self.endpoints = other.endpoints;
            return;
        };
        for (name, endpoint) in named(other.endpoints) {
            match own.iter_mut().find(|(known, _)| known.value == name.value) {
                Some((_, known)) => known.get_or_insert_default().overlay(endpoint.unwrap_or_default()),
                None => own.push((name, endpoint)),
            }
        }
    }
}

impl Choice for Protocol {
    const NOUN: &'static str = "protocol";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Http1, "http1", "HTTP/1.1"),
        (Self::Http2, "http2", "in the clear by prior knowledge"),
        (Self::Grpc, "grpc", "over HTTP/2: framed messages, and the status in trailers"),
    ];
}

impl Choice for DeadlineUse {
    const NOUN: &'static str = "use of deadlines";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Forward, "forward", "it heeds `grpc-timeout`, and tells each call what is left"),
        (Self::Ignore, "ignore", "it is lost here"),
    ];
}

impl Choice for OnCancel {
    const NOUN: &'static str = "answer to a cancellation";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Stop, "stop", "at once"),
        (
            Self::Continue,
            "continue",
            "to the end, as a server does that looks at its connections only to write",
        ),
    ];
}

table! {
    /// `overload = { above = "300 rps", times = 10 }`: while more requests than that came to a pod within the last second,
    /// work there takes so many times as long.
    pub(in crate::scenario) struct Overload {
        /// More requests than this.
        pub(in crate::scenario) above: Rate = Required::BARE,
        /// How many times as long work takes, also what is under way.
        pub(in crate::scenario) times: f64 = Required::BARE,
    }
}

table! {
    /// `[services.NAME.endpoints.NAME]`.
    pub(in crate::scenario) struct Endpoint {
        /// With which method it answers; gRPC knows POST alone.
        pub(in crate::scenario) method: String as Method = "`\"POST\"`",
        /// At which path it answers.
        pub(in crate::scenario) path: String as Path = "`\"/NAME\"`; of gRPC `\"/SERVICE/NAME\"`",
        /// What its answer contains.
        pub(in crate::scenario) response: Sizes = "`\"0 B\"`",
        /// How often it may complete its steps: `true`, once for each logical call, however often proxies send it;
        /// `"request"`, once for each request of a client as a whole.
        pub(in crate::scenario) once: Once = false,
        /// What it does, in order.
        pub(in crate::scenario) steps: Vec<At<Step>> = "`[]`",
    }
}

way!(Method: String, Form::Text { what: "a method", example: "GET" }, String::read);
way!(Path: String, Form::Text { what: "a path", example: "/cart" }, String::read);

/// `true`, `false` or `"request"`.
impl Read for Once {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) if text == REQUEST.name => Some(Self::Request),
            DeValue::String(text) => {
                let hint =
                    "write `true`: once for each call; or \"request\": once for each request of a client";
                context.error(place, format!("once for each \"{text}\"?")).hint(hint);
                None
            }
            _ => bool::read(value, place, context).map(|once| if once { Self::Call } else { Self::Never }),
        }
    }
}

/// Once for each request of a client.
const REQUEST: Word = Word { name: "request", about: "once for each request of a client" };

impl Describe for Once {
    fn form() -> Form {
        Form::Either(vec![Form::Truth, Form::Word(vec![REQUEST])])
    }
}

impl Endpoint {
    fn overlay(&mut self, other: Self) {
        self.method = other.method.or(self.method.take());
        self.path = other.path.or(self.path.take());
        self.response = other.response.or(self.response.take());
        self.once = other.once.or(self.once.take());
        self.steps = other.steps.or(self.steps.take());
    }
}

/// A step of an endpoint: a table of one of these kinds.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum Step {
    Work(Distribution),
    Sleep(Distribution),
    Call(Box<CallStep>),
    All(AllStep),
}

table! {
    /// `{ work = "5ms" }`.
    pub(in crate::scenario) struct WorkStep {
        /// Occupies a core for so long.
        pub(in crate::scenario) work: Distribution = Required::BARE,
    }
}

table! {
    /// `{ sleep = "5ms" }`.
    pub(in crate::scenario) struct SleepStep {
        /// Waits so long without a core.
        pub(in crate::scenario) sleep: Distribution = Required::BARE,
    }
}

table! {
    /// `{ call = "service.endpoint", … }`.
    pub(in crate::scenario) struct CallStep {
        /// Calls an endpoint.
        pub(in crate::scenario) call: String as Target = Required::BARE,
        /// What the request contains.
        pub(in crate::scenario) request: Sizes = "`\"0 B\"`",
        /// When the caller gives up.
        pub(in crate::scenario) timeout: Duration = "none",
        /// `true`: `timeout` is told as `grpc-timeout`, also where the service ignores deadlines.
        pub(in crate::scenario) send_deadline: bool = false,
        /// How often, one after the other.
        pub(in crate::scenario) times: u32 as Counted = 1,
        /// How likely it is that the call is made.
        pub(in crate::scenario) chance: Share = "`\"100%\"`",
        /// What a failed call does to the caller.
        pub(in crate::scenario) on_error: OnError = "`\"fail\"`",
    }
}

table! {
    /// `{ all = [ … ], at_most = 2 }`.
    pub(in crate::scenario) struct AllStep {
        /// Steps to do at once.
        pub(in crate::scenario) all: Vec<At<Step>> = Required::BARE,
        /// How many at a time.
        pub(in crate::scenario) at_most: u32 as Counted = "all",
    }
}

way!(Target: String, Form::Text { what: "an endpoint", example: "payment.charge" }, String::read);

impl Choice for OnError {
    const NOUN: &'static str = "answer to an error";
    const WORDS: &'static [(Self, &'static str, &'static str)] =
        &[(Self::Fail, "fail", "it answers 500"), (Self::Ignore, "ignore", "it goes on")];
}

impl Read for Step {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        const KINDS: [&str; 4] = ["work", "sleep", "call", "all"];
        let mut table = Table::open(value, place, context)?;
        let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| table.has(kind)).collect();
        if let [] | [_, _, ..] = kinds[..] {
            let fact = match kinds[..] {
                [] => "a step without \"work\", \"sleep\", \"call\" or \"all\"".to_owned(),
                _ => format!("a step with both \"{}\"", kinds.join("\" and \"")),
            };
            context.error(place, fact).hint("a step does one thing: `{ work = \"5ms\" }`");
            return None;
        }
        let step = match kinds[0] {
            "work" => WorkStep::take(&mut table, context).work.map(|at| Self::Work(at.value)),
            "sleep" => SleepStep::take(&mut table, context).sleep.map(|at| Self::Sleep(at.value)),
            "call" => Some(Self::Call(Box::new(CallStep::take(&mut table, context)))),
            _ => Some(Self::All(AllStep::take(&mut table, context))),
        };
        table.refuse_rest(context);
        step
    }
}

impl Describe for Step {
    fn form() -> Form {
        let forms =
            || Form::Either(vec![WorkStep::form(), SleepStep::form(), CallStep::form(), AllStep::form()]);
        Form::Named { name: "step", form: forms }
    }
}

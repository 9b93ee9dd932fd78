//! Services, their endpoints, and what those do: `[services.NAME]`, in a scenario or an application.

use hoplab_config::quantity::{Bandwidth, Duration, Rate, Share};
use hoplab_config::{At, Context, Named, Place, Read, Table};
use toml::Spanned;
use toml::de::DeValue;

use crate::distribution::{Distribution, Sizes};

/// `[services.NAME]`.
#[derive(Default)]
pub(in crate::scenario) struct Service {
    pub(in crate::scenario) replicas: Option<At<u32>>,
    pub(in crate::scenario) cores: Option<At<u32>>,
    pub(in crate::scenario) queue: Option<At<u32>>,
    pub(in crate::scenario) zone: Option<At<String>>,
    pub(in crate::scenario) zones: Option<At<Vec<At<String>>>>,
    pub(in crate::scenario) weights: Option<At<Vec<At<u32>>>>,
    pub(in crate::scenario) priorities: Option<At<Vec<At<u32>>>>,
    pub(in crate::scenario) backups: Option<At<u32>>,
    pub(in crate::scenario) bandwidth: Option<At<Bandwidth>>,
    pub(in crate::scenario) overload: Option<At<Overload>>,
    pub(in crate::scenario) deadline: Option<At<String>>,
    pub(in crate::scenario) on_cancel: Option<At<String>>,
    pub(in crate::scenario) protocol: Option<At<String>>,
    pub(in crate::scenario) keep_alive: Option<At<Duration>>,
    pub(in crate::scenario) max_connection_age: Option<At<Duration>>,
    pub(in crate::scenario) endpoints: Named<Endpoint>,
}

impl Read for Service {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let service = Self {
            replicas: table.optional("replicas", context),
            cores: table.optional("cores", context),
            queue: table.optional("queue", context),
            zone: table.optional("zone", context),
            zones: table.optional("zones", context),
            weights: table.optional("weights", context),
            priorities: table.optional("priorities", context),
            backups: table.optional("backups", context),
            bandwidth: table.optional("bandwidth", context),
            overload: table.optional("overload", context),
            deadline: table.optional("deadline", context),
            on_cancel: table.optional("on_cancel", context),
            protocol: table.optional("protocol", context),
            keep_alive: table.optional("keep_alive", context),
            max_connection_age: table.optional("max_connection_age", context),
            endpoints: table.named("endpoints", context),
        };
        table.refuse_rest(context);
        Some(service)
    }
}

impl Service {
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
        for (name, endpoint) in other.endpoints {
            let mut known = self.endpoints.iter_mut();
            match known.find(|(known, _)| known.value == name.value) {
                Some((_, known)) => known.get_or_insert_default().overlay(endpoint.unwrap_or_default()),
                None => self.endpoints.push((name, endpoint)),
            }
        }
    }
}

/// `overload = { above = "300 rps", times = 10 }`.
pub(in crate::scenario) struct Overload {
    pub(in crate::scenario) above: Option<At<Rate>>,
    pub(in crate::scenario) times: Option<At<f64>>,
}

impl Read for Overload {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let overload =
            Self { above: table.required("above", context), times: table.required("times", context) };
        table.refuse_rest(context);
        Some(overload)
    }
}

/// `[services.NAME.endpoints.NAME]`.
#[derive(Default)]
pub(in crate::scenario) struct Endpoint {
    pub(in crate::scenario) method: Option<At<String>>,
    pub(in crate::scenario) path: Option<At<String>>,
    pub(in crate::scenario) response: Option<At<Sizes>>,
    pub(in crate::scenario) once: Option<At<Once>>,
    pub(in crate::scenario) steps: Option<At<Vec<At<Step>>>>,
}

impl Read for Endpoint {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let endpoint = Self {
            method: table.optional("method", context),
            path: table.optional("path", context),
            response: table.optional("response", context),
            once: table.optional("once", context),
            steps: table.optional("steps", context),
        };
        table.refuse_rest(context);
        Some(endpoint)
    }
}

/// `once`: `true`, `false` or `"request"`.
#[derive(Clone, Copy)]
pub(in crate::scenario) enum Once {
    No,
    Call,
    Request,
}

impl Read for Once {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) if text == "request" => Some(Self::Request),
            DeValue::String(text) => {
                let hint =
                    "write `true`: once for each call; or \"request\": once for each request of a client";
                context.error(place, format!("once for each \"{text}\"?")).hint(hint);
                None
            }
            _ => bool::read(value, place, context).map(|once| if once { Self::Call } else { Self::No }),
        }
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

/// A step of an endpoint: a table with one of these keys.
pub(in crate::scenario) enum Step {
    Work(Distribution),
    Sleep(Distribution),
    Call(Box<Call>),
    All { branches: At<Vec<At<Step>>>, at_most: Option<At<u32>> },
}

/// `{ call = "service.endpoint", … }`.
pub(in crate::scenario) struct Call {
    pub(in crate::scenario) target: At<String>,
    pub(in crate::scenario) request: Option<At<Sizes>>,
    pub(in crate::scenario) timeout: Option<At<Duration>>,
    pub(in crate::scenario) send_deadline: Option<At<bool>>,
    pub(in crate::scenario) times: Option<At<u32>>,
    pub(in crate::scenario) chance: Option<At<Share>>,
    pub(in crate::scenario) on_error: Option<At<String>>,
}

impl Read for Step {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
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
            "work" => table.optional("work", context).map(|at| Self::Work(at.value)),
            "sleep" => table.optional("sleep", context).map(|at| Self::Sleep(at.value)),
            "call" => call(&mut table, context).map(Box::new).map(Self::Call),
            _ => {
                let branches = table.optional("all", context);
                let at_most = table.optional("at_most", context);
                branches.map(|branches| Self::All { branches, at_most })
            }
        };
        table.refuse_rest(context);
        step
    }
}

fn call(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<Call> {
    let target = table.optional("call", context);
    let request = table.optional("request", context);
    let timeout = table.optional("timeout", context);
    let send_deadline = table.optional("send_deadline", context);
    let times = table.optional("times", context);
    let chance = table.optional("chance", context);
    let on_error = table.optional("on_error", context);
    target.map(|target| Call { target, request, timeout, send_deadline, times, chance, on_error })
}

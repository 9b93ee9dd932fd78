//! What goes wrong: `[[faults]]`, each with one key that says how.

use hoplab_proxy::quantity::{Duration, Share};
use toml::Spanned;
use toml::de::DeValue;

use crate::distribution::Distribution;
use crate::scenario::place::{At, Place};
use crate::scenario::reader::{Context, Read, Table};

/// An entry of `[[faults]]`.
pub(in crate::scenario) struct Fault {
    pub(in crate::scenario) name: Option<At<String>>,
    pub(in crate::scenario) at: Option<At<Duration>>,
    pub(in crate::scenario) lasts: Option<At<Duration>>,
    pub(in crate::scenario) kind: Option<Kind>,
}

/// How something goes wrong.
pub(in crate::scenario) enum Kind {
    Slow { target: Target, times: Option<At<f64>> },
    Error { target: Target, endpoint: Option<At<String>>, status: Option<At<u32>>, share: Option<At<Share>> },
    Crash { target: Target },
    Restart { target: Target, drain: Option<At<Duration>>, down: Option<At<Duration>> },
    Partition { sides: Sides },
    Latency { sides: Sides, add: Option<At<Distribution>> },
    Loss { sides: Sides, share: Option<At<Share>> },
    Reset { sides: Sides },
}

/// Pods of a service: `service = "payment", replica = 0`.
pub(in crate::scenario) struct Target {
    pub(in crate::scenario) service: Option<At<String>>,
    pub(in crate::scenario) replica: Option<At<u32>>,
}

/// Two sides of the network: `between = ["client", "payment"]`, or a target and everything else.
pub(in crate::scenario) enum Sides {
    Between(At<Vec<At<String>>>),
    Around(Target),
}

const KINDS: [&str; 8] = ["slow", "error", "crash", "restart", "partition", "latency", "loss", "reset"];

impl Read for Fault {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let name = table.required("name", context);
        let at = table.required("at", context);
        let lasts = table.required("for", context);
        let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| table.has(kind)).collect();
        let inner = kinds.first().and_then(|kind| table.inner(kind, context));
        for kind in KINDS {
            table.accept(kind);
        }
        table.refuse_rest(context);
        let kind = match kinds[..] {
            [kind] => inner.and_then(|inner| read_kind(kind, inner, context)),
            [] => {
                let hint = format!("say what goes wrong: one of \"{}\"", KINDS.join("\", \""));
                context.error(place, "a fault that does nothing").hint(hint);
                None
            }
            _ => {
                let fact = format!("a fault with both \"{}\"", kinds.join("\" and \""));
                context.error(place, fact).hint("a fault does one thing: write two");
                None
            }
        };
        Some(Self { name, at, lasts, kind })
    }
}

fn read_kind(kind: &str, mut table: Table<'_, '_>, context: &mut Context<'_>) -> Option<Kind> {
    let kind = match kind {
        "slow" => Kind::Slow { target: target(&mut table, context), times: table.required("times", context) },
        "error" => Kind::Error {
            target: target(&mut table, context),
            endpoint: table.optional("endpoint", context),
            status: table.optional("status", context),
            share: table.optional("share", context),
        },
        "crash" => Kind::Crash { target: target(&mut table, context) },
        "restart" => Kind::Restart {
            target: target(&mut table, context),
            drain: table.optional("drain", context),
            down: table.optional("down", context),
        },
        "partition" => Kind::Partition { sides: sides(&mut table, context)? },
        "latency" => {
            Kind::Latency { sides: sides(&mut table, context)?, add: table.required("add", context) }
        }
        "loss" => Kind::Loss { sides: sides(&mut table, context)?, share: table.required("share", context) },
        _ => Kind::Reset { sides: sides(&mut table, context)? },
    };
    table.refuse_rest(context);
    Some(kind)
}

fn target(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Target {
    Target { service: table.required("service", context), replica: table.optional("replica", context) }
}

fn sides(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<Sides> {
    match (table.has("between"), table.has("service")) {
        (true, false) => {
            table.accept("service");
            table.accept("replica");
            table.optional("between", context).map(Sides::Between)
        }
        (false, true) => {
            table.accept("between");
            Some(Sides::Around(target(table, context)))
        }
        _ => {
            let hint =
                "write `between = [\"order\", \"payment\"]`, or `service = \"payment\"` for all its traffic";
            context.error(table.place, "neither, or both, of \"between\" and \"service\"").hint(hint);
            None
        }
    }
}

//! Where faults bite: pods of a service, and two sides of the network, as they are written and as people say them.
//! Not here: finding them among a scenario's services (`crate::scenario::resolve`).

use crate::scenario::place::At;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::{Between, Side, Target};
use crate::scenario::reader::{Context, Table};

/// Pods of a service: `service = "payment", replica = 0`.
pub(crate) struct WrittenTarget {
    pub(crate) service: Option<At<String>>,
    pub(crate) replica: Option<At<u32>>,
}

/// Two sides of the network: `between = ["client", "payment"]`, or a target and everything else.
pub(crate) enum WrittenSides {
    Between(At<Vec<At<String>>>),
    Around(WrittenTarget),
}

/// Reads which pods.
pub(super) fn target(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> WrittenTarget {
    WrittenTarget { service: table.required("service", context), replica: table.optional("replica", context) }
}

/// Reads which sides.
pub(super) fn sides(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<WrittenSides> {
    match (table.has("between"), table.has("service")) {
        (true, false) => {
            table.accept("service");
            table.accept("replica");
            table.optional("between", context).map(WrittenSides::Between)
        }
        (false, true) => {
            table.accept("between");
            Some(WrittenSides::Around(target(table, context)))
        }
        (true, true) | (false, false) => {
            let hint =
                "write `between = [\"order\", \"payment\"]`, or `service = \"payment\"` for all its traffic";
            context.error(table.place, "neither, or both, of \"between\" and \"service\"").hint(hint);
            None
        }
    }
}

/// Pods as people say them: `payment-0`.
pub(super) fn pods(services: &[Service], target: Target) -> String {
    let name = &services[target.service.0].name;
    target.replica.map_or_else(|| name.clone(), |replica| format!("{name}-{replica}"))
}

/// Sides as people say them: `clients and the gateway`.
pub(super) fn both(services: &[Service], between: Between) -> String {
    let side = |side: Side| match side {
        Side::Pods(target) => pods(services, target),
        Side::Clients => "clients".to_owned(),
        Side::Gateway => "the gateway".to_owned(),
    };
    format!("{} and {}", side(between.a), between.b.map_or_else(|| "everything else".to_owned(), side))
}

/// A share in percent, without the dust of binary fractions.
pub(super) fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

//! Where faults bite: pods of a service, and two sides of the network, as they are written and as people say them.
//! Not here: finding them among a scenario's services (`crate::scenario::resolve`).

use hoplab_config::quantity::Share;
use hoplab_config::{At, Context, Table};

use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::{Between, Side, Target, Ways};

/// Pods of a service: `service = "payment", replica = 0`.
pub(crate) struct WrittenTarget {
    pub(crate) service: Option<At<String>>,
    pub(crate) replica: Option<At<u32>>,
}

/// Two sides of the network: `between = ["client", "payment"]`, or `from = "client", to = "payment"`, or a target and
/// everything else.
pub(crate) enum WrittenSides {
    Between(At<Vec<At<String>>>),
    OneWay { from: Option<At<String>>, to: Option<At<String>> },
    Around(WrittenTarget),
}

/// Reads which pods.
pub(super) fn target(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> WrittenTarget {
    WrittenTarget { service: table.required("service", context), replica: table.optional("replica", context) }
}

/// Two sides of the network, and of how many connections between them: `connections = "10%"`.
pub(crate) struct WrittenBetween {
    pub(crate) sides: WrittenSides,
    pub(crate) connections: Option<At<Share>>,
}

/// Reads which sides.
pub(super) fn sides(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<WrittenBetween> {
    Some(WrittenBetween { sides: ways(table, &["between", "service"], context)?, connections: None })
}

/// Reads which sides, which way, and of how many connections.
pub(super) fn directed(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<WrittenBetween> {
    let connections = table.optional("connections", context);
    Some(WrittenBetween { sides: ways(table, &["between", "from", "service"], context)?, connections })
}

/// Reads what one of these `keys` begins.
fn ways(table: &mut Table<'_, '_>, keys: &[&'static str], context: &mut Context<'_>) -> Option<WrittenSides> {
    if let Some(place) = ["from", "to"].iter().find_map(|key| table.key_place(key))
        && !keys.contains(&"from")
    {
        context.error(place, "this is both ways").hint("write `between = [\"order\", \"payment\"]`");
        for key in ["from", "to"] {
            table.pass(key);
        }
        return None;
    }
    // `to` alone lacks its `from`.
    let begins = |key: &&'static str| table.has(key) || (*key == "from" && table.has("to"));
    let begun: Vec<&'static str> = keys.iter().copied().filter(begins).collect();
    let [key] = begun[..] else {
        let one_way = if keys.contains(&"from") { ", or `from` and `to` for one way" } else { "" };
        let hint = format!(
            "write `between = [\"order\", \"payment\"]`, or `service = \"payment\"` for all its traffic{one_way}"
        );
        let fact = match begun[..] {
            [] => "nothing says where".to_owned(),
            _ => format!("both \"{}\"", begun.join("\" and \"")),
        };
        context.error(table.place, fact).hint(hint);
        return None;
    };
    keys.iter().filter(|other| **other != key).for_each(|other| table.accept(other));
    Some(match key {
        "between" => {
            table.accept("replica");
            return table.optional("between", context).map(WrittenSides::Between);
        }
        "from" => {
            WrittenSides::OneWay { from: table.required("from", context), to: table.required("to", context) }
        }
        _ => WrittenSides::Around(target(table, context)),
    })
}

/// Pods as people say them: `payment-0`.
pub(super) fn pods(services: &[Service], target: Target) -> String {
    let name = &services[target.service.0].name;
    target.replica.map_or_else(|| name.clone(), |replica| format!("{name}-{replica}"))
}

/// A side as people say it: `the gateway`.
pub(super) fn side(services: &[Service], side: Side) -> String {
    match side {
        Side::Pods(target) => pods(services, target),
        Side::Clients => "clients".to_owned(),
        Side::Gateway => "the gateway".to_owned(),
    }
}

/// Sides as people say them: `between clients and the gateway`.
pub(super) fn between(services: &[Service], between: Between) -> String {
    let a = side(services, between.a);
    let b = between.b.map_or_else(|| "everything else".to_owned(), |b| side(services, b));
    let ways = match between.ways {
        Ways::Both => format!("between {a} and {b}"),
        Ways::Forth => format!("from {a} to {b}"),
    };
    if between.connections < 1.0 {
        format!("{ways} on {} % of connections", percent(between.connections))
    } else {
        ways
    }
}

/// A share in percent, without the dust of binary fractions.
pub(super) fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

//! Where faults bite: pods of a service, and two sides of the network, as they are written and as people say them.
//! Not here: finding them among a scenario's services (`crate::scenario::resolve`).

use hoplab_config::form::{Form, Key};
use hoplab_config::quantity::Share;
use hoplab_config::{At, Context, Keys, Read, Required, Table, key, table, way};

use crate::scenario::plan::application::Service;
use crate::scenario::plan::party::GATEWAY;
use crate::scenario::plan::target::{Between, Side, Target, Ways, Workload};

table! {
    /// Pods of a service, or of the gateway: `service = "payment", replica = 0`.
    pub(crate) struct WrittenTarget {
        /// Of which service, or of `gateway`.
        pub(crate) service: String as ServiceName = Required::BARE,
        /// Which of its pods, from 0 on.
        pub(crate) replica: u32 = "all",
    }
}

way!(ServiceName: String, Form::Text { what: "a service, or `gateway`", example: "payment" }, String::read);
way!(pub(super) Party: String, party(), String::read);
way!(Two: Vec<At<String>>, Form::List(Box::new(party())), Vec::read);

/// Who stands at one end of a connection.
fn party() -> Form {
    Form::Text { what: "a service, a pod, `client` or `gateway`", example: "payment-0" }
}

/// Two sides of the network: `between = ["client", "payment"]`, or `from = "client", to = "payment"`, or a target and
/// everything else.
#[derive(Debug, Clone)]
pub(crate) enum WrittenSides {
    Between(At<Vec<At<String>>>),
    OneWay { from: Option<At<String>>, to: Option<At<String>> },
    Around(WrittenTarget),
}

/// Two sides of the network, `None` when that was noted as a problem, and of how many connections between them:
/// `connections = "10%"`.
#[derive(Debug, Clone)]
pub(crate) struct WrittenBetween {
    pub(crate) sides: Option<WrittenSides>,
    pub(crate) connections: Option<At<Share>>,
}

/// Sides, both ways.
#[derive(Debug, Clone)]
pub(crate) struct BothWays(pub(super) WrittenBetween);

/// Sides, one way or both, and of how many connections.
#[derive(Debug, Clone)]
pub(crate) struct Directed(pub(super) WrittenBetween);

impl Keys for BothWays {
    fn keys() -> Vec<Key> {
        vec![
            key!(["Two sides; or `service`, for all its traffic."] between: Vec<At<String>> [Two] []),
            key!(["A service, for all its traffic."] service: String [ServiceName] []),
            key!(["With `service`: which of its pods, from 0 on."] replica: u32 [] ["all"]),
        ]
    }

    fn take(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self {
        Self(WrittenBetween { sides: sides(table, &["between", "service"], context), connections: None })
    }
}

impl Keys for Directed {
    fn keys() -> Vec<Key> {
        let one_way = vec![
            key!(["Instead of `between`, with `to`: one way only."] from: String [Party] []),
            key!(["Instead of `between`, with `from`: one way only."] to: String [Party] []),
            key!(["Only so many of their connections, drawn for each."] connections: Share [] ["`\"100%\"`"]),
        ];
        [BothWays::keys(), one_way].concat()
    }

    fn take(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self {
        let connections = table.optional("connections", context);
        Self(WrittenBetween { sides: sides(table, &["between", "from", "service"], context), connections })
    }
}

/// Reads what one of these `keys` begins; where that is wrong, it is all that is wrong with them.
fn sides(
    table: &mut Table<'_, '_>,
    keys: &[&'static str],
    context: &mut Context<'_>,
) -> Option<WrittenSides> {
    let sides = ways(table, keys, context);
    if sides.is_none() {
        for key in ["between", "from", "to", "service", "replica"] {
            table.pass(key);
        }
    }
    sides
}

/// Reads what one of these `keys` begins.
fn ways(table: &mut Table<'_, '_>, keys: &[&'static str], context: &mut Context<'_>) -> Option<WrittenSides> {
    if let Some(place) = ["from", "to"].iter().find_map(|key| table.key_place(key))
        && !keys.contains(&"from")
    {
        context.error(place, "this is both ways").hint("write `between = [\"order\", \"payment\"]`");
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
        _ => WrittenSides::Around(Keys::take(table, context)),
    })
}

/// Pods as people say them: `payment-0`.
pub(super) fn pods(services: &[Service], target: Target) -> String {
    let Target { workload, .. } = target;
    let name = match workload {
        Workload::Gateway if target.replica.is_none() => return "the gateway".to_owned(),
        Workload::Gateway => GATEWAY,
        Workload::Service(service) => &services[service.0].name,
    };
    target.replica.map_or_else(|| name.to_owned(), |replica| format!("{name}-{replica}"))
}

/// A side as people say it: `the gateway`.
pub(super) fn side(services: &[Service], side: Side) -> String {
    match side {
        Side::Pods(target) => pods(services, target),
        Side::Clients => "clients".to_owned(),
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

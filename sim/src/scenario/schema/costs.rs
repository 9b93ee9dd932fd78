//! What proxies cost, as written: `[costs]` of a scenario and `costs` of a profile.

use hoplab_config::form::{Describe, Form};
use hoplab_config::quantity::{Duration, Share, Size};
use hoplab_config::{At, Context, Place, Read, Required, Value, table};

use crate::costs;
use crate::distribution::Distribution;

table! {
    /// `[costs]`.
    pub(in crate::scenario) struct Costs {
        /// Of the gateway.
        pub(in crate::scenario) gateway: Cost = "its profile's, or hoplab's own, as measured",
        /// Of each sidecar.
        pub(in crate::scenario) sidecar: Cost = "its profile's, or hoplab's own, as measured",
    }
}

table! {
    /// `gateway = { latency = …, cpu = … }`: what its work costs; what a scenario leaves out beside them is not charged.
    pub(in crate::scenario) struct Cost {
        /// What a request takes on no core: a distribution, or how it grows with the share of its cores that is busy, averaged
        /// over about 100 ms: `[{ busy = "0%", latency = "100us" }, { busy = "80%", latency = "300us" }]`, each quantile on a line
        /// in between.
        pub(in crate::scenario) latency: Latency = "none",
        /// What a request takes on a core.
        pub(in crate::scenario) cpu: Duration = "none",
        /// What a request takes on a core besides, once its `cpu` is done, which it does not wait for, such as telemetry.
        pub(in crate::scenario) cpu_after: Duration = "none",
        /// What a KiB of content takes on a core.
        pub(in crate::scenario) kib: Duration = "none",
        /// What a KiB of content takes on a core to encrypt or decrypt.
        pub(in crate::scenario) tls_kib: Duration = "none",
        /// What a TLS handshake takes on a core, on its side.
        pub(in crate::scenario) handshake: Duration = "none",
        /// What an accepted connection takes on a core.
        pub(in crate::scenario) connection: Duration = "none",
        /// Memory of one without connections.
        pub(in crate::scenario) memory: Size = "none",
        /// Memory of each of its connections.
        pub(in crate::scenario) connection_memory: Size = "none",
    }
}

impl Cost {
    /// What is written in `layers`, the upper ones first, over what is `usual`.
    pub(in crate::scenario) fn over(layers: &[&Self], usual: costs::Costs) -> costs::Costs {
        let duration = |of: fn(&Self) -> &Option<At<Duration>>| {
            layers.iter().find_map(|layer| of(layer).as_ref()).map(|at| at.value.0)
        };
        let size = |of: fn(&Self) -> &Option<At<Size>>| {
            layers.iter().find_map(|layer| of(layer).as_ref()).map(|at| at.value.0)
        };
        let latency = layers.iter().find_map(|layer| layer.latency.as_ref());
        costs::Costs {
            latency: latency.map_or(usual.latency, |at| at.value.0.clone()),
            request: duration(|cost| &cost.cpu).unwrap_or(usual.request),
            after: duration(|cost| &cost.cpu_after).unwrap_or(usual.after),
            kib: duration(|cost| &cost.kib).unwrap_or(usual.kib),
            tls_kib: duration(|cost| &cost.tls_kib).unwrap_or(usual.tls_kib),
            handshake: duration(|cost| &cost.handshake).unwrap_or(usual.handshake),
            connection: duration(|cost| &cost.connection).unwrap_or(usual.connection),
            memory: size(|cost| &cost.memory).unwrap_or(usual.memory),
            connection_memory: size(|cost| &cost.connection_memory).unwrap_or(usual.connection_memory),
        }
    }
}

/// A latency: the same however busy the cores are, or points to draw lines between.
#[derive(Debug, Clone)]
pub(in crate::scenario) struct Latency(costs::Latency);

table! {
    /// `{ busy = "80%", latency = "300us" }`.
    struct Point {
        /// Which share of the cores is busy.
        busy: Share = Required::BARE,
        /// What a request takes then.
        latency: Distribution = Required::BARE,
    }
}

impl Read for Latency {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if !value.get_ref().is_array() {
            return match <Distribution as Read>::read(value, place, context)? {
                Distribution::Constant(always) => Some(Self(always.into())),
                latency => Some(Self(costs::Latency::of(latency))),
            };
        }
        let written = Vec::<At<Point>>::read(value, place, context)?;
        if written.is_empty() {
            context.error(place, "a latency at no point").hint("write, say, `\"100us\"`");
        }
        let mut points = Vec::<costs::Point>::new();
        for At { value: Point { busy, latency }, place } in written {
            let (busy, latency) = (busy?.value.0, latency?.value);
            if points.last().is_some_and(|before| before.busy >= busy) {
                let hint = "write the points in rising order of `busy`";
                context.error(place, "a point that is not behind the one before it").hint(hint);
            }
            points.push(costs::Point { busy, latency });
        }
        Some(Self(costs::Latency::new(points)))
    }
}

impl Describe for Latency {
    fn form() -> Form {
        Form::Either(vec![Distribution::form(), Vec::<At<Point>>::form()])
    }
}

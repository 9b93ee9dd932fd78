//! The wires between pods: `[network]`.

use hoplab_proxy::quantity::{Bandwidth, Duration};
use toml::Spanned;
use toml::de::DeValue;

use crate::distribution::Distribution;
use crate::scenario::place::{At, Place};
use crate::scenario::reader::{Context, Named, Read, Table};

/// `[network]`.
#[derive(Default)]
pub(in crate::scenario) struct Network {
    pub(in crate::scenario) line: Line,
    pub(in crate::scenario) bandwidth: Option<At<Bandwidth>>,
    pub(in crate::scenario) zones: Named<Zone>,
}

impl Read for Network {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let latency = table.optional("latency", context);
        let network = Self {
            line: Line::read(latency, &mut table, context),
            bandwidth: table.optional("bandwidth", context),
            zones: table.named("zones", context),
        };
        table.refuse_rest(context);
        Some(network)
    }
}

/// `zones.NAME = { latency = … }`.
pub(in crate::scenario) struct Zone {
    pub(in crate::scenario) line: Line,
}

impl Read for Zone {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let latency = table.required("latency", context);
        let zone = Self { line: Line::read(latency, &mut table, context) };
        table.refuse_rest(context);
        Some(zone)
    }
}

/// What lies between two pods.
#[derive(Default)]
pub(in crate::scenario) struct Line {
    pub(in crate::scenario) latency: Option<At<Distribution>>,
    pub(in crate::scenario) steady_for: Option<At<Duration>>,
    pub(in crate::scenario) jitter: Option<At<Distribution>>,
}

impl Line {
    /// Reads what stands beside a latency.
    fn read(latency: Option<At<Distribution>>, table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self {
        Self {
            latency,
            steady_for: table.optional("steady_for", context),
            jitter: table.optional("jitter", context),
        }
    }
}

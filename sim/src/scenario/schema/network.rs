//! The wires between pods: `[network]`.

use hoplab_config::quantity::{Bandwidth, Duration, Size};
use hoplab_config::{At, Context, Named, Place, Read, Table, wrong_type};
use toml::Spanned;
use toml::de::DeValue;

use crate::distribution::Distribution;

/// `[network]`.
#[derive(Default)]
pub(in crate::scenario) struct Network {
    pub(in crate::scenario) line: Line,
    pub(in crate::scenario) capacity: Capacity,
    pub(in crate::scenario) congestion: Option<At<String>>,
    pub(in crate::scenario) zones: Named<Zone>,
    pub(in crate::scenario) between: Option<At<Vec<At<BetweenZones>>>>,
}

impl Read for Network {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let latency = table.optional("latency", context);
        let network = Self {
            line: Line::read(latency, &mut table, context),
            capacity: Capacity::read(&mut table, context),
            congestion: table.optional("congestion", context),
            zones: table.named("zones", context),
            between: table.optional("between", context),
        };
        table.refuse_rest(context);
        Some(network)
    }
}

/// `zones.NAME = { latency = … }`.
#[derive(Default)]
pub(in crate::scenario) struct Zone {
    pub(in crate::scenario) line: Line,
    pub(in crate::scenario) capacity: Capacity,
}

impl Read for Zone {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let latency = table.required("latency", context);
        let line = Line::read(latency, &mut table, context);
        let zone = Self { line, capacity: Capacity::read(&mut table, context) };
        table.refuse_rest(context);
        Some(zone)
    }
}

/// `{ zones = ["near", "far"], latency = … }`.
pub(in crate::scenario) struct BetweenZones {
    /// Where it begins.
    pub(in crate::scenario) place: Place,
    pub(in crate::scenario) zones: Option<At<Vec<At<String>>>>,
    pub(in crate::scenario) line: Line,
    pub(in crate::scenario) capacity: Capacity,
}

impl Read for BetweenZones {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let zones = table.required("zones", context);
        let latency = table.optional("latency", context);
        let line = Line::read(latency, &mut table, context);
        let between = Self { place, zones, line, capacity: Capacity::read(&mut table, context) };
        table.refuse_rest(context);
        Some(between)
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

/// How much something carries, and how much may wait for it.
#[derive(Default)]
pub(in crate::scenario) struct Capacity {
    pub(in crate::scenario) bandwidth: Option<At<Bandwidth>>,
    pub(in crate::scenario) queue: Option<At<Queue>>,
}

impl Capacity {
    fn read(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self {
        Self { bandwidth: table.optional("bandwidth", context), queue: table.optional("queue", context) }
    }
}

/// `queue`: a number of packets, or a size.
#[derive(Clone, Copy)]
pub(crate) enum Queue {
    Packets(u32),
    Bytes(Size),
}

impl Read for Queue {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => {
                let (number, unit) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
                let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
                if is_number && matches!(unit, "" | "packet" | "packets") {
                    let hint = format!("write the number of packets alone: `{number}`");
                    context.error(place, format!("`{text}` is no size")).hint(hint);
                    return None;
                }
                Size::read(value, place, context).map(Self::Bytes)
            }
            DeValue::Integer(_) => u32::read(value, place, context).map(Self::Packets),
            _ => {
                let expected = ("a number of packets or a size", "write `64` or, say, `\"100 KB\"`");
                wrong_type(value, place, expected, context);
                None
            }
        }
    }
}

//! The wires between pods: `[network]`.

use hoplab_config::form::{Describe, Form};
use hoplab_config::quantity::{Bandwidth, Duration, Size};
use hoplab_config::{At, Choice, Context, Names, Place, Read, Required, Value, table, wrong_type};
use toml::de::DeValue;

use crate::distribution::Distribution;
use crate::scenario::plan::network::CongestionControl;

table! {
    /// `[network]`.
    pub(in crate::scenario) struct Network {
        /// How long a packet takes between any two pods, one way: a distribution over time.
        pub(in crate::scenario) latency: Distribution = "`\"250us\"`",
        /// How TCP deals with congestion.
        pub(in crate::scenario) congestion: CongestionControl = "`\"cubic\"`",
        /// Zones by name: one way to anywhere outside the zone; the longer of two between two zones.
        pub(in crate::scenario) zones: Names<Zone> = "none",
        /// What lies between two zones instead, the same both ways; each key is as without the table when left out.
        pub(in crate::scenario) between: Vec<At<BetweenZones>> = "none",
        ..
        /// How the latency changes.
        pub(in crate::scenario) weather: Weather,
        ..
        /// Of each pod's NIC.
        pub(in crate::scenario) capacity: Capacity,
    }
}

table! {
    /// `zones.NAME = { latency = … }`.
    pub(in crate::scenario) struct Zone {
        /// How long a packet takes to anywhere outside the zone, one way.
        pub(in crate::scenario) latency: Distribution = Required::BARE,
        ..
        /// How the latency changes.
        pub(in crate::scenario) weather: Weather,
        ..
        /// What all that leaves the zone shares, and likewise all that enters it.
        pub(in crate::scenario) capacity: Capacity,
    }
}

table! {
    /// `{ zones = ["near", "far"], latency = … }`.
    pub(in crate::scenario) struct BetweenZones {
        /// The two zones.
        pub(in crate::scenario) zones: Vec<At<String>> = Required::BARE,
        /// How long a packet takes between them, one way.
        pub(in crate::scenario) latency: Distribution = "the longer of theirs",
        ..
        /// How the latency changes.
        pub(in crate::scenario) weather: Weather,
        ..
        /// What all that passes between them shares, each way.
        pub(in crate::scenario) capacity: Capacity,
    }
}

table! {
    /// How the latency between two pods changes.
    pub(in crate::scenario) struct Weather {
        /// How long a latency that varies stays alike; at least 10us.
        pub(in crate::scenario) steady_for: Duration = "the network's; there twice the mean latency, at least 1 ms",
        /// What each packet takes besides, drawn for itself, so that packets overtake each other.
        pub(in crate::scenario) jitter: Distribution = "the network's; there none",
    }
}

table! {
    /// How much something carries, and how much may wait for it.
    pub(in crate::scenario) struct Capacity {
        /// What all that passes shares, each way.
        pub(in crate::scenario) bandwidth: Bandwidth = "unlimited",
        /// How much may wait behind the packet that is being sent, each way; what comes then is dropped.
        pub(in crate::scenario) queue: Queue = "unlimited",
    }
}

impl Choice for CongestionControl {
    const NOUN: &'static str = "congestion control";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Cubic, "cubic", "RFC 9438"),
        (Self::Reno, "reno", "RFC 5681"),
        (Self::Bbr, "bbr", "version 1: by rate and round trip, not by losses"),
    ];
}

/// `queue`: a number of packets, or a size.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Queue {
    Packets(u32),
    Bytes(Size),
}

impl Read for Queue {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
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

impl Describe for Queue {
    fn form() -> Form {
        Form::Either(vec![Form::Whole { least: 1, most: u32::MAX.into() }, Size::form()])
    }
}

//! Where requests come from: `[load.NAME]`.

use hoplab_config::quantity::{Duration, Rate};
use hoplab_config::{At, Context, Named, Place, Read, Table};
use toml::Spanned;
use toml::de::DeValue;

use crate::distribution::{Distribution, Sizes};

/// `[load.NAME]`.
pub(in crate::scenario) struct Load {
    /// Where it begins.
    pub(in crate::scenario) place: Place,
    pub(in crate::scenario) rate: Option<At<Curve>>,
    pub(in crate::scenario) arrivals: Option<At<String>>,
    pub(in crate::scenario) users: Option<At<u32>>,
    pub(in crate::scenario) think: Option<At<Distribution>>,
    /// Where the mix begins; `None` when there is none.
    pub(in crate::scenario) mix_place: Option<Place>,
    pub(in crate::scenario) mix: Named<f64>,
    pub(in crate::scenario) headers: Named<Values>,
    pub(in crate::scenario) request: Option<At<Sizes>>,
    pub(in crate::scenario) timeout: Option<At<Duration>>,
    pub(in crate::scenario) send_deadline: Option<At<bool>>,
    pub(in crate::scenario) sessions: Option<At<u32>>,
    pub(in crate::scenario) zone: Option<At<String>>,
    /// Whether it says `rate`, right or wrong.
    pub(in crate::scenario) says_rate: bool,
    /// Whether it says `users`, right or wrong.
    pub(in crate::scenario) says_users: bool,
}

impl Read for Load {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let load = Self {
            place,
            says_rate: table.has("rate"),
            says_users: table.has("users"),
            rate: table.optional("rate", context),
            arrivals: table.optional("arrivals", context),
            users: table.optional("users", context),
            think: table.optional("think", context),
            mix_place: table.key_place("mix"),
            mix: table.named("mix", context),
            headers: table.named("headers", context),
            request: table.optional("request", context),
            timeout: table.optional("timeout", context),
            send_deadline: table.optional("send_deadline", context),
            sessions: table.optional("sessions", context),
            zone: table.optional("zone", context),
        };
        if load.mix_place.is_none() {
            let fact = "missing key \"mix\"";
            context.error(place, fact).hint("say what is requested: `mix = { \"service.endpoint\" = 1 }`");
        }
        table.refuse_rest(context);
        Some(load)
    }
}

/// What a header field may say: one text, or a list to draw from.
pub(in crate::scenario) struct Values(pub(in crate::scenario) At<Vec<At<String>>>);

impl Read for Values {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let values = if value.get_ref().is_array() {
            Vec::read(value, place, context)?
        } else {
            vec![At { value: String::read(value, place, context)?, place }]
        };
        Some(Self(At { value: values, place }))
    }
}

/// A rate over time: one for all of it, or points to draw lines between.
pub(in crate::scenario) struct Curve(pub(in crate::scenario) Vec<At<Point>>);

/// `{ at = "10s", rate = "200 rps" }`.
pub(in crate::scenario) struct Point {
    pub(in crate::scenario) at: Option<At<Duration>>,
    pub(in crate::scenario) rate: Option<At<Rate>>,
}

impl Read for Curve {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().is_array() {
            return Vec::read(value, place, context).map(Self);
        }
        let rate = Rate::read(value, place, context)?;
        let at = Some(At { value: Duration::default(), place });
        Some(Self(vec![At { value: Point { at, rate: Some(At { value: rate, place }) }, place }]))
    }
}

impl Read for Point {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let point = Self { at: table.required("at", context), rate: table.required("rate", context) };
        table.refuse_rest(context);
        Some(point)
    }
}

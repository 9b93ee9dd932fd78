//! What machines cost in money: `[prices]`.

use hoplab_config::form::Form;
use hoplab_config::quantity::Share;
use hoplab_config::{At, Context, Read, Required, table, way};

use crate::record;

table! {
    /// `[prices]`.
    pub(in crate::scenario) struct Prices {
        /// The currency, as it is to be shown.
        pub(in crate::scenario) currency: String as Currency = Required::BARE,
        /// Of a core for an hour.
        pub(in crate::scenario) core_hour: f64 = 0.0,
        /// Of a GiB of memory for an hour.
        pub(in crate::scenario) gib_hour: f64 = 0.0,
        /// Of a GiB that a pod sends to others.
        pub(in crate::scenario) gib_sent: f64 = 0.0,
        /// Of a million requests that reach the gateway, where it is a managed one: each attempt of a client, also those that it
        /// refuses, but none that finds nobody there.
        pub(in crate::scenario) million_requests: f64 = 0.0,
        /// Which share of the cores that are paid is busy.
        pub(in crate::scenario) utilisation: Share = "`\"100%\"`",
    }
}

way!(Currency: String, Form::Text { what: "a currency", example: "USD" }, String::read);

impl Prices {
    /// What they mean; what cannot be a price is noted.
    pub(in crate::scenario) fn resolve(self, context: &mut Context<'_>) -> Option<record::Prices> {
        let mut price = |written: Option<At<f64>>| {
            let Some(At { value, place }) = written else { return 0.0 };
            if value < 0.0 || !value.is_finite() {
                context.error(place, format!("{value} is no price")).hint("write 0 or more");
            }
            value
        };
        let [core_hour, gib_hour, gib_sent, million_requests] =
            [self.core_hour, self.gib_hour, self.gib_sent, self.million_requests].map(&mut price);
        if let Some(At { value: Share(0.0), place }) = self.utilisation {
            let hint = "write, say, `\"60%\"`";
            context.error(place, "cores of which none is ever busy").hint(hint);
        }
        if let Some(At { value, place }) = &self.currency
            && value.trim().is_empty()
        {
            context.error(*place, "a currency without a name").hint("write, say, `\"USD\"`");
        }
        Some(record::Prices {
            currency: self.currency?.value,
            core_hour,
            gib_hour,
            gib_sent,
            million_requests,
            utilisation: self.utilisation.map_or(1.0, |at| at.value.0),
        })
    }
}

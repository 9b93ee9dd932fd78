//! What is drawn at random, `[explore]`, and what must always hold, `[invariants]`.

use hoplab_config::quantity::{Bandwidth, Duration, Share};
use hoplab_config::{At, Context, Named, Names, Place, Read, Table};
use toml::Spanned;
use toml::de::DeValue;

/// `[explore]`.
#[derive(Default)]
pub(in crate::scenario) struct Explore {
    pub(in crate::scenario) faults: Option<Named<f64>>,
    pub(in crate::scenario) at_most: Option<At<u32>>,
    pub(in crate::scenario) services: Option<At<Vec<At<String>>>>,
    pub(in crate::scenario) lasts: Option<At<Vec<At<Duration>>>>,
    pub(in crate::scenario) times: Option<At<Vec<At<f64>>>>,
    pub(in crate::scenario) add: Option<At<Vec<At<Duration>>>>,
    pub(in crate::scenario) share: Option<At<Vec<At<Share>>>>,
    pub(in crate::scenario) bandwidth: Option<At<Vec<At<Bandwidth>>>>,
}

impl Read for Explore {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let explore = Self {
            faults: table.optional::<Names<f64>>("faults", context).map(|names| names.value.0),
            at_most: table.optional("at_most", context),
            services: table.optional("services", context),
            lasts: table.optional("for", context),
            times: table.optional("times", context),
            add: table.optional("add", context),
            share: table.optional("share", context),
            bandwidth: table.optional("bandwidth", context),
        };
        table.refuse_rest(context);
        Some(explore)
    }
}

/// `[invariants]`.
#[derive(Default)]
pub(in crate::scenario) struct Invariants {
    pub(in crate::scenario) settle: Option<At<Duration>>,
    pub(in crate::scenario) slower: Option<At<f64>>,
    pub(in crate::scenario) errors: Option<At<Share>>,
}

impl Read for Invariants {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let invariants = Self {
            settle: table.optional("settle", context),
            slower: table.optional("slower", context),
            errors: table.optional("errors", context),
        };
        table.refuse_rest(context);
        Some(invariants)
    }
}

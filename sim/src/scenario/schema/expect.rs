//! What must hold of the result: `[[expect]]`. What a bound means depends on the metric, so bounds
//! stay as written here.

use hoplab_config::quantity::{Duration, Share};
use hoplab_config::{At, Context, Place, Read, Table};
use toml::Spanned;
use toml::de::DeValue;

/// An entry of `[[expect]]`.
pub(in crate::scenario) struct Expect {
    pub(in crate::scenario) metric: Option<At<String>>,
    pub(in crate::scenario) of: Option<At<String>>,
    pub(in crate::scenario) edge: Option<At<String>>,
    pub(in crate::scenario) invariant: Option<At<String>>,
    pub(in crate::scenario) decision: Option<At<String>>,
    pub(in crate::scenario) service: Option<At<String>>,
    pub(in crate::scenario) pod: Option<At<String>>,
    pub(in crate::scenario) container: Option<At<String>>,
    pub(in crate::scenario) limit: Option<At<Duration>>,
    pub(in crate::scenario) after: Option<At<String>>,
    pub(in crate::scenario) figure: Option<At<String>>,
    pub(in crate::scenario) bound: Option<At<Bound>>,
    pub(in crate::scenario) architectures: Option<At<Vec<At<String>>>>,
    pub(in crate::scenario) during: Option<At<String>>,
    pub(in crate::scenario) min: Option<At<Bound>>,
    pub(in crate::scenario) max: Option<At<Bound>>,
    pub(in crate::scenario) value: Option<At<Bound>>,
    pub(in crate::scenario) within: Option<At<Share>>,
    /// Whether there is a bound, right or wrong.
    pub(in crate::scenario) bounded: bool,
}

/// A bound: a quantity in a text, or a plain number.
pub(in crate::scenario) enum Bound {
    Text(String),
    Number(f64),
}

impl Read for Expect {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let expect = Self {
            metric: table.required("metric", context),
            of: table.optional("of", context),
            edge: table.optional("edge", context),
            invariant: table.optional("invariant", context),
            decision: table.optional("decision", context),
            service: table.optional("service", context),
            pod: table.optional("pod", context),
            container: table.optional("container", context),
            limit: table.optional("limit", context),
            after: table.optional("after", context),
            figure: table.optional("figure", context),
            bound: table.optional("bound", context),
            architectures: table.optional("in", context),
            during: table.optional("during", context),
            min: table.optional("min", context),
            max: table.optional("max", context),
            value: table.optional("value", context),
            within: table.optional("within", context),
            bounded: ["min", "max", "value", "within"].into_iter().any(|key| table.has(key)),
        };
        table.refuse_rest(context);
        Some(expect)
    }
}

impl Read for Bound {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Self::Text(text.to_string())),
            _ => f64::read(value, place, context).map(Self::Number),
        }
    }
}

//! Many scenarios from one: `[sweep]` and `[search]`.

use hoplab_config::{At, Context, Place, Read, Table};
use toml::Spanned;
use toml::de::DeValue;

use crate::scenario::grid::{self, Axis, Search, Spacing, Steps, Value};

/// `[sweep]`: keys, each with its values.
#[derive(Default)]
pub(in crate::scenario) struct Sweep(pub(in crate::scenario) Vec<Axis>);

impl Read for Sweep {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let axes = Table::open(value, place, context)?.names::<Values>(context);
        if axes.is_empty() {
            let hint = "name a key and its values: `\"load.shoppers.rate\" = [\"100 rps\", \"200 rps\"]`";
            context.error(place, "a sweep over nothing").hint(hint);
        }
        let axis =
            |(key, values): (At<String>, Option<Values>)| Some(Axis { key: key.value, values: values?.0 });
        Some(Self(axes.into_iter().filter_map(axis).collect()))
    }
}

/// A list of values, or a table of steps.
struct Values(Vec<Value>);

impl Read for Values {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if let DeValue::Table(_) = value.get_ref() {
            let mut table = Table::open(value, place, context)?;
            let steps = steps(&mut table, context);
            let inner = table.place;
            table.refuse_rest(context);
            if steps.is_none() && !context.has_errors() {
                context.error(inner, "steps that cannot be counted");
            }
            return Some(Self(steps?.values()));
        }
        let list = Vec::<At<Value>>::read(value, place, context)?;
        if list.is_empty() {
            context.error(place, "a key without a value");
        }
        Some(Self(list.into_iter().map(|at| at.value).collect()))
    }
}

impl Read for Value {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Self::text(text)),
            DeValue::Integer(number) => Some(Self::literal(number.as_str())),
            DeValue::Float(number) => Some(Self::literal(number.as_str())),
            DeValue::Boolean(truth) => Some(Self::literal(&truth.to_string())),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                let hint = "write texts, numbers, `true` or `false`";
                context.error(place, "a value that cannot be varied").hint(hint);
                None
            }
        }
    }
}

/// More steps than this are not meant.
const STEPS_MAX: u32 = 10_000;

/// `from`, `to`, `steps` and `scale`.
fn steps(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Option<Steps> {
    let from = table.required::<Value>("from", context);
    let to = table.required::<Value>("to", context);
    let count = table.required::<u32>("steps", context);
    let scale = table.optional::<String>("scale", context);
    let spacing = match scale.as_ref().map(|scale| scale.value.as_str()) {
        None | Some("linear") => Spacing::Linear,
        Some("log") => Spacing::Log,
        Some(_) => {
            context.unknown("scale", &scale?, ["linear", "log"]);
            return None;
        }
    };
    let (from, to, count) = (from?, to?, count?);
    if !(2..=STEPS_MAX).contains(&count.value) {
        let hint = format!("write 2 to {STEPS_MAX}: both ends count");
        context.error(count.place, format!("{} steps", count.value)).hint(hint);
        return None;
    }
    let ends = grid::measured(&from.value.label).zip(grid::measured(&to.value.label));
    let Some(((low, unit), (high, other))) = ends else {
        let hint = "write, say, `from = \"100 rps\", to = \"900 rps\"`";
        context.error(from.place, "steps between what are no numbers").hint(hint);
        return None;
    };
    if unit.trim() != other.trim() {
        let fact = format!("steps from {} to {}", from.value.label, to.value.label);
        context.error(to.place, fact).hint("write both ends in the same unit");
        return None;
    }
    if low >= high || (spacing == Spacing::Log && low <= 0.0) {
        let hint = "write the lower end first; on a logarithmic scale it is above zero";
        context.error(from.place, "steps that do not rise").hint(hint);
        return None;
    }
    let quoted = from.value.toml.starts_with(['"', '\'']);
    let unit = unit.to_owned();
    Some(Steps { from: low, to: high, unit, quoted, spacing, count: count.value })
}

impl Read for Search {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let key = table.required::<String>("key", context);
        let steps = steps(&mut table, context);
        let at_least = table.optional::<Value>("at_least", context);
        table.refuse_rest(context);
        if let Some(at) = at_least.as_ref().filter(|at| at.value.number.is_none()) {
            context.error(at.place, "a least result that is no number").hint("write, say, `\"300 rps\"`");
        }
        Some(Self { key: key?.value, steps: steps?, at_least: at_least.map(|at| at.value) })
    }
}

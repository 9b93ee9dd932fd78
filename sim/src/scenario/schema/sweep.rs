//! Many scenarios from one: `[sweep]` and `[search]`.

use hoplab_config::form::{Describe, Form};
use hoplab_config::{At, Choice, Context, Names, Place, Read, Required, table, way};
use toml::Spanned;
use toml::de::DeValue;

use crate::scenario::grid::{self, Axis, Search, Spacing, Steps, Value};

/// `[sweep]`: keys, each with its values.
#[derive(Debug, Clone, Default)]
pub(in crate::scenario) struct Sweep(pub(in crate::scenario) Vec<Axis>);

impl Read for Sweep {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Names(axes) = Names::<Values>::read(value, place, context)?;
        if axes.is_empty() {
            let hint = "name a key and its values: `\"load.shoppers.rate\" = [\"100 rps\", \"200 rps\"]`";
            context.error(place, "a sweep over nothing").hint(hint);
        }
        let axis =
            |(key, values): (At<String>, Option<Values>)| Some(Axis { key: key.value, values: values?.0 });
        Some(Self(axes.into_iter().filter_map(axis).collect()))
    }
}

impl Describe for Sweep {
    fn form() -> Form {
        Form::Names { of: "a key of this file by its dotted name", each: Box::new(Values::form()) }
    }
}

/// A list of values, or a table of steps.
struct Values(Vec<Value>);

impl Read for Values {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if let DeValue::Table(_) = value.get_ref() {
            let written = WrittenSteps::read(value, place, context)?;
            let steps = steps(written, context);
            if steps.is_none() && !context.has_errors() {
                context.error(place, "steps that cannot be counted");
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

impl Describe for Values {
    fn form() -> Form {
        Form::Either(vec![Vec::<At<Value>>::form(), WrittenSteps::form()])
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

impl Describe for Value {
    fn form() -> Form {
        Form::Either(vec![
            Form::Text { what: "as in the file", example: "200 rps" },
            f64::form(),
            Form::Truth,
        ])
    }
}

/// More steps than this are not meant.
const STEPS_MAX: u32 = 10_000;

table! {
    /// `{ from = …, to = …, steps = … }`.
    pub(in crate::scenario) struct WrittenSteps {
        /// The lowest value.
        pub(in crate::scenario) from: Value = Required::BARE,
        /// The highest value, in the same unit.
        pub(in crate::scenario) to: Value = Required::BARE,
        /// How many values there are, both ends included.
        pub(in crate::scenario) steps: u32 as Count = Required::BARE,
        /// How they are spread.
        pub(in crate::scenario) scale: Spacing = "`\"linear\"`",
    }
}

table! {
    /// `[search]`.
    pub(in crate::scenario) struct WrittenSearch {
        /// A key of this file by its dotted name; one that `[sweep]` has, too, is searched along once for all its values.
        pub(in crate::scenario) key: String as Dotted = Required::BARE,
        /// A lower result makes `hoplab sweep` exit with 1; one that cannot be judged, with 3.
        pub(in crate::scenario) at_least: Value = "any will do",
        ..
        /// What comes into question.
        pub(in crate::scenario) steps: WrittenSteps,
    }
}

way!(Count: u32, Form::Whole { least: 2, most: STEPS_MAX.into() }, u32::read);
way!(Dotted: String, Form::Text { what: "a dotted key", example: "load.shoppers.rate" }, String::read);

impl Choice for Spacing {
    const NOUN: &'static str = "scale";
    const WORDS: &'static [(Self, &'static str, &'static str)] =
        &[(Self::Linear, "linear", "at equal differences"), (Self::Log, "log", "at equal ratios")];
}

/// What steps mean.
fn steps(written: WrittenSteps, context: &mut Context<'_>) -> Option<Steps> {
    let spacing = written.scale.map_or(Spacing::Linear, |at| at.value);
    let (from, to, count) = (written.from?, written.to?, written.steps?);
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
        let WrittenSearch { key, at_least, steps: written } = WrittenSearch::read(value, place, context)?;
        let steps = steps(written, context);
        if let Some(at) = at_least.as_ref().filter(|at| at.value.number.is_none()) {
            context.error(at.place, "a least result that is no number").hint("write, say, `\"300 rps\"`");
        }
        Some(Self { key: key?.value, steps: steps?, at_least: at_least.map(|at| at.value) })
    }
}

impl Describe for Search {
    fn form() -> Form {
        WrittenSearch::form()
    }
}

//! Durations and sizes that may vary, as texts: `"exp(10ms)"`, `"empirical(times.csv)"`, whose file is read here. Not
//! here: the notation ([`crate::distribution`]).

use hoplab_config::form::{Describe, Form};
use hoplab_config::{Context, Place, Read, quantity, suggest, wrong_type};
use toml::Spanned;
use toml::de::DeValue;

use crate::distribution::{Distribution, Empirical, NotADistribution, Sizes};
use crate::scenario::LONGEST;

impl Read for Distribution {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            let expected = ("a duration or a distribution", "write `\"10ms\"` or, say, `\"exp(10ms)\"`");
            wrong_type(value, place, expected, context);
            return None;
        };
        let mut sample = |file: &str| {
            let source = context.open(file, place)?;
            Empirical::read(file, context.text(source)).map_err(|wrong| format!("{file}: {wrong}"))
        };
        match Self::read(text, &mut sample) {
            Ok(distribution) if distribution.mean() <= LONGEST => Some(distribution),
            Ok(distribution) => {
                let mean = quantity::Duration(distribution.mean());
                context
                    .error(place, format!("a mean of {mean} is longer than a run"))
                    .hint("write 17h or less");
                None
            }
            Err(wrong) => no_distribution(&wrong, place, context),
        }
    }
}

impl Describe for Distribution {
    fn form() -> Form {
        Form::Text { what: "a duration or a distribution", example: "exp(10ms)" }
    }
}

impl Describe for Sizes {
    fn form() -> Form {
        Form::Text { what: "a size or a distribution of sizes", example: "exp(1 KiB)" }
    }
}

impl Read for Sizes {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            let expected = ("a size or a distribution", "write `\"1 KiB\"` or, say, `\"exp(1 KiB)\"`");
            wrong_type(value, place, expected, context);
            return None;
        };
        let mut sample = |file: &str| {
            let source = context.open(file, place)?;
            let read = Empirical::read_sizes(file, context.text(source));
            read.map_err(|wrong| format!("{file}: {wrong}"))
        };
        match Self::read(text, &mut sample) {
            Ok(sizes) if sizes.mean() <= Self::LARGEST => Some(sizes),
            Ok(sizes) => {
                let fact = format!("`{}` of content cannot be simulated", quantity::Size(sizes.mean()));
                context.error(place, fact).hint("write 64 MiB or less");
                None
            }
            Err(wrong) => no_distribution(&wrong, place, context),
        }
    }
}

/// Notes that a text is no distribution.
fn no_distribution<T>(wrong: &NotADistribution, place: Place, context: &mut Context<'_>) -> Option<T> {
    match wrong.unknown_name() {
        Some(name) => {
            let hint = suggest::hint(name, Distribution::names());
            context.error(place, format!("unknown distribution \"{name}\"")).hint(hint);
        }
        None => context.complaint(place, &wrong.to_string()),
    }
    None
}

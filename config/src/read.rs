//! Reads values of a TOML text: everything keeps its place, and what is wrong is noted and left out, so that one pass
//! finds all problems. Here are the values that all files have in common; tables are [`mod@crate::table`]'s.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use crate::context::Context;
use crate::form::{Describe, Form, Word};
use crate::place::{At, Place};
use crate::{quantity, suggest};

/// What any text is told to be, and how it is written.
const A_TEXT: (&str, &str) = ("a text", "write one text, in quotes");

/// A value of a TOML text.
pub type Value<'i> = Spanned<DeValue<'i>>;

/// Something that can be read from a TOML value.
pub trait Read: Sized {
    /// Reads `value`, which stands at `place`; `None` when that was noted as a problem.
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self>;
}

/// A way to read a `T`, which may have several, or none of its own.
pub trait ReadAs<T> {
    /// What may be written.
    fn form() -> Form;

    /// As [`Read::read`].
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<T>;
}

/// The way of the type itself.
pub struct Plain;

impl<T: Read + Describe> ReadAs<T> for Plain {
    fn form() -> Form {
        T::form()
    }

    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<T> {
        T::read(value, place, context)
    }
}

/// A duration that is not zero.
pub struct AboveZero;

impl ReadAs<Duration> for AboveZero {
    fn form() -> Form {
        Duration::form()
    }

    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Duration> {
        above_zero(value, place, context, "leave the key out for the default")
    }
}

/// Reads a duration that is not zero; else that is noted, with this hint.
pub fn above_zero(
    value: &Value<'_>,
    place: Place,
    context: &mut Context<'_>,
    hint: &str,
) -> Option<Duration> {
    let check = |duration: &Duration| if duration.is_zero() { Err("must be above zero") } else { Ok(()) };
    checked(value, place, context, check, hint)
}

/// A number that is not zero.
pub struct AtLeastOne;

impl ReadAs<u32> for AtLeastOne {
    fn form() -> Form {
        Form::Whole { least: 1, most: u32::MAX.into() }
    }

    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<u32> {
        let check = |number: &u32| if *number == 0 { Err("must be at least 1") } else { Ok(()) };
        checked(value, place, context, check, "leave the key out for the default")
    }
}

/// Reads a `T` that passes `check`; else its fact is noted, with this hint.
pub fn checked<T: Read, F: Into<String>>(
    value: &Value<'_>,
    place: Place,
    context: &mut Context<'_>,
    check: impl Fn(&T) -> Result<(), F>,
    hint: &str,
) -> Option<T> {
    let read = T::read(value, place, context)?;
    match check(&read) {
        Ok(()) => Some(read),
        Err(fact) => {
            context.error(place, fact).hint(hint);
            None
        }
    }
}

/// Reads a text that `parse` takes. What it says otherwise is a complaint: `… is none: write …`. `expected` is what
/// belongs there, and how it is written.
pub fn parsed<T, E: ToString>(
    value: &Value<'_>,
    place: Place,
    expected: (&str, &str),
    context: &mut Context<'_>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Option<T> {
    let Some(text) = value.get_ref().as_str() else {
        wrong_type(value, place, expected, context);
        return None;
    };
    parse(text).map_err(|wrong| context.complaint(place, &wrong.to_string())).ok()
}

/// Reads a list of what `read` reads; all that is wrong with it is noted.
pub fn each<T>(
    value: &Value<'_>,
    place: Place,
    context: &mut Context<'_>,
    mut read: impl FnMut(&Value<'_>, Place, &mut Context<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    let list = items(value, place, context)?.map(|(item, place)| read(item, place, context));
    // Collected first, so that what follows a mistake is read, too.
    list.collect::<Vec<_>>().into_iter().collect()
}

/// What a list holds, each with its place.
fn items<'v, 'i>(
    value: &'v Value<'i>,
    place: Place,
    context: &mut Context<'_>,
) -> Option<impl Iterator<Item = (&'v Value<'i>, Place)> + use<'v, 'i>> {
    let Some(array) = value.get_ref().as_array() else {
        wrong_type(value, place, ("a list", "write `[ … ]`"), context);
        return None;
    };
    Some(array.iter().map(move |item| (item, Place::new(place.source, item.span()))))
}

/// Reads a list of texts that `parse` takes each.
pub fn texts<T, E: ToString>(
    value: &Value<'_>,
    place: Place,
    context: &mut Context<'_>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<Vec<T>> {
    each(value, place, context, |value, place, context| parsed(value, place, A_TEXT, context, &parse))
}

/// A list of texts in a notation, as [`texts`] reads it.
pub fn texts_form(what: &'static str, example: &'static str) -> Form {
    Form::List(Box::new(Form::Text { what, example }))
}

/// Something that is one of a few words.
pub trait Choice: Copy + 'static {
    /// What it is, for those who write another word: `balance`.
    const NOUN: &'static str;
    /// Each of them with its word and with what that means.
    const WORDS: &'static [(Self, &'static str, &'static str)];
}

impl<T: Choice> Read for T {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Some(text) = value.get_ref().as_str() else {
            let hint = format!("write one of {}", suggest::list(T::WORDS.iter().map(|(_, word, _)| *word)));
            wrong_type(value, place, ("a word", &hint), context);
            return None;
        };
        let found = T::WORDS.iter().find(|(_, word, _)| *word == text).map(|(value, _, _)| *value);
        if found.is_none() {
            let name = At { value: text.to_owned(), place };
            context.unknown(T::NOUN, &name, T::WORDS.iter().map(|(_, word, _)| *word));
        }
        found
    }
}

impl<T: Choice> Describe for T {
    fn form() -> Form {
        Form::Word(T::WORDS.iter().map(|&(_, name, about)| Word { name, about }).collect())
    }
}

/// Notes that something else was expected, and how that is written.
pub fn wrong_type(
    value: &Value<'_>,
    place: Place,
    (expected, hint): (&str, &str),
    context: &mut Context<'_>,
) {
    let found = match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    context.error(place, format!("{found} where {expected} belongs")).hint(hint);
}

impl Read for String {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        parsed(value, place, A_TEXT, context, |text| Ok::<_, Infallible>(text.to_owned()))
    }
}

impl Describe for String {
    fn form() -> Form {
        Form::Text { what: "a text", example: "near" }
    }
}

impl Read for bool {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            wrong_type(value, place, ("`true` or `false`", "write the word without quotes"), context);
        }
        truth
    }
}

impl Describe for bool {
    fn form() -> Form {
        Form::Truth
    }
}

impl Read for u64 {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let Some(integer) = value.get_ref().as_integer() else {
            wrong_type(value, place, ("a whole number", "write, say, `3`"), context);
            return None;
        };
        let digits = integer.as_str().replace('_', "");
        let number = Self::from_str_radix(&digits, integer.radix()).ok();
        if number.is_none() {
            let is_negative = digits.starts_with('-');
            let (why, hint) =
                if is_negative { ("negative", "write 0 or more") } else { ("too large", "write less") };
            context.error(place, format!("`{}` is {why}", integer.as_str())).hint(hint);
        }
        number
    }
}

impl Describe for u64 {
    fn form() -> Form {
        Form::Whole { least: 0, most: Self::MAX }
    }
}

/// Reads a whole number that must be small.
fn small<T: TryFrom<u64>>(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<T> {
    let number = u64::read(value, place, context)?;
    let small = T::try_from(number).ok();
    if small.is_none() {
        context.error(place, format!("`{number}` is too large")).hint("write less");
    }
    small
}

impl Read for u32 {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        small(value, place, context)
    }
}

impl Describe for u32 {
    fn form() -> Form {
        Form::Whole { least: 0, most: u32::MAX.into() }
    }
}

impl Read for u16 {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        small(value, place, context)
    }
}

impl Read for f64 {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let text = match value.get_ref() {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            _ => {
                wrong_type(value, place, ("a number", "write, say, `1.5`"), context);
                return None;
            }
        };
        let number = text.replace('_', "").parse().ok().filter(|number: &Self| number.is_finite());
        let (why, hint) = match number {
            Some(number) if number >= 0.0 => return Some(number),
            Some(_) => ("is negative", "write 0 or more"),
            None => ("is no finite number", "write, say, `1.5`"),
        };
        context.error(place, format!("`{text}` {why}")).hint(hint);
        None
    }
}

impl Describe for f64 {
    fn form() -> Form {
        Form::Number { least: 0.0 }
    }
}

impl Read for SocketAddr {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        const HINT: &str = "write an IP address and a port, such as `\"0.0.0.0:8080\"` or `\"[::1]:8080\"`";
        parsed(value, place, ("an address with a port", HINT), context, |text| {
            text.parse().map_err(|_| format!("`{text}` is no address with a port: {HINT}"))
        })
    }
}

impl Describe for SocketAddr {
    fn form() -> Form {
        Form::Text { what: "an IP address with a port", example: "127.0.0.1:8080" }
    }
}

impl<T: Read> Read for Vec<At<T>> {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let items = items(value, place, context)?;
        let read = |(item, place)| T::read(item, place, context).map(|value| At { value, place });
        Some(items.filter_map(read).collect())
    }
}

impl<T: Describe> Describe for Vec<At<T>> {
    fn form() -> Form {
        Form::List(Box::new(T::form()))
    }
}

macro_rules! read_quantity {
    ($($quantity:ident, $expected:literal, $example:literal);+ $(;)?) => { $(
        impl Read for quantity::$quantity {
            fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
                let expected = ($expected, concat!("write ", $expected, " such as `\"", $example, "\"`"));
                parsed(value, place, expected, context, str::parse)
            }
        }

        impl Describe for quantity::$quantity {
            fn form() -> Form {
                Form::Text { what: $expected, example: $example }
            }
        }
    )+ };
}

read_quantity! {
    Duration, "a duration", "250us";
    Rate, "a rate", "200 rps";
    Size, "a size", "1 KiB";
    Share, "a percentage", "2%";
    Bandwidth, "a bandwidth", "10 Gbps";
    Spread, "a range of durations", "25ms..250ms";
}

impl Read for Duration {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        quantity::Duration::read(value, place, context).map(|duration| duration.0)
    }
}

impl Describe for Duration {
    fn form() -> Form {
        quantity::Duration::form()
    }
}

//! Tables that are written down once: [`table!`](crate::table!) makes of one list of keys the type that holds what was written, its
//! reader, and what reference pages and schemas say of it.

use crate::context::Context;
use crate::form::Key;
use crate::table::Table;

/// A table of keys.
pub trait Keys: Sized {
    /// Its keys.
    fn keys() -> Vec<Key>;

    /// Takes its keys out of `table`, in which others may stand.
    fn take(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self;
}

/// Two tables in one.
impl<A: Keys, B: Keys> Keys for (A, B) {
    fn keys() -> Vec<Key> {
        [A::keys(), B::keys()].concat()
    }

    fn take(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self {
        (A::take(table, context), B::take(table, context))
    }
}

/// The names of the keys at the top of a text, as far as it is TOML.
pub fn names_of(text: &str) -> Vec<String> {
    let (table, _) = toml::de::DeTable::parse_recoverable(text);
    table.get_ref().keys().map(|key| key.get_ref().to_string()).collect()
}

/// What is left of a dotted path where a text, as far as it is TOML, has a value on it: nothing at its end, the rest of it
/// where the value stands in place of a table. `None` where there is no value.
pub fn rest_at<'p>(text: &str, path: &'p str) -> Option<&'p str> {
    let (table, _) = toml::de::DeTable::parse_recoverable(text);
    let (mut table, mut rest) = (table.get_ref(), path);
    while !rest.is_empty() {
        let (key, below) = rest.split_once('.').unwrap_or((rest, ""));
        rest = below;
        match table.get(key)?.get_ref().as_table() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    Some(rest)
}

/// The way in which a key is read: as its type is unless the list of keys names another.
#[macro_export]
#[doc(hidden)]
macro_rules! reader {
    () => {
        $crate::read::Plain
    };
    ($reader:ty) => {
        $reader
    };
}

/// What it means that a key is left out.
#[macro_export]
#[doc(hidden)]
macro_rules! absence {
    () => {
        $crate::form::Absence::Default
    };
    ($default:expr) => {
        $crate::form::Shown::absence(&$default)
    };
}

/// A way to read a value by a function: `way!(Points: u32, form, points)`.
#[macro_export]
macro_rules! way {
    ($visible:vis $way:ident: $value:ty, $form:expr, $read:expr) => {
        $visible struct $way;

        impl $crate::ReadAs<$value> for $way {
            fn form() -> $crate::form::Form {
                $form
            }

            fn read(
                value: &$crate::Value<'_>,
                place: $crate::Place,
                context: &mut $crate::Context<'_>,
            ) -> Option<$value> {
                $read(value, place, context)
            }
        }
    };
}

/// One [`Key`](crate::form::Key) of a list.
#[macro_export]
#[doc(hidden)]
macro_rules! key {
    ([$($doc:literal)+] $key:ident: $value:ty [$($reader:ty)?] [$($default:expr)?]) => {
        $crate::form::Key {
            name: $crate::form::name(stringify!($key)),
            about: $crate::form::about(&[$($doc),+]),
            form: <$crate::reader!($($reader)?) as $crate::read::ReadAs<$value>>::form(),
            default: None $(.or_else(|| $crate::form::Shown::shown(&$default)))?,
            is_required: $crate::absence!($($default)?) != $crate::form::Absence::Default,
        }
    };
}

/// A table whose values keep their places: `pub key: Type as Reader = default`, of which reader and default may be left
/// out; `REQUIRED` for a default says that there is none. After each `..` the keys of another table may stand in this one.
/// A key that is a word of Rust is written `r#for`.
#[macro_export]
macro_rules! table {
    (
        $(#[$table_meta:meta])*
        $visible:vis struct $table:ident {
            $(
                $(#[doc = $doc:literal])+
                $key_visible:vis $key:ident: $value:ty $(as $reader:ty)? $(= $default:expr)?,
            )*
            $(
                ..
                $(#[doc = $rest_doc:literal])+
                $rest_visible:vis $rest:ident: $rest_type:ty,
            )*
        }
    ) => {
        $(#[$table_meta])*
        #[derive(Debug, Clone, Default)]
        $visible struct $table {
            $($(#[doc = $doc])+ $key_visible $key: Option<$crate::At<$value>>,)*
            $($(#[doc = $rest_doc])+ $rest_visible $rest: $rest_type,)*
        }

        impl $crate::Keys for $table {
            fn keys() -> Vec<$crate::form::Key> {
                [
                    vec![$($crate::key!([$($doc)+] $key: $value [$($reader)?] [$($default)?]),)*],
                    $(<$rest_type as $crate::Keys>::keys(),)*
                ]
                .concat()
            }

            fn take(table: &mut $crate::Table<'_, '_>, context: &mut $crate::Context<'_>) -> Self {
                Self {
                    $($key: table.take::<$crate::reader!($($reader)?), $value>(
                        $crate::form::name(stringify!($key)),
                        $crate::absence!($($default)?),
                        context,
                    ),)*
                    $($rest: <$rest_type as $crate::Keys>::take(table, context),)*
                }
            }
        }

        $crate::read_keys!($table);
    };
}

/// Makes [`Read`](crate::Read) and [`Describe`](crate::form::Describe) of [`Keys`].
#[macro_export]
#[doc(hidden)]
macro_rules! read_keys {
    ($table:ty) => {
        impl $crate::Read for $table {
            fn read(
                value: &$crate::Value<'_>,
                place: $crate::Place,
                context: &mut $crate::Context<'_>,
            ) -> Option<Self> {
                let mut table = $crate::Table::open(value, place, context)?;
                let read = <Self as $crate::Keys>::take(&mut table, context);
                table.refuse_rest(context);
                Some(read)
            }
        }

        impl $crate::form::Describe for $table {
            fn form() -> $crate::form::Form {
                $crate::form::Form::Table(<Self as $crate::Keys>::keys())
            }
        }
    };
}

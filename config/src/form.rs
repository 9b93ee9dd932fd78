//! What may be written for a value: the tables that reading, reference pages and JSON Schemas share. A [`Form`] says what
//! a text, a number or a table looks like, a [`Key`] what one key of a table is for. Owns no file.

use std::time::Duration;

use crate::quantity;

/// What may be written for something.
#[derive(Debug, Clone)]
pub enum Form {
    /// A text in a notation.
    Text {
        /// What it is: `a duration`.
        what: &'static str,
        /// One, without quotes.
        example: &'static str,
    },
    /// One of a few words.
    Word(Vec<Word>),
    /// A whole number.
    Whole {
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// A number.
    Number {
        /// The least.
        least: f64,
    },
    /// `true` or `false`.
    Truth,
    /// Any number of these.
    List(Box<Form>),
    /// A table with these keys.
    Table(Vec<Key>),
    /// A table whose keys are names.
    Names {
        /// What has these names: `an upstream`.
        of: &'static str,
        /// What stands under each.
        each: Box<Form>,
    },
    /// One of these forms.
    Either(Vec<Form>),
    /// A form with a name, by which it may stand within itself.
    Named {
        /// Its name, which no other has: `step`.
        name: &'static str,
        /// What it is.
        form: fn() -> Form,
    },
}

impl Form {
    /// How `key` is written with a value of this form.
    pub(crate) fn written(&self, key: &str) -> String {
        match self {
            Self::Table(_) => format!("`[{key}]`"),
            Self::Names { .. } => format!("`[{key}.NAME]`"),
            Self::List(inner) => match &**inner {
                Self::Table(_) => format!("`[[{key}]]`"),
                inner => format!("`{key} = [{}]`", inner.example()),
            },
            Self::Either(forms) => forms.first().map_or_else(String::new, |first| first.written(key)),
            Self::Named { form, .. } => form().written(key),
            form => format!("`{key} = {}`", form.example()),
        }
    }

    fn example(&self) -> String {
        match self {
            Self::Text { example, .. } => format!("\"{example}\""),
            Self::Word(words) => words.first().map_or_else(String::new, |word| format!("\"{}\"", word.name)),
            Self::Whole { least, .. } => least.to_string(),
            Self::Number { least } => format!("{least:?}"),
            Self::Truth => "true".to_owned(),
            Self::Either(forms) => forms.first().map_or_else(String::new, Self::example),
            Self::List(_) | Self::Table(_) | Self::Names { .. } | Self::Named { .. } => "…".to_owned(),
        }
    }
}

/// A word that may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// A key of a table.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: String,
    /// What may be written for it.
    pub form: Form,
    /// What holds when it is left out, as it would be written or in words.
    pub default: Option<String>,
    /// Whether it must be there.
    pub is_required: bool,
}

/// Something of which it is known what may be written for it.
pub trait Describe {
    /// What may be written for it.
    fn form() -> Form;
}

/// What stands behind the `=` of a key in a table of keys: the default.
pub trait Shown {
    /// The default, as it would be written or in words.
    fn shown(&self) -> Option<String>;

    /// What it means that the key is left out.
    fn absence(&self) -> Absence {
        Absence::Default
    }
}

/// What it means that a key is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Its default holds.
    Default,
    /// It is missing; the way out is an example of it.
    Missing,
    /// It is missing; the way out is this, where one can be named.
    MissingWith(Option<&'static str>),
}

/// Behind the `=` of a key: it must be there.
pub const REQUIRED: Required = Required(Absence::Missing);

/// See [`REQUIRED`].
#[derive(Debug, Clone, Copy)]
pub struct Required(Absence);

impl Required {
    /// The same, where no example would help: what belongs there depends on the rest of the file.
    pub const BARE: Self = Self(Absence::MissingWith(None));

    /// The same, with what to do when it is missing.
    pub const fn hinted(hint: &'static str) -> Self {
        Self(Absence::MissingWith(Some(hint)))
    }
}

impl Shown for Required {
    fn shown(&self) -> Option<String> {
        None
    }

    fn absence(&self) -> Absence {
        self.0
    }
}

/// A default that words tell better than a value: `"none"`, `` "as `read`" ``.
impl Shown for &str {
    fn shown(&self) -> Option<String> {
        Some((*self).to_owned())
    }
}

macro_rules! shown_as_written {
    ($($value:ty => $written:expr),+ $(,)?) => { $(
        impl Shown for $value {
            fn shown(&self) -> Option<String> {
                let written: fn(&$value) -> String = $written;
                Some(format!("`{}`", written(self)))
            }
        }
    )+ };
}

shown_as_written! {
    Duration => |duration| format!("\"{}\"", quantity::Duration(*duration)),
    quantity::Share => |share| format!("\"{share}\""),
    quantity::Size => |size| format!("\"{size}\""),
    quantity::Rate => |rate| format!("\"{rate}\""),
    quantity::Spread => |spread| format!("\"{spread}\""),
    u32 => ToString::to_string,
    bool => ToString::to_string,
    f64 => |number| format!("{number:?}"),
}

/// The name of a key, of which `written` is the identifier: `for` of `r#for`.
pub fn name(written: &'static str) -> &'static str {
    written.strip_prefix("r#").unwrap_or(written)
}

/// The text of a doc comment, line by line.
pub fn about(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

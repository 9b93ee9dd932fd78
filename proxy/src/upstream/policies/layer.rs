//! Configuration in layers: what an upper layer leaves out, a lower one says. [`layer!`] makes the table
//! of one policy: every key optional, unknown keys refused, merged key by key.

use std::time::Duration;

use hoplab_config::quantity;

use crate::policy::retry::Condition;

/// What can stand in a layer.
pub(crate) trait Layer: Clone {
    /// This where it says something, else `lower`.
    fn over(&self, lower: &Self) -> Self;

    /// [`Layer::over`], where either may be missing.
    fn layered(upper: Option<&Self>, lower: Option<&Self>) -> Option<Self> {
        match (upper, lower) {
            (Some(upper), Some(lower)) => Some(upper.over(lower)),
            (upper, lower) => upper.or(lower).cloned(),
        }
    }
}

/// Values that are taken as a whole.
macro_rules! whole {
    ($($value:ty),* $(,)?) => {
        $(impl $crate::upstream::policies::layer::Layer for $value {
            fn over(&self, _: &Self) -> Self {
                self.clone()
            }
        })*
    };
}

/// Tables whose keys are merged one by one. A key is written with its bare type and becomes optional; `as` names another
/// way to read it than the type's own, and `=` what holds when no layer says it, for the reference.
macro_rules! layer {
    (
        $(#[$table_meta:meta])*
        pub struct $table:ident {
            $(
                $(#[doc = $doc:literal])+
                pub $key:ident: $value:ty $(as $reader:ty)? $(= $default:expr)?,
            )*
        }
    ) => {
        $(#[$table_meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $table {
            $($(#[doc = $doc])+ pub $key: Option<$value>,)*
        }

        impl $table {
            /// This where it says something, else `lower`.
            #[must_use]
            pub fn over(&self, lower: &Self) -> Self {
                use $crate::upstream::policies::layer::Layer;
                Self { $($key: Layer::layered(self.$key.as_ref(), lower.$key.as_ref()),)* }
            }
        }

        impl $crate::upstream::policies::layer::Layer for $table {
            fn over(&self, lower: &Self) -> Self {
                self.over(lower)
            }
        }

        impl hoplab_config::Keys for $table {
            fn keys() -> Vec<hoplab_config::form::Key> {
                vec![$(hoplab_config::key!([$($doc)+] $key: $value [$($reader)?] [$($default)?]),)*]
            }

            fn take(table: &mut hoplab_config::Table<'_, '_>, context: &mut hoplab_config::Context<'_>) -> Self {
                Self {
                    $($key: table
                        .take::<hoplab_config::reader!($($reader)?), $value>(
                            stringify!($key),
                            hoplab_config::form::Absence::Default,
                            context,
                        )
                        .map(|at| at.value),)*
                }
            }
        }

        hoplab_config::read_keys!($table);
    };
}

pub(crate) use {layer, whole};

whole!(bool, f64, u32, Duration, String, Vec<Condition>, Vec<String>);
whole!(quantity::Share, quantity::Rate, quantity::Size, quantity::Spread);

//! What goes wrong: `[[faults]]`, each with one key that says how. Not here: what stands under that key
//! ([`crate::fault`]).

use hoplab_config::form::{Form, Key};
use hoplab_config::quantity::Duration;
use hoplab_config::{Context, Keys, Read, Required, Table, table, way};

use crate::fault::{self, KINDS, Written};

table! {
    /// An entry of `[[faults]]`.
    pub(in crate::scenario) struct Fault {
        /// A name of its own; not `steady`, `recovery` or `all`.
        pub(in crate::scenario) name: String as Name = Required::BARE,
        /// When it starts.
        pub(in crate::scenario) at: Duration = Required::BARE,
        /// How long it lasts.
        pub(in crate::scenario) r#for: Duration = Required::BARE,
        ..
        /// What goes wrong: exactly one of these.
        pub(in crate::scenario) kind: Kind,
    }
}

way!(Name: String, Form::Text { what: "a name", example: "payment-slow" }, String::read);

/// What goes wrong; `None` when that was noted as a problem.
#[derive(Debug, Clone, Default)]
pub(in crate::scenario) struct Kind(pub(in crate::scenario) Option<Written>);

impl Keys for Kind {
    fn keys() -> Vec<Key> {
        fault::keys()
    }

    fn take(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self {
        let kinds: Vec<usize> = (0..KINDS.len()).filter(|kind| table.has(KINDS[*kind])).collect();
        let inner = kinds.first().and_then(|kind| table.inner(KINDS[*kind], context));
        for kind in KINDS {
            table.accept(kind);
        }
        Self(match kinds[..] {
            [kind] => inner.map(|inner| Written::read(kind, inner, context)),
            [] => {
                let hint = format!("say what goes wrong: one of \"{}\"", KINDS.join("\", \""));
                context.error(table.place, "a fault that does nothing").hint(hint);
                None
            }
            _ => {
                let keys: Vec<&str> = kinds.iter().map(|kind| KINDS[*kind]).collect();
                let fact = format!("a fault with both \"{}\"", keys.join("\" and \""));
                context.error(table.place, fact).hint("a fault does one thing: write two");
                None
            }
        })
    }
}

//! What goes wrong: `[[faults]]`, each with one key that says how. Not here: what stands under that key
//! ([`crate::fault`]).

use hoplab_config::quantity::Duration;
use hoplab_config::{At, Context, Place, Read, Table};
use toml::Spanned;
use toml::de::DeValue;

use crate::fault::{KINDS, Written};

/// An entry of `[[faults]]`.
pub(in crate::scenario) struct Fault {
    pub(in crate::scenario) name: Option<At<String>>,
    pub(in crate::scenario) at: Option<At<Duration>>,
    pub(in crate::scenario) lasts: Option<At<Duration>>,
    pub(in crate::scenario) kind: Option<Written>,
}

impl Read for Fault {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let name = table.required("name", context);
        let at = table.required("at", context);
        let lasts = table.required("for", context);
        let kinds: Vec<usize> = (0..KINDS.len()).filter(|kind| table.has(KINDS[*kind])).collect();
        let inner = kinds.first().and_then(|kind| table.inner(KINDS[*kind], context));
        for kind in KINDS {
            table.accept(kind);
        }
        table.refuse_rest(context);
        let kind = match kinds[..] {
            [kind] => inner.and_then(|inner| Written::read(kind, inner, context)),
            [] => {
                let hint = format!("say what goes wrong: one of \"{}\"", KINDS.join("\", \""));
                context.error(place, "a fault that does nothing").hint(hint);
                None
            }
            _ => {
                let keys: Vec<&str> = kinds.iter().map(|kind| KINDS[*kind]).collect();
                let fact = format!("a fault with both \"{}\"", keys.join("\" and \""));
                context.error(place, fact).hint("a fault does one thing: write two");
                None
            }
        };
        Some(Self { name, at, lasts, kind })
    }
}

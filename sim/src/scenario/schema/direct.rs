//! How services are reached where no proxy stands in between: `[direct]`.

use hoplab_config::{At, Context, Place, Read, Table};
use toml::Spanned;
use toml::de::DeValue;

/// `[direct]`.
#[derive(Default)]
pub(in crate::scenario) struct Direct {
    pub(in crate::scenario) balance: Option<At<String>>,
}

impl Read for Direct {
    fn read(value: &Spanned<DeValue<'_>>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        let mut table = Table::open(value, place, context)?;
        let direct = Self { balance: table.optional("balance", context) };
        table.refuse_rest(context);
        Some(direct)
    }
}

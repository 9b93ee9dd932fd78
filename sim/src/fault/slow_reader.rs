//! `slow_reader`: programs read each of their connections slowly (a phone, a consumer that cannot keep up): what they
//! are sent waits in their kernels until these are full, then in whoever sends it.

use hoplab_config::form::Key;
use hoplab_config::quantity::{Bandwidth as Quantity, Duration};
use hoplab_config::{At, Context, Keys, Required, Table, key};

use super::dice::{Dice, Drawing, Entries};
use super::sides::{Party, side};
use super::{Aim, Fault, Run};
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::{Between, Side, Target, Ways};
use crate::scenario::resolve::surroundings::Surroundings;

/// Each connection is read no faster than so.
#[derive(Debug, Clone)]
pub struct SlowReader {
    /// Whose programs: applications, clients, the gateway.
    pub reader: Side,
    /// Bits a second.
    pub reads: u64,
}

/// As it is written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    reader: Option<At<String>>,
    reads: Option<At<Quantity>>,
}

impl Keys for Written {
    fn keys() -> Vec<Key> {
        vec![
            key!(["Whose programs."] reader: String [Party] [Required::BARE]),
            key!(["How much they read of each of their connections."] reads: Quantity [] [Required::BARE]),
        ]
    }

    fn take(table: &mut Table<'_, '_>, context: &mut Context<'_>) -> Self {
        let reader = match table.key_place("service").filter(|_| !table.has("reader")) {
            Some(place) => {
                let hint = "write `reader = \"payment\"`, or `\"payment-0\"`, `\"client\"`, `\"gateway\"`";
                context.error(place, "who reads is named by `reader`").hint(hint);
                for key in ["service", "replica"] {
                    table.pass(key);
                }
                None
            }
            None => table.required("reader", context),
        };
        Self { reader, reads: table.required("reads", context) }
    }
}

impl Fault for SlowReader {
    const KEY: &'static str = "slow_reader";
    const ABOUT: &'static str = "Programs read their connections slowly: what they are sent waits in their \
                                kernels until these are full, then in whoever sends it.";
    type Written = Written;

    fn resolve(
        written: Self::Written,
        _: Option<&At<Duration>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let reader = surroundings.side(&written.reader?, context);
        Some(Self { reader: reader?, reads: written.reads?.value.0 })
    }

    fn in_words(&self, services: &[Service]) -> String {
        format!("each connection of {} is read at {}", side(services, self.reader), Quantity(self.reads))
    }

    fn aim(&self) -> Aim {
        Aim::Network(Between { a: self.reader, b: None, ways: Ways::Both, connections: 1.0 })
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        vec![("reader", dice.reader(drawing)), ("reads", dice.bandwidth(drawing))]
    }

    async fn run(&self, run: &Run<'_>) {
        let world = run.pods.world();
        let pods = run.pods.side(self.reader).into_iter();
        run.trouble(pods.map(|pod| world.read_slowly(pod, self.reads)).collect()).await;
    }
}

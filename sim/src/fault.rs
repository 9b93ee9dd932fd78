//! Faults: what goes wrong for a while. A kind of fault is one file, which reads its table, resolves what it names,
//! says it in words, draws it for exploration and carries it out; the list at the end of this file names them all.
//! A new kind is its file and its line there, and whatever it lacks does not compile.
//!
//! Read [`Fault`] first, then any kind. Not here: when a fault begins and ends ([`crate::timetable`]), which is on
//! and how often it has bitten ([`crate::faults`]).

mod bandwidth;
mod crash;
pub(crate) mod dice;
mod error;
mod latency;
mod loss;
mod of_network;
mod of_pods;
mod partition;
mod pause;
mod reset;
mod restart;
mod run;
pub(crate) mod sides;
mod slow;
mod slow_reader;
mod vanish;

use hoplab_config::form::{Form, Key};
use hoplab_config::quantity::Duration as Quantity;
use hoplab_config::{At, Context, Keys, Table};

use crate::scenario::plan::application::{Service, ServiceId};
use crate::scenario::plan::target::{Between, Side, Target, Workload};
use crate::scenario::resolve::surroundings::Surroundings;
use dice::{Dice, Drawing, Entries};

pub(crate) use run::Run;

/// A kind of fault, with what it takes: as it is carried out.
pub(crate) trait Fault: Sized {
    /// What names it in a scenario.
    const KEY: &'static str;
    /// What it is, for who writes one.
    const ABOUT: &'static str;
    /// What stands in a scenario's table under that key.
    type Written: Keys;

    /// Finds what was named among the `surroundings`; `lasts` is how long the fault does.
    fn resolve(
        written: Self::Written,
        lasts: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self>;

    /// What it does, in words.
    fn in_words(&self, services: &[Service]) -> String;

    /// What it is aimed at.
    fn aim(&self) -> Aim;

    /// The pods that begin anew because of it.
    fn renews(&self) -> Option<Target>;

    /// Draws the table that says what it does.
    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries;

    /// Carries it out: begins at once, and is over when the fault's time is.
    async fn run(&self, run: &Run<'_>);
}

/// What a fault is aimed at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    /// Pods.
    Pods(Target),
    /// What passes between two sides.
    Network(Between),
}

impl Aim {
    fn sides(self) -> impl Iterator<Item = Side> {
        let (a, b) = match self {
            Self::Pods(target) => (Side::Pods(target), None),
            Self::Network(Between { a, b, .. }) => (a, b),
        };
        std::iter::once(a).chain(b)
    }

    /// The services, by index.
    pub(crate) fn services(self) -> Vec<usize> {
        let service = |side| match side {
            Side::Pods(target) => target.service().map(|service| service.0),
            Side::Clients => None,
        };
        self.sides().filter_map(service).collect()
    }

    /// Whether it is aimed at the gateway.
    pub(crate) fn is_at_gateway(self) -> bool {
        self.sides().any(|side| matches!(side, Side::Pods(Target { workload: Workload::Gateway, .. })))
    }
}

/// The key of a kind, which stands alone in its entry.
fn key<F: Fault>() -> Key {
    Key {
        name: F::KEY,
        about: F::ABOUT.to_owned(),
        form: Form::Table(F::Written::keys()),
        default: None,
        is_required: false,
    }
}

/// What stands for a fault that is wrong, so that expectations may refer to it.
pub(crate) fn nothing() -> Kind {
    Kind::Crash(crash::Crash { target: Target::of_service(ServiceId(0), None) })
}

/// Writes out, for each kind, what must be known of every one.
macro_rules! kinds {
    ($($kind:ident in $file:ident),* $(,)?) => {
        /// What a fault does.
        #[derive(Debug, Clone)]
        pub enum Kind {
            $(#[doc = concat!("As `fault/", stringify!($file), ".rs` says.")]
            $kind($file::$kind),)*
        }

        /// What a fault does, as it is written.
        #[derive(Debug, Clone)]
        pub(crate) enum Written {
            $($kind(<$file::$kind as Fault>::Written),)*
        }

        /// The kinds of faults, by their keys in a scenario.
        pub const KINDS: [&str; [$(stringify!($file)),*].len()] = [$(<$file::$kind as Fault>::KEY),*];

        /// The key of each kind, with what stands under it.
        pub(crate) fn keys() -> Vec<Key> {
            vec![$(key::<$file::$kind>()),*]
        }

        impl Kind {
            /// The key that names it in a scenario.
            pub fn key(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => <$file::$kind as Fault>::KEY,)*
                }
            }

            /// What it does, in words: `payment-0 is down`.
            pub(crate) fn in_words(&self, services: &[Service]) -> String {
                match self {
                    $(Self::$kind(fault) => fault.in_words(services),)*
                }
            }

            /// What it is aimed at.
            pub(crate) fn aim(&self) -> Aim {
                match self {
                    $(Self::$kind(fault) => fault.aim(),)*
                }
            }

            /// The pods that begin anew because of it.
            pub(crate) fn renews(&self) -> Option<Target> {
                match self {
                    $(Self::$kind(fault) => fault.renews(),)*
                }
            }

            /// Carries it out.
            pub(crate) async fn run(&self, run: &Run<'_>) {
                match self {
                    $(Self::$kind(fault) => fault.run(run).await,)*
                }
            }
        }

        impl Written {
            /// Reads the table of the `place`th of [`KINDS`].
            pub(crate) fn read(
                place: usize,
                mut table: Table<'_, '_>,
                context: &mut Context<'_>,
            ) -> Self {
                let of_kinds: [fn(&mut Table<'_, '_>, &mut Context<'_>) -> Self; KINDS.len()] =
                    [$(|table, context| Self::$kind(Keys::take(table, context))),*];
                let written = of_kinds[place](&mut table, context);
                table.refuse_rest(context);
                written
            }

            /// Finds what was named.
            pub(crate) fn resolve(
                self,
                lasts: Option<&At<Quantity>>,
                surroundings: &Surroundings<'_>,
                context: &mut Context<'_>,
            ) -> Option<Kind> {
                Some(match self {
                    $(Self::$kind(written) => {
                        Kind::$kind(Fault::resolve(written, lasts, surroundings, context)?)
                    })*
                })
            }
        }

        /// Draws what a fault of the `place`th of [`KINDS`] does.
        pub(crate) fn draw(place: usize, dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
            let of_kinds: [fn(&mut Dice, &Drawing<'_>) -> Entries; KINDS.len()] =
                [$(<$file::$kind as Fault>::draw),*];
            of_kinds[place](dice, drawing)
        }
    };
}

kinds! {
    Slow in slow,
    Error in error,
    Crash in crash,
    Restart in restart,
    Partition in partition,
    Latency in latency,
    Loss in loss,
    Reset in reset,
    Bandwidth in bandwidth,
    Pause in pause,
    Vanish in vanish,
    SlowReader in slow_reader,
}

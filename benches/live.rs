//! What the benches on real sockets share: programs as child processes, whose processor time is
//! metered, an origin behind them and a client before them.
//!
//! Here alone the benches read the wall clock and open sockets. What is measured is for the benches to say.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the benches stand outside the fence: they are the peers, and they measure"
)]

mod client;
mod meter;
pub mod origin;
pub mod peers;
pub mod products;
mod program;

pub use client::Client;
pub use meter::{Spread, this_thread_nanos};
pub use program::{Folder, Program, free_port, hoplab, pin};

//! A mesh over real sockets on the loopback interface: what apps see of it, and what it reports.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
mod crossing;
mod ending;
mod failing;
mod trust;
mod upgrades;

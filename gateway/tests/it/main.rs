//! The gateway over real sockets of this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod balance;
mod buffering;
mod cases;
mod deadlines;
mod drain;
mod edge;
mod envoy;
mod fleet;
mod frames;
mod h2_malformed;
mod h2_mistakes;
mod h2_server;
mod h2_upstream;
mod health;
mod interim;
mod lab;
mod limits;
mod malformed;
mod messages;
mod nginx;
mod own_answers;
mod owners;
#[path = "../../../cli/tests/it/programs.rs"]
mod programs;
mod reload;
mod resilience;
mod retries;
mod routing;
mod sizes;
mod timeouts;
mod upgrades;
mod ways;
mod workers;

//! The gateway over real sockets of this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod balance;
mod deadlines;
mod drain;
mod health;
mod lab;
mod limits;
mod malformed;
mod messages;
mod nginx;
mod resilience;
mod routing;

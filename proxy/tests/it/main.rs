//! The data plane over real sockets of this machine: pools, limits, time, and what is measured.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fleet;
mod http2;
mod lab;
mod pool;
mod queue;
mod tasks;
mod time;

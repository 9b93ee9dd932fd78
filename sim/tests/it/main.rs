//! The simulator from outside: what its hosts do, and what its worlds are true to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conformance;
mod world_faults;
mod world_properties;
mod world_time;
mod worlds;

//! The simulator from outside: what its hosts do, what its worlds are true to, and what its scenario
//! language understands.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod advise;
mod bounds;
mod conformance;
mod connections;
mod figures;
mod intervals;
mod invariants;
mod lab;
mod lens;
mod links;
mod linux_tcp;
mod overlaps;
mod panics;
mod policies;
mod processors;
mod runs;
mod scenario;
mod upgrades;
mod wasted;
mod weather;
mod world_faults;
mod world_properties;
mod world_time;
mod worlds;

//! The world: clock, network, pods, services, load, faults and the recorder; the scenario language.
//!
//! Read it in this order: [`scenario`] (what is asked), [`record`] (what is answered).

pub mod costs;
pub mod crypto;
pub mod distribution;
pub mod random;
pub mod record;
pub mod scenario;

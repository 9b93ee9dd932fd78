//! The world: clock, network, pods, services, load, faults and the recorder; the scenario language.
//!
//! Read it in this order: [`scenario`] (what is asked), [`world`] (where it happens), [`account`] (who owned each microsecond), [`record`] (what is answered).

pub mod account;
pub mod costs;
pub mod crypto;
pub mod distribution;
pub mod journal;
pub mod random;
pub mod record;
pub mod scenario;
pub mod world;

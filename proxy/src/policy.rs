//! The policies: each one small, sync, and of one shape. A policy takes `now` and, where it draws, a
//! random source; it knows no host, no socket and no request.
//!
//! Every policy is a `Config` (what was configured, complete), a state, `admit` or `pick` (decide) and
//! `observe` (learn). Not here: how configuration is written ([`crate::upstream::Policies`]), and who
//! asks a policy when ([`crate::upstream`], [`crate::server`]).

pub mod admission;
pub mod balance;
pub mod breaker;
pub mod budget;
pub mod concurrency;
pub mod deadline;
pub mod failfast;
pub mod health;
pub mod hedge;
mod histogram;
pub mod limit;
pub mod outlier;
pub mod priority;
pub mod retry;

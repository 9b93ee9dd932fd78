//! The scenario language: what a scenario file may say, in two stages.
//!
//! `schema` is what was written, [`plan`] is what it means: every reference an index, every
//! quantity a type; `resolve` leads from one to the other. Everything that runs reads a
//! [`plan::Plan`] and nothing else. What is wrong is a [`Problems`](hoplab_config::Problems), all of it at once. Start at
//! [`load`]; `scenarios/README.md` is the reference of the language.

use std::time::Duration;

pub mod edit;
pub mod generate;
pub mod grid;
mod overrides;
pub(crate) mod phases;
pub mod plan;
pub mod profile;
mod read;
pub(crate) mod resolve;
pub(crate) mod schema;

pub use overrides::Overrides;
pub use read::{application, load, parse};
pub use schema::{application_keys, keys, tables};

/// The longest run, and the longest time of anything in it: timers reach 18 simulated hours, and answers are waited for
/// after the load has ended.
pub(crate) const LONGEST: Duration = Duration::from_secs(17 * 3_600);

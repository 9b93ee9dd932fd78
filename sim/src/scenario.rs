//! The scenario language: what a scenario file may say, in two stages.
//!
//! `schema` is what was written, [`plan`] is what it means: every reference an index, every
//! quantity a type; `resolve` leads from one to the other. Everything that runs reads a
//! [`plan::Plan`] and nothing else. What is wrong is a [`Problems`], all of it at once. Start at
//! [`load`]; `scenarios/README.md` is the reference of the language.

pub mod edit;
pub mod grid;
mod overrides;
pub(crate) mod phases;
pub(crate) mod place;
pub mod plan;
mod problem;
mod read;
pub(crate) mod reader;
pub(crate) mod resolve;
pub(crate) mod schema;
pub(crate) mod source;
pub mod suggest;

pub use overrides::Overrides;
pub use place::Place;
pub use problem::{Problem, Problems, Severity};
pub use read::{load, parse};

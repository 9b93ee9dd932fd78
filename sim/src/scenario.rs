//! The scenario language: what a scenario file may say, in two stages.
//!
//! `schema` is what was written, `plan` is what it means: every reference an index, every
//! quantity a type. Everything that runs reads a [`plan::Plan`] and nothing else.

pub mod plan;

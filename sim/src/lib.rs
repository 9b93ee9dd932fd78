//! The world: clock, network, pods, services, load, faults and the recorder; the scenario language.
//!
//! Read it in this order: [`scenario`] (what is asked), [`world`] (where it happens), [`run`] (that it
//! happens), [`account`] (who owned each microsecond), [`record`] (what is answered).
//!
//! From bottom to top, each knowing only what stands below it: numbers and what is written down (`random`,
//! [`distribution`], [`journal`], [`record`], [`statistics`], [`figures`]); the parts of a plan; [`world`]; the pods of a
//! run (`pods`); each kind of fault (`fault`); the plan itself ([`scenario::plan`]); what is seen ([`recorder`]); what
//! runs (`load`, `service`, `deployment`); one simulation (`simulation`), many ([`batch`]), and what is made of many
//! ([`join`], [`sweep`], [`explore`], [`advise`]).

pub mod account;
mod activity;
pub mod advise;
mod awaited;
pub mod batch;
mod call;
mod closed_form;
pub mod costs;
mod crowd;
pub mod crypto;
mod deployment;
pub mod distribution;
mod drain;
mod expect;
pub mod explore;
mod fault;
mod faults;
pub mod figures;
mod grpc_health;
mod grpc_message;
mod held;
pub mod invariants;
pub mod join;
pub mod journal;
pub mod lens;
mod load;
mod network;
mod pairs;
mod panics;
mod pods;
mod progress;
pub mod random;
pub mod record;
pub mod recorder;
pub mod referee;
pub mod run;
pub mod scenario;
mod service;
mod session;
mod simulation;
mod slices;
pub mod stalls;
pub mod statistics;
pub mod sweep;
mod timetable;
pub mod world;
mod zeros;

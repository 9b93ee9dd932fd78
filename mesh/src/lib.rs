//! The service mesh: a sidecar beside every pod of a service. What the pod's app sends goes through
//! its outbound side, what is sent to the app comes through its inbound side, and between two
//! sidecars there is HTTP/2 over mutual TLS.
//!
//! Read it in this order: [`config`] (what a file says), [`plan`] (what it means), [`sidecar`] (what
//! is done). How requests are forwarded, retried and secured is the shared data plane's matter.

pub mod config;
pub mod plan;
pub mod sidecar;

pub use config::Config;
pub use plan::Plan;

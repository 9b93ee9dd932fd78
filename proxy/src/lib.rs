//! The data plane that the gateway and the mesh share: the seam to the machine ([`host`]), HTTP
//! forwarding, upstreams with their policies, TLS, and what all of it reports ([`telemetry`]).
//!
//! Policies are sync and take the time; async lives in the accept loop, the forwarding and the pool.

pub mod admin;
pub mod body;
pub mod exchange;
mod fault;
pub mod forward;
pub mod forwarded;
mod framing;
pub mod grpc;
mod handover;
mod headers;
pub mod host;
mod http2;
mod instant;
pub mod interim;
pub mod load_control;
pub mod message;
pub mod path;
pub mod policy;
mod random;
pub mod server;
mod stall;
pub mod tasks;
pub mod telemetry;
mod timer;
pub mod tls;
pub mod trust;
mod upgrade;
pub mod upstream;

//! What is so at present, as opposed to what happened: who has a state that can be asked for says so once
//! ([`super::Report::Gauges`]), and is read when somebody wants to know.

use std::sync::Arc;

/// Something with a present state.
pub trait Gauges: Send + Sync {
    /// The state now.
    fn read(&self) -> Vec<Gauge>;
}

/// A part of the present state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gauge {
    /// Of an upstream's endpoint.
    Endpoint(EndpointGauge),
    /// Of a concurrency limit.
    Limit(LimitGauge),
}

/// How an endpoint stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointGauge {
    /// Whose endpoint it is.
    pub upstream: Arc<str>,
    /// Its address.
    pub endpoint: Arc<str>,
    /// Whether requests are sent there: neither ejected, nor down, nor behind an open breaker; unless health is ignored.
    pub is_in: bool,
    /// Whether outlier detection has ejected it.
    pub is_ejected: bool,
    /// Connections that are open or being opened.
    pub connections: u32,
    /// Requests that have a connection.
    pub in_flight: u32,
    /// Requests that wait for one.
    pub pending: u32,
}

/// How a concurrency limit stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitGauge {
    /// What it is about.
    pub name: Arc<str>,
    /// How many requests may be in progress.
    pub limit: u32,
    /// How many are.
    pub in_progress: u32,
}

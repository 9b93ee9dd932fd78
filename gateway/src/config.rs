//! A gateway's configuration as it is written, in TOML: unknown keys are refused, nothing is resolved.
//!
//! ```toml
//! listen = "0.0.0.0:8080"
//! defaults = { timeout = "1s", retry = { attempts = 2, on = ["connect-failure", "503"] } }
//!
//! [upstreams.payment]
//! endpoints = ["payment-0:8080", "payment-1:8080"]
//! breaker = { failures = 5, open_for = "5s" }
//!
//! [[routes]]
//! host = "*.example.com"
//! path = "/payment"
//! methods = ["POST"]
//! upstream = "payment"
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use hoplab_proxy::host::Endpoint;
use hoplab_proxy::upstream::{
    Balance, BreakerPolicy, Policies, PoolPolicy, Protocol, RetryPolicy, above_zero,
};
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

/// What a gateway's file says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 8080 of all addresses when left out.
    pub listen: Option<SocketAddr>,
    /// How upstreams are called, unless they say otherwise.
    #[serde(default)]
    pub defaults: Policies,
    /// Who is called.
    #[serde(default)]
    pub upstreams: BTreeMap<String, UpstreamConfig>,
    /// Which requests go where. When there are none, each upstream answers to its name as host.
    #[serde(default)]
    pub routes: Vec<RouteConfig>,
    /// How long requests in flight may take when the gateway is told to stop.
    #[serde(default, deserialize_with = "above_zero")]
    pub drain_timeout: Option<Duration>,
}

/// Who is called, and how.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Where it listens: `host:port`, at least one.
    #[serde(deserialize_with = "at_least_one")]
    pub endpoints: Vec<Endpoint>,
    /// What it speaks: `http1`, when left out, or `http2`.
    #[serde(default)]
    pub protocol: Protocol,
    /// As [`Policies::timeout`].
    #[serde(default, deserialize_with = "above_zero")]
    pub timeout: Option<Duration>,
    /// As [`Policies::connect_timeout`].
    #[serde(default, deserialize_with = "above_zero")]
    pub connect_timeout: Option<Duration>,
    /// As [`Policies::retry`].
    pub retry: Option<RetryPolicy>,
    /// As [`Policies::breaker`].
    pub breaker: Option<BreakerPolicy>,
    /// As [`Policies::balance`].
    pub balance: Option<Balance>,
    /// As [`Policies::pool`].
    pub pool: Option<PoolPolicy>,
}

/// Which requests go where.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// `shop.example.com`, `*.example.com`, or any when left out.
    pub host: Option<Spanned<String>>,
    /// The path and all below it; all when left out.
    pub path: Option<Spanned<String>>,
    /// For these methods; for all when left out.
    pub methods: Option<Vec<Spanned<String>>>,
    /// The upstream's name.
    pub upstream: Spanned<String>,
}

impl Config {
    /// Reads a gateway's file. The error knows its place in `text`.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

impl UpstreamConfig {
    /// What it says about how it is called.
    pub fn policies(&self) -> Policies {
        Policies {
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            retry: self.retry.clone(),
            breaker: self.breaker.clone(),
            balance: self.balance,
            pool: self.pool.clone(),
        }
    }
}

fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Endpoint>, D::Error> {
    let endpoints = Vec::deserialize(deserializer)?;
    if endpoints.is_empty() {
        return Err(de::Error::custom("there is no endpoint: write at least one `host:port`"));
    }
    Ok(endpoints)
}

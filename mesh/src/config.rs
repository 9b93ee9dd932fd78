//! What a sidecar's configuration file says, as written: unknown keys refused, defaults filled in,
//! nothing resolved and no file read. What it means is [`crate::plan`]'s matter.
//!
//! ```toml
//! service = "order"
//! zone    = "near"             # where this pod stands, for balancing by zone
//!
//! [inbound]
//! listen = "0.0.0.0:15006"
//! app    = "127.0.0.1:8080"
//! tls    = "strict"
//! limits = { rate = { rate = "200 rps", by = "caller" }, concurrency = 100 }
//!
//! [outbound]
//! listen = "127.0.0.1:15001"
//!
//! [identity]
//! certificate = "order.pem"
//! key         = "order-key.pem"
//! authorities = "authorities.pem"
//!
//! [defaults]
//! timeout = "1s"
//!
//! [services.payment]
//! endpoints = ["payment-0:15006", "payment-1:15006"]
//! breaker   = { failures = 5, open_for = "5s" }
//!
//! [[services.payment.routes]]  # what of it is called in a way of its own, over the service's
//! path    = "/refund"
//! methods = ["POST"]
//! timeout = "5s"
//! ```
//!
//! What the sidecar tells of itself; nothing of it when the keys are left out. They stand before the tables:
//!
//! ```toml
//! admin      = "127.0.0.1:9901"  # GET /metrics (Prometheus), /healthz, /ready (503 while draining)
//! access_log = "stdout"          # one JSON object a request and side; or a file's path, from this file's folder
//! spans      = "spans.jsonl"     # OTLP's JSON, one line a request and side, with its attempts
//! ```

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use hoplab_proxy::host::Endpoint;
use hoplab_proxy::load_control::LimitsPolicy;
use hoplab_proxy::telemetry::Sink;
use hoplab_proxy::upstream::{Placed, Policies, Protocol, policies_beside};
use indexmap::IndexMap;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Where inbound sides listen unless a file says otherwise; Istio's port.
pub const INBOUND_PORT: u16 = 15006;

/// Where outbound sides listen unless a file says otherwise; Istio's port.
pub const OUTBOUND_PORT: u16 = 15001;

/// Where apps listen unless a file says otherwise.
pub const APP_PORT: u16 = 8080;

/// A sidecar's configuration file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The service whose pod this is.
    pub service: String,
    /// The zone that the pod stands in.
    pub zone: Option<String>,
    /// The side that requests to the app come through.
    #[serde(default)]
    pub inbound: Inbound,
    /// The side that the app's own requests go through.
    #[serde(default)]
    pub outbound: Outbound,
    /// What the sidecar proves its name with.
    pub identity: Identity,
    /// How services are called that do not say it themselves.
    #[serde(default)]
    pub defaults: Policies,
    /// The services that the app may call, by their names.
    #[serde(default)]
    pub services: IndexMap<String, Service>,
    /// Where metrics and health are asked for; nowhere when left out.
    pub admin: Option<SocketAddr>,
    /// Where each request leaves a line; nowhere when left out.
    pub access_log: Option<Sink>,
    /// Where the traces go that are sampled, or begin here; nowhere when left out.
    pub spans: Option<Sink>,
}

/// The side that requests to the app come through.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inbound {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where the app listens.
    pub app: Endpoint,
    /// What the app speaks.
    pub protocol: Protocol,
    /// Who may come.
    pub tls: Acceptance,
    /// What requests to the app meet.
    pub limits: LimitsPolicy,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::UNSPECIFIED, INBOUND_PORT).into(),
            app: Endpoint::from(SocketAddr::from((Ipv4Addr::LOCALHOST, APP_PORT))),
            protocol: Protocol::default(),
            tls: Acceptance::default(),
            limits: LimitsPolicy::default(),
        }
    }
}

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acceptance {
    /// Everyone: with a certificate of the mesh, or in the clear.
    #[default]
    Permissive,
    /// Only who shows a certificate of the mesh.
    Strict,
}

/// The side that the app's own requests go through.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Where it listens.
    pub listen: SocketAddr,
}

impl Default for Outbound {
    fn default() -> Self {
        Self { listen: (Ipv4Addr::LOCALHOST, OUTBOUND_PORT).into() }
    }
}

/// The PEM files that a sidecar proves its name with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The certificate, then any intermediates.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// The certificates of the authorities that are trusted.
    pub authorities: PathBuf,
}

/// A service that the app may call: `endpoints`, `routes`, and beside them the keys of [`Policies`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    /// The inbound sides of its pods.
    pub endpoints: Vec<Placed>,
    /// How it is called, over [`Config::defaults`].
    pub policies: Policies,
    /// Requests to it that are called in ways of their own.
    pub routes: Vec<Route>,
}

/// Some of a service's requests: `path`, `methods`, and beside them the keys of [`Policies`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Route {
    /// The path and all below it; all when left out.
    pub path: Option<String>,
    /// For these methods; for all when left out.
    pub methods: Vec<String>,
    /// How they are called, over what the service says. A route that says something has breakers, budgets and
    /// connections of its own.
    pub policies: Policies,
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ServiceVisitor)
    }
}

struct ServiceVisitor;

impl<'de> Visitor<'de> for ServiceVisitor {
    type Value = Service;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a service: `endpoints`, `routes` and its policies")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Service, A::Error> {
        let (mut endpoints, mut routes) = (None, Vec::new());
        let policies = policies_beside(map, |key, map| {
            match key {
                "endpoints" => endpoints = Some(map.next_value()?),
                "routes" => routes = map.next_value()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let endpoints = endpoints.ok_or_else(|| A::Error::missing_field("endpoints"))?;
        Ok(Service { endpoints, policies, routes })
    }
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RouteVisitor)
    }
}

struct RouteVisitor;

impl<'de> Visitor<'de> for RouteVisitor {
    type Value = Route;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a route: `path`, `methods` and its policies")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Route, A::Error> {
        let (mut path, mut methods) = (None, Vec::new());
        let policies = policies_beside(map, |key, map| {
            match key {
                "path" => path = Some(map.next_value()?),
                "methods" => methods = map.next_value()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Route { path, methods, policies })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const IDENTITY: &str = "[identity]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\nauthorities = \"a.pem\"\n";

    fn read(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_short_file_means_the_usual() {
        let config = read(&format!("service = \"order\"\n{IDENTITY}")).unwrap();
        assert_eq!(config.inbound.listen.to_string(), "0.0.0.0:15006");
        assert_eq!(config.inbound.app.to_string(), "127.0.0.1:8080");
        assert_eq!(config.inbound.tls, Acceptance::Permissive);
        assert_eq!(config.outbound.listen.to_string(), "127.0.0.1:15001");
        assert!(config.services.is_empty());
        assert_eq!((config.admin, config.access_log, config.spans), (None, None, None));
    }

    #[test]
    fn a_service_has_endpoints_and_beside_them_its_policies() {
        let text = "[services.payment]\nendpoints = [\"payment-0:15006\"]\ntimeout = \"2s\"\n";
        let config = read(&format!("service = \"order\"\n{IDENTITY}{text}")).unwrap();
        let payment = &config.services["payment"];
        assert_eq!(payment.endpoints, [Endpoint::new("payment-0", 15006).into()]);
        assert_eq!(payment.policies.timeout, Some(Duration::from_secs(2)));
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        for (text, complaint) in [
            ("[services.payment]\ntimeout = \"2s\"\n", "missing field `endpoints`"),
            ("[services.payment]\nendpoints = []\nretries = 3\n", "unknown field `retries`"),
            ("[services.payment]\nendpoints = [\"payment\"]\n", "`payment` is not host:port"),
            ("[services.payment]\nendpoints = []\ntimeout = \"2\"\n", "`2` has no unit"),
            ("[inbound]\ntls = \"off\"\n", "unknown variant `off`, expected `permissive` or `strict`"),
            ("[inbound]\nport = 1\n", "unknown field `port`"),
            ("[inbound]\nlimits = { rates = 1 }\n", "unknown field `rates`"),
            ("[inbound]\nlimits.rate = { rate = \"0 rps\" }\n", "a rate limit of zero lets nothing pass"),
            ("[outbound]\nlisten = \"localhost\"\n", "invalid socket address"),
            ("[outbound]\nadmin = \"127.0.0.1:9901\"\n", "unknown field `admin`"),
        ] {
            let error = read(&format!("service = \"order\"\n{IDENTITY}{text}")).unwrap_err();
            assert!(error.contains(complaint), "{text}: {error}");
            assert!(error.contains("at line"), "{text}: {error}");
        }
        assert!(read("service = \"order\"").unwrap_err().contains("missing field `identity`"));
    }
}

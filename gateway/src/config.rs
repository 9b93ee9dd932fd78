//! A gateway's configuration as it is written, in TOML: unknown keys are refused, nothing is resolved.
//!
//! ```toml
//! listen = "0.0.0.0:8080"
//! zone   = "near"                # where this gateway stands, for balancing by zone
//! defaults = { timeout = "1s", retry = { attempts = 2, on = ["connect-failure", "503"] } }
//!
//! [upstreams.payment]
//! endpoints = ["payment-0:8080", "payment-1:8080"]
//! breaker = { failures = 5, open_for = "5s" }
//!
//! [upstreams.cart]
//! endpoints = ["cart-0:8080", { at = "cart-1:8080", weight = 3, zone = "far" }, { at = "cart-2:8080", backup = true }]
//! balance = { kind = "least-request", zone = "prefer" }
//!
//! [[routes]]
//! host = "*.example.com"
//! path = "/payment"
//! methods = ["POST"]
//! upstream = "payment"
//! breaker = { failures = 5, per = "upstream" }
//! ```
//!
//! `[upstreams.payment] deadline = { read = ["grpc-timeout"], reserve = "5ms" }` believes and passes on deadlines;
//! scenarios/README.md has every key of the policies.
//!
//! Limits on what may come in stand at the top, for all requests, and at routes, for those that take them:
//!
//! ```toml
//! limits = { rate = { rate = "1000 rps", by = { header = "x-user" } }, concurrency = 500 }
//! ```
//!
//! What is believed of what requests say of where they come from; nothing when the key is left out:
//!
//! ```toml
//! trusted = ["10.0.0.0/8", "::1"]   # from these addresses; or how many hops stand in front, such as 1
//! ```
//!
//! `X-Forwarded-*` (`X-Forwarded-Client-Cert` among them), `Forwarded`, `X-Real-IP`, `X-Envoy-*` and `X-Attempt-Count`
//! are passed on as a trusted hop wrote them, with this one added; from all others they are replaced by what the gateway
//! knows, or taken off. What goes by the source (limits, hashing, the log's `client`) goes by the address that trusted
//! hops tell: the first in `X-Forwarded-For`, from the right, that is none of theirs; of N hops, the Nth. A number
//! trusts whoever connects, so that nobody but the hop in front must be able to. Fields that a deadline policy reads are
//! believed from everybody.
//!
//! How paths are read, which is how routes are looked up and how requests are sent; as written here when the key is left
//! out:
//!
//! ```toml
//! paths = { slashes = "merge", escaped_slashes = "keep" }
//! ```
//!
//! Dot segments are removed (`/x/../admin`, also `/x/%2e%2e/admin`), unreserved characters are decoded (`/%61dmin`), all
//! else that may not stand in a path is escaped, in upper case (RFC 3986, 5.2.4 and 6.2.2); the query stays as it is. A
//! `%` without two digits is refused with 400, and so is `%00`. `slashes = "merge"` makes one of several slashes;
//! `"keep"` keeps the empty segments between them. `escaped_slashes` is about `%2F` and `%5C`, and backslashes, which are
//! taken for `%5C`: `"keep"` keeps them in their segment, and refuses with 400 what would be a dot segment if they were
//! decoded (`/x%2F..%2Fadmin`); `"refuse"` refuses them all; `"decode"` makes slashes of them. Choose one of these two
//! where a service behind a route decodes them: for it `/admin%2Fusers` is below `/admin`, for the standard it is not.
//!
//! `paths = "as-they-are"` looks up and sends paths as they came. **Beware**: then `//admin`, `/x/../admin` and
//! `/%61dmin` go past a route for `/admin` and its limits, and many services take them for `/admin` all the same. It is
//! for services that must see every byte, behind routes that protect nothing.
//!
//! How long it keeps the connections of its callers; `"75s"` over HTTP/1.1 and for ever over HTTP/2, at any age,
//! when the keys are left out:
//!
//! ```toml
//! keep_alive         = "75s"     # idle for so long, one is closed; longer than whoever stands in front keeps it
//! max_connection_age = "10m"     # a tenth more or less; what was begun is finished
//! send_timeout       = "5m"      # a caller that takes nothing of its answer for so long gets no more of it (the default)
//! ```
//!
//! What the gateway tells of itself; nothing of it when the keys are left out:
//!
//! ```toml
//! admin      = "127.0.0.1:9901"  # GET /metrics (Prometheus), /healthz, /ready (503 while draining)
//! access_log = "stdout"          # one JSON object a request; or a file's path, from this file's folder
//! spans      = "spans.jsonl"     # OTLP's JSON, one line a request: its stay, and each attempt below it
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hoplab_proxy::load_control::LimitsPolicy;
use hoplab_proxy::path::Paths;
use hoplab_proxy::telemetry::Sink;
use hoplab_proxy::trust::Trusted;
use hoplab_proxy::upstream::{Placed, Policies, above_zero, policies_beside};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

/// What a gateway's file says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 8080 of all addresses when left out.
    pub listen: Option<SocketAddr>,
    /// The zone that the gateway stands in.
    pub zone: Option<String>,
    /// How upstreams are called, unless they say otherwise.
    #[serde(default)]
    pub defaults: Policies,
    /// Who is called.
    #[serde(default)]
    pub upstreams: BTreeMap<String, Spanned<UpstreamConfig>>,
    /// Which hops in front are believed.
    #[serde(default)]
    pub trusted: Trusted,
    /// How paths are read.
    #[serde(default)]
    pub paths: Paths,
    /// What all requests meet before their routes.
    pub limits: Option<Spanned<LimitsPolicy>>,
    /// Which requests go where. When there are none, each upstream answers to its name as host.
    #[serde(default)]
    pub routes: Vec<RouteConfig>,
    /// How long a caller's connection may be idle, over either protocol.
    #[serde(default, deserialize_with = "above_zero")]
    pub keep_alive: Option<Duration>,
    /// How old a caller's connection may become, a tenth more or less.
    #[serde(default, deserialize_with = "above_zero")]
    pub max_connection_age: Option<Duration>,
    /// How long a caller may take nothing of its answer.
    #[serde(default, deserialize_with = "above_zero")]
    pub send_timeout: Option<Duration>,
    /// How long requests in flight may take when the gateway is told to stop.
    #[serde(default, deserialize_with = "above_zero")]
    pub drain_timeout: Option<Duration>,
    /// Where metrics and health are asked for; nowhere when left out.
    pub admin: Option<Spanned<SocketAddr>>,
    /// Where each request leaves a line; nowhere when left out.
    pub access_log: Option<Sink>,
    /// Where the traces go that are sampled, or begin here; nowhere when left out.
    pub spans: Option<Spanned<Sink>>,
}

/// Who is called: `endpoints`, and beside them the keys of [`Policies`].
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Where it listens: `host:port`, or a table with weight and zone; at least one.
    pub endpoints: Vec<Placed>,
    /// How it is called, over [`Config::defaults`].
    pub policies: Policies,
}

impl<'de> Deserialize<'de> for UpstreamConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UpstreamVisitor)
    }
}

struct UpstreamVisitor;

impl<'de> Visitor<'de> for UpstreamVisitor {
    type Value = UpstreamConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an upstream: `endpoints` and its policies")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UpstreamConfig, A::Error> {
        let mut endpoints = None;
        let policies = policies_beside(map, |key, map| {
            match key {
                "endpoints" => endpoints = Some(map.next_value::<AtLeastOne>()?.0),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let endpoints = endpoints.ok_or_else(|| A::Error::missing_field("endpoints"))?;
        Ok(UpstreamConfig { endpoints, policies })
    }
}

/// Which requests go where: `host`, `path`, `methods`, `upstream`, `limits`, and beside them the keys of [`Policies`].
#[derive(Debug, Clone)]
pub struct RouteConfig {
    /// `shop.example.com`, `*.example.com`, or any when left out.
    pub host: Option<Spanned<String>>,
    /// The path and all below it; all when left out.
    pub path: Option<Spanned<String>>,
    /// For these methods; for all when left out.
    pub methods: Option<Vec<Spanned<String>>>,
    /// The upstream's name.
    pub upstream: Spanned<String>,
    /// How the upstream is called for these requests, over what it says itself. A route that says something has
    /// breakers, budgets and connections of its own.
    pub policies: Policies,
    /// What its requests meet after what all requests do.
    pub limits: Option<Spanned<LimitsPolicy>>,
}

impl<'de> Deserialize<'de> for RouteConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RouteVisitor)
    }
}

struct RouteVisitor;

impl<'de> Visitor<'de> for RouteVisitor {
    type Value = RouteConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a route: `host`, `path`, `methods`, `upstream`, `limits` and its policies")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RouteConfig, A::Error> {
        let (mut host, mut path, mut methods, mut upstream, mut limits) = (None, None, None, None, None);
        let policies = policies_beside(map, |key, map| {
            match key {
                "host" => host = Some(map.next_value()?),
                "path" => path = Some(map.next_value()?),
                "methods" => methods = Some(map.next_value()?),
                "upstream" => upstream = Some(map.next_value()?),
                "limits" => limits = Some(map.next_value()?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let upstream = upstream.ok_or_else(|| A::Error::missing_field("upstream"))?;
        Ok(RouteConfig { host, path, methods, upstream, policies, limits })
    }
}

impl Config {
    /// Reads a gateway's file. The error knows its place in `text`.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

struct AtLeastOne(Vec<Placed>);

impl<'de> Deserialize<'de> for AtLeastOne {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let endpoints = Vec::deserialize(deserializer)?;
        if endpoints.is_empty() {
            return Err(D::Error::custom("there is no endpoint: write at least one `host:port`"));
        }
        Ok(Self(endpoints))
    }
}

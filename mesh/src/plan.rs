//! What a sidecar is to do, resolved: names checked, policies layered, identities read. What is here
//! can be served. Built from a [`Config`] and the files it names, or directly, as the simulation does.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hoplab_proxy::host::Endpoint;
use hoplab_proxy::path;
use hoplab_proxy::telemetry::Outlets;
use hoplab_proxy::telemetry::outlets::Clash;
use hoplab_proxy::tls::{Credentials, Identity, IdentityError, NotSpiffe, SpiffeId, TrustDomain};
use hoplab_proxy::upstream::{self, DeadlinePolicy, Placed, Placement, Policies};
use http::Method;
use indexmap::IndexMap;

use crate::config::{self, Config, Inbound, Outbound};

/// A sidecar that can be served.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The service whose pod this is.
    pub service: Arc<str>,
    /// The zone that the pod stands in, where that is known.
    pub zone: Option<Arc<str>>,
    /// What the sidecar proves its name with.
    pub identity: Identity,
    /// The side that requests to the app come through.
    pub inbound: Inbound,
    /// The side that the app's own requests go through.
    pub outbound: Outbound,
    /// How the app is called as far as deadlines go: as callers call it.
    pub deadline: Option<DeadlinePolicy>,
    /// The services that the app may call, by their names.
    pub services: IndexMap<Arc<str>, Service>,
    /// Where a live sidecar tells what it does; for whoever runs it.
    pub outlets: Outlets,
}

/// A service that the app may call.
#[derive(Debug, Clone)]
pub struct Service {
    /// Who its pods must prove to be.
    pub id: SpiffeId,
    /// The inbound sides of its pods.
    pub endpoints: Vec<Endpoint>,
    /// What balancing goes by, one an endpoint.
    pub placements: Vec<Placement>,
    /// How it is called.
    pub policies: Policies,
    /// What of it is called in ways of its own; the longest path comes first.
    pub routes: Vec<Route>,
}

/// Some of the requests to a service.
#[derive(Debug, Clone)]
pub struct Route {
    /// This path, and all below it.
    pub path: String,
    /// These methods; all when empty.
    pub methods: Vec<Method>,
    /// How they are called, with breakers, budgets and connections of their own; as the service's others when `None`.
    pub policies: Option<Policies>,
}

impl Route {
    /// Whether it takes requests that a route for just this `path` and these `methods` would take.
    fn takes_of(&self, path: &str, methods: &[Method]) -> bool {
        let all = self.methods.is_empty() || methods.is_empty();
        self.path == path && (all || self.methods.iter().any(|method| methods.contains(method)))
    }
}

impl Service {
    /// Adds a route.
    pub fn route(&mut self, route: Route) {
        self.routes.push(route);
        self.routes.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
    }
}

impl Plan {
    /// A sidecar of a pod of `service` that listens on the usual ports and knows no service yet.
    pub fn new(service: impl Into<Arc<str>>, identity: Identity) -> Self {
        Self {
            service: service.into(),
            zone: None,
            identity,
            inbound: Inbound::default(),
            outbound: Outbound::default(),
            deadline: None,
            services: IndexMap::new(),
            outlets: Outlets::default(),
        }
    }

    /// Adds a service that the app may call: its pods are of the sidecar's own trust domain.
    pub fn service(
        self,
        name: &str,
        endpoints: Vec<Endpoint>,
        policies: Policies,
    ) -> Result<Self, NotSpiffe> {
        self.placed(name, endpoints.into_iter().map(Placed::from).collect(), policies)
    }

    /// As [`Plan::service`], with weights and zones.
    pub fn placed(
        mut self,
        name: &str,
        endpoints: Vec<Placed>,
        policies: Policies,
    ) -> Result<Self, NotSpiffe> {
        let id = id_of(self.identity.id().trust_domain(), name)?;
        let (endpoints, placements) = Placed::split(endpoints);
        let service = Service { id, endpoints, placements, policies, routes: Vec::new() };
        self.services.insert(name.into(), service);
        Ok(self)
    }

    /// What `config` means; `read` reads the files that it names. All that is wrong, at once.
    pub fn resolve(
        config: &Config,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<Self, Vec<PlanError>> {
        let mut errors = Vec::new();
        let identity = identity(config, read).map_err(|mut found| errors.append(&mut found)).ok();
        if let Some(identity) = &identity {
            match id_of(identity.id().trust_domain(), &config.service) {
                Ok(id) if id == *identity.id() => {}
                Ok(expected) => {
                    errors.push(PlanError::AnotherName { expected, found: identity.id().clone() });
                }
                Err(_) => errors.push(PlanError::Name { key: "service", name: config.service.clone() }),
            }
        }
        for (name, service) in &config.services {
            if !is_name(name) {
                errors.push(PlanError::Name { key: "services", name: name.clone() });
            }
            if service.endpoints.is_empty() {
                errors.push(PlanError::NoEndpoint { service: name.clone() });
            }
            let called = contradictions(&service.policies.over(&config.defaults), config.zone.as_deref());
            let routes = match called.as_slice() {
                [] => routes(service, config).err().unwrap_or_default(),
                // They would say the same once more.
                _ => Vec::new(),
            };
            errors.extend(called.into_iter().chain(routes).map(|(key, fact, hint)| {
                PlanError::Contradiction { place: format!("services.{name}.{key}"), fact, hint }
            }));
        }
        if config.inbound.listen == config.outbound.listen {
            errors.push(PlanError::SamePort(config.inbound.listen));
        }
        let limits = config.inbound.limits.resolve().err();
        errors.extend(limits.into_iter().flatten().map(|found| PlanError::Contradiction {
            place: format!("inbound.{}", found.key),
            fact: found.fact,
            hint: found.hint,
        }));
        let listening =
            [("inbound.listen", config.inbound.listen), ("outbound.listen", config.outbound.listen)];
        let clashes = outlets(config).clashes(&listening).into_iter();
        errors.extend(clashes.map(|Clash { key, fact, hint }| PlanError::Contradiction {
            place: key.to_owned(),
            fact,
            hint,
        }));
        match identity {
            Some(identity) if errors.is_empty() => Ok(Self::assemble(config, identity)),
            _ => Err(errors),
        }
    }

    fn assemble(config: &Config, identity: Identity) -> Self {
        let mut plan = Self::new(config.service.as_str(), identity);
        plan.zone = config.zone.as_deref().map(Arc::from);
        plan.inbound = config.inbound.clone();
        plan.outbound = config.outbound.clone();
        plan.deadline.clone_from(&config.defaults.deadline);
        plan.outlets = outlets(config);
        for (name, service) in &config.services {
            let policies = service.policies.over(&config.defaults);
            plan = plan.placed(name, service.endpoints.clone(), policies).expect("names were checked before");
            let called = plan.services.last_mut().expect("it was just added").1;
            routes(service, config).into_iter().flatten().for_each(|route| called.route(route));
        }
        plan
    }
}

/// Why a configuration cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A file cannot be read.
    #[error("identity.{key}: cannot read {}: {error}", path.display())]
    Unreadable {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: String,
    },
    /// The identity's files are no identity.
    #[error("identity: {0}")]
    Identity(#[from] IdentityError),
    /// The identity is that of something else.
    #[error("identity: the certificate names {found}, but the service's pods are {expected}")]
    AnotherName {
        /// What `service` calls for.
        expected: SpiffeId,
        /// What the certificate says.
        found: SpiffeId,
    },
    /// A service's name is malformed.
    #[error("{key}: `{name}` is no service name: use lower case letters, digits and hyphens")]
    Name {
        /// The key where it stands.
        key: &'static str,
        /// The name.
        name: String,
    },
    /// A service cannot be reached.
    #[error("services.{service}: no endpoints: write endpoints = [\"{service}-0:15006\"]")]
    NoEndpoint {
        /// Its name.
        service: String,
    },
    /// Policies or outlets contradict each other.
    #[error("{place}: {fact}: {hint}")]
    Contradiction {
        /// The key at fault, with its tables.
        place: String,
        /// What is wrong.
        fact: String,
        /// What would be right.
        hint: String,
    },
    /// Both sides listen at one place.
    #[error("inbound.listen and outbound.listen are both {0}: they need a port each")]
    SamePort(SocketAddr),
}

/// A key at fault below a service, what is wrong, and what would be right.
type Wrong = (String, String, String);

/// What is wrong with how a service is called from a pod in `zone`.
fn contradictions(policies: &Policies, zone: Option<&str>) -> Vec<Wrong> {
    let found = policies.contradictions_at("the pod", zone).into_iter();
    found.map(|found| (found.key.to_owned(), found.fact, found.hint)).collect()
}

/// What the routes of a service mean, or all that is wrong with them.
fn routes(service: &config::Service, config: &Config) -> Result<Vec<Route>, Vec<Wrong>> {
    let (mut routes, mut wrong) = (Vec::<Route>::new(), Vec::new());
    let mut note = |key: &str, fact: String, hint: &str| {
        wrong.push((format!("routes.{key}"), fact, hint.to_owned()));
    };
    for written in &service.routes {
        let text = written.path.as_deref().unwrap_or("/");
        let path = path::prefix(text);
        if path.is_none() {
            let hint = "write it from the root and without a query, such as `/cart`";
            note("path", format!("`{text}` is no path"), hint);
        }
        let mut methods = Vec::new();
        for text in &written.methods {
            match upstream::method(text) {
                Ok(method) => methods.push(method),
                Err(said) => {
                    let (fact, hint) = said.split_once(": ").unwrap_or((&said, "write one such as `GET`"));
                    note("methods", fact.to_owned(), hint);
                }
            }
        }
        let policies = written.policies.over(&service.policies).over(&config.defaults);
        for (key, fact, hint) in contradictions(&policies, config.zone.as_deref()) {
            note(&key, fact, &hint);
        }
        let Some(path) = path else { continue };
        if routes.iter().any(|other| other.takes_of(&path, &methods)) {
            let fact = format!("another route takes the same requests to `{path}`");
            note("path", fact, "give it another path or method, or take it out");
        }
        let policies = (written.policies != Policies::default()).then_some(policies);
        routes.push(Route { path, methods, policies });
    }
    if wrong.is_empty() { Ok(routes) } else { Err(wrong) }
}

fn outlets(config: &Config) -> Outlets {
    let (access_log, spans) = (config.access_log.clone(), config.spans.clone());
    Outlets { admin: config.admin, access_log, spans }
}

fn identity(config: &Config, read: impl Fn(&Path) -> io::Result<String>) -> Result<Identity, Vec<PlanError>> {
    let mut errors = Vec::new();
    let mut text = |key, path: &PathBuf| {
        read(path).unwrap_or_else(|error| {
            errors.push(PlanError::Unreadable { key, path: path.clone(), error: error.to_string() });
            String::new()
        })
    };
    let files = &config.identity;
    let credentials = Credentials {
        certificate: text("certificate", &files.certificate),
        key: text("key", &files.key),
        authorities: text("authorities", &files.authorities),
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    Identity::from_pem(&credentials).map_err(|error| vec![error.into()])
}

fn id_of(trust_domain: &TrustDomain, name: &str) -> Result<SpiffeId, NotSpiffe> {
    if !is_name(name) {
        return Err(NotSpiffe::Id(name.to_owned()));
    }
    SpiffeId::of_service(trust_domain, name)
}

/// Whether `name` can be a service's: a DNS label.
fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let hyphen_at_an_end = name.starts_with('-') || name.ends_with('-');
    !name.is_empty() && name.len() <= 63 && name.bytes().all(allowed) && !hyphen_at_an_end
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use hoplab_proxy::tls::Authority;

    use super::*;

    const FILE: &str = r#"
        service = "order"
        identity = { certificate = "order.pem", key = "order-key.pem", authorities = "authorities.pem" }
        defaults = { timeout = "1s", breaker = { failures = 5, open_for = "5s" } }
        [services.payment]
        endpoints = ["payment-0:15006", "payment-1:15006"]
        timeout = "2s"
        [services.cart]
        endpoints = ["cart-0:15006"]
    "#;

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    fn files(service: &str) -> impl Fn(&Path) -> io::Result<String> {
        let authority = Authority::new(1, "hoplab".parse().unwrap(), SystemTime::UNIX_EPOCH);
        let id = SpiffeId::of_service(authority.trust_domain(), service).unwrap();
        let credentials = authority.issue(&id, service, SystemTime::UNIX_EPOCH + Duration::from_hours(1));
        move |path| match path.to_str() {
            Some("order.pem") => Ok(credentials.certificate.clone()),
            Some("order-key.pem") => Ok(credentials.key.clone()),
            Some("authorities.pem") => Ok(credentials.authorities.clone()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn complaints(text: &str, service: &str) -> Vec<String> {
        let errors = Plan::resolve(&config(text), files(service)).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_file_becomes_a_plan_with_its_policies_layered() {
        let plan = Plan::resolve(&config(FILE), files("order")).unwrap();
        assert_eq!(plan.identity.id().as_str(), "spiffe://hoplab/ns/default/sa/order");
        let payment = &plan.services["payment"];
        assert_eq!(payment.id.as_str(), "spiffe://hoplab/ns/default/sa/payment");
        assert_eq!(payment.endpoints.len(), 2);
        assert_eq!(payment.policies.timeout, Some(Duration::from_secs(2)));
        assert!(payment.policies.breaker.is_some());
        assert_eq!(plan.services["cart"].policies.timeout, Some(Duration::from_secs(1)));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let text = FILE
            .replace("[services.cart]", "[services.Cart]")
            .replace("[\"cart-0:15006\"]", "[]\n[inbound]\nlisten = \"127.0.0.1:15001\"");
        assert_eq!(
            complaints(&text, "stock"),
            [
                "identity: the certificate names spiffe://hoplab/ns/default/sa/stock, \
                 but the service's pods are spiffe://hoplab/ns/default/sa/order",
                "services: `Cart` is no service name: use lower case letters, digits and hyphens",
                "services.Cart: no endpoints: write endpoints = [\"Cart-0:15006\"]",
                "inbound.listen and outbound.listen are both 127.0.0.1:15001: they need a port each",
            ]
        );
        let outlets = "admin = \"127.0.0.1:15001\"\naccess_log = \"a.jsonl\"\nspans = \"a.jsonl\"\n";
        assert_eq!(
            complaints(&(outlets.to_owned() + FILE), "order"),
            [
                "admin: the port of 127.0.0.1:15001 is that of outbound.listen, 127.0.0.1:15001: \
                 give it a port of its own, such as 127.0.0.1:9901",
                "spans: `access_log` goes to a.jsonl, too: \
                 give each a place of its own, since their lines differ",
            ]
        );
        let text = FILE.replace("order-key.pem", "lost.pem").replace("\"authorities.pem\"", "\"gone.pem\"");
        assert_eq!(
            complaints(&text, "order"),
            [
                "identity.key: cannot read lost.pem: entity not found",
                "identity.authorities: cannot read gone.pem: entity not found",
            ]
        );
        let text = FILE.replace("key = \"order-key.pem\"", "key = \"order.pem\"");
        assert_eq!(complaints(&text, "order"), ["identity: `key` holds no PEM item of its kind"]);
    }

    #[test]
    fn limits_stand_at_the_inbound_side() {
        let text = FILE.to_owned() + "[inbound]\nlimits = { concurrency = 100, priority = {} }\n";
        let limits = Plan::resolve(&config(&text), files("order")).unwrap().inbound.limits.resolve().unwrap();
        assert!(limits.concurrency.is_some() && limits.priority.is_some());
        assert_eq!(
            complaints(&text.replace("concurrency = 100, ", ""), "order"),
            ["inbound.limits.priority: priorities are shares of a concurrency limit, and there is none: \
              write `concurrency = 100` beside it, or take it out"]
        );
    }

    #[test]
    fn routes_of_a_service_have_policies_of_their_own() {
        let text = r#"
            [[services.cart.routes]]
            [[services.cart.routes]]
            path = "/items/"
            methods = ["GET", "HEAD"]
            breaker = { failures = 2 }
        "#;
        let plan = Plan::resolve(&config(&format!("{FILE}{text}")), files("order")).unwrap();
        let cart = &plan.services["cart"];
        let routes: Vec<_> = cart.routes.iter().map(|route| (&*route.path, route.methods.len())).collect();
        assert_eq!(routes, [("/items", 2), ("/", 0)], "the longest path is looked at first");
        assert_eq!(cart.policies.timeout, Some(Duration::from_secs(1)));
        let items = cart.routes[0].policies.as_ref().unwrap().resolve().unwrap();
        assert_eq!(items.timeout, Duration::from_secs(1), "the rest is the service's");
        assert!(cart.routes[1].policies.is_none(), "it says nothing of its own");
        let wrong = text
            .replace("\"/items/\"", "\"items\"")
            .replace("\"HEAD\"", "\"HE AD\"")
            .replace("breaker = { failures = 2 }", "retry = { per_try_timeout = \"9s\" }")
            + "[[services.cart.routes]]\nmethods = [\"GET\"]\n";
        assert_eq!(
            complaints(&format!("{FILE}{wrong}"), "order"),
            [
                "services.cart.routes.path: `items` is no path: \
                 write it from the root and without a query, such as `/cart`",
                "services.cart.routes.methods: `HE AD` is no method: write it in capitals, such as `GET`",
                "services.cart.routes.retry.per_try_timeout: one try may take longer than the whole request: \
                 make `per_try_timeout` shorter than `timeout`",
                "services.cart.routes.path: another route takes the same requests to `/`: \
                 give it another path or method, or take it out",
            ]
        );
    }

    #[test]
    fn a_zone_is_preferred_where_it_is_known() {
        let text = FILE.replace(
            "endpoints = [\"cart-0:15006\"]",
            "endpoints = [{ at = \"cart-0:15006\", weight = 2, zone = \"near\" }]\nbalance = { zone = \"prefer\" }",
        );
        assert_eq!(
            complaints(&text, "order"),
            ["services.cart.balance.zone: nobody says which zone the pod stands in: \
                 write `zone = \"near\"` at the top"]
        );
        let plan = Plan::resolve(&config(&format!("zone = \"near\"\n{text}")), files("order")).unwrap();
        let cart = &plan.services["cart"].placements[0];
        assert_eq!(
            (plan.zone.as_deref(), cart.weight, cart.zone.as_deref()),
            (Some("near"), 2, Some("near"))
        );
    }

    #[test]
    fn a_plan_is_built_without_files() {
        let read = files("order");
        let credentials = Credentials {
            certificate: read(Path::new("order.pem")).unwrap(),
            key: read(Path::new("order-key.pem")).unwrap(),
            authorities: read(Path::new("authorities.pem")).unwrap(),
        };
        let plan = Plan::new("order", Identity::from_pem(&credentials).unwrap())
            .service("payment", vec![Endpoint::new("payment-0", 15006)], Policies::default())
            .unwrap();
        assert_eq!(plan.inbound.listen.port(), 15006);
        assert!(plan.clone().service("pay/ment", Vec::new(), Policies::default()).is_err());
        assert!(plan.services.contains_key("payment"));
    }
}

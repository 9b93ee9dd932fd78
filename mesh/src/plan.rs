//! What a sidecar is to do, resolved: names checked, policies layered, identities read. What is here
//! can be served. Built from a [`Config`] and the files it names, or directly, as the simulation does.

mod resolving;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hoplab_config::{Context, Fetch, Problems, Source as Text, read_from};
use hoplab_proxy::host::Endpoint;
use hoplab_proxy::load_control;
use hoplab_proxy::policy::deadline;
use hoplab_proxy::telemetry::Outlets;
use hoplab_proxy::tls::{Identity, NotSpiffe, SpiffeId, TrustDomain};
use hoplab_proxy::upstream::settings::{Limits, Retries, STREAM_IDLE_TIMEOUT};
use hoplab_proxy::upstream::{Placed, Placement, Protocol, Settings, Source};
use http::Method;
use indexmap::IndexMap;

use crate::config::{APP_PORT, Acceptance, Config, INBOUND, OUTBOUND, Protection};
use resolving::Resolving;

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
    /// Where the side listens that the app's own requests go through.
    pub outbound: SocketAddr,
    /// How that side secures its connections.
    pub outbound_tls: Protection,
    /// How the app is called as far as deadlines go: as callers call it.
    pub deadline: Option<deadline::Config>,
    /// The services that the app may call, by their names.
    pub services: IndexMap<Arc<str>, Service>,
    /// Where a live sidecar tells what it does; for whoever runs it.
    pub outlets: Outlets,
}

/// The side that requests to the app come through.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where the app listens.
    pub app: Endpoint,
    /// What the app speaks.
    pub protocol: Protocol,
    /// Who may come.
    pub tls: Acceptance,
    /// How long nothing may pass on a request's stream to the app; any time when `None`.
    pub idle_timeout: Option<Duration>,
    /// When requests to the app are tried again; never when `None`.
    pub retry: Option<Retries>,
    /// How many connections to the app and waiting requests there may be.
    pub pool: Limits,
    /// What requests to the app meet.
    pub limits: load_control::Settings,
}

impl Default for Inbound {
    fn default() -> Self {
        Self {
            listen: INBOUND,
            app: Endpoint::new("127.0.0.1", APP_PORT),
            protocol: Protocol::default(),
            tls: Acceptance::default(),
            idle_timeout: Some(STREAM_IDLE_TIMEOUT),
            retry: None,
            pool: Limits::default(),
            limits: load_control::Settings::default(),
        }
    }
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
    /// Where else it is learned which pods it has.
    pub source: Source,
    /// How connections to them are secured, where not as the side's are: what is outside of the mesh is spoken with in the
    /// clear.
    pub tls: Option<Protection>,
    /// How it is called.
    pub settings: Settings,
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
    pub settings: Option<Settings>,
}

impl Route {
    /// Whether it takes requests that a route for just this `path` and these `methods` would take.
    fn takes_of(&self, path: &str, methods: &[Method]) -> bool {
        let all = self.methods.is_empty() || methods.is_empty();
        self.path == path && (all || self.methods.iter().any(|method| methods.contains(method)))
    }
}

impl Service {
    /// It is outside of the mesh: it is spoken with in the clear, in its own `protocol`, on all the routes that it has.
    pub fn outside(&mut self, protocol: Protocol) {
        self.tls = Some(Protection::None);
        let routed = self.routes.iter_mut().filter_map(|route| route.settings.as_mut());
        routed.chain([&mut self.settings]).for_each(|settings| settings.protocol = Some(protocol));
    }

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
            outbound: OUTBOUND,
            outbound_tls: Protection::default(),
            deadline: None,
            services: IndexMap::new(),
            outlets: Outlets::default(),
        }
    }

    /// Adds a service that the app may call: its pods are of the sidecar's own trust domain.
    pub fn service(
        &mut self,
        name: &str,
        endpoints: Vec<Placed>,
        settings: Settings,
    ) -> Result<&mut Service, NotSpiffe> {
        let id = id_of(self.identity.id().trust_domain(), name)?;
        let (endpoints, placements) = Placed::split(endpoints);
        let source = Source::Listed;
        let service = Service { id, endpoints, placements, source, tls: None, settings, routes: Vec::new() };
        Ok(self.services.entry(name.into()).insert_entry(service).into_mut())
    }

    /// The sidecar that the file of `context` describes, and the files that it names; `None` when it has noted why not.
    pub fn document(context: &mut Context<'_>) -> Option<Self> {
        let config = context.document::<Config>(0)?;
        let plan = Resolving { config: &config, context }.plan();
        plan.filter(|_| !context.has_errors())
    }

    /// The sidecar that a file's text describes, where `fetch` fetches the files that it names.
    pub fn read(text: &str, fetch: &mut Fetch<'_>) -> Result<Self, Problems> {
        let source = Text { path: "sidecar.toml".to_owned(), text: text.to_owned() };
        read_from(source, fetch, Self::document).map(|(plan, _)| plan)
    }
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
    use std::time::SystemTime;

    use hoplab_proxy::tls::{Authority, Credentials};

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

    fn files(service: &str) -> impl Fn(&str) -> Result<String, String> {
        let credentials = credentials(service);
        move |path| match path {
            "order.pem" => Ok(credentials.certificate.clone()),
            "order-key.pem" => Ok(credentials.key.clone()),
            "authorities.pem" => Ok(credentials.authorities.clone()),
            _ => Err(format!("there is no file \"{path}\"")),
        }
    }

    fn credentials(service: &str) -> Credentials {
        let authority = Authority::new(1, "hoplab".parse().unwrap(), SystemTime::UNIX_EPOCH);
        let id = SpiffeId::of_service(authority.trust_domain(), service).unwrap();
        authority.issue(&id, service, SystemTime::UNIX_EPOCH + Duration::from_hours(1))
    }

    fn plan(text: &str) -> Plan {
        Plan::read(text, &mut files("order")).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn complaints(text: &str, service: &str) -> Vec<String> {
        Plan::read(text, &mut files(service)).unwrap_err().in_words()
    }

    #[test]
    fn a_file_becomes_a_plan_with_its_policies_layered() {
        let plan = plan(FILE);
        assert_eq!(plan.identity.id().as_str(), "spiffe://hoplab/ns/default/sa/order");
        let payment = &plan.services["payment"];
        assert_eq!(payment.id.as_str(), "spiffe://hoplab/ns/default/sa/payment");
        assert_eq!(payment.endpoints.len(), 2);
        assert_eq!(payment.settings.timeout, Some(Duration::from_secs(2)));
        assert!(payment.settings.breaker.is_some());
        assert_eq!(plan.services["cart"].settings.timeout, Some(Duration::from_secs(1)));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let text = FILE
            .replace("[services.cart]", "[services.Cart]")
            .replace("[\"cart-0:15006\"]", "[]\n[inbound]\nlisten = \"127.0.0.1:15001\"");
        assert_eq!(
            complaints(&text, "stock"),
            [
                "the certificate names spiffe://hoplab/ns/default/sa/stock, \
                 but the service's pods are spiffe://hoplab/ns/default/sa/order: \
                 name the service of the certificate, or another certificate",
                "`Cart` is no service name: use lower case letters, digits and hyphens",
                "there is no endpoint: write `[\"payment-0:8080\"]`, `{ file = \"payment.endpoints\" }` or `{ dns = \"payment:8080\" }`",
                "inbound.listen, 127.0.0.1:15001, has the port of outbound.listen, 127.0.0.1:15001: \
                 give each a port of its own",
            ]
        );
        let outlets = "admin = \"127.0.0.1:15001\"\naccess_log = \"a.jsonl\"\nspans = \"a.jsonl\"\n";
        assert_eq!(
            complaints(&(outlets.to_owned() + FILE), "order"),
            [
                "the port of 127.0.0.1:15001 is that of outbound.listen, 127.0.0.1:15001: \
                 give it a port of its own, such as 127.0.0.1:9901",
                "`access_log` goes to a.jsonl, too: \
                 give each a place of its own, since their lines differ",
            ]
        );
        let text = FILE.replace("order-key.pem", "lost.pem").replace("\"authorities.pem\"", "\"gone.pem\"");
        assert_eq!(
            complaints(&text, "order"),
            [
                "there is no file \"lost.pem\": paths start from this file's folder",
                "there is no file \"gone.pem\": paths start from this file's folder",
            ]
        );
        let text = FILE.replace("key = \"order-key.pem\"", "key = \"order.pem\"");
        assert_eq!(
            complaints(&text, "order"),
            [
                "the file of `key` holds no PEM item of its kind: name a PEM file with `PRIVATE KEY` in its first line"
            ]
        );
    }

    #[test]
    fn the_app_may_be_asked_again_and_others_in_the_clear() {
        assert_eq!((plan(FILE).inbound.retry, plan(FILE).outbound_tls), (None, Protection::Mutual));
        let text = FILE.to_owned()
            + "[inbound.retry]\nattempts = 2\non = [\"reset-before-request\"]\n[outbound]\ntls = \"none\"\n";
        let open = plan(&text);
        assert_eq!(open.outbound_tls, Protection::None);
        assert_eq!(open.inbound.retry.unwrap().retry.attempts, 2);
        let text = text.replace("attempts = 2", "headers = [\"x-again\"]").replace("\"none\"", "\"off\"");
        assert_eq!(
            complaints(&text, "order"),
            [
                "headers: nothing looks at these headers: add \"retriable-headers\" to `on`",
                "unknown way with TLS \"off\": there are \"mutual\", \"none\"",
            ]
        );
    }

    #[test]
    fn limits_stand_at_the_inbound_side() {
        let text = FILE.to_owned()
            + "[inbound]\nidle_timeout = \"none\"\nlimits = { concurrency = 100, priority = {} }\n";
        assert_eq!(plan(&text).inbound.idle_timeout, None);
        assert_eq!(plan(FILE).inbound.idle_timeout, Some(Duration::from_hours(1)));
        let limits = plan(&text).inbound.limits;
        assert!(limits.concurrency.is_some() && limits.priority.is_some());
        assert_eq!(
            complaints(&text.replace("concurrency = 100, ", ""), "order"),
            ["priority: priorities are shares of a concurrency limit, and there is none: \
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
        let plan = plan(&format!("{FILE}{text}"));
        let cart = &plan.services["cart"];
        let routes: Vec<_> = cart.routes.iter().map(|route| (&*route.path, route.methods.len())).collect();
        assert_eq!(routes, [("/items", 2), ("/", 0)], "the longest path is looked at first");
        assert_eq!(cart.settings.timeout, Some(Duration::from_secs(1)));
        let items = cart.routes[0].settings.as_ref().unwrap();
        assert_eq!(items.timeout, Some(Duration::from_secs(1)), "the rest is the service's");
        assert!(cart.routes[1].settings.is_none(), "it says nothing of its own");
        let wrong = text
            .replace("\"/items/\"", "\"items\"")
            .replace("\"HEAD\"", "\"HE AD\"")
            .replace("breaker = { failures = 2 }", "retry = { per_try_timeout = \"9s\" }")
            + "[[services.cart.routes]]\nmethods = [\"GET\"]\n";
        assert_eq!(
            complaints(&format!("{FILE}{wrong}"), "order"),
            [
                "`items` is no path: \
                 write it from the root and without a query, such as `/cart`",
                "`HE AD` is no method: write it in capitals, such as `GET`",
                "retry.per_try_timeout: one try may take longer than the request may: \
                 make `per_try_timeout` shorter than `timeout`, or write `\"none\"` in the upper layer",
                "another route takes the same requests to `/`: \
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
            ["balance.zone: nobody says which zone the pod stands in: \
                 write `zone = \"near\"` at the top"]
        );
        let plan = plan(&format!("zone = \"near\"\n{text}"));
        let cart = &plan.services["cart"].placements[0];
        assert_eq!(
            (plan.zone.as_deref(), cart.weight, cart.zone.as_deref()),
            (Some("near"), 2, Some("near"))
        );
    }

    #[test]
    fn a_plan_is_built_without_files() {
        let mut plan = Plan::new("order", Identity::from_pem(&credentials("order")).unwrap());
        let payment = vec![Endpoint::new("payment-0", 15006).into()];
        plan.service("payment", payment, Settings::default()).unwrap();
        assert_eq!(plan.inbound.listen.port(), 15006);
        assert!(plan.service("pay/ment", Vec::new(), Settings::default()).is_err());
        assert!(plan.services.contains_key("payment"));
    }
}

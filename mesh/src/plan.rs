//! What a sidecar is to do, resolved: names checked, policies layered, identities read. What is here
//! can be served. Built from a [`Config`] and the files it names, or directly, as the simulation does.

use std::net::SocketAddr;
use std::sync::Arc;

use hoplab_config::{At, Context, Outline, Outlined, Place, Problems, read_from};
use hoplab_proxy::host::Endpoint;
use hoplab_proxy::load_control;
use hoplab_proxy::path;
use hoplab_proxy::policy::deadline;
use hoplab_proxy::telemetry::Outlets;
use hoplab_proxy::telemetry::outlets::share_a_port;
use hoplab_proxy::tls::identity::Part;
use hoplab_proxy::tls::{Credentials, Identity, NotSpiffe, SpiffeId, TrustDomain};
use hoplab_proxy::upstream::{
    self, Contradiction, Endpoints, Placed, Placement, Policies, Protocol, Settings, Source,
};
use http::Method;
use indexmap::IndexMap;

use crate::config::{self, APP_PORT, Acceptance, Config, INBOUND, OUTBOUND};

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
        let service = Service { id, endpoints, placements, source, settings, routes: Vec::new() };
        Ok(self.services.entry(name.into()).insert_entry(service).into_mut())
    }

    /// The sidecar that the file of `context` describes, and the files that it names; `None` when it has noted why not.
    pub fn document(context: &mut Context<'_>) -> Option<Self> {
        let config = context.document::<Config>(0)?;
        let plan = Resolving { config: &config, context }.plan();
        plan.filter(|_| !context.has_errors())
    }

    /// The sidecar that a file's text describes, where `fetch` fetches the files that it names.
    pub fn read(text: &str, fetch: &mut hoplab_config::Fetch<'_>) -> Result<Self, Problems> {
        let source = hoplab_config::Source { path: "sidecar.toml".to_owned(), text: text.to_owned() };
        read_from(source, fetch, Self::document).map(|(plan, _)| plan)
    }
}

/// Turns what was written into what is meant.
struct Resolving<'a, 'c> {
    config: &'a Config,
    context: &'a mut Context<'c>,
}

impl<'a> Resolving<'a, '_> {
    /// Only worth anything if no error was noted; `None` when there is no identity to begin with.
    fn plan(mut self) -> Option<Plan> {
        let config = self.config;
        let identity = self.identity();
        if let (Some(identity), Some(service)) = (&identity, &config.service) {
            self.check_name(identity, service);
        }
        // Without an identity, all else is looked at in the name of another.
        let trust_domain = identity.as_ref().map(|identity| identity.id().trust_domain().clone());
        let services = self.services(trust_domain.as_ref());
        let (inbound, outbound) = (self.inbound(), config.outbound.as_ref());
        let outbound =
            outbound.and_then(|outbound| outbound.value.listen.as_ref()).map_or(OUTBOUND, |at| at.value);
        if share_a_port(inbound.listen, outbound) {
            let fact =
                format!("inbound.listen, {}, has the port of outbound.listen, {outbound}", inbound.listen);
            self.context.error(self.listening(), fact).hint("give each a port of its own");
        }
        let outlets = self.outlets(inbound.listen, outbound);
        let mut plan = Plan::new(config.service.as_ref()?.value.as_str(), identity?);
        plan.zone = config.zone.as_ref().map(|zone| Arc::from(zone.value.as_str()));
        plan.deadline = self.defaults().settings().deadline;
        (plan.inbound, plan.outbound, plan.services, plan.outlets) = (inbound, outbound, services, outlets);
        Some(plan)
    }

    fn defaults(&self) -> Policies {
        self.config.defaults.as_ref().map(|defaults| defaults.value.value.clone()).unwrap_or_default()
    }

    /// Where it says where one of the sides listens.
    fn listening(&self) -> Place {
        let Config { inbound, outbound, .. } = self.config;
        let inbound = inbound.as_ref().and_then(|inbound| inbound.value.listen.as_ref());
        let outbound = outbound.as_ref().and_then(|outbound| outbound.value.listen.as_ref());
        inbound.or(outbound).map_or(Place::BEGINNING, |listen| listen.place)
    }

    fn inbound(&mut self) -> Inbound {
        let usual = Inbound::default();
        let Some(At { value: written, .. }) = &self.config.inbound else { return usual };
        let limits = written.limits.as_ref().map(|At { value: Outlined { value, outline }, .. }| {
            value.resolve().unwrap_or_else(|found| {
                self.refuse(found, &[outline]);
                load_control::Settings::default()
            })
        });
        Inbound {
            listen: written.listen.as_ref().map_or(usual.listen, |at| at.value),
            app: written.app.as_ref().map_or(usual.app, |at| at.value.clone()),
            protocol: written.protocol.as_ref().map(|at| at.value).unwrap_or_default(),
            tls: written.tls.as_ref().map(|at| at.value).unwrap_or_default(),
            limits: limits.unwrap_or_default(),
        }
    }

    fn outlets(&mut self, inbound: SocketAddr, outbound: SocketAddr) -> Outlets {
        let Config { admin, access_log, spans, .. } = self.config;
        let outlets = Outlets {
            admin: admin.as_ref().map(|admin| admin.value),
            access_log: access_log.as_ref().map(|sink| sink.value.clone()),
            spans: spans.as_ref().map(|sink| sink.value.clone()),
        };
        for clash in outlets.clashes(&[("inbound.listen", inbound), ("outbound.listen", outbound)]) {
            let admin = admin.as_ref().filter(|_| clash.key == "admin").map(|admin| admin.place);
            let place = admin.or(spans.as_ref().map(|spans| spans.place)).unwrap_or(Place::BEGINNING);
            self.context.error(place, clash.fact).hint(clash.hint);
        }
        outlets
    }

    /// Reads the files of the identity.
    fn identity(&mut self) -> Option<Identity> {
        let written = &self.config.identity.as_ref()?.value;
        let mut text = |name: &Option<At<String>>| {
            let At { value, place } = name.as_ref()?;
            let fetched = self.context.fetch(value, *place);
            fetched
                .map_err(|why| self.context.error(*place, why).hint("paths start from this file's folder"))
                .ok()
        };
        let (certificate, key, authorities) =
            (text(&written.certificate), text(&written.key), text(&written.authorities));
        let credentials = Credentials { certificate: certificate?, key: key?, authorities: authorities? };
        match Identity::from_pem(&credentials) {
            Ok(identity) => Some(identity),
            Err(error) => {
                let part = match error.part() {
                    Part::Certificate => &written.certificate,
                    Part::Key => &written.key,
                    Part::Authorities => &written.authorities,
                };
                let place = part.as_ref().map_or(Place::BEGINNING, |part| part.place);
                self.context.error(place, error.to_string()).hint(error.hint());
                None
            }
        }
    }

    fn check_name(&mut self, identity: &Identity, service: &At<String>) {
        match id_of(identity.id().trust_domain(), &service.value) {
            Ok(id) if id == *identity.id() => {}
            Ok(expected) => {
                let fact =
                    format!("the certificate names {}, but the service's pods are {expected}", identity.id());
                let hint = "name the service of the certificate, or another certificate";
                self.context.error(service.place, fact).hint(hint);
            }
            Err(_) => self.refuse_name(service),
        }
    }

    fn refuse_name(&mut self, name: &At<String>) {
        let fact = format!("`{}` is no service name", name.value);
        self.context.error(name.place, fact).hint("use lower case letters, digits and hyphens");
    }

    fn services(&mut self, trust_domain: Option<&TrustDomain>) -> IndexMap<Arc<str>, Service> {
        let mut services = IndexMap::new();
        for (name, written) in self.config.services.iter().flat_map(|names| &names.value.0) {
            if !is_name(&name.value) {
                self.refuse_name(name);
            }
            let Some(written) = written else { continue };
            let service = self.service(name, written, trust_domain);
            services.extend(service.map(|service| (Arc::from(name.value.as_str()), service)));
        }
        services
    }

    fn service(
        &mut self,
        name: &At<String>,
        Outlined { value: written, outline }: &'a Outlined<config::Service>,
        trust_domain: Option<&TrustDomain>,
    ) -> Option<Service> {
        let config = self.config;
        let defaults = config.defaults.as_ref().map(|defaults| &defaults.value.outline);
        let layers: Vec<&Outline> = std::iter::once(outline).chain(defaults).collect();
        let policies = written.policies.over(&self.defaults());
        let Endpoints { listed, source } =
            written.endpoints.as_ref().map(|at| at.value.clone()).unwrap_or_default();
        let (endpoints, placements) = Placed::split(listed);
        let settings = self.settings(&policies, &layers);
        let routes = match &settings {
            Some(_) => self.routes(written, &policies, &layers),
            // They would say the same once more.
            None => Vec::new(),
        };
        let id = id_of(trust_domain?, &name.value).ok()?;
        let settings = settings?;
        let mut service = Service { id, endpoints, placements, source, settings, routes: Vec::new() };
        for route in routes {
            service.route(route);
        }
        Some(service)
    }

    /// What the routes of a service mean, which stands over `shared` in `layers`.
    fn routes(&mut self, service: &'a config::Service, shared: &Policies, layers: &[&Outline]) -> Vec<Route> {
        let mut routes = Vec::<Route>::new();
        for At { value: Outlined { value: written, outline }, place } in
            service.routes.iter().flat_map(|routes| &routes.value)
        {
            let methods = written.methods.iter().flat_map(|methods| &methods.value);
            let methods: Vec<Option<Method>> = methods.map(|method| self.method(method)).collect();
            let own = (written.policies != Policies::default()).then(|| written.policies.over(shared));
            let layers: Vec<&Outline> = std::iter::once(outline).chain(layers.iter().copied()).collect();
            let settings = own.and_then(|policies| self.settings(&policies, &layers));
            let path = written.path.as_ref().map_or(Some("/".to_owned()), |path| self.path(path));
            let (Some(path), Some(methods)) = (path, methods.into_iter().collect::<Option<Vec<_>>>()) else {
                continue;
            };
            if routes.iter().any(|other| other.takes_of(&path, &methods)) {
                let fact = format!("another route takes the same requests to `{path}`");
                self.context.error(*place, fact).hint("give it another path or method, or take it out");
            }
            routes.push(Route { path, methods, settings });
        }
        routes
    }

    fn path(&mut self, written: &At<String>) -> Option<String> {
        let path = path::prefix(&written.value);
        if path.is_none() {
            let hint = "write it from the root and without a query, such as `/cart`";
            self.context.error(written.place, format!("`{}` is no path", written.value)).hint(hint);
        }
        path
    }

    fn method(&mut self, written: &At<String>) -> Option<Method> {
        upstream::method(&written.value).map_err(|wrong| self.context.complaint(written.place, &wrong)).ok()
    }

    /// What `policies` mean, which were written in `layers`, the upper ones first.
    fn settings(&mut self, policies: &Policies, layers: &[&Outline]) -> Option<Settings> {
        let zone = self.config.zone.as_ref().map(|zone| zone.value.as_str());
        policies.resolve_at("the pod", zone).map_err(|found| self.refuse(found, layers)).ok()
    }

    fn refuse(&mut self, found: Vec<Contradiction>, layers: &[&Outline]) {
        Contradiction::note_all(found, layers, self.context);
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
        assert_eq!(payment.settings.timeout, Duration::from_secs(2));
        assert!(payment.settings.breaker.is_some());
        assert_eq!(plan.services["cart"].settings.timeout, Duration::from_secs(1));
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
    fn limits_stand_at_the_inbound_side() {
        let text = FILE.to_owned() + "[inbound]\nlimits = { concurrency = 100, priority = {} }\n";
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
        assert_eq!(cart.settings.timeout, Duration::from_secs(1));
        let items = cart.routes[0].settings.as_ref().unwrap();
        assert_eq!(items.timeout, Duration::from_secs(1), "the rest is the service's");
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
                "retry.per_try_timeout: one try may take longer than the whole request: \
                 make `per_try_timeout` shorter than `timeout`",
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

//! From what a sidecar's file and the files that it names say to what they mean: identities read, layers of policies laid
//! over each other, names and paths checked. What is wrong is noted where it stands, and left out.

use std::sync::Arc;

use hoplab_config::{At, Context, Outline, Outlined, Place};
use hoplab_proxy::load_control;
use hoplab_proxy::path;
use hoplab_proxy::telemetry::outlets::share_a_port;
use hoplab_proxy::tls::{Identity, TrustDomain};
use hoplab_proxy::upstream::{self, Contradiction, DeadlinePolicy, Endpoints, Placed, Policies, Settings};
use http::Method;
use indexmap::IndexMap;

use super::{Inbound, Plan, Route, Service, id_of, is_name};
use crate::config::{self, Config, OUTBOUND};

/// Turns what was written into what is meant.
pub(super) struct Resolving<'a, 'c> {
    pub(super) config: &'a Config,
    pub(super) context: &'a mut Context<'c>,
}

impl<'a> Resolving<'a, '_> {
    /// Only worth anything if no error was noted; `None` when there is no identity to begin with.
    pub(super) fn plan(mut self) -> Option<Plan> {
        let config = self.config;
        let identity = config.identity.as_ref().and_then(|identity| identity.value.resolve(self.context));
        if let (Some(identity), Some(service)) = (&identity, &config.service) {
            self.check_name(identity, service);
        }
        // Without an identity, all else is looked at in the name of another.
        let trust_domain = identity.as_ref().map(|identity| identity.id().trust_domain().clone());
        let services = self.services(trust_domain.as_ref());
        let (inbound, outbound) = (self.inbound(), config.outbound.as_ref());
        let outbound_tls = outbound.and_then(|outbound| outbound.value.tls.as_ref()).map(|at| at.value);
        let outbound =
            outbound.and_then(|outbound| outbound.value.listen.as_ref()).map_or(OUTBOUND, |at| at.value);
        if share_a_port(inbound.listen, outbound) {
            let fact =
                format!("inbound.listen, {}, has the port of outbound.listen, {outbound}", inbound.listen);
            self.context.error(self.listening(), fact).hint("give each a port of its own");
        }
        let listening = [("inbound.listen", inbound.listen), ("outbound.listen", outbound)];
        let outlets = config.outlets.resolve(&listening, self.context);
        let mut plan = Plan::new(config.service.as_ref()?.value.as_str(), identity?);
        plan.zone = config.zone.as_ref().map(|zone| Arc::from(zone.value.as_str()));
        plan.deadline = self.defaults().deadline.as_ref().and_then(DeadlinePolicy::resolve);
        plan.outbound_tls = outbound_tls.unwrap_or_default();
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
        let retry = written.retry.as_ref().and_then(|At { value: Outlined { value, outline }, .. }| {
            value.resolve_alone().map_err(|found| self.refuse(found, &[outline])).ok()
        });
        Inbound {
            retry,
            pool: written.pool.as_ref().map_or(usual.pool, |at| at.value.resolve_alone()),
            listen: written.listen.as_ref().map_or(usual.listen, |at| at.value),
            app: written.app.as_ref().map_or(usual.app, |at| at.value.clone()),
            protocol: written.protocol.as_ref().map(|at| at.value).unwrap_or_default(),
            tls: written.tls.as_ref().map(|at| at.value).unwrap_or_default(),
            idle_timeout: match &written.idle_timeout {
                Some(at) => at.value.duration(),
                None => usual.idle_timeout,
            },
            limits: limits.unwrap_or_default(),
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
        let tls = written.tls.as_ref().map(|at| at.value);
        let mut service = Service { id, endpoints, placements, source, tls, settings, routes: Vec::new() };
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

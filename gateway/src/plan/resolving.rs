//! From what a gateway's file says to what it means: layers of policies laid over each other, names looked up, hosts, paths
//! and methods read. What is wrong is noted where it stands, and left out.

use std::sync::Arc;

use hoplab_config::{At, Context, Outline, Outlined};
use hoplab_proxy::load_control::{LimitsPolicy, Settings};
use hoplab_proxy::path::Paths;
use hoplab_proxy::tls::Identity;
use hoplab_proxy::upstream::{self, Contradiction, Endpoints, Placed, Policies};
use hoplab_proxy::{path, server};
use http::Method;

use super::{LISTEN, Plan};
use crate::config::{Config, Route as WrittenRoute, Upstream as WrittenUpstream};
use crate::routes::{HostPattern, LimitsId, Route, Routes, UpstreamId};

/// Turns what was written into what is meant.
pub(super) struct Resolving<'a, 'c> {
    pub(super) config: &'a Config,
    pub(super) context: &'a mut Context<'c>,
    /// What the gateway proves its name with, once it is read.
    pub(super) identity: Option<Identity>,
}

/// A layer of policies: where its keys stand.
type Layers<'a> = &'a [&'a Outline];

impl<'a> Resolving<'a, '_> {
    /// Only worth anything if no error was noted.
    pub(super) fn plan(mut self) -> Plan {
        let config = self.config;
        self.identity = config.identity.as_ref().and_then(|identity| identity.value.resolve(self.context));
        let (mut upstreams, mut written) = (Vec::new(), Vec::new());
        for (name, upstream) in config.upstreams.iter().flat_map(|names| &names.value.0) {
            let Some(upstream) = upstream else { continue };
            let policies = upstream.value.policies.over(&self.defaults());
            upstreams.push(self.upstream(name, &upstream.value, &policies, &upstream.outline));
            written.push(policies);
        }
        self.refuse_nothing();
        let mut plan = Plan::by_host(upstreams);
        if let Some(routes) = &config.routes {
            plan.routes = self.routes(&routes.value, &written, &mut plan);
        }
        plan.listen = config.listen.as_ref().map_or(LISTEN, |listen| listen.value);
        let tls = config.tls.as_ref();
        plan.certificates = tls.map(|tls| tls.value.resolve(self.context)).unwrap_or_default();
        plan.trusted = config.trusted.as_ref().map(|trusted| trusted.value.clone()).unwrap_or_default();
        plan.paths = self.paths();
        if let Some(limits) = &config.limits {
            plan.limits = self.limits(&limits.value.value, &limits.value.outline);
        }
        plan.server = self.server();
        plan.outlets = config.outlets.resolve(&[("listen", plan.listen)], self.context);
        plan
    }

    fn defaults(&self) -> Policies {
        self.config.defaults.as_ref().map(|defaults| defaults.value.value.clone()).unwrap_or_default()
    }

    fn paths(&self) -> Paths {
        self.config.paths.as_ref().map(|paths| paths.value).unwrap_or_default()
    }

    /// Notes a table of upstreams in which there is none.
    fn refuse_nothing(&mut self) {
        if let Some(upstreams) =
            self.config.upstreams.as_ref().filter(|upstreams| upstreams.value.0.is_empty())
        {
            let hint = "write `[upstreams.NAME]` with `endpoints = [\"host:port\"]`";
            self.context.error(upstreams.place, "there is no upstream").hint(hint);
        }
    }

    fn server(&self) -> server::Settings {
        let Config { keep_alive, max_connection_age, send_timeout, drain_timeout, .. } = self.config;
        let mut server = server::Settings::default();
        server.keep(keep_alive.as_ref().map(|at| at.value), max_connection_age.as_ref().map(|at| at.value));
        server.send_timeout = send_timeout.as_ref().map_or(server.send_timeout, |at| at.value);
        server.drain_timeout = drain_timeout.as_ref().map_or(server.drain_timeout, |at| at.value);
        server
    }

    fn upstream(
        &mut self,
        name: &At<String>,
        written: &WrittenUpstream,
        policies: &Policies,
        outline: &Outline,
    ) -> upstream::Config {
        let defaults = self.config.defaults.as_ref().map(|defaults| &defaults.value.outline);
        let layers: Vec<&Outline> = std::iter::once(outline).chain(defaults).collect();
        let settings = self.settings(policies, &layers);
        let Endpoints { listed, source } =
            written.endpoints.as_ref().map(|at| at.value.clone()).unwrap_or_default();
        let (endpoints, placements) = Placed::split(listed);
        let zone = self.config.zone.as_ref().map(|zone| Arc::from(zone.value.as_str()));
        // What an identity lacks that could not be read is not told once more.
        let is_whole = self.config.identity.is_some() == self.identity.is_some();
        let tls = written.tls.as_ref().filter(|_| is_whole);
        let tls = tls.and_then(|tls| tls.value.resolve(tls.place, self.identity.as_ref(), self.context));
        let tls = tls.map(|terms| terms.named_after(&source));
        upstream::Config {
            placements,
            source,
            zone,
            tls,
            settings,
            ..upstream::Config::new(name.value.as_str(), endpoints)
        }
    }

    /// What `policies` mean, which were written in `layers`, the upper ones first.
    fn settings(&mut self, policies: &Policies, layers: Layers<'_>) -> upstream::Settings {
        let zone = self.config.zone.as_ref().map(|zone| zone.value.as_str());
        policies.resolve_at("the gateway", zone).unwrap_or_else(|found| {
            self.refuse(found, layers);
            upstream::Settings::default()
        })
    }

    fn limits(&mut self, limits: &LimitsPolicy, outline: &Outline) -> Settings {
        limits.resolve().unwrap_or_else(|found| {
            self.refuse(found, &[outline]);
            Settings::default()
        })
    }

    fn refuse(&mut self, found: Vec<Contradiction>, layers: Layers<'_>) {
        Contradiction::note_all(found, layers, self.context);
    }

    /// The routes; one with policies of its own adds an upstream of its own to `plan`. `shared` are the policies of the
    /// upstreams.
    fn routes(
        &mut self,
        written: &'a [At<Outlined<WrittenRoute>>],
        shared: &[Policies],
        plan: &mut Plan,
    ) -> Routes {
        let mut routes: Vec<Route> = Vec::new();
        for At { value: Outlined { value: written, outline }, place } in written {
            let Some(mut route) = self.route(written) else { continue };
            if written.policies != Policies::default() {
                let policies = written.policies.over(&shared[route.upstream.0]);
                let settings = self.settings(&policies, &self.layers_of(outline, route.upstream));
                let own = upstream::Config { settings, ..plan.upstreams[route.upstream.0].clone() };
                route.upstream = UpstreamId(plan.upstreams.len());
                plan.upstreams.push(own);
            }
            let limits = written.limits.as_ref();
            let limits = limits.map(|limits| self.limits(&limits.value.value, &limits.value.outline));
            if let Some(limits) = limits.filter(|limits| !limits.is_empty()) {
                route.limits = Some(LimitsId(plan.route_limits.len()));
                plan.route_limits.push((Arc::clone(&plan.upstreams[route.upstream.0].name), limits));
            }
            if routes.iter().any(|other| other.takes_of(&route)) {
                let hint = "give it another host, path or method, or take it out";
                self.context.error(*place, "another route takes the same requests").hint(hint);
            }
            routes.push(route);
        }
        Routes::new(routes)
    }

    /// The layers under a route with its own `outline`.
    fn layers_of(&self, outline: &'a Outline, UpstreamId(upstream): UpstreamId) -> Vec<&'a Outline> {
        let upstreams = self.config.upstreams.iter().flat_map(|names| &names.value.0);
        let shared = upstreams.filter_map(|(_, upstream)| upstream.as_ref()).nth(upstream);
        let defaults = self.config.defaults.as_ref().map(|defaults| &defaults.value.outline);
        [Some(outline), shared.map(|shared| &shared.outline), defaults].into_iter().flatten().collect()
    }

    /// The route that was `written`; `None` when a part of it is wrong.
    fn route(&mut self, written: &WrittenRoute) -> Option<Route> {
        let upstream = written.upstream.as_ref().and_then(|name| self.upstream_id(name));
        let host = written.host.as_ref().map_or(Some(HostPattern::Any), |host| self.host(host));
        let path = written.path.as_ref().map_or(Some("/".to_owned()), |path| self.path(path));
        let methods = written.methods.iter().flat_map(|methods| &methods.value);
        let methods: Vec<Option<Method>> = methods.map(|method| self.method(method)).collect();
        let methods = methods.into_iter().collect::<Option<Vec<_>>>();
        Some(Route { host: host?, path: path?, methods: methods?, upstream: upstream?, limits: None })
    }

    fn upstream_id(&mut self, name: &At<String>) -> Option<UpstreamId> {
        let upstreams = self.config.upstreams.iter().flat_map(|names| &names.value.0);
        let known: Vec<&str> = upstreams.clone().map(|(name, _)| name.value.as_str()).collect();
        // Those that could not be read have no number, and were noted.
        let mut numbered = upstreams.filter(|(_, upstream)| upstream.is_some());
        let found = numbered.position(|(known, _)| known.value == name.value);
        if !known.contains(&name.value.as_str()) {
            self.context.unknown("upstream", name, known);
        }
        found.map(UpstreamId)
    }

    fn host(&mut self, written: &At<String>) -> Option<HostPattern> {
        let text = written.value.to_ascii_lowercase();
        let (name, below) = text.strip_prefix("*.").map_or((text.as_str(), false), |name| (name, true));
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if text == "*" {
            return Some(HostPattern::Any);
        }
        if name.split('.').all(label) {
            let name = name.to_owned();
            return Some(if below { HostPattern::Below(name) } else { HostPattern::Exact(name) });
        }
        let hint = "write a name without a port such as `shop.example.com`, or `*.example.com`";
        self.context.error(written.place, format!("`{}` is no host", written.value)).hint(hint);
        None
    }

    /// The path as it is looked up, whichever way it is written.
    fn path(&mut self, written: &At<String>) -> Option<String> {
        let prefix = path::prefix(&written.value);
        let read = prefix.as_deref().and_then(|prefix| path::prefix(&self.paths().read(prefix).ok()?));
        if read.is_none() {
            let hint = "write it from the root and without a query, such as `/cart`";
            self.context.error(written.place, format!("`{}` is no path", written.value)).hint(hint);
        }
        read
    }

    fn method(&mut self, written: &At<String>) -> Option<Method> {
        upstream::method(&written.value).map_err(|wrong| self.context.complaint(written.place, &wrong)).ok()
    }
}

//! A gateway's configuration, resolved: upstreams with their policies, routes that name them by index.
//! What is here can run. What is wrong with a configuration is found here, all of it at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hoplab_config::{At, Context, Outline, Outlined, Place, Problems, Source, read_with};
use hoplab_proxy::load_control::{LimitsPolicy, Settings};
use hoplab_proxy::path::Paths;
use hoplab_proxy::telemetry::Outlets;
use hoplab_proxy::trust::Trusted;
use hoplab_proxy::upstream::{self, Contradiction, Endpoints, Placed, Policies};
use hoplab_proxy::{path, server};
use http::Method;

use crate::config::{Config, Route as WrittenRoute, Upstream as WrittenUpstream};
use crate::routes::{HostPattern, LimitsId, Route, Routes, UpstreamId};

/// Where a gateway listens when it is not told.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);

/// A gateway that can run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Who is called; an [`UpstreamId`] is an index into them.
    pub upstreams: Vec<upstream::Config>,
    /// Which hops in front are believed.
    pub trusted: Trusted,
    /// How paths are read before routes are looked up.
    pub paths: Paths,
    /// Which requests go where.
    pub routes: Routes,
    /// What all requests meet before their routes.
    pub limits: Settings,
    /// What the requests of single routes meet after that, and what telemetry says it is about; a [`LimitsId`] is an
    /// index into them.
    pub route_limits: Vec<(Arc<str>, Settings)>,
    /// The limits of the accept loop.
    pub server: server::Settings,
    /// Where a live gateway tells what it does; for whoever runs it.
    pub outlets: Outlets,
}

impl Plan {
    /// A gateway in which each upstream answers to its name as host, whatever the path and method.
    pub fn by_host(upstreams: Vec<upstream::Config>) -> Self {
        let routes = upstreams.iter().enumerate().map(|(index, upstream)| Route {
            host: HostPattern::Exact(upstream.name.to_ascii_lowercase()),
            path: "/".to_owned(),
            methods: Vec::new(),
            upstream: UpstreamId(index),
            limits: None,
        });
        let routes = Routes::new(routes.collect());
        let (server, outlets) = (server::Settings::default(), Outlets::default());
        let (limits, route_limits) = (Settings::default(), Vec::new());
        let (trusted, paths) = (Trusted::default(), Paths::default());
        Self { listen: LISTEN, upstreams, trusted, paths, routes, limits, route_limits, server, outlets }
    }

    /// The gateway that a file's text describes, or everything that is wrong with it.
    pub fn read(text: &str) -> Result<Self, Problems> {
        let source = Source { path: "gateway.toml".to_owned(), text: text.to_owned() };
        read_with(source, Self::document).map(|(plan, _)| plan)
    }

    /// The gateway that the file of `context` describes; `None` when it has noted why not.
    pub fn document(context: &mut Context<'_>) -> Option<Self> {
        let config = context.document::<Config>(0)?;
        let plan = Resolving { config: &config, context }.plan();
        (!context.has_errors()).then_some(plan)
    }
}

/// Turns what was written into what is meant.
struct Resolving<'a, 'c> {
    config: &'a Config,
    context: &'a mut Context<'c>,
}

/// A layer of policies: where its keys stand.
type Layers<'a> = &'a [&'a Outline];

impl<'a> Resolving<'a, '_> {
    /// Only worth anything if no error was noted.
    fn plan(mut self) -> Plan {
        let config = self.config;
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
        plan.trusted = config.trusted.as_ref().map(|trusted| trusted.value.clone()).unwrap_or_default();
        plan.paths = self.paths();
        if let Some(limits) = &config.limits {
            plan.limits = self.limits(&limits.value.value, &limits.value.outline);
        }
        plan.server = self.server();
        plan.outlets = self.outlets(plan.listen);
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
            self.context
                .error(upstreams.place, "missing key \"upstreams\": write `[upstreams.NAME]`")
                .hint(hint);
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

    fn outlets(&mut self, listen: SocketAddr) -> Outlets {
        let Config { admin, access_log, spans, .. } = self.config;
        let outlets = Outlets {
            admin: admin.as_ref().map(|admin| admin.value),
            access_log: access_log.as_ref().map(|sink| sink.value.clone()),
            spans: spans.as_ref().map(|sink| sink.value.clone()),
        };
        for clash in outlets.clashes(&[("listen", listen)]) {
            let admin = admin.as_ref().filter(|_| clash.key == "admin").map(|admin| admin.place);
            let place = admin.or(spans.as_ref().map(|spans| spans.place)).unwrap_or(Place::BEGINNING);
            self.context.error(place, clash.fact).hint(clash.hint);
        }
        outlets
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
        upstream::Config {
            placements,
            source,
            zone,
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

#[cfg(test)]
mod tests {
    use hoplab_proxy::path::{Normal, Slashes};
    use hoplab_proxy::telemetry::Sink;

    use super::*;

    fn problems(text: &str) -> Vec<(String, String)> {
        let problems = Plan::read(text).unwrap_err();
        let place = |problem: &hoplab_config::Problem| {
            problem.place.map_or("", |place| &text[place.start..place.end])
        };
        problems.iter().map(|problem| (place(problem).to_owned(), problem.to_string())).collect()
    }

    #[test]
    fn a_whole_configuration_is_resolved() {
        let plan = Plan::read(
            r#"
            listen = "127.0.0.1:0"
            defaults = { timeout = "1s", balance = "peak-ewma" }
            drain_timeout = "3s"
            keep_alive = "20s"
            send_timeout = "30s"
            max_connection_age = "10m"
            trusted = ["10.0.0.0/8", "::1"]
            paths = { slashes = "keep" }
            admin = "127.0.0.1:9901"
            access_log = "stdout"
            spans = "log/spans.jsonl"
            [upstreams.payment]
            endpoints = ["payment-0:8080", "payment-1:8080"]
            protocol = "http2"
            timeout = "2s"
            [upstreams.cart]
            endpoints = ["cart-0:8080"]
            [[routes]]
            host = "*.Example.com"
            path = "/payment/"
            methods = ["POST"]
            upstream = "payment"
            [[routes]]
            upstream = "cart"
            "#,
        )
        .unwrap();
        assert_eq!(plan.listen, "127.0.0.1:0".parse().unwrap());
        assert_eq!(plan.server.drain_timeout.as_secs(), 3);
        let kept = (plan.server.idle_timeout, plan.server.http2_idle_timeout.unwrap_or_default());
        assert_eq!((kept.0.as_secs(), kept.1.as_secs()), (20, 20));
        assert_eq!((plan.server.age.unwrap().max.as_secs(), plan.server.send_timeout.as_secs()), (600, 30));
        assert_eq!(
            plan.trusted,
            Trusted::Blocks(vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()])
        );
        assert_eq!(plan.paths, Paths::Normal(Normal { slashes: Slashes::Keep, ..Normal::default() }));
        let outlets = Outlets {
            admin: Some("127.0.0.1:9901".parse().unwrap()),
            access_log: Some(Sink::Stdout),
            spans: Some(Sink::File("log/spans.jsonl".into())),
        };
        assert_eq!(plan.outlets, outlets);
        let timeouts: Vec<_> = plan.upstreams.iter().map(|u| u.settings.timeout.as_secs()).collect();
        assert_eq!(timeouts, [2, 1], "in the order of the file");
        assert_eq!(plan.upstreams[0].settings.protocol, Some(upstream::Protocol::Http2));
    }

    #[test]
    fn a_route_may_have_policies_of_its_own() {
        let text = r#"
            defaults = { timeout = "1s", connect_timeout = "100ms" }
            [upstreams.cart]
            endpoints = ["cart-0:80"]
            timeout = "2s"
            [[routes]]
            path = "/slow"
            upstream = "cart"
            timeout = "3s"
            [[routes]]
            upstream = "cart"
        "#;
        let plan = Plan::read(text).unwrap();
        let request = |path: &str| http::Request::get(path).body(()).unwrap();
        let timeouts = ["/slow", "/"].map(|path| {
            let UpstreamId(upstream) = plan.routes.find(&request(path)).unwrap().upstream;
            let settings = &plan.upstreams[upstream].settings;
            assert_eq!(settings.connect_timeout.as_millis(), 100);
            settings.timeout.as_secs()
        });
        assert_eq!(timeouts, [3, 2]);
        let wrong = text.replace("timeout = \"3s\"", "retry = { per_try_timeout = \"5s\" }");
        assert_eq!(problems(&wrong)[0].0, "\"5s\"");
        assert!(problems(&wrong)[0].1.starts_with("retry.per_try_timeout: one try may take longer"));
        let unknown = text.replace("timeout = \"3s\"", "timeuot = \"3s\"");
        assert!(problems(&unknown)[0].1.starts_with("unknown key \"timeuot\": did you mean \"timeout\"?"));
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let text = r#"
            [upstreams.cart]
            endpoints = ["cart-0:80"]
            [[routes]]
            host = "a:80"
            path = "cart"
            methods = ["get"]
            upstream = "crat"
            [[routes]]
            upstream = "cart"
            [[routes]]
            upstream = "cart"
        "#;
        let expected = [
            (
                "\"a:80\"",
                "`a:80` is no host: write a name without a port such as `shop.example.com`, or `*.example.com`",
            ),
            ("\"cart\"", "`cart` is no path: write it from the root and without a query, such as `/cart`"),
            ("\"get\"", "`get` is no method: write it in capitals, such as `GET`"),
            ("\"crat\"", "unknown upstream \"crat\": did you mean \"cart\"?"),
            (
                "[[routes]]",
                "another route takes the same requests: give it another host, path or method, or take it out",
            ),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(place, text)| ((*place).to_owned(), (*text).to_owned())).collect();
        assert_eq!(problems(text), expected);
    }

    #[test]
    fn what_the_text_cannot_say_is_told_with_its_place() {
        for (text, place, complaint) in [
            ("lisen = 1", "lisen", "unknown key \"lisen\": did you mean \"listen\"?"),
            ("listen = \"here\"", "\"here\"", "`here` is no address with a port: write an IP address"),
            ("defaults = { timeout = \"5\" }", "\"5\"", "`5` has no unit: write a duration such as `250us`"),
            ("[upstreams.a]\nendpoints = [\"a\"]", "\"a\"", "`a` is not host:port"),
            (
                "[upstreams.a]\nendpoints = [\"a:1\"]\nprotocol = \"http3\"",
                "\"http3\"",
                "unknown protocol \"http3\"",
            ),
            (
                "defaults = { balance = \"best\" }",
                "\"best\"",
                "unknown balance \"best\": there are \"round-robin\", \"random\"",
            ),
            ("[upstreams.a]\nendpoints = []", "[]", "there is no endpoint: write `[\"payment-0:8080\"]`"),
            ("", "", "missing key \"upstreams\": write `[upstreams.NAME]`"),
            ("admin = \"9901\"", "\"9901\"", "`9901` is no address with a port: write an IP address"),
            ("access_log = \"\"", "\"\"", "`` is no place for lines"),
            ("spans = \"log/\"", "\"log/\"", "`log/` is no place for lines"),
            ("spans = true", "true", "true or false where a place for lines belongs"),
            ("trusted = [\"10.0.0.1/8\"]", "\"10.0.0.1/8\"", "`10.0.0.1/8` is an address within a block"),
            (
                "trusted = \"10.0.0.0/8\"",
                "\"10.0.0.0/8\"",
                "a text where a list of addresses or a number belongs",
            ),
            ("paths = \"raw\"", "\"raw\"", "paths cannot be read as `raw`: write `\"normal\"`"),
            ("paths = { slashes = true }", "true", "true or false where a word belongs"),
            (
                "paths = { slashes = \"drop\" }",
                "\"drop\"",
                "unknown way with slashes \"drop\": there are \"merge\", \"keep\"",
            ),
        ] {
            let problems = problems(text);
            let found = problems.iter().find(|(at, _)| at == place).map(|(_, told)| told.as_str());
            assert!(found.is_some_and(|told| told.starts_with(complaint)), "{text}: {problems:?}");
        }
    }

    #[test]
    fn limits_stand_at_the_top_and_at_routes() {
        let text = r#"
            limits = { concurrency = 100 }
            [upstreams.cart]
            endpoints = ["cart-0:80"]
            [[routes]]
            path = "/slow"
            upstream = "cart"
            limits = { rate = { rate = "10 rps", burst = 5 } }
            [[routes]]
            upstream = "cart"
        "#;
        let plan = Plan::read(text).unwrap();
        assert!(plan.limits.concurrency.is_some() && plan.limits.rate.is_none());
        assert_eq!(plan.upstreams.len(), 1, "limits alone do not make an upstream");
        assert_eq!((plan.route_limits.len(), &*plan.route_limits[0].0), (1, "cart"));
        let limits = ["/slow", "/"].map(|path| {
            let request = http::Request::get(path).body(()).unwrap();
            plan.routes.find(&request).unwrap().limits
        });
        assert_eq!(limits, [Some(LimitsId(0)), None]);
        let wrong = text
            .replace("concurrency = 100", "priority = {}")
            .replace("burst = 5", "burst = 0")
            .replace("[[routes]]\n            upstream", "[[routes]]\n            limits = { concurrency = { min = 5, max = 1 } }\n            upstream");
        let expected = [
            (
                "priority",
                "priority: priorities are shares of a concurrency limit, and there is none: \
                 write `concurrency = 100` beside it, or take it out",
            ),
            (
                "0",
                "rate.burst: a bucket without room for a token lets nothing pass: \
                 write 1 or more, or `algorithm = \"gcra\"`, whose burst comes on top of the first",
            ),
            (
                "5",
                "concurrency.min: the least limit is 5, above the most, which is 1: \
                 make `min` at most as large as `max`",
            ),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(place, text)| ((*place).to_owned(), (*text).to_owned())).collect();
        assert_eq!(problems(&wrong), expected);
        for (right, wrong, place, complaint) in [
            ("concurrency = 100", "concurrency = -1", "-1", "`-1` is negative: write 0 or more"),
            (
                "concurrency = 100",
                "concurency = 1",
                "concurency",
                "unknown key \"concurency\": did you mean \"concurrency\"?",
            ),
            ("\"10 rps\"", "\"0 rps\"", "\"0 rps\"", "a rate limit of zero lets nothing pass"),
        ] {
            let problems = problems(&text.replace(right, wrong));
            assert_eq!(problems[0].0, place, "{wrong}");
            assert!(problems[0].1.starts_with(complaint), "{wrong}: {}", problems[0].1);
        }
    }

    #[test]
    fn endpoints_have_weights_and_zones() {
        let text = r#"
            zone = "near"
            [upstreams.cart]
            endpoints = ["cart-0:80", { at = "cart-1:80", weight = 3, zone = "near" }]
            balance = { zone = "prefer" }
            [[routes]]
            upstream = "cart"
            timeout = "3s"
        "#;
        let plan = Plan::read(text).unwrap();
        for upstream in &plan.upstreams {
            assert_eq!(upstream.zone.as_deref(), Some("near"));
            let placements: Vec<_> = upstream
                .placements
                .iter()
                .map(|placement| (placement.weight, placement.zone.as_deref()))
                .collect();
            assert_eq!(placements, [(1, None), (3, Some("near"))]);
        }
        let lost = text.replace("zone = \"near\"\n", "\n");
        assert_eq!(
            problems(&lost)[0].1,
            "balance.zone: nobody says which zone the gateway stands in: \
             write `zone = \"near\"` at the top"
        );
        let own = text.replace("balance = { zone = \"prefer\" }\n", "").replace("zone = \"near\"\n", "\n");
        let own = own.replace("timeout = \"3s\"", "balance = { zone = \"prefer\" }");
        assert!(problems(&own)[0].1.starts_with("balance.zone: nobody says which zone the gateway"));
        let weightless = text.replace("weight = 3", "weight = 0");
        assert!(problems(&weightless)[0].1.starts_with("`0` is no weight"), "{:?}", problems(&weightless));
        let keyless = text.replace("{ zone = \"prefer\" }", "\"maglev\"");
        assert!(problems(&keyless)[0].1.starts_with("balance.by: it does not say what"));
    }

    #[test]
    fn outlets_have_a_place_each() {
        let text = r#"
            listen = "0.0.0.0:9901"
            admin = "127.0.0.1:9901"
            access_log = "stdout"
            spans = "stdout"
            [upstreams.a]
            endpoints = ["a:1"]
        "#;
        let expected = [
            (
                "\"127.0.0.1:9901\"",
                "the port of 127.0.0.1:9901 is that of listen, 0.0.0.0:9901: \
                 give it a port of its own, such as 127.0.0.1:9901",
            ),
            (
                "\"stdout\"",
                "`access_log` goes to stdout, too: give each a place of its own, since their lines differ",
            ),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(place, text)| ((*place).to_owned(), (*text).to_owned())).collect();
        assert_eq!(problems(text), expected);
    }
}

//! A gateway's configuration, resolved: upstreams with their policies, routes that name them by index.
//! What is here can run. What is wrong with a configuration is found here, all of it at once.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;

use hoplab_proxy::load_control::{LimitsPolicy, Settings};
use hoplab_proxy::path::Paths;
use hoplab_proxy::telemetry::Outlets;
use hoplab_proxy::trust::Trusted;
use hoplab_proxy::upstream::{self, Placed, Policies};
use hoplab_proxy::{path, server};
use http::Method;
use toml::Spanned;

use crate::config::{Config, RouteConfig, UpstreamConfig};
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

/// Something in a configuration that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands in the text: bytes.
    pub place: Range<usize>,
    /// What is wrong.
    pub fact: String,
    /// What would be right, when that is known.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fact)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, ": {hint}"))
    }
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
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        match Config::read(text) {
            Ok(config) => Self::resolve(&config),
            Err(error) => {
                let place = error.span().unwrap_or(0..text.len());
                Err(vec![Problem { place, fact: error.message().to_owned(), hint: None }])
            }
        }
    }

    /// The gateway that `config` describes, or everything that is wrong with it.
    pub fn resolve(config: &Config) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        if config.upstreams.is_empty() {
            let hint = Some("write `[upstreams.NAME]` with `endpoints = [\"host:port\"]`".to_owned());
            problems.push(Problem { place: 0..0, fact: "there is no upstream".to_owned(), hint });
        }
        let upstreams = config
            .upstreams
            .iter()
            .map(|(name, written)| resolve_called(name, written, config, &mut problems));
        let mut plan = Self::by_host(upstreams.collect());
        if !config.routes.is_empty() {
            plan.routes = resolve_routes(config, &mut plan, &mut problems);
        }
        plan.listen = config.listen.unwrap_or(LISTEN);
        (plan.trusted, plan.paths) = (config.trusted.clone(), config.paths);
        plan.limits = resolve_limits(config.limits.as_ref(), "", &mut problems);
        if let Some(drain_timeout) = config.drain_timeout {
            plan.server.drain_timeout = drain_timeout;
        }
        plan.server.keep(config.keep_alive, config.max_connection_age);
        plan.server.send_timeout = config.send_timeout.unwrap_or(plan.server.send_timeout);
        plan.outlets = resolve_outlets(config, plan.listen, &mut problems);
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }
}

fn resolve_outlets(config: &Config, listen: SocketAddr, problems: &mut Vec<Problem>) -> Outlets {
    let outlets = Outlets {
        admin: config.admin.as_ref().map(|admin| *admin.get_ref()),
        access_log: config.access_log.clone(),
        spans: config.spans.as_ref().map(|spans| spans.get_ref().clone()),
    };
    let admin = config.admin.as_ref().map(Spanned::span);
    let spans = config.spans.as_ref().map(Spanned::span);
    problems.extend(outlets.clashes(&[("listen", listen)]).into_iter().map(|clash| {
        let place = if clash.key == "admin" { &admin } else { &spans };
        Problem { place: place.clone().unwrap_or_default(), fact: clash.fact, hint: Some(clash.hint) }
    }));
    outlets
}

fn resolve_called(
    name: &str,
    written: &Spanned<UpstreamConfig>,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> upstream::Config {
    let upstream = written.get_ref();
    let policies = upstream.policies.over(&config.defaults);
    let zone = config.zone.as_deref().map(Arc::from);
    refuse_contradictions(&policies, config, &format!("upstreams.{name}"), written.span(), problems);
    let (endpoints, placements) = Placed::split(upstream.endpoints.clone());
    upstream::Config { placements, zone, policies, ..upstream::Config::new(name, endpoints) }
}

fn refuse_contradictions(
    policies: &Policies,
    config: &Config,
    of: &str,
    place: Range<usize>,
    problems: &mut Vec<Problem>,
) {
    let contradictions = policies.contradictions_at("the gateway", config.zone.as_deref());
    problems.extend(contradictions.into_iter().map(|found| Problem {
        place: place.clone(),
        fact: format!("{of}.{}: {}", found.key, found.fact),
        hint: Some(found.hint),
    }));
}

/// The limits that are `written` at `of`, which is empty or ends in a dot.
fn resolve_limits(
    written: Option<&Spanned<LimitsPolicy>>,
    of: &str,
    problems: &mut Vec<Problem>,
) -> Settings {
    let Some(written) = written else { return Settings::default() };
    written.get_ref().resolve().unwrap_or_else(|contradictions| {
        problems.extend(contradictions.into_iter().map(|found| Problem {
            place: written.span(),
            fact: format!("{of}{}: {}", found.key, found.fact),
            hint: Some(found.hint),
        }));
        Settings::default()
    })
}

/// A route with policies of its own adds an upstream of its own.
fn resolve_routes(config: &Config, plan: &mut Plan, problems: &mut Vec<Problem>) -> Routes {
    let Plan { upstreams, route_limits, .. } = plan;
    let mut routes = Vec::new();
    for written in &config.routes {
        let route = resolve_route(written, config, problems);
        let Some(mut route) = route else { continue };
        if written.policies != Policies::default() {
            let shared = &upstreams[route.upstream.0];
            let policies = written.policies.over(&shared.policies);
            refuse_contradictions(&policies, config, "routes", written.upstream.span(), problems);
            route.upstream = UpstreamId(upstreams.len());
            upstreams.push(upstream::Config { policies, ..shared.clone() });
        }
        let limits = resolve_limits(written.limits.as_ref(), "routes.", problems);
        if !limits.is_empty() {
            route.limits = Some(LimitsId(route_limits.len()));
            route_limits.push((Arc::clone(&upstreams[route.upstream.0].name), limits));
        }
        let taken = |other: &Route| {
            let all = other.methods.is_empty() || route.methods.is_empty();
            let shared = all || other.methods.iter().any(|method| route.methods.contains(method));
            other.host == route.host && other.path == route.path && shared
        };
        if routes.iter().any(taken) {
            let fact = "another route takes the same requests".to_owned();
            let hint = Some("give it another host, path or method, or take it out".to_owned());
            problems.push(Problem { place: written.upstream.span(), fact, hint });
        }
        routes.push(route);
    }
    Routes::new(routes)
}

/// The route that was `written`; `None` when a part of it is wrong, which `problems` then tell.
fn resolve_route(written: &RouteConfig, config: &Config, problems: &mut Vec<Problem>) -> Option<Route> {
    let upstream = noted(problems, resolve_upstream(&written.upstream, config));
    let host = written.host.as_ref().map_or(Ok(HostPattern::Any), resolve_host);
    let host = noted(problems, host);
    let path = written.path.as_ref().map_or(Ok("/".to_owned()), |path| resolve_path(path, config.paths));
    let path = noted(problems, path);
    let methods = written.methods.iter().flatten().map(|method| noted(problems, resolve_method(method)));
    let methods: Vec<Option<Method>> = methods.collect();
    let methods = methods.into_iter().collect::<Option<Vec<_>>>();
    Some(Route { host: host?, path: path?, methods: methods?, upstream: upstream?, limits: None })
}

fn noted<T>(problems: &mut Vec<Problem>, result: Result<T, Problem>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

fn resolve_upstream(name: &Spanned<String>, config: &Config) -> Result<UpstreamId, Problem> {
    config.upstreams.keys().position(|known| known == name.get_ref()).map(UpstreamId).ok_or_else(|| {
        let known = config.upstreams.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Problem {
            place: name.span(),
            fact: format!("unknown upstream `{}`", name.get_ref()),
            hint: Some(format!("there is {}", if known.is_empty() { "none" } else { &known })),
        }
    })
}

fn resolve_host(written: &Spanned<String>) -> Result<HostPattern, Problem> {
    let text = written.get_ref().to_ascii_lowercase();
    let (name, below) = text.strip_prefix("*.").map_or((text.as_str(), false), |name| (name, true));
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if text == "*" {
        Ok(HostPattern::Any)
    } else if name.split('.').all(label) {
        Ok(if below { HostPattern::Below(name.to_owned()) } else { HostPattern::Exact(name.to_owned()) })
    } else {
        Err(Problem {
            place: written.span(),
            fact: format!("`{}` is no host", written.get_ref()),
            hint: Some(
                "write a name without a port such as `shop.example.com`, or `*.example.com`".to_owned(),
            ),
        })
    }
}

/// The path as it is looked up, whichever way it is written.
fn resolve_path(written: &Spanned<String>, paths: Paths) -> Result<String, Problem> {
    let prefix = path::prefix(written.get_ref());
    let read = prefix.as_deref().and_then(|prefix| path::prefix(&paths.read(prefix).ok()?));
    read.ok_or_else(|| Problem {
        place: written.span(),
        fact: format!("`{}` is no path", written.get_ref()),
        hint: Some("write it from the root and without a query, such as `/cart`".to_owned()),
    })
}

fn resolve_method(written: &Spanned<String>) -> Result<Method, Problem> {
    upstream::method(written.get_ref()).map_err(|fact| Problem { place: written.span(), fact, hint: None })
}

#[cfg(test)]
mod tests {
    use hoplab_proxy::path::{Normal, Slashes};
    use hoplab_proxy::telemetry::Sink;

    use super::*;

    fn problems(text: &str) -> Vec<(String, String)> {
        let problems = Plan::read(text).unwrap_err();
        problems.into_iter().map(|p| (text[p.place.clone()].to_owned(), p.to_string())).collect()
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
        let timeouts: Vec<_> =
            plan.upstreams.iter().map(|u| u.policies.resolve().unwrap().timeout.as_secs()).collect();
        assert_eq!(timeouts, [1, 2], "in the order of their names");
        assert_eq!(plan.upstreams[1].policies.protocol, Some(upstream::Protocol::Http2));
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
            let settings = plan.upstreams[upstream].policies.resolve().unwrap();
            assert_eq!(settings.connect_timeout.as_millis(), 100);
            settings.timeout.as_secs()
        });
        assert_eq!(timeouts, [3, 2]);
        let wrong = text.replace("timeout = \"3s\"", "retry = { per_try_timeout = \"5s\" }");
        assert_eq!(problems(&wrong)[0].0, "\"cart\"");
        assert!(problems(&wrong)[0].1.starts_with("routes.retry.per_try_timeout: one try may take longer"));
        let unknown = text.replace("timeout = \"3s\"", "timeuot = \"3s\"");
        assert!(problems(&unknown)[0].1.starts_with("unknown field `timeuot`"));
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
            ("\"crat\"", "unknown upstream `crat`: there is `cart`"),
            (
                "\"a:80\"",
                "`a:80` is no host: write a name without a port such as `shop.example.com`, or `*.example.com`",
            ),
            ("\"cart\"", "`cart` is no path: write it from the root and without a query, such as `/cart`"),
            ("\"get\"", "`get` is no method: write it in capitals, such as `GET`"),
            (
                "\"cart\"",
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
            ("lisen = 1", "lisen", "unknown field `lisen`"),
            ("listen = \"here\"", "\"here\"", "invalid socket address"),
            ("defaults = { timeout = \"5\" }", "\"5\"", "`5` has no unit: write a duration such as `250us`"),
            ("[upstreams.a]\nendpoints = [\"a\"]", "\"a\"", "`a` is not host:port"),
            (
                "[upstreams.a]\nendpoints = [\"a:1\"]\nprotocol = \"http3\"",
                "\"http3\"",
                "unknown variant `http3`",
            ),
            (
                "defaults = { balance = \"best\" }",
                "\"best\"",
                "unknown balance `best`: write `round-robin`, `random`",
            ),
            ("[upstreams.a]\nendpoints = []", "[]", "there is no endpoint: write at least one"),
            ("", "", "there is no upstream"),
            ("admin = \"9901\"", "\"9901\"", "invalid socket address"),
            ("access_log = \"\"", "\"\"", "`` is no place for lines: write \"stdout\" or the path of a file"),
            ("spans = \"log/\"", "\"log/\"", "`log/` is no place for lines"),
            ("spans = true", "true", "invalid type: boolean"),
            ("trusted = [\"10.0.0.1/8\"]", "\"10.0.0.1/8\"", "`10.0.0.1/8` is an address within a block"),
            (
                "trusted = \"10.0.0.0/8\"",
                "\"10.0.0.0/8\"",
                "invalid type: string \"10.0.0.0/8\", expected addresses",
            ),
            ("paths = \"raw\"", "\"raw\"", "unknown variant `raw`, expected `normal` or `as-they-are`"),
            ("paths = { slashes = true }", "true", "wanted string or table"),
            (
                "paths = { slashes = \"drop\" }",
                "\"drop\"",
                "unknown variant `drop`, expected `merge` or `keep`",
            ),
        ] {
            let problems = problems(text);
            assert_eq!(problems[0].0, place, "{text}");
            assert!(problems[0].1.starts_with(complaint), "{text}: {}", problems[0].1);
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
                "{ rate = { rate = \"10 rps\", burst = 0 } }",
                "routes.limits.rate.burst: a bucket without room for a token lets nothing pass: \
                 write 1 or more, or `algorithm = \"gcra\"`, whose burst comes on top of the first",
            ),
            (
                "{ concurrency = { min = 5, max = 1 } }",
                "routes.limits.concurrency.min: the least limit is 5, above the most, which is 1: \
                 make `min` at most as large as `max`",
            ),
            (
                "{ priority = {} }",
                "limits.priority: priorities are shares of a concurrency limit, and there is none: \
                 write `concurrency = 100` beside it, or take it out",
            ),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(place, text)| ((*place).to_owned(), (*text).to_owned())).collect();
        assert_eq!(problems(&wrong), expected);
        for (right, wrong, place, complaint) in [
            (
                "concurrency = 100",
                "concurrency = -1",
                "-1",
                "invalid value: integer `-1`, expected a number of",
            ),
            ("concurrency = 100", "concurency = 1", "concurency", "unknown field `concurency`"),
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
            "upstreams.cart.balance.zone: nobody says which zone the gateway stands in: \
             write `zone = \"near\"` at the top"
        );
        let own = text.replace("balance = { zone = \"prefer\" }\n", "").replace("zone = \"near\"\n", "\n");
        let own = own.replace("timeout = \"3s\"", "balance = { zone = \"prefer\" }");
        assert!(problems(&own)[0].1.starts_with("routes.balance.zone: nobody says which zone the gateway"));
        let weightless = text.replace("weight = 3", "weight = 0");
        assert!(problems(&weightless)[0].1.starts_with("`0` is no weight"), "{:?}", problems(&weightless));
        let keyless = text.replace("{ zone = \"prefer\" }", "\"maglev\"");
        assert!(problems(&keyless)[0].1.starts_with("upstreams.cart.balance.by: it does not say what"));
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

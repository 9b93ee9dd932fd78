//! A gateway's configuration, resolved: upstreams with their policies, routes that name them by index.
//! What is here can run. What is wrong with a configuration is found here, all of it at once.

mod resolving;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hoplab_config::{Context, Problems, Source, read_with};
use hoplab_proxy::load_control::Settings;
use hoplab_proxy::path::Paths;
use hoplab_proxy::server;
use hoplab_proxy::telemetry::Outlets;
use hoplab_proxy::tls::Certificate;
use hoplab_proxy::trust::Trusted;
use hoplab_proxy::upstream;

use crate::config::Config;
use crate::routes::{HostPattern, Route, Routes, UpstreamId};
use resolving::Resolving;

/// Where a gateway listens when it is not told.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);

/// A gateway that can run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What callers are shown, who speak TLS then; in the clear when empty.
    pub certificates: Vec<Certificate>,
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
    /// What the requests of single routes meet after that, and what telemetry says it is about; a [`crate::routes::LimitsId`] is an
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
        let certificates = Vec::new();
        Self {
            listen: LISTEN,
            certificates,
            upstreams,
            trusted,
            paths,
            routes,
            limits,
            route_limits,
            server,
            outlets,
        }
    }

    /// The gateway that a file's text describes, or everything that is wrong with it.
    pub fn read(text: &str) -> Result<Self, Problems> {
        let source = Source { path: "gateway.toml".to_owned(), text: text.to_owned() };
        read_with(source, Self::document).map(|(plan, _)| plan)
    }

    /// The gateway that the file of `context` describes; `None` when it has noted why not.
    pub fn document(context: &mut Context<'_>) -> Option<Self> {
        let config = context.document::<Config>(0)?;
        let plan = Resolving { config: &config, context, identity: None }.plan();
        (!context.has_errors()).then_some(plan)
    }
}

#[cfg(test)]
mod tests {
    use hoplab_proxy::path::{Normal, Slashes};
    use hoplab_proxy::telemetry::Sink;

    use super::*;
    use crate::routes::LimitsId;

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
            shutdown_delay = "4s"
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
            shutdown_delay: std::time::Duration::from_secs(4),
        };
        assert_eq!(plan.outlets, outlets);
        let timeouts: Vec<_> = plan.upstreams.iter().map(|u| u.settings.timeout.unwrap().as_secs()).collect();
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
            settings.timeout.unwrap().as_secs()
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

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
//! How long it keeps the connections of its callers; `"75s"` over HTTP/1.1 and an hour over HTTP/2, at any age,
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

use std::net::SocketAddr;
use std::time::Duration;

use hoplab_config::form::Form;
use hoplab_config::read::texts_form;
use hoplab_config::{AboveZero, At, Names, Outlined, REQUIRED, Read, table, way};
use hoplab_proxy::load_control::LimitsPolicy;
use hoplab_proxy::path::Paths;
use hoplab_proxy::server;
use hoplab_proxy::telemetry::Sink;
use hoplab_proxy::trust::Trusted;
use hoplab_proxy::upstream::{Endpoints, Policies};

table! {
    /// What a gateway's file says.
    pub struct Config {
        /// Where to listen.
        pub listen: SocketAddr = "`\"0.0.0.0:8080\"`",
        /// The zone that the gateway stands in, for balancing by zone.
        pub zone: String = "none",
        /// How upstreams are called, unless they say otherwise.
        pub defaults: Outlined<Policies> = "the defaults of each policy",
        /// Who is called, by name.
        pub upstreams: Names<Outlined<Upstream>> = REQUIRED,
        /// Which requests go where. The most specific host that has a route for the path wins, then the longest path,
        /// then the method. Without routes, each upstream answers to its name as host.
        pub routes: Vec<At<Outlined<Route>>> = "each upstream answers to its name as host",
        /// What all requests meet before their routes.
        pub limits: Outlined<LimitsPolicy> = "none",
        /// Which hops in front are believed in what they say of where requests come from (`X-Forwarded-*`, `Forwarded`):
        /// those at these addresses, or this many, whatever their addresses are.
        pub trusted: Trusted = "nobody",
        /// How paths are read, which is how routes are looked up and how requests are sent.
        pub paths: Paths = "`\"normal\"`",
        /// How long a caller's connection may be idle until it is closed; longer than whoever stands in front keeps it.
        pub keep_alive: Duration as AboveZero = "`\"75s\"` over HTTP/1.1, an hour over HTTP/2",
        /// How old a caller's connection may become, a tenth more or less; what was begun is finished.
        pub max_connection_age: Duration as AboveZero = "any age",
        /// A caller that takes nothing of its answer for so long gets no more of it.
        pub send_timeout: Duration as AboveZero = server::SEND_TIMEOUT,
        /// How long requests in flight may take when the gateway is told to stop.
        pub drain_timeout: Duration as AboveZero = server::DRAIN_TIMEOUT,
        /// Where metrics and health are asked for: `GET /metrics` (Prometheus), `/healthz`, `/ready` (503 while draining).
        pub admin: SocketAddr = "nowhere",
        /// Where each request leaves a line: one JSON object.
        pub access_log: Sink = "nowhere",
        /// Where the traces go that are sampled, or begin here: OTLP's JSON, a line a request, with its attempts.
        pub spans: Sink = "nowhere",
    }
}

table! {
    /// Who is called.
    pub struct Upstream {
        /// Where it listens: a list of `host:port` or of tables with what balancing goes by, or where such a list
        /// is told: a file of its own, or a name whose addresses they are.
        pub endpoints: Endpoints = REQUIRED,
        ..
        /// How it is called, over [`Config::defaults`].
        pub policies: Policies,
    }
}

table! {
    /// Which requests go where, and how the upstream is called for them, over what it says itself. A route that says
    /// something of that has breakers, budgets and connections of its own.
    pub struct Route {
        /// `shop.example.com`, or `*.example.com` for all below.
        pub host: String as Host = "any",
        /// The path and all below it.
        pub path: String as Path = "`\"/\"`",
        /// For these methods.
        pub methods: Vec<At<String>> as Methods = "all",
        /// The upstream's name.
        pub upstream: String as Name = REQUIRED,
        /// What its requests meet after what all requests do.
        pub limits: Outlined<LimitsPolicy> = "none",
        ..
        /// How the upstream is called for these requests.
        pub policies: Policies,
    }
}

way!(Host: String, Form::Text { what: "a host", example: "shop.example.com" }, String::read);
way!(Path: String, Form::Text { what: "a path", example: "/cart" }, String::read);
way!(Methods: Vec<At<String>>, texts_form("a method", "GET"), Vec::read);
way!(Name: String, Form::Text { what: "the name of an upstream", example: "cart" }, String::read);

//! A gateway's file as it is written: each key once, with what it is for, what may be written for it and what holds without
//! it, of which the reader, the reference (config/README.md, which has examples) and the JSON Schema are made. Nothing is
//! resolved here: what the file means is [`crate::plan`]'s matter.

use std::net::SocketAddr;
use std::time::Duration;

use hoplab_config::form::Form;
use hoplab_config::read::texts_form;
use hoplab_config::{AboveZero, At, Names, Outlined, REQUIRED, Read, table, way};
use hoplab_proxy::load_control::LimitsPolicy;
use hoplab_proxy::path::Paths;
use hoplab_proxy::server;
use hoplab_proxy::telemetry::outlets::OutletKeys;
use hoplab_proxy::tls::written::{CallKeys, IdentityKeys, ListenKeys};
use hoplab_proxy::trust::Trusted;
use hoplab_proxy::upstream::{Endpoints, Policies};

table! {
    /// What a gateway's file says.
    pub struct Config {
        /// Where to listen.
        pub listen: SocketAddr = "`\"0.0.0.0:8080\"`",
        /// TLS for callers.
        pub tls: ListenKeys = "in the clear",
        /// What the gateway proves its name to workloads with: PEM files, from this file's folder.
        pub identity: IdentityKeys = "none",
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
        ..
        /// Where it tells what it does.
        pub outlets: OutletKeys,
    }
}

table! {
    /// Who is called.
    pub struct Upstream {
        /// Where it listens: a list of `host:port` or of tables with what balancing goes by, or where such a list
        /// is told: a file of its own, or a name whose addresses they are.
        pub endpoints: Endpoints = REQUIRED,
        /// TLS towards it.
        pub tls: CallKeys = "in the clear",
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

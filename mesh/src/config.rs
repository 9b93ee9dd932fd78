//! A sidecar's file as it is written: each key once, with what it is for, what may be written for it and what holds without
//! it, of which the reader, the reference (config/README.md, which has examples) and the JSON Schema are made. Nothing is
//! resolved and no file is read here: what the file means is [`crate::plan`]'s matter.

use std::net::{Ipv4Addr, SocketAddr};

use hoplab_config::form::Form;
use hoplab_config::read::texts_form;
use hoplab_config::{At, Choice, Names, Outlined, REQUIRED, Read, table, way};
use hoplab_proxy::host::Endpoint;
use hoplab_proxy::load_control::LimitsPolicy;
use hoplab_proxy::telemetry::outlets::OutletKeys;
use hoplab_proxy::tls::written::IdentityKeys;
use hoplab_proxy::upstream::settings::STREAM_IDLE_TIMEOUT;
use hoplab_proxy::upstream::{Endpoints, Policies, PoolPolicy, Protocol, RetryPolicy, TimeLimit};

/// Where inbound sides listen unless a file says otherwise; Istio's port.
pub const INBOUND_PORT: u16 = 15006;

/// Where outbound sides listen unless a file says otherwise; Istio's port.
pub const OUTBOUND_PORT: u16 = 15001;

/// Where apps listen unless a file says otherwise.
pub const APP_PORT: u16 = 8080;

/// See [`Inbound::listen`].
pub(crate) const INBOUND: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), INBOUND_PORT);

/// See [`Outbound::listen`].
pub(crate) const OUTBOUND: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), OUTBOUND_PORT);

table! {
    /// What a sidecar's file says.
    pub struct Config {
        /// The service whose pod this is: a DNS label, which its certificate must name.
        pub service: String as Name = REQUIRED,
        /// The zone that the pod stands in, for balancing by zone.
        pub zone: String = "none",
        /// The side that requests to the app come through.
        pub inbound: Inbound = "as its keys say",
        /// The side that the app's own requests go through.
        pub outbound: Outbound = "as its keys say",
        /// What the sidecar proves its name with: PEM files, from this file's folder.
        pub identity: IdentityKeys = REQUIRED,
        /// How services are called that do not say it themselves.
        pub defaults: Outlined<Policies> = "the defaults of each policy",
        /// The services that the app may call, by their names.
        pub services: Names<Outlined<Service>> = "none",
        ..
        /// Where it tells what it does.
        pub outlets: OutletKeys,
    }
}

table! {
    /// The side that requests to the app come through.
    pub struct Inbound {
        /// Where it listens.
        pub listen: SocketAddr = "`\"0.0.0.0:15006\"`",
        /// Where the app listens.
        pub app: Endpoint = "`\"127.0.0.1:8080\"`",
        /// What the app speaks.
        pub protocol: Protocol = "`\"http1\"`",
        /// Who may come.
        pub tls: Acceptance = "`\"permissive\"`",
        /// How long nothing may pass on a request's stream to the app, either way. How long a request may take is for its
        /// caller to say.
        pub idle_timeout: TimeLimit = TimeLimit::Within(STREAM_IDLE_TIMEOUT),
        /// When requests to the app are tried again, beside what their callers do: as Istio does with
        /// `{ attempts = 2, on = ["reset-before-request"] }`.
        pub retry: Outlined<RetryPolicy> = "never",
        /// How many connections to the app and waiting requests there may be.
        pub pool: PoolPolicy = "as its keys say",
        /// What requests to the app meet.
        pub limits: Outlined<LimitsPolicy> = "none",
    }
}

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acceptance {
    /// Everyone: with a certificate of the mesh, or in the clear.
    #[default]
    Permissive,
    /// Only who shows a certificate of the mesh: any workload of the trust domain.
    Strict,
}

impl Choice for Acceptance {
    const NOUN: &'static str = "way with TLS";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Permissive, "permissive", "everyone: with a certificate of the mesh, or in the clear"),
        (
            Self::Strict,
            "strict",
            "only who shows a certificate of the mesh, any workload of the trust domain",
        ),
    ];
}

table! {
    /// The side that the app's own requests go through.
    pub struct Outbound {
        /// Where it listens, also when this table is left out: a second sidecar on a machine needs another port.
        pub listen: SocketAddr = "`\"127.0.0.1:15001\"`",
        /// How connections to other pods are secured.
        pub tls: Protection = "`\"mutual\"`",
    }
}

/// How connections to other pods are secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protection {
    /// By mutual TLS, as the mesh's workloads.
    #[default]
    Mutual,
    /// Not at all.
    None,
}

impl Choice for Protection {
    const NOUN: &'static str = "way with TLS";
    const WORDS: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Mutual, "mutual", "by mutual TLS: either side proves its name"),
        (
            Self::None,
            "none",
            "they are in the clear, as in AWS App Mesh and plain Envoy unasked: nobody learns who calls, and a sidecar that \
             is `strict` takes nothing",
        ),
    ];
}

table! {
    /// A service that the app may call.
    pub struct Service {
        /// The inbound sides of its pods: a list of `host:port` or of tables with what balancing goes by, or where such a list
        /// is told: a file of its own, or a name whose addresses they are.
        pub endpoints: Endpoints = REQUIRED,
        /// How connections to them are secured: `"none"` for what is outside of the mesh, such as a database.
        pub tls: Protection = "as `outbound` says",
        /// What of it is called in ways of its own; the longest path is looked at first.
        pub routes: Vec<At<Outlined<Route>>> = "none",
        ..
        /// How it is called, over [`Config::defaults`].
        pub policies: Policies,
    }
}

table! {
    /// Some of a service's requests, and how they are called, over what the service says. A route that says something of
    /// that has breakers, budgets and connections of its own.
    pub struct Route {
        /// The path and all below it.
        pub path: String as Path = "`\"/\"`",
        /// For these methods.
        pub methods: Vec<At<String>> as Methods = "all",
        ..
        /// How they are called.
        pub policies: Policies,
    }
}

way!(Name: String, Form::Text { what: "the name of a service", example: "order" }, String::read);
way!(Path: String, Form::Text { what: "a path", example: "/cart" }, String::read);
way!(Methods: Vec<At<String>>, texts_form("a method", "GET"), Vec::read);

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: &str = "[identity]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\nauthorities = \"a.pem\"\n";

    fn problems(text: &str) -> Vec<String> {
        hoplab_config::read::<Config>("sidecar.toml", text).unwrap_err().in_words()
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        for (text, complaint) in [
            ("[services.payment]\ntimeout = \"2s\"\n", "missing key \"endpoints\": write `endpoints = "),
            (
                "[services.payment]\nendpoints = []\nretries = 3\n",
                "unknown key \"retries\": did you mean \"retry\"?",
            ),
            ("[services.payment]\nendpoints = [\"payment\"]\n", "`payment` is not host:port"),
            ("[services.payment]\nendpoints = []\ntimeout = \"2\"\n", "`2` has no unit"),
            (
                "[inbound]\ntls = \"off\"\n",
                "unknown way with TLS \"off\": there are \"permissive\", \"strict\"",
            ),
            ("[inbound]\nport = 1\n", "unknown key \"port\""),
            ("[inbound]\nlimits = { rates = 1 }\n", "unknown key \"rates\": did you mean \"rate\"?"),
            ("[inbound]\nlimits.rate = { rate = \"0 rps\" }\n", "a rate limit of zero lets nothing pass"),
            ("[outbound]\nlisten = \"localhost\"\n", "`localhost` is no address with a port"),
            ("[outbound]\nadmin = \"127.0.0.1:9901\"\n", "unknown key \"admin\""),
        ] {
            let found = problems(&format!("service = \"order\"\n{IDENTITY}{text}"));
            assert!(found.iter().any(|told| told.starts_with(complaint)), "{text}: {found:?}");
        }
        assert!(
            problems("service = \"order\"")[0].starts_with("missing key \"identity\": write `[identity]`")
        );
    }
}

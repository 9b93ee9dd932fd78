//! The profiles that hoplab has: the files of `scenarios/profiles/`, which are part of the binary, so that a name means
//! the same wherever it runs.

/// Where a profile of hoplab's is said to stand: on no disk.
const FOLDER: &str = "(hoplab)/profiles/";

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        const ALL: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../scenarios/profiles/", $name, ".toml")))),*];
    };
}

shipped![
    "app-mesh",
    "aws-api-gateway",
    "consul-connect",
    "ecs-service-connect",
    "envoy",
    "haproxy",
    "istio",
    "istio-ambient",
    "kong",
    "linkerd",
    "nginx-plus",
    "sentinelgateway",
    "traefik",
];

/// The names of the profiles that hoplab has.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

/// The text of the profile that hoplab has under this name.
pub(super) fn text(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Where the profile called `name` is said to stand.
pub(super) fn path(name: &str) -> String {
    format!("{FOLDER}{name}.toml")
}

/// Whether a text of a plan is that of a profile that hoplab has.
pub(in crate::scenario) fn is_shipped(path: &str) -> bool {
    path.starts_with(FOLDER)
}

//! Profiles: hoplab's own are whole, what they say stands below the scenario, and mistakes are told.

use hoplab_config::{Source, read_with};
use hoplab_proxy::upstream::Settings;
use hoplab_sim::costs::Costs;
use hoplab_sim::scenario::plan::{Gateway, Plan};
use hoplab_sim::scenario::profile::{self, Basis};

use super::{GOOD, read};

/// A profile of somebody's own, over which nothing stands.
const OWN: &str = r#"
[profile]
title = "Ours"
[sources.test]
title = "A load test"
[gateway]
cores    = 4
defaults = { timeout = "none", connect_timeout = "7s", balance = "random", retry = { attempts = 3 } }
costs    = { cpu = "100us", latency = [{ busy = "0%", latency = "1ms" }, { busy = "90%", latency = "4ms" }] }
[[figures]]
of     = ["gateway"]
is     = "published"
source = "test"
"#;

/// A scenario under `gateway:own` and with no costs, in which `[gateway]` says this.
fn scenario(gateway: &str) -> String {
    let text = GOOD
        .replace(r#"["direct", "gateway", "mesh"]"#, r#"["direct", "gateway:own", "mesh"]"#)
        .replace("[costs]\ngateway = { latency = \"0us\", cpu = \"80us\" }", "");
    let (before, from) = text.split_once("[gateway]").unwrap();
    let (_, after) = from.split_once("\n[").unwrap();
    format!("{before}[gateway]\n{gateway}\n[{after}")
}

fn planned(gateway: &str, files: &[(&str, &str)]) -> Plan {
    read(&scenario(gateway), files).unwrap_or_else(|problems| panic!("{problems}"))
}

fn gateway(plan: &Plan) -> &Gateway {
    plan.architectures[1].gateway.as_ref().unwrap()
}

#[test]
fn every_figure_of_hoplabs_profiles_has_a_source_or_is_assumed() {
    for name in profile::shipped() {
        let path = format!("{}/../scenarios/profiles/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let source = Source { path: format!("{name}.toml"), text };
        let (profile, problems) =
            read_with(source, profile::document).unwrap_or_else(|problems| panic!("{problems}"));
        // A key of which nothing is said is a warning.
        assert!(problems.is_empty(), "{problems}");
        for figure in &profile.figures {
            let has_source = profile.sources.iter().any(|known| Some(&known.name) == figure.source.as_ref());
            assert!(has_source || figure.basis == Basis::Assumed, "{name}: {}", figure.key);
            assert!(figure.basis != Basis::Assumed || figure.how.is_some(), "{name}: {}", figure.key);
        }
        assert!(profile.version.is_some() && profile.as_of.is_some(), "{name} is of when?");
        let parts = [("gateway", profile.is_gateway), ("mesh", profile.is_mesh)];
        for (part, _) in parts.into_iter().filter(|(_, is_there)| *is_there) {
            for price in ["latency", "cpu", "kib", "tls_kib", "handshake", "connection", "memory"] {
                let key = format!("{part}.costs.{price}");
                let says = |figure: &profile::Figure| {
                    figure.key == key || figure.key.starts_with(&format!("{key}."))
                };
                assert!(profile.figures.iter().any(says), "{name}: {key}");
            }
        }
    }
}

#[test]
fn hoplabs_profiles_are_the_files_of_the_folder() {
    let folder = format!("{}/../scenarios/profiles", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect();
    files.sort();
    let mut shipped = profile::shipped();
    shipped.sort_unstable();
    assert_eq!(shipped, files);
}

#[test]
fn what_a_profile_says_stands_below_the_scenario() {
    let files = [("profiles/own.toml", OWN)];
    let plan = planned("defaults = { connect_timeout = \"2s\", retry = { attempts = 1 } }", &files);
    assert_eq!(&*plan.architectures[1].name, "gateway:own");
    let own = gateway(&plan);
    assert_eq!((own.profile.as_deref(), own.cores), (Some("own"), 4));
    let Settings { timeout, connect_timeout, retry, .. } = &own.calls.services[0];
    assert_eq!((*timeout, connect_timeout.as_secs()), (None, 2));
    assert_eq!(retry.as_ref().map(|retry| retry.attempts), Some(1));
    assert_eq!(own.costs.request.as_micros(), 100);
    assert_eq!(own.costs.latency.exceeded_with(0.45, 0.5).as_micros(), 2_500);
    assert_eq!(own.costs.handshake, Costs::GATEWAY.handshake, "what it leaves out is hoplab's own");
    assert_eq!(plan.sources.len(), 2, "a record has its text");
}

#[test]
fn a_profile_stands_over_another() {
    let ours = "[profile]\nextends = \"base\"\n[gateway]\ncores = 8\ndefaults = { connect_timeout = \"1s\" }\n\
                [[figures]]\nof = [\"gateway\"]\nis = \"assumed\"\nhow = \"ours\"\n";
    // Each lies beside the one that names it.
    let files = [("own.toml", ours), ("base.toml", OWN)];
    let plan = planned("", &files);
    let own = gateway(&plan);
    assert_eq!((own.cores, own.costs.request.as_micros()), (8, 100));
    let Settings { timeout, connect_timeout, .. } = &own.calls.services[0];
    assert_eq!((*timeout, connect_timeout.as_secs()), (None, 1));
    let profile = profile::of_run("own", &plan.sources).unwrap();
    assert_eq!((profile.title.as_str(), &profile.extends[..]), ("own", &["base".to_owned()][..]));
    let cores: Vec<_> = profile.figures.iter().filter(|figure| figure.key == "gateway.cores").collect();
    assert_eq!(cores.len(), 1, "what is said over it hides it");
    assert_eq!((cores[0].value.as_str(), cores[0].basis), ("8", Basis::Assumed));
}

#[test]
fn a_profile_of_hoplabs_is_kept_with_the_run() {
    let kong = GOOD.replace(r#"["direct", "gateway", "mesh"]"#, r#"["direct", "gateway:kong", "mesh"]"#);
    let plan = read(&kong, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(plan.sources[1].path, "(hoplab)/profiles/kong.toml");
    // What was kept counts, whatever this hoplab has.
    let mut kept = plan.sources.clone();
    kept[1].text = OWN.replace("Ours", "As it was");
    assert_eq!(profile::of_run("kong", &kept).unwrap().title, "As it was");
}

#[test]
fn what_is_wrong_with_a_profile_is_said_where_it_stands() {
    let told = |files: &[(&str, &str)]| read(&scenario(""), files).unwrap_err().to_string();
    let wrong = OWN
        .replace("source = \"test\"", "source = \"tset\"")
        .replace("of     = [\"gateway\"]", "of     = [\"gateway.defaults.retires\"]")
        .replace("busy = \"90%\"", "busy = \"0%\"");
    let untold = OWN.replace("[\"gateway\"]", "[\"gateway.costs\"]").replace("source = \"test\"", "");
    let circle = "[profile]\nextends = \"own\"\n";
    let mesh = "[profile]\ntitle = \"A mesh\"\n[mesh]\n";
    let all = [
        told(&[]),
        told(&[("profiles/own.toml", &wrong)]),
        told(&[("profiles/own.toml", &untold)]),
        told(&[("profiles/own.toml", circle)]),
        told(&[("profiles/own.toml", mesh)]),
    ];
    insta::assert_snapshot!(all.join("\n---\n"));
}

#[test]
fn a_profile_may_disown_a_part_and_see_no_requests() {
    let kinds = |architecture: &str| {
        GOOD.replace(
            r#"["direct", "gateway", "mesh"]"#,
            &format!("[\"direct\", \"{architecture}\", \"mesh\"]"),
        )
    };
    let told = |architecture: &str| match read(&kinds(architecture), &[]) {
        Ok(plan) => plan.warnings.to_string(),
        Err(problems) => problems.to_string(),
    };
    insta::assert_snapshot!(
        [told("gateway:app-mesh"), told("mesh:app-mesh"), told("mesh:istio-ambient")].join("\n---\n")
    );
}

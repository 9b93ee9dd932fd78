//! What stands in an architecture: partial meshes, several gateways, applications with manners of their own, and the phases of
//! an adoption.

use std::sync::Arc;

use hoplab_sim::run::{Progress, run};
use hoplab_sim::scenario::plan::{Architecture, Plan, Source};
use hoplab_sim::scenario::{Overrides, parse};

use super::read;

/// Three services in a row, the last one a store, and a load.
const CHAIN: &str = r#"
[scenario]
duration = "5s"
[services.a.endpoints.get]
steps = [{ call = "b.get" }]
[services.b.endpoints.get]
steps = [{ call = "c.get" }]
[services.c]
store = true
endpoints.get = { steps = [{ work = "1ms" }] }
[load.people]
rate = "10 rps"
mix  = { "a.get" = 1 }
"#;

fn plan(rest: &str) -> Plan {
    read(&format!("{CHAIN}{rest}"), &[]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn named<'p>(plan: &'p Plan, name: &str) -> &'p Architecture {
    plan.architectures.iter().find(|of| &*of.name == name).unwrap()
}

fn members(plan: &Plan, name: &str) -> Vec<bool> {
    named(plan, name).mesh.as_ref().unwrap().members.clone()
}

#[test]
fn a_store_has_no_sidecar_and_others_have_one_where_the_mesh_says_so() {
    assert_eq!(members(&plan(""), "mesh"), [true, true, false]);
    assert_eq!(members(&plan("[mesh]\nonly = [\"b\"]"), "mesh"), [false, true, false]);
    assert_eq!(members(&plan("[mesh]\nexcept = [\"b\"]"), "gateway+mesh"), [true, false, false]);
    let wrong =
        ["only = [\"c\"]", "only = [\"a\"]\nexcept = [\"b\"]", "except = [\"a\", \"b\"]", "only = [\"d\"]"];
    let told = wrong.map(|mesh| match read(&format!("{CHAIN}[mesh]\n{mesh}\n"), &[]) {
        Ok(plan) => plan.warnings.to_string(),
        Err(problems) => problems.to_string(),
    });
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn a_record_says_who_has_no_sidecar() {
    let plan =
        Arc::new(plan("[compare]\narchitectures = [\"direct\", \"mesh\"]\n[mesh]\nexcept = [\"a\"]\n"));
    let record = run(&plan, &Progress::default());
    assert_eq!(record.architectures["mesh"].without_sidecar, [0, 2], "a, and c, which is a store");
    assert!(record.architectures["direct"].without_sidecar.is_empty(), "there is no mesh");
}

#[test]
fn faults_may_be_aimed_at_one_of_several_gateways() {
    let fault = |what: &str| {
        format!("[gateway]\nreplicas = 2\n[[faults]]\nname = \"f\"\nat = \"1s\"\nfor = \"2s\"\n{what}\n")
    };
    for what in [
        "crash = { service = \"gateway\", replica = 1 }",
        "partition = { between = [\"gateway-1\", \"a\"] }",
        "restart = { service = \"gateway\" }",
    ] {
        assert!(plan(&fault(what)).warnings.is_empty(), "{what}");
    }
    let wrong = [
        "crash = { service = \"gateway\", replica = 2 }",
        "error = { service = \"gateway\" }",
        "reset = { between = [\"gateway-4\", \"a\"] }",
    ];
    let told = wrong.map(|what| read(&format!("{CHAIN}{}", fault(what)), &[]).unwrap_err().to_string());
    insta::assert_snapshot!(told.join("\n---\n"));
}

#[test]
fn a_library_has_the_policies_of_the_mesh_unless_it_has_its_own() {
    let compare = "[compare]\narchitectures = [\"direct\", \"library\", \"gateway+library\"]\n";
    let mesh = "[mesh]\ndefaults = { retry = { attempts = 2 } }\nservices.b = { timeout = \"1s\" }\n";
    let attempts = |plan: &Plan, name: &str, call: (usize, usize)| {
        let settings = named(plan, name).applications.calls.get(&call);
        settings.map(|settings| settings.retry.as_ref().map_or(0, |retry| retry.attempts))
    };
    let of_mesh = plan(&format!("{compare}{mesh}"));
    assert_eq!(attempts(&of_mesh, "direct", (0, 1)), None, "a plain HTTP library");
    assert_eq!(attempts(&of_mesh, "library", (0, 1)), Some(2));
    let b = &named(&of_mesh, "gateway+library").applications.calls[&(0, 1)];
    assert_eq!(b.timeout.map(|timeout| timeout.as_secs()), Some(1));
    let own = "[library]\ndefaults = { retry = { attempts = 5 } }\n[calls]\nservices.c = { retry = { attempts = 1 } }\n";
    let own = plan(&format!("{compare}{mesh}{own}"));
    assert_eq!(attempts(&own, "library", (0, 1)), Some(5));
    assert_eq!(
        attempts(&own, "direct", (1, 2)),
        Some(1),
        "what they have by themselves they have everywhere"
    );
    assert_eq!(attempts(&own, "library", (1, 2)), Some(5), "a library stands over it");
}

#[test]
fn retries_of_two_owners_are_told_with_their_product() {
    let text = "[calls]\ndefaults = { retry = { attempts = 2 } }\n[mesh]\ndefaults = { retry = { attempts = 3 } }\n\
                [gateway]\ndefaults = { retry = { attempts = 1 } }\n";
    let phone = CHAIN.replace("rate = \"10 rps\"", "rate = \"10 rps\"\ncalls = { retry = { attempts = 1 } }");
    let plan = read(&format!("{phone}{text}"), &[]).unwrap_or_else(|problems| panic!("{problems}"));
    insta::assert_snapshot!(plan.warnings.to_string());
}

#[test]
fn limits_that_no_sidecar_enforces_are_told() {
    let limits = "services.b = { limits = { rate = { rate = \"10 rps\" } } }\n";
    let phases = |first: &str| {
        format!(
            "[[adoption.phases]]\nname = \"first\"\nis = \"mesh\"\nmesh = {{ only = [\"a\"]{first} }}\n\
             [[adoption.phases]]\nname = \"all\"\nis = \"mesh\"\n"
        )
    };
    let told = |rest: &str| plan(rest).warnings.to_string();
    for heard in [
        format!("[mesh]\n{limits}"),
        format!("[mesh]\n{limits}{}", phases("")),
        format!("[compare]\narchitectures = [\"direct\"]\n[mesh]\nonly = [\"a\"]\n{limits}"),
        "[mesh]\nexcept = [\"b\"]\nservices.b = { timeout = \"1s\" }\n".to_owned(),
    ] {
        assert_eq!(told(&heard), "", "{heard}");
    }
    let of_phase = ", services.b = { limits = { rate = { rate = \"10 rps\" } } }";
    let unheard = [
        format!("[mesh]\nexcept = [\"b\"]\n{limits}"),
        "[mesh]\nservices.c = { limits = { content = \"1 KiB\" } }\n".to_owned(),
        phases(of_phase),
    ];
    insta::assert_snapshot!(unheard.map(|text| told(&text)).join("\n---\n"));
    // What this run leaves out has sidecars there.
    let only = Overrides { architectures: Some(vec!["first".to_owned()]), ..Overrides::default() };
    let text = format!("{CHAIN}[mesh]\n{limits}{}", phases(""));
    let source = Source { path: "shop.toml".to_owned(), text };
    assert!(parse(&[source], &only).is_ok_and(|plan| plan.warnings.is_empty()));
}

#[test]
fn policies_for_calls_that_nobody_makes_are_told() {
    let heard = "[calls.services.b]\ntimeout = \"1s\"\n[services.b.calls.services.c]\ntimeout = \"1s\"\n";
    assert!(plan(heard).warnings.is_empty());
    let unheard = "[calls.services.a]\ntimeout = \"1s\"\n[library.services.d]\ntimeout = \"1s\"\n\
                   [services.d.endpoints.get]\n[services.a.calls.services.c]\ntimeout = \"1s\"\n\
                   [services.d.calls.services.a]\ntimeout = \"1s\"\n";
    insta::assert_snapshot!(plan(unheard).warnings.to_string());
}

#[test]
fn a_service_without_a_sidecar_calls_without_a_proxy() {
    let told = |mesh: &str| {
        let compare = "[compare]\narchitectures = [\"gateway+mesh\"]\n[direct]\nbalance = \"per-request\"\n";
        plan(&format!("{compare}[mesh]\n{mesh}\n")).warnings.to_string()
    };
    assert_eq!(told("except = [\"b\"]"), "", "b calls c");
    assert!(told("").contains("nobody calls a service without a proxy"), "c, a store, calls nobody");
}

#[test]
fn phases_of_an_adoption_are_architectures_of_their_own() {
    let adoption = r#"
[mesh]
defaults = { timeout = "3s" }
[[adoption.phases]]
name = "edge"
is   = "gateway"
gateway = { defaults = { timeout = "2s" } }
[[adoption.phases]]
name = "first"
is   = "gateway+mesh"
mesh = { only = ["a"], services.b = { timeout = "1s" } }
[[adoption.phases]]
name = "all"
is   = "gateway+mesh"
"#;
    let expect = "[[expect]]\nmetric = \"error_rate\"\nin = [\"first\"]\nmax = \"1%\"\n";
    let plan = plan(&format!("{adoption}{expect}"));
    let names: Vec<&str> = plan.architectures.iter().map(|of| &*of.name).collect();
    assert_eq!(names, ["direct", "edge", "first", "all"]);
    let phases: Vec<_> =
        plan.architectures.iter().map(|of| of.phase.as_ref().map(|phase| &*phase.is)).collect();
    assert_eq!(phases, [None, Some("gateway"), Some("gateway+mesh"), Some("gateway+mesh")]);
    assert_eq!(
        (members(&plan, "first"), members(&plan, "all")),
        (vec![true, false, false], vec![true, true, false])
    );
    let timeout = |name: &str| {
        let mesh = named(&plan, name).mesh.as_ref().unwrap();
        mesh.calls.services[1].timeout.map(|timeout| timeout.as_secs())
    };
    assert_eq!((timeout("first"), timeout("all")), (Some(1), Some(3)));
    let gateway = |name: &str| {
        named(&plan, name).gateway.as_ref().unwrap().calls.services[0].timeout.unwrap().as_secs()
    };
    assert_eq!((gateway("edge"), gateway("all")), (2, 15));
    assert_eq!(plan.expectations[0].architectures, [2]);
}

#[test]
fn what_is_wrong_with_an_adoption_is_said() {
    let phases = "[[adoption.phases]]\nname = \"mesh\"\nis = \"mesh\"\ngateway = { defaults = { timeout = \"2s\" } }\n\
                  [[adoption.phases]]\nname = \"x\"\nis = \"mash\"\n[[adoption.phases]]\nname = \"x\"\nis = \"mesh\"\n\
                  [[adoption.phases]]\nname = \"x\"\nis = \"gateway\"\n";
    let told = read(&format!("{CHAIN}{phases}"), &[]).unwrap_err().to_string();
    let unheard =
        "[compare]\narchitectures = [\"direct\"]\n[[adoption.phases]]\nname = \"x\"\nis = \"mesh\"\n";
    insta::assert_snapshot!(format!("{told}\n---\n{}", plan(unheard).warnings));
}

#[test]
fn a_fault_at_the_gateway_does_nothing_where_there_is_none() {
    for kind in [
        "restart = { service = \"gateway\", drain = \"100ms\", down = \"100ms\" }",
        "crash = { service = \"gateway\" }",
        "vanish = { service = \"gateway\" }",
        "pause = { service = \"gateway\" }",
        "slow = { service = \"gateway\", times = 2 }",
    ] {
        let fault = format!("[[faults]]\nname = \"f\"\nat = \"1s\"\nfor = \"1s\"\n{kind}\n");
        let compare = "[compare]\narchitectures = [\"direct\", \"gateway\"]\n";
        let plan = Arc::new(plan(&format!("{compare}{fault}")));
        let record = run(&plan, &Progress::default());
        assert_eq!(record.architectures["direct"].total.requests.failed, 0, "{kind}");
        assert!(record.untouched_faults().is_empty(), "{kind}");
    }
}

#[test]
fn a_library_is_looked_at_also_where_no_architecture_has_it() {
    let wrong = "[library.services.nope]\ntimeout = \"1s\"\n";
    let told = read(&format!("{CHAIN}{wrong}"), &[]).unwrap_err().to_string();
    assert!(told.contains("unknown service \"nope\""), "{told}");
}

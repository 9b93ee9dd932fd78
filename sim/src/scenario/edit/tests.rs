//! Changed texts, as people read them.

use super::*;

const SCENARIO: &str = r#"# Why?
[scenario]
title = "Small"   # a title
app = "apps/shop.toml"
duration = "10s"

[load.people]
rate = "10 rps"   # slow
mix = { "shop.buy" = 1 }

[services.shop]
replicas = 2

[services.shop.endpoints.buy]
response = "2 KiB"

[[faults]]
name = "trigger"
at = "1s"
for = "2s"
slow = { service = "shop", times = 2 }

[[faults]]
name = "other"
at = "5s"
for = "1s"
crash = { service = "shop" }
"#;

const APP: &str = r#"[services.shop]
cores = 4
replicas = 1

[services.shop.endpoints.buy]
steps = [{ call = "bank.pay" }]

[services.bank.endpoints.pay]
steps = [{ work = "1ms" }]
"#;

fn draft() -> Draft {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    Draft::of(&[source("small.toml", SCENARIO), source("apps/shop.toml", APP)]).unwrap()
}

#[test]
fn keys_are_set_where_they_are_and_comments_stay() {
    let mut draft = draft();
    draft.set("load.people.rate", "\"200 rps\"").unwrap();
    draft.set("faults.trigger.for", "\"3s\"").unwrap();
    draft.set("faults.1.crash.replica", "1").unwrap();
    draft.set("faults.trigger.slow.times", "9").unwrap();
    draft.set("gateway.defaults.retry.attempts", "3").unwrap();
    draft.set("load.people.mix.\"shop.buy\"", "2").unwrap();
    insta::assert_snapshot!(draft.text());
}

#[test]
fn what_is_removed_is_gone() {
    let mut draft = draft();
    assert_eq!(draft.remove("faults.trigger"), Ok(true));
    assert_eq!(draft.remove("faults.trigger"), Ok(false));
    assert_eq!(draft.remove("services.shop.replicas"), Ok(true));
    assert_eq!(draft.remove("mesh.defaults"), Ok(false));
    draft
        .push("faults", "name = \"new\"\nat = \"1s\"\nfor = \"1s\"\nreset = { service = \"shop\" }\n")
        .unwrap();
    insta::assert_snapshot!(draft.text());
}

#[test]
fn an_application_is_written_into_the_scenario() {
    let mut draft = draft();
    let before = crate::scenario::parse(&draft.sources(), &crate::scenario::Overrides::default()).unwrap();
    draft.inline_app().unwrap();
    insta::assert_snapshot!(draft.text());
    assert_eq!(draft.sources().len(), 1);
    let after = crate::scenario::parse(&draft.sources(), &crate::scenario::Overrides::default()).unwrap();
    assert_eq!(format!("{:?}", before.services), format!("{:?}", after.services));
}

#[test]
fn what_cannot_be_set_is_told() {
    let mut draft = draft();
    let said = [
        draft.set("faults.tigger.for", "\"1s\""),
        draft.set("scenario.title.deeper", "1"),
        draft.set("load.people.rate", "10 rps"),
        draft.set("load people", "1"),
    ];
    let said: Vec<String> = said.into_iter().map(|result| result.unwrap_err().to_string()).collect();
    insta::assert_snapshot!(said.join("\n"));
}

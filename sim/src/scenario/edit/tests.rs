//! What is asked is written, and nothing else changes.

use super::*;
use crate::scenario::{Overrides, load, parse};

fn draft(text: &str) -> Draft {
    Draft::of(&[Source { path: "it.toml".to_owned(), text: text.to_owned() }]).unwrap()
}

const TEXT: &str = r#"# Why?
[scenario]
duration = "30s" # long

[load.shoppers]
rate = [{ at = "0s", rate = "5 rps" }]
mix  = { "order.place" = 5 }

[[faults]]
name = "trigger"
for  = "8s"

[[expect]]
metric = "p99"
"#;

#[test]
fn values_are_set_in_place_and_anew() {
    let mut it = draft(TEXT);
    it.set("scenario.duration", "\"5s\"").unwrap();
    it.set("load.shoppers.rate.0.rate", "\"9 rps\"").unwrap();
    it.set("load.shoppers.mix.\"order.place\"", "7").unwrap();
    it.set("faults.trigger.for", "\"1s\"").unwrap();
    it.set("expect.0.max", "\"300ms\"").unwrap();
    it.set("mesh.defaults.retry.attempts", "2").unwrap();
    it.push("faults", table([("name", "second".into())])).unwrap();
    let text = it.text();
    for expected in [
        "# Why?",
        "duration = \"5s\" # long",
        "[{ at = \"0s\", rate = \"9 rps\" }]",
        "\"order.place\" = 7",
        "for  = \"1s\"",
        "metric = \"p99\"\nmax = \"300ms\"",
        "[mesh.defaults.retry]\nattempts = 2",
        "name = \"second\"",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    it.remove("faults.trigger").unwrap();
    it.remove("expect.0.max").unwrap();
    assert_eq!((it.count("faults"), it.count("expect")), (1, 1));
    assert!(!it.text().contains("trigger") && !it.text().contains("300ms"));
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let mut it = draft(TEXT);
    let said = |result: Result<(), NotEdited>| result.unwrap_err().to_string();
    assert_eq!(
        said(it.set("faults.triger.for", "1")),
        "\"faults.triger.for\": there is no \"triger\"; did you mean \"trigger\"?"
    );
    assert!(said(it.remove("load.shopers")).contains("did you mean \"shoppers\"?"));
    assert!(said(it.set("scenario.duration.long", "1")).contains("has no parts"));
    assert!(said(it.set("scenario.seed", "two words")).contains("is no value"));
    assert!(said(it.set("a..b", "1")).contains("is no path"));
    assert_eq!(it.text(), TEXT, "what fails changes nothing");
}

#[test]
fn an_application_written_into_the_scenario_means_the_same() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/checkout.toml");
    let before = load(&path, &Overrides::default()).unwrap();
    let mut it = Draft::of(&before.sources).unwrap();
    it.inline_app().unwrap();
    let after =
        parse(&it.sources(), &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}\n{}", it.text()));
    assert_eq!(after.sources.len(), 1);
    assert_eq!(format!("{:?}", before.services), format!("{:?}", after.services));
    assert_eq!(format!("{:?}", before.faults), format!("{:?}", after.faults));
    assert!(it.text().starts_with(&before.sources[0].text[..40]), "{}", it.text());
}

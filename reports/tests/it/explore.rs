//! The page of an exploration: what was found, drawn and never exercised, in an order.

use std::collections::BTreeMap;

use hoplab_reports::explore::{Summary, page};

use crate::page::assert_sound_page;

const FOUND: &str = r#"{
  "schema": 1, "kind": "explore", "scenario": "explored", "architectures": ["direct", "mesh"], "seed": 3, "seeds": 12,
  "digest": "7379121740a8850b0f81be8000863515",
  "findings": [{
    "rule": "once-only", "kind": "invariant", "architectures": ["mesh"], "seeds": 11,
    "first": [3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "text": "payment.charge ran twice for one <order>",
    "faults": ["payment answers 60 % of requests with 500", "mail works 30 times as long"],
    "file": "failures/3.toml"
  }],
  "missed": {
    "never_drawn": ["slow shop"], "never_hit": ["error shop"], "never_called": [], "never_failed": ["shop → mail"],
    "never_retried": [], "never_decided": []
  },
  "exercised": {
    "faults": { "slow payment": [5, 4], "error shop": [2, 0] },
    "edges": {
      "shop → payment": { "requests": 200, "attempts": 240, "retries": 40, "hedges": 0, "unsent": 0, "errors": 24 }
    },
    "states": ["mesh → payment: retried"]
  }
}"#;

fn summary() -> Summary {
    serde_json::from_str(FOUND).expect("it is one")
}

#[test]
fn tells_what_was_found_drawn_and_never_exercised() {
    let texts = BTreeMap::from([("failures/3.toml".to_owned(), "title = \"drawn\"".to_owned())]);
    let html = page(&summary(), &texts);
    assert_sound_page(&html);
    let mut from = 0;
    for part in [
        "Broken: once-only in 11 of 12 seeds.",
        "7 faults drawn over 12 seeds, of which 4 touched something, under direct, mesh.",
        "1 never drawn, 1 never touched anything, 1 never failed.",
        "✗ 1 rule broken",
        "id=\"found\"",
        "a broken invariant</b> under mesh, in 11 of 12 seeds: 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …",
        "payment.charge ran twice for one &lt;order&gt;",
        "<li>mail works 30 times as long</li>",
        "<a href=\"failures/3.toml\">",
        "hoplab shrink failures/3.toml --expect once-only &amp;&amp; hoplab report .",
        "id=\"drawn\"",
        "payment</th><td></td><td>5/4</td>",
        "shop</th><td>2/0</td><td>–</td>",
        "id=\"missed\"",
        "1 never drawn</h3><p>slow shop</p>",
        "id=\"exercised\"",
        "shop → payment</th><td>200</td><td>240</td><td>10 %</td><td>40</td>",
        "mesh → payment: retried",
        "hoplab explore FILE --seed 3 --seeds 12 --arch direct,mesh",
    ] {
        let found = html[from..].find(part);
        from += found.unwrap_or_else(|| panic!("{part} is not there, or in the wrong place"));
    }
}

#[test]
fn what_was_made_small_is_shown() {
    let texts = ["failures/3.toml", "failures/3-small.toml"];
    let texts = texts.map(|file| (file.to_owned(), format!("title = \"{file}\""))).into();
    let html = page(&summary(), &texts);
    assert_sound_page(&html);
    assert!(html.contains("title = &quot;failures/3-small.toml&quot;"), "its text is there");
    assert!(!html.contains("hoplab shrink"), "nothing is left to do");
}

#[test]
fn what_does_not_lie_beside_the_page_is_no_link() {
    assert!(!page(&summary(), &BTreeMap::new()).contains("href=\"failures/3.toml\""));
}

#[test]
fn nothing_was_broken_or_left_out() {
    let mut summary = summary();
    summary.findings.clear();
    summary.missed.never_drawn.clear();
    summary.missed.never_hit.clear();
    summary.missed.never_failed.clear();
    let html = page(&summary, &BTreeMap::new());
    assert_sound_page(&html);
    assert!(html.contains("Nothing was broken.") && html.contains("Everything was exercised."));
    assert!(!html.contains("id=\"found\"") && !html.contains("id=\"missed\""));
}

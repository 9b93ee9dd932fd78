//! The table at the widths that terminals have.

use std::path::Path;

use hoplab_reports::{Look, Summary, table};
use hoplab_sim::record::{Interval, Intervals, Paired, Prices};

use crate::fixture;

#[test]
fn wide() {
    let text = table(&fixture::boutique(), Some(Path::new("target/hoplab/checkout")), Look::PLAIN);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn narrow() {
    let text = table(&fixture::boutique(), None, Look { width: 44, colour: false });
    assert!(text.lines().all(|line| line.chars().count() <= 44), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn coloured_text_is_the_plain_text_with_colours() {
    let record = fixture::boutique();
    let coloured = table(&record, None, Look { width: 100, colour: true });
    assert!(coloured.contains("\u{1b}[32m✓\u{1b}[0m") && coloured.contains("\u{1b}[31m✗\u{1b}[0m"));
    let mut plain = coloured;
    for code in ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, table(&record, None, Look::PLAIN));
}

#[test]
fn several_seeds() {
    let text = table(&fixture::joined(), None, Look::PLAIN);
    let kept = ["seeds", "✗", "✓", "--seed"];
    let lines: Vec<&str> = text.lines().filter(|line| kept.iter().any(|kept| line.contains(kept))).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn without_pairs_and_intervals_the_table_is_as_it_was() {
    let mut record = fixture::boutique();
    record.paired.clear();
    for seen in record.architectures.values_mut() {
        seen.total.intervals = Intervals::default();
        seen.phases.values_mut().for_each(|phase| phase.total.intervals = Intervals::default());
    }
    let text = table(&record, None, Look::PLAIN);
    assert!(!text.contains("confidence") && !text.contains("request by request"), "{text}");
}

#[test]
fn an_interval_as_wide_as_all_says_nothing() {
    let mut record = fixture::boutique();
    let (_, direct) = record.architectures.first_mut().unwrap();
    direct.total.intervals.error_rate = Some(Interval::between(0.0, 1.0));
    let text = table(&record, None, Look::PLAIN);
    assert!(!text.contains("0–100 %"), "{text}");
    assert!(text.contains("With 95 % confidence; – is an interval that the sample does not tell"), "{text}");
    for seen in record.architectures.values_mut() {
        seen.total.intervals.quantiles.clear();
        seen.total.intervals.error_rate = Some(Interval::between(0.0, 1.0));
    }
    let text = table(&record, None, Look::PLAIN);
    assert!(!text.contains("confidence"), "{text}");
}

#[test]
fn nothing_was_sent() {
    insta::assert_snapshot!(table(&fixture::silent(), None, Look::PLAIN));
}

#[test]
fn one_architecture_has_nothing_to_be_compared_with() {
    let mut record = fixture::boutique();
    record.architectures.shift_remove("direct");
    record.architectures.truncate(1);
    let text = table(&record, None, Look::PLAIN);
    assert!(!text.contains("added over"), "{text}");
}

#[test]
fn a_name_cannot_steer_the_terminal() {
    let mut record = fixture::boutique();
    record.title = "clear\u{1b}[2Jed\r\n\u{7}".into();
    let text = table(&record, None, Look::PLAIN);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
}

/// The grids that only some scenarios have.
#[test]
fn money_memory_and_phases_are_told_where_there_are_some() {
    let mut record = fixture::boutique();
    record.prices = Some(Prices {
        currency: "USD".to_owned(),
        core_hour: 0.04,
        gib_hour: 0.005,
        gib_sent: 0.01,
        million_requests: 1.0,
        utilisation: 0.6,
    });
    for kind in ["sidecar", "gateway"] {
        for seen in record.architectures.values_mut() {
            seen.resources.entry(kind.to_owned()).and_modify(|of| of.memory = 300_000_000);
        }
    }
    let steps = [("gateway", "direct"), ("gateway+mesh", "gateway")];
    record.adoption = steps
        .into_iter()
        .map(|(name, before)| {
            let paired = record.paired[name].clone();
            (name.to_owned(), Paired { baseline: before.to_owned(), ..paired })
        })
        .collect();
    let text = table(&record, None, Look::PLAIN);
    let from = text.find("Phase by phase").unwrap();
    let rest = &text[from..];
    insta::assert_snapshot!(&rest[..rest.find("Expectations").unwrap_or(rest.len())]);
    let summary = Summary::of(&record);
    let money = summary.architectures["gateway"].money.clone().unwrap();
    assert!((money.hour_by_kind.values().sum::<f64>() - money.hour).abs() < 1e-4, "{money:?}");
    assert_eq!(summary.adoption["gateway+mesh"].paired.baseline, "gateway");
    let page = hoplab_reports::page::page(&record);
    assert!(page.contains("Phase by phase") && page.contains("a million requests"));
}

//! What a sweep looks like: its words, its table, its page and its plots.

use std::path::Path;

use hoplab_reports::{Look, sweep};
use hoplab_sim::sweep::record::Sweep;

use crate::fixture::sweep::{contradicted, grid, knee};
use crate::page::assert_sound_page;

/// The page, of which every figure has a name and a description.
fn page(sweep: &Sweep) -> String {
    let html = sweep::page(sweep);
    assert_sound_page(&html);
    for figure in html.split("<svg class=\"chart").skip(1) {
        let head = figure.split('>').next().unwrap_or_default();
        assert!(head.contains("role=\"img\""), "{head}");
        let label =
            head.split("aria-label=\"").nth(1).expect("a label").split('"').next().unwrap_or_default();
        assert!(label.len() > 60 && label.contains(". "), "{label}");
    }
    html
}

/// The verdict's words, a paragraph a line.
fn verdict(html: &str) -> String {
    let box_of = html
        .split("<div class=\"verdict\">")
        .nth(1)
        .expect("a verdict")
        .split("</div>")
        .next()
        .unwrap_or_default();
    let paragraphs = box_of.split("<p").skip(1).map(|part| {
        let mut text = String::new();
        let mut inside = true;
        for char in part.chars() {
            match char {
                '<' => inside = true,
                '>' => inside = false,
                _ if !inside => text.push(char),
                _ => {}
            }
        }
        text.replace('\u{a0}', " ").replace('\u{2060}', "")
    });
    paragraphs.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_verdict_says_how_far_each_goes_what_gives_way_and_where_the_knee_is() {
    insta::assert_snapshot!("knee_verdict", verdict(&page(&knee())));
    insta::assert_snapshot!("grid_verdict", verdict(&page(&grid())));
    let unsearched = Sweep { search: None, ..knee() };
    insta::assert_snapshot!("unsearched_verdict", verdict(&page(&unsearched)));
    let mut share = Sweep { points: Vec::new(), axes: Vec::new(), ..knee() };
    let search = share.search.as_mut().unwrap();
    search.range = ("1%".into(), "100%".into());
    search.key = "faults.trigger.error.share".into();
    search.found.iter_mut().for_each(|found| found.places.clear());
    insta::assert_snapshot!("share_verdict", verdict(&page(&share)));
}

#[test]
fn the_table_has_a_row_a_point_and_what_was_found() {
    let look = Look { width: 100, colour: false };
    let text = sweep::table(&knee(), Some(Path::new("target/hoplab/knee")), look);
    insta::assert_snapshot!("sweep_table", text);
}

/// The sentence on knees where p99 is not carried below and above these rates.
fn knee_where_carried(carried: std::ops::Range<f64>) -> String {
    let mut sweep = Sweep { search: None, seeds: 1, ..knee() };
    for (point, rate) in sweep.points.iter_mut().zip(sweep.axes[0].numbers.clone()) {
        for figures in point.architectures.values_mut() {
            if !rate.is_some_and(|rate| carried.contains(&rate)) {
                figures.p99_us = None;
                figures.requests.ok = 100;
            }
        }
    }
    verdict(&page(&sweep)).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_point_that_does_not_carry_p99_decides_no_knee() {
    let said = [50.0..600.0, 150.0..600.0, 50.0..200.0, 600.0..600.0].map(knee_where_carried);
    insta::assert_snapshot!("knees_by_what_is_carried", said.join("\n"));
    let flat = |points: usize| {
        let mut sweep = Sweep { search: None, ..knee() };
        sweep.points.truncate(points);
        sweep.axes[0].labels.truncate(points);
        sweep.axes[0].numbers.truncate(points);
        verdict(&page(&sweep)).lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(flat(4), "Along rate there is no knee: p99 stays below twice that at the lowest value.");
    assert!(
        flat(2).contains("cannot be told (2 of 2 points carry p99; more points would tell)"),
        "{}",
        flat(2)
    );
}

#[test]
fn knees_are_data_as_well_wherever_the_other_axes_stand() {
    let knees = |sweep: &Sweep| {
        let summary: serde_json::Value = serde_json::from_str(&sweep::summary(sweep)).unwrap();
        summary["knees"].as_array().unwrap().clone()
    };
    let alone = knees(&knee());
    assert_eq!(alone.len(), 3);
    let expected = serde_json::json!({
        "architecture": "direct", "along": "load.shoppers.rate", "knee": "between", "below": "250 rps", "at": "300 rps"
    });
    assert_eq!(alone[0], expected);
    let many = knees(&grid());
    // Of each architecture at 6 places along the load, at 6 along the cores; along words there is none.
    assert_eq!(many.len(), 3 * (6 + 6));
    assert_eq!(many[0]["where"], "cores = 1, balance = round-robin");
    assert_eq!(many.iter().filter(|of| of["along"] == "services.catalog.cores").count(), 18);
}

/// Two tries that hold, and a grid between them that fails.
#[test]
fn tries_and_grid_are_told_together() {
    let sweep = contradicted();
    insta::assert_snapshot!("contradicted_verdict", verdict(&page(&sweep)));
    let text = sweep::table(&sweep, None, Look { width: 100, colour: false });
    let found = text.split("The highest").nth(1).unwrap();
    insta::assert_snapshot!("contradicted_table", found);
    let summary: serde_json::Value = serde_json::from_str(&sweep::summary(&sweep)).unwrap();
    let found = &summary["search"]["found"][0];
    assert_eq!(found["highest"], "20%");
    assert_eq!(found["holds_again"], serde_json::json!(["100%"]));
    let text = summary["verdict"]["text"].as_str().unwrap();
    assert!(text.contains("it holds at 100%, but fails at 40% and 60%"), "{text}");
    assert_eq!(summary["points"][0]["architectures"]["direct"]["in_seeds"]["hold"], 3);
}

#[test]
fn what_holds_above_where_it_fails_does_not_hold_nowhere() {
    let mut sweep = knee();
    for found in &mut sweep.search.as_mut().unwrap().found {
        (found.highest, found.number) = (None, None);
        (found.fails_from, found.holds_again) = (Some("50 rps".into()), vec!["150 rps".into()]);
    }
    let said = verdict(&page(&sweep));
    assert!(!said.contains("Not even at"), "{said}");
    assert!(said.contains("below 50 rps (fails from 50 rps, holds at 150 rps)"), "{said}");
}

#[test]
fn where_nothing_is_known_is_neither_the_least_nor_everywhere() {
    let mut sweep = grid();
    for found in &mut sweep.search.as_mut().unwrap().found {
        if found.places[1] == Some(0) {
            (found.highest, found.number, found.takes) = (None, None, Some("it takes more".into()));
        }
    }
    let some = verdict(&page(&sweep)).lines().next().unwrap_or_default().to_owned();
    for found in &mut sweep.search.as_mut().unwrap().found {
        (found.highest, found.number, found.takes) = (None, None, Some("it takes more".into()));
    }
    let all = verdict(&page(&sweep)).lines().next().unwrap_or_default().to_owned();
    insta::assert_snapshot!("partly_known_verdict", [some, all].join("\n"));
}

#[test]
fn what_is_known_to_hold_nowhere_is_no_limit() {
    let mut sweep = knee();
    for found in &mut sweep.search.as_mut().unwrap().found[1..] {
        (found.highest, found.number) = (None, None);
        found.takes = Some("it takes more".to_owned());
    }
    let first = |sweep: &Sweep| verdict(&page(sweep)).lines().next().unwrap_or_default().to_owned();
    let some = first(&sweep);
    let one = &mut sweep.search.as_mut().unwrap().found[0];
    (one.highest, one.number, one.takes) = (None, None, Some("it takes more".to_owned()));
    insta::assert_snapshot!("nothing_known_verdict", [some, first(&sweep)].join("\n"));
}

#[test]
fn limits_that_cannot_be_judged_are_not_said_to_be_enough() {
    let mut sweep = knee();
    for found in &mut sweep.search.as_mut().unwrap().found {
        found.outcome = hoplab_sim::record::Outcome::CannotBeJudged;
    }
    let said = verdict(&page(&sweep));
    assert!(said.ends_with("? 3 of 3 limits cannot be judged against 200 rps"), "{said}");
}

#[test]
fn the_page_tells_everything_in_order() {
    let html = page(&grid());
    let mut from = 0;
    for part in [
        "<h1>The knee of a small shop</h1>",
        "id=\"limits\"",
        "along cores, balance = round-robin",
        "Every try",
        "id=\"curves\"",
        "along rate, cores = 1, balance = round-robin",
        "good answers per second; dashed: what was offered",
        "id=\"maps\"",
        "expectations held along rate and cores",
        "id=\"points\"",
        "hoplab sweep scenarios/sweeps/knee.toml --seed 1 --seeds 3 --arch direct,mesh,gateway+mesh",
        "# Where is the knee?",
    ] {
        let found = html[from..].find(part);
        from += found.unwrap_or_else(|| panic!("{part} is not there, or in the wrong place"));
    }
    assert!(
        html.contains("<details open><summary>10 points") || html.contains("<details><summary>18 points")
    );
    assert_eq!(html, page(&grid()));
}

#[test]
fn a_hostile_name_stays_a_name() {
    let hostile = "</title><script>alert(1)</script>\" onload=\"x & 'y'";
    let mut sweep = knee();
    sweep.title = hostile.into();
    sweep.axes[0].key = hostile.into();
    sweep.axes[0].labels[3] = hostile.into();
    sweep.search.as_mut().unwrap().found[0].tries[0].unmet = hostile.into();
    let html = page(&sweep);
    assert_eq!(html.matches("<script>").count(), 1);
    assert!(!html.contains("onload=\"x"));
}

#[test]
fn there_is_a_page_also_of_little() {
    let mut searched_alone = Sweep { points: Vec::new(), axes: Vec::new(), ..knee() };
    for found in &mut searched_alone.search.as_mut().unwrap().found {
        (found.highest, found.number) = (None, None);
        found.places.clear();
    }
    let html = page(&searched_alone);
    assert!(html.contains("below 50 rps") && !html.contains("id=\"curves\""));

    let mut silent = knee();
    for figures in silent.points.iter_mut().flat_map(|point| point.architectures.values_mut()) {
        (figures.error_rate, figures.amplification) = (None, None);
        (figures.mean_us, figures.p50_us, figures.p90_us, figures.p99_us) = (None, None, None, None);
        (figures.offered_rps, figures.goodput_rps) = (0.0, 0.0);
        figures.expectations.clear();
    }
    page(&silent);

    let mut alone = Sweep { search: None, ..knee() };
    alone.axes[0].labels.truncate(1);
    alone.axes[0].numbers.truncate(1);
    alone.points.truncate(1);
    assert!(!page(&alone).contains("id=\"curves\""));
}

#[test]
fn every_plot_is_there_under_a_name_of_its_own() {
    let dir = std::env::temp_dir().join(format!("hoplab-sweep-plots-{}", std::process::id()));
    sweep::write(&knee(), &dir).unwrap();
    let names = |dir: &Path| {
        let entries = std::fs::read_dir(dir.join("plots")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let expected = ["curves-rate.png", "curves-rate.svg", "limits.png", "limits.svg"];
    assert_eq!(names(&dir), expected);
    assert_eq!(sweep::read(&dir).unwrap().as_ref(), Some(&knee()));
    std::fs::remove_dir_all(&dir).unwrap();
}

//! The index over runs: what it says of each, and that it is sound.

use std::fs;
use std::path::{Path, PathBuf};

use hoplab_reports::folder::{Kept, holds, inside};
use hoplab_reports::index::{Entry, page, table};
use hoplab_reports::{Look, write};

use crate::fixture;

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).expect("an old folder can be removed");
    }
    fs::create_dir_all(&dir).expect("a folder can be made");
    dir
}

fn entries(dir: &Path) -> Vec<Entry> {
    let hostile = "<script>alert(1)</script> & \"more\"";
    let mut records = vec![("b", fixture::boutique()), ("a", fixture::silent())];
    records[1].1.title = hostile.into();
    records[1].1.question = hostile.into();
    let entry = |(name, record): (&str, _)| {
        let run = dir.join(name);
        write(&record, &run).expect("a run can be written");
        let kept = Kept::read(&run).expect("what was written can be read");
        Entry::of(&kept, name, &run, dir).expect("a link can be made")
    };
    records.into_iter().map(entry).collect()
}

#[test]
fn the_page_tells_each_run_by_its_verdict_and_escapes_what_it_is_given() {
    let dir = folder("index-page");
    let entries = entries(&dir);
    let html = page("Runs", entries.clone());
    assert!(!html.contains("<script>alert"));
    assert_eq!(html.matches("<article>").count(), 2);
    for text in [
        "<a href=\"b/report.html\">Checkout while payment turns slow</a>",
        "No request was measured.",
        "<code>5f0c2a9d81e4</code>",
        "2 runs",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(html.find("a/report.html").unwrap() < html.find("b/report.html").unwrap(), "sorted by name");
    assert!(html.len() < 60_000, "{} bytes", html.len());
    insta::assert_snapshot!("index", table(&entries, Look::PLAIN));
}

#[test]
fn runs_are_found_two_levels_deep_and_no_deeper() {
    let dir = folder("index-found");
    let record = fixture::silent();
    for name in ["z", "a/run", "a/b/run", ".hidden"] {
        write(&record, &dir.join(name)).unwrap();
    }
    let found: Vec<PathBuf> =
        inside(&dir).unwrap().iter().map(|path| path.strip_prefix(&dir).unwrap().to_owned()).collect();
    assert_eq!(found, [Path::new("a/run"), Path::new("z")]);
    assert!(holds(&dir.join("z")) && !holds(&dir));
    assert_eq!(Kept::read(&dir.join("z")).unwrap(), Kept::Run(Box::new(record)));
}

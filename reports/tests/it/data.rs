//! The CSV files: their columns, and a look at their first rows.

use hoplab_reports::data;

use crate::fixture;

#[test]
fn heads() {
    let files = data::files(&fixture::boutique()).unwrap();
    let mut heads = Vec::new();
    for file in files {
        let text = String::from_utf8(file.bytes).unwrap();
        let rows = text.lines().count() - 1;
        heads.push(format!("== {} ({rows} rows)", file.name));
        heads.extend(text.lines().take(4).map(str::to_owned));
    }
    insta::assert_snapshot!(heads.join("\n"));
}

#[test]
fn every_row_is_as_long_as_its_head() {
    let mut record = fixture::boutique();
    record.architectures["mesh"].breakers[0].upstream = "a \"quoted\", name\nin two lines".into();
    for file in data::files(&record).unwrap() {
        let mut reader = csv::Reader::from_reader(file.bytes.as_slice());
        assert!(reader.records().all(|row| row.is_ok()), "{}", file.name);
    }
}

#[test]
fn of_nothing_there_are_heads_alone() {
    for file in data::files(&fixture::silent()).unwrap() {
        assert_eq!(String::from_utf8(file.bytes).unwrap().lines().count(), 1, "{}", file.name);
    }
}

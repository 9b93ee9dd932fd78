//! The plot files: both formats of every plot, readable, also when there is little to show.

use std::path::Path;

use hoplab_reports::plots;

use crate::fixture;

#[test]
fn every_plot_is_there_as_svg_and_png() {
    let files = plots::files(&fixture::boutique()).unwrap();
    assert_eq!(files.len(), 2 * (8 + 4), "eight, and a heat map for each architecture");
    for file in files {
        if Path::new(&file.name).extension().is_some_and(|extension| extension == "svg") {
            let text = String::from_utf8(file.bytes).unwrap();
            assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"), "{}", file.name);
        } else {
            let decoder = png::Decoder::new(std::io::Cursor::new(file.bytes));
            let reader = decoder.read_info().unwrap();
            assert_eq!(reader.info().width, 2_000, "{}", file.name);
        }
    }
}

#[test]
fn names_are_escaped() {
    let mut record = fixture::boutique();
    record.faults[0].name = "<b>&".into();
    let files = plots::files(&record).unwrap();
    let svg = files.into_iter().find(|file| file.name == "latency-over-time.svg").unwrap();
    assert!(!String::from_utf8(svg.bytes).unwrap().contains("<b>"));
}

#[test]
fn there_is_a_plot_also_of_nothing_and_of_much() {
    for (record, maps) in
        [(fixture::silent(), 0), (fixture::with_architectures(1), 1), (fixture::with_architectures(12), 12)]
    {
        assert_eq!(plots::files(&record).unwrap().len(), 2 * (8 + maps));
    }
}

//! What is drawn over the run's time: rates are those of a run however many were joined, a percentile stands on the
//! requests that it takes, and what was not recorded is drawn as that.

use hoplab_reports::{data, page, plots};
use hoplab_sim::record::{Architecture, PolicyEvent, Record, Seeds};

use crate::fixture;

/// The boutique for 12.3 s, with a last window of 50 ms: a fifth as wide as the others, with a fifth of the requests.
fn uneven() -> Record {
    let mut record = fixture::boutique();
    record.duration_us = 12_300_000;
    record.faults[0].at_us = 6_000_000;
    record.faults[0].for_us = 2_000_000;
    for seen in record.architectures.values_mut() {
        seen.windows.truncate(50);
        let last = seen.windows.last_mut().expect("the boutique has windows");
        let (sent, good) = (last.sent / 5, last.good / 5);
        (last.sent, last.ok, last.good, last.errors) = (sent, good, good, sent - good);
    }
    record
}

/// The same as so many `seeds`, each of which saw just that.
fn seeds(mut record: Record, seeds: u64) -> Record {
    record.seeds = Some(Seeds { digests: (0..seeds).map(|seed| format!("{seed:032x}")).collect() });
    for window in record.architectures.values_mut().flat_map(|seen| &mut seen.windows) {
        let all = [&mut window.sent, &mut window.ok, &mut window.good, &mut window.errors];
        for count in all {
            *count *= seeds;
        }
        (window.calls, window.attempts, window.sum_us) =
            (window.calls * seeds, window.attempts * seeds, window.sum_us * seeds);
        window.buckets.iter_mut().for_each(|(_, count)| *count *= seeds);
    }
    record
}

fn rows(record: &Record, name: &str) -> Vec<csv::StringRecord> {
    let mut files = data::files(record).expect("CSV files").into_iter();
    let file = files.find(|file| file.name == name).expect("the file that is asked for");
    let mut reader = csv::Reader::from_reader(file.bytes.as_slice());
    reader.records().map(|row| row.expect("a row as long as its head")).collect()
}

/// `[from, until, value]` of a line.
fn line(record: &Record, figure: &str) -> Vec<(u64, u64, f64)> {
    let rows = rows(record, "over-time.csv");
    let of = rows.iter().filter(|row| &row[0] == "mesh" && &row[1] == figure);
    let micros = |text: &str| -> u64 { text.parse().expect("microseconds") };
    of.map(|row| (micros(&row[2]), micros(&row[3]), row[4].parse().expect("a figure"))).collect()
}

#[test]
fn a_rate_is_that_of_a_run_however_many_were_joined() {
    let (one, four) = (uneven(), seeds(uneven(), 4));
    assert_eq!(line(&one, "goodput"), line(&four, "goodput"));
    let page = page::page(&four);
    let first = four.architectures["mesh"].windows[30].good as f64 / 4.0 / 0.25;
    assert!(page.contains(&format!("mesh: {first}/s")), "a tooltip says {first}/s");
    assert!(!page.contains("mesh: 800/s"));
    let said = |page: &str| {
        let from = page.find("answered well.").unwrap();
        page[from..].split_once(" direct: ").unwrap().1.split('.').next().unwrap().to_owned()
    };
    assert_eq!(said(&page::page(&one)), said(&page));
}

#[test]
fn the_last_window_is_as_wide_as_it_is() {
    let record = uneven();
    let windows = rows(&record, "windows.csv");
    let last = windows.iter().rfind(|row| &row[0] == "mesh").unwrap();
    assert_eq!((&last[1], &last[2], &last[16]), ("12250000", "12300000", "0.05"));
    let goodput = line(&record, "goodput");
    let (before, last) = (goodput[48].2, goodput[49].2);
    assert!((last / before - 1.0).abs() < 0.25, "{last}/s after {before}/s");
    let svg = plots::files(&record).unwrap().into_iter().find(|file| file.name == "heat-mesh.svg").unwrap();
    assert!(String::from_utf8(svg.bytes).unwrap().contains("12 s"));
}

#[test]
fn a_percentile_stands_on_the_requests_that_it_takes() {
    let record = fixture::boutique();
    for (from_us, until_us, _) in line(&record, "p99") {
        let inside = from_us / 250_000..until_us / 250_000;
        let windows = &record.architectures["mesh"].windows[inside.start as usize..inside.end as usize];
        let served: u64 = windows.iter().map(|window| window.ok).sum();
        assert!(served >= 381, "{served} from {from_us} to {until_us}");
    }
    assert!(line(&record, "p99").len() > 10);
    assert_eq!(line(&record, "p50").len(), 120, "each window carries its median");
    let windows = rows(&record, "windows.csv");
    assert!(windows.iter().all(|row| row[13].is_empty()), "60 requests carry no 99th percentile");
    let page = page::page(&record);
    assert!(page.contains("A p99 response time takes 381 requests that are served well"));
    let mut few = record;
    few.architectures["mesh"].windows.iter_mut().for_each(|window| {
        *window = hoplab_sim::record::Window::default();
    });
    assert!(page::page(&few).contains("takes 381 requests that are served well, which mesh have not"));
}

/// An endpoint that is ejected for two seconds, and a record that is full before it comes back.
fn cut(seen: &mut Architecture) {
    let ejected = |event: &PolicyEvent| event.decision == "ejected" && event.at_us == 12_700_000;
    seen.policies.retain(|event| event.at_us < 13_000_000);
    assert!(seen.policies.iter().any(ejected));
    seen.policies_cut_us = Some(13_000_000);
    seen.policies_left_out = 150;
}

#[test]
fn what_was_cut_is_shown_as_cut() {
    let mut record = fixture::boutique();
    cut(&mut record.architectures["mesh"]);
    let page = page::page(&record);
    assert!(page.contains("ejected from 12.7 s to 13 s at least, where the record ends"));
    assert!(page.contains("not recorded from 13 s on: there were too many"));
    assert!(page.contains(">not recorded</text>"));
    assert!(!page.contains("ejected from 12.7 s to 30 s"));
    let events = rows(&record, "policies.csv");
    let last = events.iter().rfind(|row| &row[0] == "mesh").unwrap();
    assert_eq!((&last[1], &last[5]), ("13000000", "not recorded"));
    let svg = plots::files(&record).unwrap().into_iter().find(|file| file.name == "policies.svg").unwrap();
    assert!(String::from_utf8(svg.bytes).unwrap().contains("not recorded"));
}

#[test]
fn of_joined_seeds_the_first_is_drawn_and_said_to_be() {
    let mut record = seeds(fixture::boutique(), 4);
    record.architectures["mesh"].breakers_left_out = 40;
    cut(&mut record.architectures["mesh"]);
    let html = page::page(&record);
    assert!(html.contains("Drawn is the first of 4 seeds, seed 1, alone."));
    assert!(html.contains("nothing is drawn under mesh from 13 s on"));
    assert!(html.contains("over time, seed 1, the first of 4"));
    for seen in record.architectures.values_mut() {
        seen.breakers.clear();
        seen.policies.clear();
    }
    let html = page::page(&record);
    assert!(html.contains("no endpoint was ejected in seed 1, the first of 4."));
    assert!(html.contains("40 changes more are counted, as all are, in the table."));
}

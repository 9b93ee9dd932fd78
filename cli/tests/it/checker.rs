//! A second implementation, as a test: runs of several kinds are rebuilt from their traces, request by request and
//! span by span, and every file that they leave is held against that. Shares no code with `reports`, nor with what
//! adds up in `sim`: it reads what is written as a stranger would, and adds up with lists and loops.
//!
//! Every figure is looked at twice: it must be what the traces say, and the least that can be wrong with it (one
//! request, one microsecond, one attempt, one in the last digit) must be noticed.
//!
//! Scenarios of the repository are run at a fifth of their length; at full length, in some minutes, by
//!
//! ```sh
//! HOPLAB_CHECKER_FULL_LENGTH=1 cargo test --release -p hoplab --test it checker
//! ```
//!
//! | file | owns |
//! |---|---|
//! | `traces` | the requests of a run, every one whole, and how the run is cut |
//! | `packets` | what became of packets and connections |
//! | `account` | whose a request's time was |
//! | `sums`, `pairs` | what the words mean: ok, refused, attempt, retry, saved, … |
//! | `rebuilt` | all sums of a run |
//! | `stretches` | the run over time |
//! | `figure` | how exact what is written must be |
//! | `sheet` | what a file must say, by its place there |
//! | `intervals` | how far figures of several seeds may be off |
//! | `record`, `summary`, `csv`, `terminal`, `page`, `verdict`, `sweep`, `search` | what of it stands in which file, and how that is read |
//! | `tables`, `owners` | what tables must say, wherever they are printed |
//! | `plots` | the same of what is drawn |

mod account;
mod csv;
mod figure;
mod intervals;
mod owners;
mod packets;
mod page;
mod pairs;
mod plots;
mod rebuilt;
mod record;
mod search;
mod sheet;
mod stretches;
mod summary;
mod sums;
mod sweep;
mod tables;
mod terminal;
mod traces;
mod verdict;

use std::{env, fs};

use serde_json::{Value, json};

use crate::sweep::QUEUE;
use crate::trace::MESH;
use crate::{Folder, code, hoplab, repository, stderr, stdout};
use rebuilt::Rebuilt;
use sheet::Sheet;
use traces::Traces;

/// A run that left its files in a folder, and what they must say.
struct Run {
    folder: Folder,
    printed: String,
    rebuilt: Rebuilt,
}

impl Run {
    /// Of the scenario in `text`, for the test called `name`.
    fn of(name: &str, text: &str, arguments: &[&str]) -> Self {
        let folder = Folder::new(&format!("checker-{name}"));
        fs::create_dir_all(folder.path("apps")).unwrap();
        let app = "apps/online-boutique.toml";
        fs::copy(repository().join("scenarios").join(app), folder.path(app)).unwrap();
        folder.write("it.toml", text);
        let run = hoplab(&folder, &[&["run", "it.toml", "--out", "out"], arguments].concat());
        // What is expected of a scenario is not expected of a short one.
        assert!([0, 1, 3].contains(&code(&run)), "{}", stderr(&run));
        let record = json(&folder, "out/record/record.json");
        Self { printed: stdout(&run), rebuilt: Rebuilt::of(Traces::of(&record)), folder }
    }

    /// Everything that is written otherwise than the traces say, and what is written and they do not say.
    fn differences(&self) -> Vec<String> {
        let record = self.json("record/record.json");
        let figures = json!({ "architectures": record["architectures"], "paired": record["paired"] });
        let mut differences = Vec::new();
        let mut compare = |file: &str, sheet: &Sheet, written: &Value, besides: &[&str]| {
            let found = sheet.differences(written).into_iter().chain(sheet.unsaid(written, besides));
            differences.extend(found.map(|difference| format!("{file}: {difference}")));
        };
        compare("record.json", &record::sheet(&self.rebuilt, &record), &figures, &record::BESIDES);
        let summary = self.json("summary.json");
        let figures = json!({ "architectures": summary["architectures"] });
        compare("summary.json", &summary::sheet(&self.rebuilt, &summary), &figures, &summary::BESIDES);
        let cited = verdict::read(&summary, self.rebuilt.frame.seeds);
        compare("verdict", &verdict::sheet(&self.rebuilt, &summary), &cited, &[]);
        for (name, keys, sheet) in csv::files(&self.rebuilt) {
            let table = csv::read(&self.folder.path(&format!("out/record/{name}")), keys);
            compare(name, &sheet, &table, &["p50_low_us", "p50_high_us"]);
        }
        let tables = terminal::read(&self.printed);
        compare("terminal", &terminal::sheet(&self.rebuilt, &tables), &tables, &terminal::BESIDES);
        let page = page::read(&fs::read_to_string(self.folder.path("out/report.html")).unwrap());
        compare("report.html", &page::sheet(&self.rebuilt, &page), &page, &page::BESIDES);
        differences.extend(intervals::sheet(&self.rebuilt).differences(&record));
        differences.extend(plots::differences(&self.rebuilt, &record, &self.folder.path("out/plots")));
        differences
    }

    fn json(&self, name: &str) -> Value {
        json(&self.folder, &format!("out/{name}"))
    }
}

fn json(folder: &Folder, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.path(name)).unwrap()).unwrap()
}

/// With this variable set, the scenarios of the repository are run at full length.
const FULL_LENGTH: &str = "HOPLAB_CHECKER_FULL_LENGTH";

/// A scenario of the repository, five times as quick unless it is to be at full length: what is said in whole seconds is
/// a fifth as long.
fn quick(name: &str) -> String {
    let text = fs::read_to_string(repository().join("scenarios").join(name)).unwrap();
    if env::var_os(FULL_LENGTH).is_some() {
        return text;
    }
    let line = |line: &str| {
        let (key, value) = line.split_once('=')?;
        let is_time = ["duration", "warmup", "at", "for"].contains(&key.trim());
        let seconds: u64 = value.trim().strip_prefix('"')?.strip_suffix("s\"")?.parse().ok()?;
        is_time.then(|| format!("{key}= \"{}ms\"", seconds * 200))
    };
    text.lines().map(|old| line(old).unwrap_or_else(|| old.to_owned()) + "\n").collect()
}

fn check(name: &str, text: &str, arguments: &[&str]) -> Run {
    let run = Run::of(name, text, arguments);
    let differences = run.differences();
    let first: Vec<&String> = differences.iter().take(20).collect();
    assert!(differences.is_empty(), "{} differences, the first of them: {first:#?}", differences.len());
    run
}

#[test]
fn checkout_is_what_its_traces_say() {
    check("checkout", &quick("checkout.toml"), &[]);
}

#[test]
fn retry_budgets_are_what_their_traces_say() {
    // More requests than the scenario has: some more decisions than are kept in a run this short.
    let text = quick("resilience/retry-budgets.toml").replace("1800 rps", "2400 rps");
    let run = check("retry-budgets", &text, &[]);
    let is_cut = |seen: &Value| seen["policies_cut_us"].is_u64();
    let record = run.json("record/record.json");
    // A lane that ends before the run does is among what is held.
    assert!(record["architectures"].as_object().unwrap().values().any(is_cut));
}

#[test]
fn shedding_by_priority_is_what_its_traces_say() {
    check("shedding", &quick("resilience/shedding-by-priority.toml"), &[]);
}

#[test]
fn timeouts_and_parallel_steps_are_what_their_traces_say() {
    check("parallel", MESH, &[]);
}

#[test]
fn four_seeds_are_what_their_traces_say() {
    check("seeds", MESH, &["--seeds", "4"]);
}

#[test]
fn the_intervals_of_eight_seeds_are_what_their_traces_say() {
    check("intervals", MESH, &["--seeds", "8"]);
}

/// What is left open, hedged and refused by a limit.
const RARE: &str = r#"[scenario]
title = "What is rare"
duration = "1s"
warmup = "100ms"
seed = 7

[compare]
architectures = ["gateway", "direct", "mesh"]

[services.shop.endpoints.buy]
method = "GET"
steps = [{ call = "bank.pay" }]

[services.shop.endpoints.wait]
method = "GET"
steps = [{ sleep = "mix(90%: 5ms, 10%: 40s)" }]

[services.bank]
replicas = 2

[services.bank.endpoints.pay]
method = "GET"
steps = [{ work = "mix(80%: 1ms, 20%: 30ms)" }]

[load.people]
rate = "200 rps"
mix = { "shop.buy" = 3, "shop.wait" = 1 }

[gateway]
limits = { rate = { algorithm = "token-bucket", rate = "100 rps", burst = 10 } }

[mesh]
services.bank = { hedge = { after = "5ms", max = 1, budget = "100%" } }
"#;

#[test]
fn what_is_open_hedged_and_refused_is_what_its_traces_say() {
    let run = Run::of("rare", RARE, &[]);
    assert_eq!(run.differences(), [""; 0]);
    let of = |name: &str| &run.rebuilt.architectures.iter().find(|(of, _)| of == name).unwrap().1.all;
    assert!(of("direct").total.all.open > 0);
    assert!(of("gateway").total.all.refused > 0);
    assert!(of("mesh").edges["shop → bank"].hedges > 0);
}

/// A service at a rate and with cores that are not its own.
const SWEPT: &str = r#"[scenario]
title = "Swept"
duration = "1s"
warmup = "100ms"
seed = 3

[compare]
architectures = ["direct", "gateway"]

[services.shop]
cores = CORES
queue = 20
endpoints.buy = { method = "GET", steps = [{ work = "exp(4ms)" }] }

[load.people]
rate = "RATE"
mix = { "shop.buy" = 1 }
"#;

#[test]
fn every_point_of_a_sweep_is_what_its_traces_say() {
    let rates = ["150 rps", "400 rps"];
    let at = |rate: &str, cores: &str| SWEPT.replace("RATE", rate).replace("CORES", cores);
    let folder = Folder::new("checker-sweep");
    let axes =
        "[sweep]\n\"load.people.rate\" = [\"150 rps\", \"400 rps\"]\n\"services.shop.cores\" = [1, 2]\n";
    folder.write("it.toml", &(at("1 rps", "1") + axes));
    let swept = hoplab(&folder, &["sweep", "it.toml", "--seeds", "2", "--out", "out"]);
    assert_eq!(code(&swept), 0, "{}", stderr(&swept));
    let keys = ["load.people.rate", "services.shop.cores", "architecture"];
    let table = csv::read(&folder.path("out/record/sweep.csv"), &keys);
    let summary = json(&folder, "out/summary.json");
    let record = json(&folder, "out/record/sweep.json");
    for (index, (rate, cores)) in rates.iter().flat_map(|rate| [(rate, "1"), (rate, "2")]).enumerate() {
        let rebuilt = Rebuilt::of(Traces::of(&alone(&at(rate, cores))));
        let point = sweep::point(&rebuilt);
        let rows = sweep::rows(&rebuilt);
        let files = [
            ("summary.json", &point, &summary["points"][index]["architectures"]),
            ("sweep.json", &point, &record["points"][index]["architectures"]),
            ("sweep.csv", &rows, &table[rate][cores]),
        ];
        for (name, sheet, written) in files {
            let written =
                if name == "sweep.csv" { written.clone() } else { json!({ "architectures": written }) };
            assert_eq!(sheet.differences(&written), [""; 0], "{name} at {rate}, {cores}");
            assert_eq!(sheet.unsaid(&written, &sweep::BESIDES), [""; 0], "{name} at {rate}, {cores}");
        }
    }
}

#[test]
fn every_point_of_a_search_is_what_its_traces_say() {
    let folder = Folder::new("checker-search");
    let at = |rate: &str, cores: &str| SWEPT.replace("RATE", rate).replace("CORES", cores);
    let axes = r#"[sweep]
"load.people.rate" = ["150 rps", "400 rps"]
"services.shop.cores" = [1, 2]

"#;
    let search = &QUEUE[QUEUE.find("[search]").unwrap()..];
    folder.write("it.toml", &(at("1 rps", "1") + axes + search));
    let swept = hoplab(&folder, &["sweep", "it.toml", "--seeds", "2", "--out", "out"]);
    assert_eq!(code(&swept), 0, "{}", stderr(&swept));
    let search = json(&folder, "out/summary.json")["search"].take();
    assert_eq!(json(&folder, "out/record/sweep.json")["search"], search);
    let mut lines =
        vec!["load.people.rate,services.shop.cores,architecture,value,number,holds,outcome,unmet,of".into()];
    let mut tried = Vec::new();
    for found in search["found"].as_array().unwrap() {
        assert_eq!(search::found_otherwise(found), None);
        let cores = ["1", "2"][found["places"][1].as_u64().unwrap() as usize];
        lines.extend(search::lines(found, cores));
        for point in ["tries", "grid"].iter().flat_map(|list| found[*list].as_array().unwrap()) {
            let rate = point["value"].as_str().unwrap();
            let traces = Traces::of(&alone(&at(rate, cores)));
            let traced = search::Point::of(traces, found["architecture"].as_str().unwrap(), 3);
            assert_eq!(traced.difference(point), None);
            tried.push((traced, point.clone()));
        }
        let (highest, tries) = (found["highest"].as_str().unwrap(), found["tries"].as_array().unwrap().len());
        let said = [cores, found["architecture"].as_str().unwrap(), highest, &tries.to_string()].join(" ");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(stdout(&swept).lines().any(|line| words(line) == said), "{said}");
    }
    assert_eq!(
        fs::read_to_string(folder.path("out/record/search.csv")).unwrap().lines().collect::<Vec<_>>(),
        lines
    );
    // One that is said to hold and does not, and one that failed by a little more.
    let fails = tried.iter().find(|(_, point)| point["holds"] == false).unwrap();
    let mut altered = fails.1.clone();
    altered["holds"] = json!(true);
    assert!(fails.0.difference(&altered).is_some());
    let unmet = next_digit(fails.1["unmet"].as_str().unwrap(), &["seen: "]);
    assert!(fails.0.difference(&json!({ "unmet": unmet, "holds": false, "outcome": "fails" })).is_some());
    let mut found = search["found"][0].clone();
    found["number"] = json!(found["number"].as_f64().unwrap() + 1.0);
    assert!(search::found_otherwise(&found).is_some());
}

/// The record of [`SWEPT`] at a point, as if it had been run alone.
fn alone(text: &str) -> Value {
    json!({
        "sources": [{ "path": "it.toml", "text": text }],
        "seed": 3,
        "seeds": { "digests": ["", ""] },
        "scale": 1.0,
        "warmup_us": 100_000,
        "duration_us": 1_000_000,
        "window_us": 1_000_000,
        "faults": [],
        "architectures": { "direct": {}, "gateway": {} },
    })
}

/// Numbers in the files of [`MESH`] that are one too high: a request, a microsecond, an attempt.
type Alteration = (&'static str, fn(&mut Value));

const ALTERATIONS: [Alteration; 12] = [
    ("record/record.json", |record| one_more(record, "/architectures/mesh/total/requests/ok")),
    ("record/record.json", |record| {
        one_more(record, "/architectures/mesh/phases/bank-cut/total/latency/sum_us");
    }),
    ("record/record.json", |record| one_more(record, "/architectures/mesh/edges/shop → bank/attempts")),
    ("record/record.json", |record| one_more(record, "/architectures/direct/windows/7/sum_us")),
    ("record/record.json", |record| one_more(record, "/architectures/direct/pods/bank-1")),
    ("record/record.json", |record| one_more(record, "/paired/mesh/total/max_us")),
    ("record/record.json", |record| {
        one_more(record, "/architectures/mesh/network/shop → bank/retransmitted");
    }),
    ("summary.json", |summary| one_more(summary, "/architectures/direct/network/client → shop/packets")),
    ("summary.json", |summary| one_more(summary, "/verdict/reasons/2/figures/0/value")),
    ("summary.json", |summary| one_more(summary, "/architectures/mesh/edges/shop → stock/retries")),
    ("summary.json", |summary| one_more(summary, "/architectures/direct/latency_us/min")),
    ("summary.json", |summary| one_more(summary, "/architectures/mesh/paired/phases/bank-down/saved")),
];

/// The same in rows, by how the row begins and the name of the column.
const ROWS: [(&str, &str, &str); 7] = [
    ("figures.csv", "mesh,*,*,", "max"),
    ("latency.csv", "direct,shop.buy,50,", "latency_us"),
    ("edges.csv", "mesh,bank-down,shop → bank,", "attempts"),
    ("breakdown.csv", "mesh,*,*,1,service_work,", "mean_us"),
    ("paired.csv", "mesh,direct,*,*,", "lost"),
    ("windows.csv", "direct,500000,", "sent"),
    ("over-time.csv", "mesh,goodput,700000,", "value"),
];

/// The plots that show something of [`MESH`].
const PLOTS: [&str; 9] = [
    "latency-over-time.svg",
    "errors-over-time.svg",
    "latency-percentiles.svg",
    "differences.svg",
    "load-and-goodput.svg",
    "breakdown.svg",
    "breakers.svg",
    "policies.svg",
    "heat-mesh.svg",
];

/// Figures on the page of [`MESH`]: each is the first after these words, which stand after each other.
const PAGE: [&[&str]; 15] = [
    &["table: figures side by side", "<td>"],
    &["table: before, during and after", "<td class=\"apart\">"],
    &["table: what each architecture adds", "<td class=\"total\">"],
    &["table: differences by part of the run", "<td>"],
    &["table: digests", "</code>"],
    &["shop.buy</th>"],
    &["client → shop</th>"],
    &["bank-0</th>"],
    &["Packets and connections, by who opened these</summary>", "shop → bank</th>"],
    &["Goodput, errors and attempts over time. ", "<title>", "direct: "],
    &["Response time by percentile. ", "<title>", "direct: "],
    &["Difference by request, the whole run. ", "<title>", "mesh: "],
    &["Whose the time of the mean request is. ", "<title>", "service work: "],
    &["Response times over time, direct. ", "<title>", "longest: "],
    &["Service graph under direct. ", "attempts, "],
];

/// Figures on the terminal, likewise.
const TERMINAL: [&[&str]; 5] = [
    &["  requests  ", " direct"],
    &["Mean added over", " mesh"],
    &["Against direct, request", " mesh"],
    &["Against direct, request", " mesh", "of "],
    &["Packets and connections", " mesh: shop → bank"],
];

fn one_more(file: &mut Value, place: &str) {
    let number = file.pointer_mut(place).unwrap();
    *number = Value::from(number.as_f64().unwrap() + 1.0);
}

/// The text with one more in a column of the row that begins like that.
fn one_more_in(text: &str, begins: &str, column: &str) -> String {
    let column = text.lines().next().unwrap().split(',').position(|name| name == column).unwrap();
    let old = text.lines().find(|line| line.starts_with(begins)).unwrap();
    let mut cells: Vec<String> = old.split(',').map(str::to_owned).collect();
    cells[column] = (cells[column].parse::<f64>().unwrap() + 1.0).to_string();
    text.replacen(old, &cells.join(","), 1)
}

/// The text with the last digit of the first number after some words raised by one.
fn next_digit(text: &str, after: &[&str]) -> String {
    let end = |at: usize, words: &&str| at + text[at..].find(words).unwrap() + words.len();
    let from = after.iter().fold(0, end);
    let from = from + text[from..].find(|char: char| char.is_ascii_digit()).unwrap();
    let is_other = |char: char| !char.is_ascii_digit() && char != '.' && char != ',';
    let last = from + text[from..].find(is_other).unwrap() - 1;
    let digit: u32 = text[last..=last].parse().unwrap();
    format!("{}{}{}", &text[..last], if digit == 9 { 8 } else { digit + 1 }, &text[last + 1..])
}

#[test]
fn one_request_one_microsecond_one_attempt_too_many_is_noticed() {
    let mut run = Run::of("altered", MESH, &[]);
    assert_eq!(run.differences(), [""; 0]);
    let notices = |run: &Run, name: &str, what: &str, altered: &str| {
        let path = run.folder.path("out").join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, altered).unwrap();
        let differences = run.differences();
        assert_eq!(differences.len(), 1, "{name}, {what}: {differences:#?}");
        fs::write(&path, whole).unwrap();
    };
    for (name, alter) in ALTERATIONS {
        let mut value = run.json(name);
        alter(&mut value);
        notices(&run, name, "one more", &value.to_string());
    }
    for (name, begins, column) in ROWS {
        let name = &format!("record/{name}");
        let text = fs::read_to_string(run.folder.path("out").join(name)).unwrap();
        notices(&run, name, begins, &one_more_in(&text, begins, column));
    }
    for name in PLOTS {
        let name = &format!("plots/{name}");
        let text = fs::read_to_string(run.folder.path("out").join(name)).unwrap();
        notices(&run, name, "moved", &plots::moved(&text));
        if name.contains("heat") || name.contains("break") {
            notices(&run, name, "recoloured", &plots::recoloured(&text));
        }
    }
    let page = fs::read_to_string(run.folder.path("out/report.html")).unwrap();
    for after in PAGE {
        notices(&run, "report.html", after[0], &next_digit(&page, after));
    }
    let printed = run.printed.clone();
    for after in TERMINAL {
        run.printed = next_digit(&printed, after);
        let differences = run.differences();
        assert_eq!(differences.len(), 1, "{after:?}: {differences:#?}");
    }
}

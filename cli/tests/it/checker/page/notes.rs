//! What the charts of the page say to those who point at them. Owns how that is read, and what it must be.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};

use super::plain;
use crate::checker::figure::{Figure, Precision, curve, factor, parsed, percentile, step};
use crate::checker::owners::{added_us, called};
use crate::checker::pairs::Pairs;
use crate::checker::rebuilt::{Rebuilt, Seen, Window};
use crate::checker::sheet::Sheet;
use crate::checker::stretches::{self, Over};
use crate::checker::sums::{Edge, Owned};

/// A bar: microseconds by owner.
type Parts = BTreeMap<&'static str, f64>;

/// Charts over time, with what they show from top to bottom; the last is of attempts by the call.
const OVER_TIME: [(&str, [Option<Over>; 3]); 2] = [
    ("Response time over time", [Some(Over::PerMille(500)), Some(Over::PerMille(990)), Some(Over::Errors)]),
    ("Goodput, errors and attempts over time", [Some(Over::Goodput), Some(Over::Errors), None]),
];

/// The charts by their titles, each by the first line of what it says. What is said of times is numbered, since charts
/// below each other say it of the same. The other lines are `name: figure`, or words alone.
pub(super) fn read(html: &str) -> Value {
    let mut charts = Value::Object(Map::new());
    let mut title = String::new();
    for part in html.split("<svg ").skip(1) {
        // What lies within another drawing belongs to it.
        if let Some((_, label)) = part.split('>').next().unwrap().split_once("aria-label=\"") {
            title = called_chart(&plain(label.split('"').next().unwrap()));
        }
        for note in part.split("<title>").skip(1) {
            let note = plain(note.split("</title>").next().unwrap());
            let mut lines = note.lines();
            let first = lines.next().unwrap();
            let is_of_time = first.contains(" s to ");
            let is_other = (title.contains("over time") && !is_of_time)
                || (title.starts_with("Service graph") && !first.contains(" → "))
                || first.contains("smaller hop");
            if is_other {
                continue;
            }
            let chart = &mut charts[&title];
            let numbered = |number: usize| format!("{first} {number}");
            let number = (0..9).find(|number| chart[numbered(*number)].is_null()).unwrap();
            let place = if is_of_time { numbered(number) } else { first.to_owned() };
            if chart[&place].is_null() {
                chart[&place] = Value::Object(Map::new());
            }
            // Of edges, what policies decided follows.
            for line in lines.take(if title.starts_with("Service graph") { 3 } else { usize::MAX }) {
                let (name, figure) = said(line);
                if figure != "–" {
                    chart[&place][name] = Value::from(figure);
                }
            }
        }
    }
    charts
}

/// The title of a chart without when and of which seed; single requests are charts, too.
fn called_chart(label: &str) -> String {
    let title = label.split(". ").next().unwrap();
    let title = title.split(", seed ").next().unwrap().split(" while all is well").next().unwrap();
    if title.contains(" took ") { "a request".to_owned() } else { title.to_owned() }
}

/// `direct: 3 ms` as its two parts; `148 attempts, 0.83 each` and `1 % of them failed` likewise.
fn said(line: &str) -> (String, String) {
    let line = line.replace(", ", "; ").replace(',', "");
    let pair = |(name, figure): (&str, &str)| (name.to_owned(), figure.to_owned());
    if let Some(figure) = line.strip_suffix(" of them failed") {
        return pair(("failed", figure));
    }
    let each = line.strip_suffix(" each").and_then(|line| line.split_once("; "));
    line.split_once(": ").or(each).map_or_else(|| (line.clone(), String::new()), pair)
}

/// What must be said at the places at which something is.
pub(super) fn sheet(sheet: &mut Sheet, rebuilt: &Rebuilt, written: &Value) {
    for (title, shown) in OVER_TIME {
        for note in places(&written[title]) {
            over_time(sheet, rebuilt, &format!("/charts/{title}/{note}"), (note, shown));
        }
    }
    for (title, chart) in written.as_object().unwrap() {
        let place = &format!("/charts/{title}");
        let (kind, part) = title.split_once(", ").unwrap_or((title, ""));
        bars(sheet, place, &owners(rebuilt, (kind, part)), chart);
        for (name, seen) in &rebuilt.architectures {
            let whole = (part.is_empty() || part == "the whole run").then_some(&seen.all);
            let of = whole.or(seen.part(part));
            match kind {
                "Response time by percentile" => {
                    let values = of.map(|of| &of.total).or(seen.all.endpoints.get(part)).unwrap();
                    by_percentile(sheet, (place, name), &values.served_us, chart);
                }
                "Difference by request" => {
                    let Some(against) = &seen.against else { continue };
                    let pairs = against.parts.get(part).unwrap_or(&against.total);
                    by_request(sheet, (place, name), pairs, chart);
                }
                "Response times over time" if part == name => {
                    places(chart)
                        .for_each(|note| heat(sheet, rebuilt, &format!("{place}/{note}"), (note, seen)));
                }
                _ if *title == format!("Service graph under {name}") => {
                    for (edge, of) in drawn_edges(name, seen) {
                        attempts(sheet, &format!("{place}/{edge}"), &of);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The parts of each bar in a chart of owners; none in others.
fn owners<'a>(rebuilt: &'a Rebuilt, (kind, part): (&str, &str)) -> BTreeMap<&'a str, Parts> {
    let architectures = || rebuilt.architectures.iter().map(|(name, seen)| (&**name, seen));
    let baseline = architectures().find(|(_, seen)| seen.against.is_none()).unwrap().1;
    match kind {
        "Whose the time of the mean request is" => {
            let of = |seen: &'a Seen| seen.part(part).unwrap_or(&seen.all);
            architectures().map(|(name, seen)| (name, parts(&of(seen).owned, None))).collect()
        }
        "Whose the time is at each hop" => {
            let owned = &architectures().find(|(name, _)| *name == part).unwrap().1.all.owned;
            owned.visits.keys().map(|hop| (&**hop, parts(owned, Some(hop)))).collect()
        }
        _ if kind.starts_with("Mean added over ") => {
            let added = |seen| added_us(rebuilt.well(baseline), rebuilt.well(seen));
            let others = architectures().filter(|(_, seen)| seen.against.is_some());
            others.filter_map(|(name, seen)| Some((name, added(seen)?.1))).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// The edges of a service graph: a gateway stands between clients and services.
fn drawn_edges(name: &str, seen: &Seen) -> Vec<(String, Edge)> {
    let has_gateway = name.split('+').any(|part| part == "gateway");
    let edges = seen.all.edges.iter().map(|(name, edge)| match name.strip_prefix("client → ") {
        Some(entrance) if has_gateway => (format!("gateway → {entrance}"), edge.clone()),
        _ => (name.clone(), edge.clone()),
    });
    let all = seen.all.total.all;
    let into = Edge { calls: all.sent, attempts: all.sent, errors: all.errors(), ..Edge::default() };
    edges.chain(has_gateway.then(|| ("client → gateway".to_owned(), into))).collect()
}

fn places(chart: &Value) -> impl Iterator<Item = &str> {
    chart.as_object().into_iter().flatten().map(|(place, _)| &**place)
}

/// From when until when, in nanoseconds, of `1 s to 1.2 s 0`, and the number of the chart.
fn moments(note: &str) -> (Range<u64>, usize) {
    let words: Vec<&str> = note.split(' ').collect();
    let nanos = |seconds: &str| (seconds.parse::<f64>().unwrap() * 1e6).round() as u64 * 1_000;
    (nanos(words[0])..nanos(words[3]), words[5].parse().unwrap())
}

/// In a window each architecture has the figure of the stretch that it belongs to, which is named where it is longer.
fn over_time(sheet: &mut Sheet, rebuilt: &Rebuilt, place: &str, (note, shown): (&str, [Option<Over>; 3])) {
    let (time, chart) = moments(note);
    for (name, seen) in &rebuilt.architectures {
        let put = |sheet: &mut Sheet, figure| sheet.put(&format!("{place}/{name}"), figure);
        let Some(over) = shown[chart] else {
            let Window { calls, attempts, .. } = seen.windows[(time.start / rebuilt.frame.window) as usize];
            if calls > 0 {
                put(sheet, Figure::Said(attempts as f64 / calls as f64, 0.0));
            }
            continue;
        };
        let stretches = stretches::of(rebuilt, seen, over);
        let Some(stretch) = stretches.iter().find(|stretch| stretch.time.contains(&time.start)) else {
            continue;
        };
        let above = match (over, stretch.value) {
            (Over::PerMille(_), Some(us)) => Precision::Two.above(us as i64) as f64,
            _ => 0.0,
        };
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let when = format!("{} s to {} s", seconds(stretch.time.start), seconds(stretch.time.end));
        put(
            sheet,
            match stretch.value {
                Some(value) if stretch.windows > 1 => Figure::SaidOf(value, above, when),
                Some(value) => Figure::Said(value, above),
                None if stretch.windows > 1 => Figure::Text(format!("too little was served well ({when})")),
                None => Figure::Text("too little was served well".to_owned()),
            },
        );
    }
}

/// `p97.2` names a point of the curve.
fn by_percentile(sheet: &mut Sheet, (place, name): (&str, &str), values: &[i64], chart: &Value) {
    let curve = curve(values);
    for note in places(chart) {
        let percent = note.strip_prefix('p').map_or(0.0, |percent| percent.parse::<f64>().unwrap());
        let share = percent / 100.0;
        // As far from one as from all others.
        let off = |of: f64| ((1.0 - of) / (1.0 - share)).ln().abs();
        let point =
            curve.iter().min_by(|a, b| off(a.0).total_cmp(&off(b.0))).filter(|(of, _)| off(*of) < 0.04);
        let said = point.map(|(_, us)| Figure::Said(*us as f64, Precision::Four.above(*us) as f64));
        sheet.put(&format!("{place}/{note}/{name}"), said.unwrap_or(Figure::Nothing));
    }
}

/// `at most +1.39 ms` names a place of the axis, to three digits.
fn by_request(sheet: &mut Sheet, (place, name): (&str, &str), pairs: &Pairs, chart: &Value) {
    let values = &pairs.longer_us;
    for note in places(chart).filter(|_| !values.is_empty()) {
        let text = note.strip_prefix("at most ").unwrap();
        let (number, unit) = parsed(text).unwrap();
        let (us, half) = (number * factor(unit), step(text) * factor(unit) / 2.0);
        let share = |is: &dyn Fn(i64) -> bool| {
            values.iter().filter(|us| is(**us)).count() as f64 / values.len() as f64
        };
        let least = share(&|value| (value + Precision::Four.above(value)) as f64 <= us - half);
        let most = share(&|value| value as f64 <= us + half);
        sheet.put(&format!("{place}/{note}/{name}"), Figure::Between(least, most));
    }
}

/// Bars of parts; what is too short beside the longest bar is not drawn.
fn bars(sheet: &mut Sheet, place: &str, bars: &BTreeMap<&str, Parts>, chart: &Value) {
    let long = |parts: &Parts| parts.values().map(|us| us.abs()).sum::<f64>();
    let longest = bars.values().map(long).fold(0.0, f64::max);
    for (bar, parts) in bars.iter().filter(|(bar, _)| !chart[**bar].is_null()) {
        for (owner, us) in parts {
            if us.abs() > longest / 10_000.0 || !chart[bar][owner].is_null() {
                sheet.put(&format!("{place}/{bar}/{owner}"), Figure::Said(*us, 0.0));
            }
        }
    }
}

fn parts(owned: &Owned, hop: Option<&str>) -> Parts {
    owned.mean_us(hop).into_iter().map(|(owner, us)| (called(owner), us)).collect()
}

/// How many requests a column of a heat map has, and how long they took.
fn heat(sheet: &mut Sheet, rebuilt: &Rebuilt, place: &str, (note, seen): (&str, &Seen)) {
    let (time, _) = moments(note);
    let windows = rebuilt.frame.windows().zip(&seen.windows);
    let windows: Vec<&Window> =
        windows.filter(|(of, _)| time.contains(&of.start)).map(|(_, of)| of).collect();
    let sent: i64 = windows.iter().map(|window| window.traffic.all.sent).sum();
    let mut served: Vec<i64> = windows.iter().flat_map(|window| window.traffic.served_us.clone()).collect();
    served.sort_unstable();
    let seeds =
        if rebuilt.frame.seeds > 1 { format!(" in {} seeds", rebuilt.frame.seeds) } else { String::new() };
    let requests = format!("{sent} request{}{seeds}", if sent == 1 { "" } else { "s" });
    sheet.put(&format!("{place}/{requests}"), Figure::Said(sent as f64 / rebuilt.seconds(&time), 0.0));
    for (name, per_mille) in [("median", 500), ("p99", 990)] {
        let said = |us: i64| Figure::Said(us as f64, Precision::Two.above(us) as f64);
        let us = percentile(&served, per_mille, false);
        sheet.put(&format!("{place}/{name}"), us.map_or(Figure::Nothing, said));
    }
    sheet.put(&format!("{place}/longest"), served.last().map_or(Figure::Nothing, |us| Figure::Exact(*us)));
}

fn attempts(sheet: &mut Sheet, place: &str, edge: &Edge) {
    let plural = |count: i64, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    sheet.put(&format!("{place}/{}", plural(edge.calls, "request")), Figure::Text(String::new()));
    let each = Figure::Said(edge.amplification().unwrap_or_default(), 0.0);
    sheet.put(&format!("{place}/{}", plural(edge.attempts, "attempt")), each);
    sheet.put(&format!("{place}/failed"), Figure::share(edge.errors, edge.attempts));
}

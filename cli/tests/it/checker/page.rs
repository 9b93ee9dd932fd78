//! The page of a run, as a reader meets it: tables by their names, rows and heads, and what is said to those who point
//! at a place of a chart. Owns how it is read, and which of it is not held against traces.

mod notes;

use serde_json::{Map, Value};

use super::figure::Figure;
use super::rebuilt::{Rebuilt, Seen};
use super::sheet::Sheet;
use super::tables;

/// What traces do not say: intervals, what machines, policies, breakers and faults did, how the run went; and the
/// single requests, which are drawn from the record.
pub(super) const BESIDES: [&str; 17] = [
    "95 % interval",
    "breakers opened",
    "what each architecture takes",
    "decisions",
    "expectations",
    "figures by architecture, cores × time",
    "faults",
    "digest",
    "spans",
    "packets",
    "all",
    "Breakers and ejections over time",
    "Decisions of policies over time",
    "a request",
    "timeouts",
    "probes",
    "reset",
];

/// Tables whose rows take two names.
const TWO_NAMES: [&str; 4] = [
    "differences by part of the run",
    "differences by endpoint",
    "decisions",
    "what each architecture takes",
];

/// The page's tables under `tables`, and under `charts` what is said at their places.
pub(super) fn read(html: &str) -> Value {
    let mut tables = Map::new();
    for part in html.split("aria-label=\"table: ").skip(1) {
        let name = plain(part.split('"').next().unwrap());
        let (head, body) = between(part, "<table>", "</table>").split_once("</thead>").unwrap();
        let heads = heads(head);
        // Several tables are called alike.
        let name = if name.contains("by architecture") { format!("{name}, {}", heads[1][1]) } else { name };
        tables.insert(name.clone(), table(&heads, body, 1 + usize::from(TWO_NAMES.contains(&&*name))));
    }
    let mut page = Map::new();
    page.insert("tables".to_owned(), Value::Object(tables));
    page.insert("charts".to_owned(), notes::read(html));
    Value::Object(page)
}

/// The heads of each column, from the outermost on.
fn heads(head: &str) -> Vec<Vec<String>> {
    let rows: Vec<Vec<String>> = head.split("<tr").skip(1).map(columns).collect();
    (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column].clone()).collect()).collect()
}

/// The cells of a row, repeated where they are wider than a column; what is written small is left out.
fn columns(row: &str) -> Vec<String> {
    let mut columns = Vec::new();
    for cell in row.split("<t").skip(1) {
        let (tag, text) = cell.split_once('>').unwrap();
        let wide = tag.split_once("colspan=\"").map_or("1", |(_, wide)| wide.split('"').next().unwrap());
        let text = plain(text.split("<small>").next().unwrap());
        columns.extend(vec![text; wide.parse().unwrap()]);
    }
    columns
}

fn table(heads: &[Vec<String>], body: &str, names: usize) -> Value {
    let mut table = Value::Object(Map::new());
    let mut name = String::new();
    for row in body.split("<tr").skip(1) {
        let mut cells = columns(row);
        // A name stands for all rows below it.
        if row.contains("<th") {
            name.clone_from(&cells[0]);
        } else {
            cells.insert(0, name.clone());
        }
        for (head, cell) in
            heads.iter().zip(&cells).skip(names).filter(|(_, cell)| !["–", ""].contains(&&***cell))
        {
            let to = cells[..names].iter().chain(head).fold(&mut table, |tree, key| &mut tree[key]);
            *to = Value::from(cell.replace(',', ""));
        }
    }
    table
}

/// A text without tags.
fn plain(html: &str) -> String {
    let parts = html.split('<').enumerate();
    let texts = parts
        .map(|(at, part)| if at == 0 { part } else { part.split_once('>').map_or("", |(_, text)| text) });
    let text: String = texts.collect();
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    text.trim().to_owned()
}

fn between<'a>(text: &'a str, from: &str, until: &str) -> &'a str {
    text.split_once(from).unwrap().1.split_once(until).unwrap().0
}

/// What the page must say of the run.
pub(super) fn sheet(rebuilt: &Rebuilt, written: &Value) -> Sheet {
    let mut sheet = Sheet::default();
    let name = |name: &str| format!("/tables/{name}");
    let side_by_side = "figures side by side";
    tables::side_by_side(&mut sheet, &name(side_by_side), rebuilt, &written["tables"][side_by_side]);
    tables::added(&mut sheet, &name("what each architecture adds"), rebuilt);
    for (architecture, seen) in &rebuilt.architectures {
        by_part(&mut sheet, architecture, seen);
        for (endpoint, traffic) in &seen.all.endpoints {
            let place = name(&format!("figures by architecture, p50/{endpoint}/{architecture}"));
            tables::times_and_errors(&mut sheet, &place, traffic);
        }
        edges(&mut sheet, architecture, seen);
        pods(&mut sheet, architecture, seen);
        let row = |edge: &str| format!("{edge}/{architecture}");
        let place = name("figures by architecture, packets");
        tables::network(&mut sheet, &place, seen, (row, written));
        let place = name(&format!("digests/{architecture}"));
        let all = seen.all.total.all;
        sheet.put(&format!("{place}/requests"), Figure::count(all.sent));
        sheet.put(&format!("{place}/open at the end"), Figure::share(all.open, all.sent));
        paired(&mut sheet, architecture, seen);
    }
    notes::sheet(&mut sheet, rebuilt, &written["charts"]);
    sheet
}

/// Before, during and after: only where there is more than one part.
fn by_part(sheet: &mut Sheet, architecture: &str, seen: &Seen) {
    for (part, of) in seen.parts.iter().filter(|_| seen.parts.len() > 1) {
        let place = format!("/tables/before, during and after/{architecture}/{part}");
        tables::times_and_errors(sheet, &place, &of.total);
    }
}

fn edges(sheet: &mut Sheet, architecture: &str, seen: &Seen) {
    for (name, edge) in &seen.all.edges {
        let place =
            |head: &str| format!("/tables/figures by architecture, requests/{name}/{architecture}/{head}");
        let counts = [
            ("requests", edge.calls),
            ("retries", edge.retries),
            ("hedges", edge.hedges),
            ("never sent", edge.unsent),
        ];
        for (head, count) in counts {
            sheet.put(&place(head), Figure::count(count));
        }
        let amplification = edge.amplification().map_or(Figure::Nothing, |ratio| Figure::Said(ratio, 0.0));
        sheet.put(&place("attempts per request"), amplification);
        sheet.put(&place("failed attempts"), Figure::share(edge.errors, edge.attempts));
    }
}

/// Attempts at each pod, and its share of those at its service.
fn pods(sheet: &mut Sheet, architecture: &str, seen: &Seen) {
    let service = |pod: &str| pod.rsplit_once('-').unwrap().0.to_owned();
    for (pod, attempts) in &seen.all.pods {
        let place =
            |head: &str| format!("/tables/figures by architecture, attempts/{pod}/{architecture}/{head}");
        let beside = seen.all.pods.iter().filter(|(other, _)| service(other) == service(pod));
        sheet.put(&place("attempts"), Figure::count(*attempts));
        sheet.put(&place("share"), Figure::share(*attempts, beside.map(|(_, attempts)| attempts).sum()));
    }
}

/// By part of the run where there are several, and by endpoint likewise.
fn paired(sheet: &mut Sheet, architecture: &str, seen: &Seen) {
    let Some(against) = &seen.against else { return };
    let whole = [("the whole run", &against.total)].into_iter();
    let parts = against.parts.iter().filter(|_| against.parts.len() > 1);
    let parts = whole.chain(parts.map(|(name, of)| (&**name, of)));
    let endpoints = against.endpoints.iter().filter(|_| against.endpoints.len() > 1);
    let endpoints = endpoints.map(|(name, of)| (&**name, of));
    let by_part: Vec<_> = parts.collect();
    for (table, rows) in
        [("differences by part of the run", by_part), ("differences by endpoint", endpoints.collect())]
    {
        for (row, of) in rows.into_iter().filter(|(_, of)| of.all() > 0) {
            let place = format!("/tables/{table}/{row}/{architecture}");
            tables::longer(sheet, &place, of);
            let counts =
                [("requests", of.all()), ("served only here", of.saved), ("no longer served", of.lost)];
            for (head, count) in counts {
                sheet.put(&format!("{place}/{head}"), Figure::count(count));
            }
        }
    }
}

//! The numbers behind the charts as CSV, one file a subject, units in the header. Owns their columns,
//! not where the files lie.

mod trust;

use std::collections::BTreeMap;

use hoplab_sim::figures::{Figure, Scope, Subject};
use hoplab_sim::record::{BreakerChange, Decided, Edge, PolicyEvent, Record};
use indexmap::IndexMap;

use crate::charts::curves;
use crate::scope::scope;
use crate::summary::Micros;

/// A CSV file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, with the extension.
    pub name: &'static str,
    /// Its bytes, UTF-8.
    pub bytes: Vec<u8>,
}

/// Every file of a run.
pub fn files(record: &Record) -> Result<Vec<File>, csv::Error> {
    Ok(vec![
        file("latency.csv", latency(record))?,
        file("windows.csv", windows(record))?,
        file("over-time.csv", over_time(record))?,
        file("breakdown.csv", breakdown(record))?,
        file("figures.csv", figures(record))?,
        file("edges.csv", edges(record))?,
        file("breakers.csv", breakers(record))?,
        file("policies.csv", policies(record))?,
        file("decisions.csv", decisions(record))?,
        file("work.csv", work(record))?,
        file("paired.csv", trust::paired(record))?,
        file("intervals.csv", trust::intervals(record))?,
    ])
}

pub(crate) type Row = Vec<String>;

pub(crate) fn file(name: &'static str, rows: Vec<Row>) -> Result<File, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(File { name, bytes })
}

fn head(columns: &[&str]) -> Vec<Row> {
    vec![columns.iter().map(|&column| column.to_owned()).collect()]
}

/// Percentile curves, as far as the samples carry them; the endpoint `*` is all of them.
fn latency(record: &Record) -> Vec<Row> {
    let mut rows = head(&["architecture", "endpoint", "percentile", "latency_us"]);
    for (name, architecture) in &record.architectures {
        let total = std::iter::once(("*", &architecture.total));
        let endpoints = architecture.endpoints.iter().map(|(name, traffic)| (name.as_str(), traffic));
        for (endpoint, traffic) in total.chain(endpoints) {
            for (nines, us) in curves::percentiles(&traffic.latency) {
                let percentile = percentile(curves::quantile(nines));
                rows.push(vec![name.clone(), endpoint.to_owned(), percentile, us.to_string()]);
            }
        }
    }
    rows
}

/// The whole run in windows, warm-up included, by the requests' intended send. Counts are those of all seeds: what they
/// come to by the second is over `seconds`. A percentile that a window does not carry is empty.
fn windows(record: &Record) -> Vec<Row> {
    let mut rows = head(&[
        "architecture",
        "from_us",
        "until_us",
        "sent",
        "ok",
        "refused",
        "errors",
        "open",
        "good",
        "calls",
        "attempts",
        "p50_us",
        "p90_us",
        "p99_us",
        "max_us",
        "min_us",
        "seconds",
    ]);
    for (name, architecture) in &record.architectures {
        for (index, window) in architecture.windows.iter().enumerate() {
            let (from_us, until_us) = record.spacing().bounds_us(&(index..index + 1));
            let optional = |us: Option<u64>| us.map_or_else(String::new, |us| us.to_string());
            let latency = window.latency();
            rows.push(vec![
                name.clone(),
                from_us.to_string(),
                until_us.to_string(),
                window.sent.to_string(),
                window.ok.to_string(),
                window.refused.to_string(),
                window.errors.to_string(),
                window.sent.saturating_sub(window.ok + window.errors).to_string(),
                window.good.to_string(),
                window.calls.to_string(),
                window.attempts.to_string(),
                optional(window.p50_us.filter(|_| latency.percentile_us(0.5).is_some())),
                optional(window.p90_us.filter(|_| latency.percentile_us(0.9).is_some())),
                optional(window.p99_us.filter(|_| latency.percentile_us(0.99).is_some())),
                optional(window.max_us),
                optional(window.min_us),
                fraction(record.spacing().seconds(&(index..index + 1))),
            ]);
        }
    }
    rows
}

/// The lines of the charts over time: each figure over as many windows together as carry it; empty where too little of
/// what was sent in them was served well.
fn over_time(record: &Record) -> Vec<Row> {
    let mut rows = head(&["architecture", "figure", "from_us", "until_us", "value"]);
    for (name, seen) in &record.architectures {
        for figure in [Figure::P50, Figure::P99, Figure::Goodput, Figure::ErrorRate] {
            rows.extend(curves::over_time(record, seen, figure).into_iter().map(|stretch| {
                let (from_us, until_us) = (stretch.from_us.to_string(), stretch.until_us.to_string());
                let value = stretch.value.map_or_else(String::new, fraction);
                vec![name.clone(), figure.key().into_owned(), from_us, until_us, value]
            }));
        }
    }
    rows
}

/// Mean microseconds per request by owner: by hop over the whole run, and by phase over all hops. The
/// hop `*` is all of them, the phase `*` the whole run.
fn breakdown(record: &Record) -> Vec<Row> {
    let mut rows = head(&["architecture", "phase", "hop", "visits_per_request", "owner", "mean_us"]);
    for (name, architecture) in &record.architectures {
        let mut push = |phase: &str, hop: &str, visits: f64, split: &BTreeMap<String, f64>| {
            rows.extend(split.iter().map(|(owner, &us)| {
                let (phase, hop) = (phase.to_owned(), hop.to_owned());
                vec![name.clone(), phase, hop, decimal(visits), owner.clone(), decimal(us)]
            }));
        };
        push("*", "*", 1.0, &architecture.breakdown_us);
        for (phase_name, phase) in &architecture.phases {
            push(phase_name, "*", 1.0, &phase.breakdown_us);
        }
        for hop in &architecture.hops {
            push("*", &hop.name, hop.visits, &hop.breakdown_us);
        }
    }
    rows
}

/// Calls between services, by phase of the run; the phase `*` is all of it.
fn edges(record: &Record) -> Vec<Row> {
    let figures = [
        Figure::Calls,
        Figure::Attempts,
        Figure::Retries,
        Figure::Hedges,
        Figure::Unsent,
        Figure::Amplification,
        Figure::FailedAttempts,
    ];
    let names = ["requests", "attempts", "retries", "hedges", "unsent", "amplification", "errors"];
    let mut rows = head(&[&["architecture", "phase", "edge"], &names[..]].concat());
    for (name, architecture) in &record.architectures {
        let mut push = |phase: &str, edges: &IndexMap<String, Edge>| {
            rows.extend(edges.keys().map(|edge| {
                let scope = Scope::of_edges(edges).edge(edge);
                let cells = figures.map(|figure| figure.of(&scope).map_or_else(String::new, decimal));
                [[name.clone(), phase.to_owned(), edge.clone()].to_vec(), cells.to_vec()].concat()
            }));
        };
        push("*", &architecture.edges);
        for (phase_name, phase) in &architecture.phases {
            push(phase_name, &phase.edges);
        }
    }
    rows
}

/// The figures of requests, by phase and endpoint; the phase `*` is all of the run after the warm-up, the endpoint
/// `*` all requests. What the sample does not carry is empty.
fn figures(record: &Record) -> Vec<Row> {
    let figures: Vec<Figure> =
        Figure::about(Subject::Requests).filter(|figure| *figure != Figure::Within).collect();
    let keys: Vec<_> = figures.iter().map(|figure| figure.key()).collect();
    let keys: Vec<&str> = keys.iter().map(|key| &**key).collect();
    let mut rows = head(&[&["architecture", "phase", "endpoint"], &keys[..]].concat());
    let seeds = record.runs();
    for (name, architecture) in &record.architectures {
        let all = ("*", scope(record, architecture), &architecture.endpoints);
        let phases = architecture
            .phases
            .iter()
            .map(|(phase, seen)| (phase.as_str(), Scope::of_phase(seen, seeds), &seen.endpoints));
        for (phase, scope, endpoints) in std::iter::once(all).chain(phases) {
            let total = ("*", scope.clone());
            let each = endpoints.keys().map(|endpoint| (endpoint.as_str(), scope.clone().endpoint(endpoint)));
            let sent = |(_, scope): &(&str, Scope<'_>)| Figure::Sent.of(scope) > Some(0.0);
            rows.extend(std::iter::once(total).chain(each).filter(sent).map(|(endpoint, scope)| {
                let cells = figures.iter().map(|figure| figure.of(&scope).map_or_else(String::new, fraction));
                let about = [name.as_str(), phase, endpoint].map(str::to_owned);
                about.into_iter().chain(cells).collect()
            }));
        }
    }
    rows
}

/// What the state of a breaker or a decision is called from where on there were too many to keep one by one.
const UNRECORDED: &str = "not recorded";

/// Every change of a circuit breaker's state, over the whole run as far as the recorder kept it; of several seeds in the
/// first.
fn breakers(record: &Record) -> Vec<Row> {
    let mut rows = head(&["architecture", "at_us", "pod", "upstream", "endpoint", "state", "seed"]);
    for (name, architecture) in &record.architectures {
        rows.extend(architecture.breakers.iter().map(|change| {
            let endpoint = change.endpoint.as_deref().unwrap_or_default();
            let BreakerChange { at_us, pod, upstream, state, .. } = change;
            event(record, name, *at_us, [pod, upstream, endpoint, state])
        }));
        let cut = architecture.breakers_cut_us;
        rows.extend(cut.map(|at_us| event(record, name, at_us, ["", "", "", UNRECORDED])));
    }
    rows
}

/// What policies decided, one by one, over the whole run as far as the recorder kept it; of several seeds in the first.
fn policies(record: &Record) -> Vec<Row> {
    let mut rows = head(&["architecture", "at_us", "pod", "upstream", "endpoint", "decision", "seed"]);
    for (name, architecture) in &record.architectures {
        rows.extend(architecture.policies.iter().map(|decided| {
            let endpoint = decided.endpoint.as_deref().unwrap_or_default();
            let PolicyEvent { at_us, pod, upstream, decision, .. } = decided;
            event(record, name, *at_us, [pod, upstream, endpoint, decision])
        }));
        let cut = architecture.policies_cut_us;
        rows.extend(cut.map(|at_us| event(record, name, at_us, ["", "", "", UNRECORDED])));
    }
    rows
}

/// Something that happened at a moment of the first seed.
fn event(record: &Record, architecture: &str, at_us: u64, said: [&str; 4]) -> Row {
    let mut row = vec![architecture.to_owned(), at_us.to_string()];
    row.extend(said.map(str::to_owned));
    row.push(record.seed.to_string());
    row
}

/// How often policies decided what, all counted, by phase of the run; the phase `*` is all of it after the warm-up.
fn decisions(record: &Record) -> Vec<Row> {
    let mut rows = head(&["architecture", "phase", "pod", "upstream", "endpoint", "decision", "count"]);
    for (name, architecture) in &record.architectures {
        let mut push = |phase: &str, decided: &Decided| {
            rows.push(vec![
                name.clone(),
                phase.to_owned(),
                decided.pod.clone(),
                decided.upstream.clone(),
                decided.endpoint.clone().unwrap_or_default(),
                decided.decision.clone(),
                decided.count.to_string(),
            ]);
        };
        architecture.decisions.iter().for_each(|decided| push("*", decided));
        for (phase_name, phase) in &architecture.phases {
            phase.decisions.iter().for_each(|decided| push(phase_name, decided));
        }
    }
    rows
}

/// The processor time of services, by phase of the run as its pieces end; the phase `*` is all of it after the warm-up.
fn work(record: &Record) -> Vec<Row> {
    let mut rows = head(&["architecture", "phase", "service", "cpu_us", "wasted_requests", "wasted_cpu_us"]);
    for (name, architecture) in &record.architectures {
        let phases = architecture.phases.iter().map(|(phase, seen)| (phase.as_str(), &seen.work));
        for (phase, works) in std::iter::once(("*", &architecture.work)).chain(phases) {
            rows.extend(works.iter().map(|(service, work)| {
                let figures =
                    [work.cpu_us, work.wasted.requests, work.wasted.cpu_us].map(|us| us.to_string());
                [[name.clone(), phase.to_owned(), service.clone()], figures].concat()
            }));
        }
    }
    rows
}

/// A quantile in per cent, with as many decimals as it needs, at most six.
fn percentile(quantile: f64) -> String {
    let text = format!("{:.6}", quantile * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// With at most six decimals, none when it is whole.
fn fraction(value: f64) -> String {
    ((value * 1e6).round() / 1e6).to_string()
}

/// With at most three decimals, none when it is whole.
fn decimal(value: f64) -> String {
    Micros::from(value).0.to_string()
}

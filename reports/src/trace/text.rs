//! The waterfall of a request on the terminal: a row a stay at a hop, indented below what it was done for, and a row an
//! attempt that nobody answered; below it who owned the response time, to the nanosecond, and what changed along the
//! request. Owns the text, not the terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hoplab_sim::lens::{Attempt, Moment, Outcome, Request, Stall, Visit};
use hoplab_sim::record::Record;
use hoplab_sim::stalls::Way;
use indexmap::IndexMap;

use super::bar::{Mark, Scale};
use super::tree::{self, Row, What};
use super::{aligned_micros, decimals, micros};
use crate::format::{listed, moment, plural, share, shortened};
use crate::owners::{self, OWNERS};
use crate::table::{Look, printable, unbroken, wrapped};

/// A bar and a name are at least this wide, however narrow the terminal is.
const CELLS_MIN: usize = 8;
const NAME_MIN: usize = 12;
/// Where an owner's hops have less room than this, they are left out.
const HOPS_MIN: usize = 24;

/// Between how a hop ended and what its caller saw of it, where that is something else.
const SEEN_AS: &str = " → ";

/// The waterfall of `request`, which was made under `architecture` of the run in `record`.
pub fn waterfall(request: &Request, record: &Record, architecture: &str, look: Look) -> String {
    let mut text = heading(request, record, architecture, look);
    text.push('\n');
    text.push_str(&bars(request, look));
    text.push('\n');
    text.push_str(&owned(request, look));
    text.push_str(&along(request, look));
    text
}

fn heading(request: &Request, record: &Record, architecture: &str, look: Look) -> String {
    let endpoint = printable(&request.endpoint);
    let title = match (&request.outcome, request.end_nanos) {
        (Some(outcome), Some(end)) => {
            let took = micros(end - request.start_nanos);
            format!("{endpoint} took {took} µs under {architecture}: {}", outcome.text)
        }
        _ => format!("{endpoint} under {architecture} had not ended when the run was over"),
    };
    let mut text = String::new();
    for line in wrapped(&printable(&title), look.width) {
        let _ = writeln!(text, "{}", look.painted("1", &line));
    }
    let start_us = request.start_nanos / 1_000;
    let mut facts = format!("request {}, sent at {:.6} s", request.id, start_us as f64 / 1e6);
    if start_us < record.warmup_us {
        facts.push_str(", in the warm-up");
    }
    let until_us = request.end_nanos.map_or(u64::MAX, |end| end / 1_000);
    let faults = record.faults.iter().filter(|fault| {
        let fault_end = fault.at_us.saturating_add(fault.for_us);
        fault.at_us <= until_us && start_us < fault_end
    });
    let faults: Vec<String> = faults
        .map(|fault| {
            let (from, until) = (moment(fault.at_us), moment(fault.at_us.saturating_add(fault.for_us)));
            format!("{} ({from} to {until})", printable(&fault.name))
        })
        .collect();
    if !faults.is_empty() {
        let _ = write!(facts, ", during {}", listed(&faults));
    }
    for line in wrapped(&facts, look.width) {
        let _ = writeln!(text, "{}", look.painted("2", &line));
    }
    text
}

/// What a row says beside its bar.
struct Cells {
    name: String,
    outcome: String,
    is_ok: bool,
    took: String,
    pieces: Vec<(Mark, u64, u64)>,
}

fn bars(request: &Request, look: Look) -> String {
    let rows = tree::rows(request);
    let indent = if rows.iter().any(|row| row.depth > 8) { 1 } else { 2 };
    let rows: Vec<Cells> = rows.iter().map(|row| cells(request, row, indent)).collect();
    let width = |text: fn(&Cells) -> &str, head: &str| {
        rows.iter().map(|row| text(row).chars().count()).fold(head.chars().count(), usize::max)
    };
    let took = width(|row| &row.took, "µs");
    let outcomes = width(|row| &row.outcome, "outcome").min((look.width / 5).max(8));
    let names = width(|row| &row.name, "hop").min(look.width / 2);
    // A narrow terminal cuts names before bars.
    let names = names.min(look.width.saturating_sub(outcomes + took + 4 + CELLS_MIN)).max(NAME_MIN);
    let cells = look.width.saturating_sub(names + outcomes + took + 4).max(CELLS_MIN);
    let last = rows.iter().flat_map(|row| &row.pieces).map(|piece| piece.2).max();
    let until = request.end_nanos.or(last).unwrap_or(request.start_nanos);
    let scale = Scale { from: request.start_nanos, until, cells };
    let total = Some(micros(until - request.start_nanos)).filter(|total| total.chars().count() < cells);
    let (total, rest) = (total.unwrap_or_default(), cells - 1);
    let head = format!(" {:names$} {:outcomes$} {:>took$} 0{total:>rest$}", "hop", "outcome", "µs");
    let head = head.trim_end();
    let mut text = format!("{}\n", look.painted("2", head));
    for row in &rows {
        let outcome = format!("{:outcomes$}", shortened(&row.outcome, outcomes));
        let outcome = if row.is_ok { outcome } else { look.painted("31", &outcome) };
        let name = shortened(&row.name, names);
        let bar = scale.bar(&row.pieces, look);
        let line = format!(" {name:names$} {outcome} {:>took$} {bar}", row.took);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push_str(&legend(&rows, look));
    text
}

fn cells(request: &Request, row: &Row<'_>, indent: usize) -> Cells {
    let (name, outcome, from, until, pieces) = match &row.what {
        What::Visit(visit, asked) => {
            // Who asked may have seen another end than who answered.
            let outcome = match asked.last() {
                Some(asked) if asked.outcome != visit.outcome => Outcome {
                    text: format!("{}{SEEN_AS}{}", visit.outcome.text, asked.outcome.text),
                    is_ok: false,
                },
                _ => visit.outcome.clone(),
            };
            (place(visit), outcome, visit.start_nanos, visit.end_nanos, pieces(request, visit, asked))
        }
        What::Unanswered(attempt) => {
            let (from, until) = (attempt.start_nanos, attempt.end_nanos);
            let to = attempt.endpoint.as_ref().unwrap_or(&attempt.upstream);
            let pieces = wire(&[attempt], None, (from, until));
            (format!("→ {to}"), attempt.outcome.clone(), from, until, pieces)
        }
    };
    Cells {
        name: format!("{}{}", " ".repeat(row.depth * indent), printable(&name)),
        outcome: outcome.text,
        is_ok: outcome.is_ok,
        took: micros(until - from),
        pieces,
    }
}

/// The hop with its pod in place of its service: `cart-0 (inbound)`.
fn place(visit: &Visit) -> String {
    match visit.hop.split_once(" (") {
        Some((_, side)) => format!("{} ({side}", visit.pod),
        None => visit.pod.clone(),
    }
}

/// Who owned a visit's time. What waits for an answer is the next hop's as long as that is at it, and before and after
/// the wire's, or what its connection stood still for; where none answers, the attempt has a row that says so.
fn pieces(request: &Request, visit: &Visit, asked: &[&Attempt]) -> Vec<(Mark, u64, u64)> {
    let mut pieces = Vec::with_capacity(visit.segments.len());
    let mut from = visit.start_nanos;
    for segment in &visit.segments {
        let until = segment.end_nanos;
        let answers =
            request.visits.iter().find(|answer| answer.parent.is_some() && answer.parent == segment.attempt);
        match (segment.attempt, answers) {
            // It waits for who asked, and whom that may wait for, which may be either way.
            (None, _) if segment.owner == "wire" => pieces.extend(wire(asked, None, (from, until))),
            (None, _) => pieces.push((Mark::of(segment.owner), from, until)),
            (Some(_), None) => pieces.push((Mark::Waiting, from, until)),
            (Some(_), Some(answer)) => {
                let (began, ended) =
                    (answer.start_nanos.clamp(from, until), answer.end_nanos.clamp(from, until));
                let asked = visit.attempts.iter().find(|asked| Some(asked.id) == segment.attempt);
                let asked = asked.as_slice();
                pieces.extend(wire(asked, Some(Way::Forth), (from, began)));
                pieces.push((Mark::Waiting, began, ended));
                pieces.extend(wire(asked, Some(Way::Back), (ended, until)));
            }
        }
        from = until;
    }
    if pieces.is_empty() {
        pieces.push((Mark::Waiting, visit.start_nanos, visit.end_nanos));
    }
    pieces
}

/// Time on the connections of attempts: one way, or either where it is not known which.
fn wire(attempts: &[&Attempt], way: Option<Way>, (from, until): (u64, u64)) -> Vec<(Mark, u64, u64)> {
    let is_meant = |stall: &&Stall| {
        let its = if stall.is_back { Way::Back } else { Way::Forth };
        way.is_none_or(|way| way == its) && stall.start_nanos < until && from < stall.end_nanos
    };
    let mut stalls: Vec<&Stall> =
        attempts.iter().flat_map(|attempt| &attempt.stalls).filter(is_meant).collect();
    stalls.sort_by_key(|stall| stall.start_nanos);
    let mut pieces = Vec::new();
    let mut start = from;
    for stall in stalls {
        let begun = stall.start_nanos.max(start);
        let ended = stall.end_nanos.min(until).max(begun);
        pieces.extend([(Mark::of("wire"), start, begun), (Mark::of(stall.owner), begun, ended)]);
        start = ended;
    }
    pieces.push((Mark::of("wire"), start, until));
    pieces
}

fn legend(rows: &[Cells], look: Look) -> String {
    let mut marks: Vec<Mark> = rows.iter().flat_map(|row| &row.pieces).map(|piece| piece.0).collect();
    marks.sort_unstable();
    marks.dedup();
    let mut entries: Vec<(Option<Mark>, String)> =
        marks.into_iter().map(|mark| (Some(mark), mark.legend())).collect();
    if rows.iter().any(|row| row.outcome.contains(SEEN_AS)) {
        entries.push((None, "→ what the caller saw".to_owned()));
    }
    let mut text = String::new();
    let mut room = 0;
    for (mark, entry) in entries {
        let length = entry.chars().count() + 2;
        if length > room {
            text.push_str(if text.is_empty() { "" } else { "\n" });
            room = look.width;
        }
        room = room.saturating_sub(length);
        let entry = mark.map_or(entry.clone(), |mark| mark.painted(&entry, look));
        let _ = write!(text, " {entry} ");
    }
    text.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// Who owned the response time along the critical path, and at which hops.
fn owned(request: &Request, look: Look) -> String {
    let total: u64 = request.path.iter().map(|stretch| stretch.nanos).sum();
    if total == 0 {
        return String::new();
    }
    let mut by_owner: BTreeMap<usize, IndexMap<&str, u64>> = BTreeMap::new();
    for stretch in &request.path {
        let hops = by_owner.entry(owners::index(stretch.owner)).or_default();
        *hops.entry(&stretch.hop).or_default() += stretch.nanos;
    }
    let mut owned: Vec<(usize, u64, IndexMap<&str, u64>)> =
        by_owner.into_iter().map(|(owner, hops)| (owner, hops.values().sum(), hops)).collect();
    owned.sort_by_key(|(_, nanos, _)| std::cmp::Reverse(*nanos));
    let decimals = owned.iter().map(|(_, nanos, _)| decimals(*nanos)).max().unwrap_or(0);
    let aligned = |nanos| aligned_micros(nanos, decimals);
    let took = aligned(total).chars().count().max(2);
    let labels = owned.iter().map(|(owner, ..)| OWNERS[*owner].label.chars().count());
    let labels = labels.max().unwrap_or(0).max("who owned the time".len());
    let has_room = labels + took + 12 + HOPS_MIN <= look.width;
    let at = if has_room { "at" } else { "" };
    let head = format!(" {:labels$} {:>took$} {:>7}  {at}", "who owned the time", "µs", "");
    let mut text = format!("{}\n", look.painted("2", head.trim_end()));
    for (owner, nanos, mut hops) in owned {
        hops.sort_by(|_, left, _, right| right.cmp(left));
        let hops =
            hops.iter().map(|(hop, nanos)| unbroken(&format!("{} {}", printable(hop), micros(*nanos))));
        let hops = if has_room { hops.collect::<Vec<_>>().join(", ") } else { String::new() };
        let mut lead = format!(
            " {:labels$} {:>took$} {:>7}  ",
            OWNERS[owner].label,
            aligned(nanos),
            share(nanos, total)
        );
        if hops.is_empty() {
            let _ = writeln!(text, "{}", lead.trim_end());
        }
        let rest = " ".repeat(lead.chars().count());
        for line in wrapped(&hops, look.width.saturating_sub(rest.len())) {
            let _ = writeln!(text, "{lead}{line}");
            lead.clone_from(&rest);
        }
    }
    let _ = writeln!(text, " {:labels$} {:>took$} {:>7}", "sum", aligned(total), "100 %");
    text
}

/// What changed along the request.
fn along(request: &Request, look: Look) -> String {
    if request.moments.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{}\n", look.painted("2", " what changed along it"));
    let start_us = request.start_nanos / 1_000;
    let offsets = request.moments.iter().map(|moment| offset(moment, start_us));
    let width = offsets.clone().map(|text| text.chars().count()).max().unwrap_or(0);
    for (moment, offset) in request.moments.iter().zip(offsets) {
        let said = printable(&format!("{}: {}", moment.pod(), said(moment)));
        let mut lead = format!(" {offset:>width$}  ");
        let rest = " ".repeat(lead.chars().count());
        for line in wrapped(&said, look.width.saturating_sub(rest.len()).max(16)) {
            let _ = writeln!(text, "{lead}{line}");
            lead.clone_from(&rest);
        }
    }
    if request.moments_left_out > 0 {
        let _ = writeln!(text, " and {}", plural(request.moments_left_out, "more change"));
    }
    text
}

fn offset(moment: &Moment, start_us: u64) -> String {
    format!("+{} µs", micros(moment.at_us().saturating_sub(start_us) * 1_000))
}

/// A moment in words, the same wherever one is shown.
pub(super) fn said(moment: &Moment) -> String {
    let to = |upstream: &str, endpoint: &Option<String>| match endpoint {
        Some(endpoint) => format!("{upstream} at {endpoint}"),
        None => upstream.to_owned(),
    };
    match moment {
        Moment::Breaker(change) => {
            format!("breaker of {} became {}", to(&change.upstream, &change.endpoint), change.state)
        }
        Moment::Policy(event) => {
            let decision = event.decision.replace('-', " ");
            format!("{decision}, {}", to(&event.upstream, &event.endpoint))
        }
    }
}

#[cfg(test)]
mod tests {
    use hoplab_sim::lens::{AttemptKind, Segment, Stretch};
    use hoplab_sim::record::{BreakerChange, Graph};

    use super::*;

    /// A client whose first attempt was refused, and a service behind it.
    fn request() -> Request {
        let outcome = |text: &str| Outcome { text: text.to_owned(), is_ok: text == "200" };
        let attempt = |id, start_nanos, end_nanos, text| Attempt {
            id,
            upstream: "payment".to_owned(),
            endpoint: Some("payment-0:8080".to_owned()),
            kind: AttemptKind::First,
            is_sent: true,
            stalls: Vec::new(),
            start_nanos,
            end_nanos,
            outcome: outcome(text),
        };
        let segment = |owner, attempt, end_nanos| Segment { owner, attempt, end_nanos };
        let client = Visit {
            id: 1,
            parent: None,
            hop: "client".to_owned(),
            is_client: true,
            pod: "client-0".to_owned(),
            start_nanos: 1_000_000,
            end_nanos: 1_100_500,
            segments: vec![
                segment("wire", Some(11), 1_020_000),
                segment("backoff", None, 1_050_000),
                segment("wire", Some(12), 1_100_500),
            ],
            attempts: vec![
                attempt(11, 1_000_000, 1_020_000, "refused"),
                attempt(12, 1_050_000, 1_100_500, "200"),
            ],
            outcome: outcome("200"),
        };
        let service = Visit {
            id: 2,
            parent: Some(12),
            hop: "payment (inbound)".to_owned(),
            is_client: false,
            pod: "payment-0".to_owned(),
            start_nanos: 1_060_000,
            end_nanos: 1_090_500,
            segments: vec![segment("proxy_cpu", None, 1_090_500)],
            attempts: Vec::new(),
            outcome: outcome("200"),
        };
        let stretch = |hop: &str, owner, nanos| Stretch { hop: hop.to_owned(), owner, nanos };
        Request {
            id: "00000000000000010000000000000007".to_owned(),
            endpoint: "payment.charge".to_owned(),
            start_nanos: 1_000_000,
            end_nanos: Some(1_100_500),
            outcome: Some(outcome("200")),
            visits: vec![client, service],
            path: vec![
                stretch("client", "wire", 20_000),
                stretch("client", "backoff", 30_000),
                stretch("client", "wire", 10_000),
                stretch("payment (inbound)", "proxy_cpu", 30_500),
                stretch("client", "wire", 10_000),
            ],
            moments: vec![Moment::Breaker(BreakerChange {
                at_us: 1_020,
                pod: "client-0".to_owned(),
                upstream: "payment".to_owned(),
                endpoint: None,
                state: "open".to_owned(),
            })],
            moments_left_out: 2,
        }
    }

    fn record() -> Record {
        Record {
            schema: 1,
            version: String::new(),
            scenario: String::new(),
            title: String::new(),
            question: String::new(),
            sources: Vec::new(),
            seed: 1,
            seeds: None,
            scale: 1.0,
            digest: String::new(),
            duration_us: 1_000_000,
            warmup_us: 0,
            window_us: 1_000,
            prices: None,
            adoption: IndexMap::new(),
            phases: IndexMap::new(),
            profiles: Vec::new(),
            graph: Graph { services: Vec::new(), edges: Vec::new() },
            faults: Vec::new(),
            architectures: IndexMap::new(),
            paired: IndexMap::new(),
        }
    }

    #[test]
    fn a_bar_shows_what_a_connection_stood_still_for_on_the_way_that_it_did() {
        let mut request = request();
        let stall = |owner, is_back, start_nanos, end_nanos| Stall { owner, is_back, start_nanos, end_nanos };
        request.visits[0].attempts[1].stalls = vec![
            stall("window", false, 1_040_000, 1_054_000),
            stall("retransmission", true, 1_055_000, 1_057_000),
            stall("retransmission", true, 1_093_000, 1_098_000),
        ];
        let drawn = pieces(&request, &request.visits[0], &[]);
        let of = |owner: &str| {
            let its = drawn.iter().filter(|piece| piece.0 == Mark::of(owner) && piece.1 < piece.2);
            its.map(|(_, from, until)| (*from, *until)).collect::<Vec<_>>()
        };
        assert_eq!(of("window"), [(1_050_000, 1_054_000)]);
        assert_eq!(of("retransmission"), [(1_093_000, 1_098_000)]);
        assert_eq!(of("wire"), [(1_054_000, 1_060_000), (1_090_500, 1_093_000), (1_098_000, 1_100_500)]);
    }

    #[test]
    fn a_waterfall_fits_the_terminal() {
        for width in [40, 60, 100, 160] {
            let text = waterfall(&request(), &record(), "direct", Look { width, colour: false });
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}\n{text}");
            }
        }
    }

    #[test]
    fn rows_owners_and_changes_are_drawn() {
        let look = Look { width: 64, colour: false };
        insta::assert_snapshot!(waterfall(&request(), &record(), "direct", look));
    }

    #[test]
    fn colours_change_no_letter() {
        let coloured = waterfall(&request(), &record(), "direct", Look { width: 64, colour: true });
        let mut plain = String::new();
        for (place, part) in coloured.split("\u{1b}[").enumerate() {
            plain.push_str(if place == 0 { part } else { part.split_once('m').unwrap().1 });
        }
        let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        let expected = waterfall(&request(), &record(), "direct", Look { width: 64, colour: false });
        assert_eq!(trimmed(&plain), trimmed(&expected));
    }
}

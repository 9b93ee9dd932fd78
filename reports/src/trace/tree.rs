//! Who asked whom for a request: its visits and the attempts that nobody answered as rows, each below what it was
//! done for, in the order of their start. Owns no text.

use hoplab_sim::lens::{Attempt, Request, Visit};

/// A row of the tree.
#[derive(Debug, Clone)]
pub(super) struct Row<'a> {
    /// How many rows it stands below.
    pub(super) depth: usize,
    /// What it shows.
    pub(super) what: What<'a>,
}

/// What a row shows.
#[derive(Debug, Clone)]
pub(super) enum What<'a> {
    /// A stay at a hop, and the attempts that led there, the one that it answers last, where that was reported.
    Visit(&'a Visit, Vec<&'a Attempt>),
    /// An attempt that no hop answered.
    Unanswered(&'a Attempt),
}

/// The rows of `request`. Visits whose caller never reported, since it crashed or the run was over, stand on the left.
pub(super) fn rows(request: &Request) -> Vec<Row<'_>> {
    let attempts = || request.visits.iter().flat_map(|visit| &visit.attempts);
    let is_asked = |visit: &Visit| attempts().any(|attempt| visit.parent == Some(attempt.id));
    let mut rows = Vec::with_capacity(request.visits.len());
    for visit in request.visits.iter().filter(|visit| !is_asked(visit)) {
        push(request, visit, &[], 0, &mut rows);
    }
    rows
}

fn push<'a>(
    request: &'a Request,
    visit: &'a Visit,
    asked: &[&'a Attempt],
    depth: usize,
    rows: &mut Vec<Row<'a>>,
) {
    rows.push(Row { depth, what: What::Visit(visit, asked.to_vec()) });
    let mut attempts: Vec<&Attempt> = visit.attempts.iter().collect();
    attempts.sort_by_key(|attempt| attempt.start_nanos);
    for attempt in attempts {
        let mut answers = request.visits.iter().filter(|visit| visit.parent == Some(attempt.id)).peekable();
        if answers.peek().is_none() {
            rows.push(Row { depth: depth + 1, what: What::Unanswered(attempt) });
        }
        for answer in answers {
            push(request, answer, &[asked, &[attempt]].concat(), depth + 1, rows);
        }
    }
}

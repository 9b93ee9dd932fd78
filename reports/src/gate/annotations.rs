//! The gate as GitHub's workflow commands: a line each, which GitHub shows at the baseline's line.
//! GitHub shows ten of a kind a step, so there is one a subject, and a last one that counts the rest.

use std::fmt::Write as _;

use hoplab_sim::record::Outcome;

use super::Gate;
use super::compare::{Finding, Verdict};
use super::explain::{sentence, telling};

/// What GitHub shows of a kind, less one that counts the rest.
const SHOWN_MAX: usize = 9;

/// Sentences in one annotation.
const SENTENCES_MAX: usize = 4;

pub(super) fn annotations(gate: &Gate) -> String {
    let mut text = String::new();
    for expected in gate.not_held() {
        let message = format!("{}; seen: {}", expected.text, expected.seen);
        let level = if expected.outcome == Outcome::Fails { "error" } else { "warning" };
        let title = format!("{} under {}", expected.trouble(), expected.scope);
        command(&mut text, level, &[("title", &title)], &message);
    }
    let groups = groups(gate);
    for group in groups.iter().take(SHOWN_MAX) {
        let first = telling(group, group[0]);
        let title = format!("{} under {}: {}", first.key.about(), first.key.scope, first.outcome.label());
        let mut sentences: Vec<String> = vec![sentence(first, gate.reasons(first))];
        let others = group.iter().filter(|other| other.key != first.key);
        sentences
            .extend(others.take(SENTENCES_MAX - 1).map(|finding| sentence(finding, gate.reasons(finding))));
        if group.len() > SENTENCES_MAX {
            sentences.push(format!("and {} more", group.len() - SENTENCES_MAX));
        }
        let line = gate.lines.get(&first.key).copied().unwrap_or(1).to_string();
        let place = [("file", gate.path.as_str()), ("line", &line), ("title", &title)];
        command(&mut text, "error", &place, &sentences.join("\n"));
    }
    if groups.len() > SHOWN_MAX {
        let message = format!("{} more subjects fail; see the summary", groups.len() - SHOWN_MAX);
        command(&mut text, "error", &[("file", &gate.path), ("line", "1")], &message);
    }
    if gate.verdict() == Verdict::Better
        && let Some(hint) = gate.hint()
    {
        let place = [("file", gate.path.as_str()), ("line", "1"), ("title", &gate.headline())];
        command(&mut text, "notice", &place, &hint);
    }
    text
}

/// What fails, by architecture and subject, in the order of how far it moved.
fn groups(gate: &Gate) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for scope in gate.comparison.scopes() {
        for finding in gate.comparison.standing_out(scope).into_iter().filter(|it| it.outcome.fails()) {
            let same = |group: &&mut Vec<&Finding>| {
                (&group[0].key.scope, &group[0].key.subject) == (&finding.key.scope, &finding.key.subject)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
    }
    groups
}

fn command(text: &mut String, kind: &str, properties: &[(&str, &str)], message: &str) {
    let properties: Vec<String> =
        properties.iter().map(|(name, value)| format!("{name}={}", property(value))).collect();
    let _ = writeln!(text, "::{kind} {}::{}", properties.join(","), data(message));
}

/// As the runner takes a message: it ends with the line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As the runner takes a property: it ends with a comma or a colon, too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        let mut text = String::new();
        let (file, message) = ("a,b:c%.txt", "5 % more\r\n::error::x");
        command(&mut text, "error", &[("file", file), ("line", "7")], message);
        assert_eq!(text, "::error file=a%2Cb%3Ac%25.txt,line=7::5 %25 more%0D%0A::error::x\n");
    }
}

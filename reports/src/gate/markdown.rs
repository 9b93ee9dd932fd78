//! The gate as Markdown, for a pull request or the summary of a workflow.

use std::fmt::Write as _;

use super::table::{called, cells};
use super::{Expected, Gate};

/// More rows than these hide what they are to show.
const ROWS_MAX: usize = 30;

pub(super) fn markdown(gate: &Gate) -> String {
    let mut text = format!("### {}\n", escaped(&gate.headline()));
    for expected in gate.not_held() {
        let Expected { scope, text: expectation, seen, .. } = expected;
        let _ = write!(
            text,
            "\n- {} under {}: {}; seen: {}",
            expected.trouble(),
            escaped(scope),
            escaped(expectation),
            escaped(seen)
        );
    }
    if gate.not_held().next().is_some() {
        text.push('\n');
    }
    for scope in gate.comparison.scopes() {
        let findings = gate.comparison.standing_out(scope);
        if findings.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n#### {}\n", escaped(scope));
        for sentence in gate.explanations(scope) {
            let _ = writeln!(text, "- {}", escaped(&sentence));
        }
        text.push_str("\n| figure | before | now | change | tolerance | |\n|---|--:|--:|--:|--:|---|\n");
        for finding in findings.iter().take(ROWS_MAX) {
            let name = called(finding);
            let [before, now, change, tolerance] = cells(finding);
            let outcome = finding.outcome.label();
            let outcome = if finding.outcome.fails() { format!("**{outcome}**") } else { outcome.to_owned() };
            let name = escaped(&name);
            let _ = writeln!(text, "| {name} | {before} | {now} | {change} | {tolerance} | {outcome} |");
        }
        if findings.len() > ROWS_MAX {
            let _ = writeln!(text, "\n… and {} more.", findings.len() - ROWS_MAX);
        }
    }
    if let Some(hint) = gate.hint() {
        let what = hint.strip_suffix(&gate.accept).unwrap_or_default().trim_start_matches("to ").trim_end();
        let command = &gate.accept;
        let _ = writeln!(text, "\nTo {what}\n\n```sh\n{command}\n```");
    }
    text
}

/// Without characters that Markdown, its tables or HTML would take for their own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' => escaped.extend(['\\', char]),
            char if char.is_control() => escaped.push(' '),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_breaks_out_of_its_cell() {
        assert_eq!(escaped("a|b_c <img>\n`x`"), "a\\|b\\_c &lt;img> \\`x\\`");
    }
}

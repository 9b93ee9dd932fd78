//! The gate as JSON, for programs: everything that is not the same, with its reason.

use serde::Serialize;

use super::compare::{Outcome, Verdict};
use super::figures::Value;
use super::{Expected, Gate, explain};

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    subject: &'a str,
    baseline: &'a str,
    verdict: Verdict,
    /// The figures that are what they were.
    same: u64,
    findings: Vec<Finding<'a>>,
    unmet: Vec<Unmet<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cannot_be_judged: Vec<Unmet<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Serialize)]
struct Finding<'a> {
    architecture: &'a str,
    subject: String,
    metric: &'a str,
    outcome: Outcome,
    before: Option<serde_json::Value>,
    now: Option<serde_json::Value>,
    tolerance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
}

/// An expectation that fails, or cannot be judged.
#[derive(Serialize)]
struct Unmet<'a> {
    architecture: &'a str,
    expectation: &'a str,
    seen: &'a str,
}

impl<'a> Unmet<'a> {
    fn of(expected: &'a Expected) -> Self {
        let Expected { scope, text, seen, .. } = expected;
        Self { architecture: scope, expectation: text, seen }
    }
}

pub(super) fn json(gate: &Gate) -> String {
    let moved = gate.comparison.findings.iter().filter(|finding| finding.outcome != Outcome::Same);
    let findings = moved.map(|finding| Finding {
        architecture: &finding.key.scope,
        subject: finding.key.subject.join(" "),
        metric: finding.key.metric.name(),
        outcome: finding.outcome,
        before: finding.before.as_ref().map(value),
        now: finding.now.as_ref().map(value),
        tolerance: finding.tolerance.text(finding.key.metric.unit()),
        explanation: finding.outcome.stands_out().then(|| explain::sentence(finding, gate.reasons(finding))),
    });
    let document = Document {
        schema: 1,
        subject: &gate.subject,
        baseline: &gate.path,
        verdict: gate.verdict(),
        same: gate.count(Outcome::Same),
        findings: findings.collect(),
        unmet: gate.unmet().map(Unmet::of).collect(),
        cannot_be_judged: gate.unjudged().map(Unmet::of).collect(),
        hint: gate.hint(),
    };
    let text = serde_json::to_string_pretty(&document);
    text.expect("the gate has string keys and numbers, which JSON can say")
}

fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::Number(number) if number.0 % 1_000 == 0 => (number.0 / 1_000).into(),
        Value::Number(number) => number.as_f64().into(),
        Value::Text(text) => text.as_str().into(),
    }
}

//! The gate as `JUnit`'s XML: a suite an architecture, a case a figure, and a case an expectation.

use hoplab_sim::record::Outcome;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::compare::Finding;
use super::explain::sentence;
use super::{Expected, Gate};

/// A case and, when it fails, the message and what it is called.
struct Case {
    name: String,
    failure: Option<(String, &'static str)>,
    /// Why it is counted as neither, when it cannot be judged.
    skipped: Option<String>,
}

pub(super) fn junit(gate: &Gate) -> String {
    let mut report = Report::new(line(&format!("hoplab gate {}", gate.subject)));
    for scope in gate.comparison.scopes() {
        let class = line(&format!("{}.{scope}", gate.subject));
        let mut suite = TestSuite::new(line(scope));
        suite.add_test_cases(cases(gate, scope).into_iter().map(|case| case.in_class(&class)));
        report.add_test_suite(suite);
    }
    report.to_string().expect("a string takes all that is written")
}

impl Case {
    fn in_class(self, class: &str) -> TestCase {
        let status = match (self.failure, self.skipped) {
            (None, None) => TestCaseStatus::success(),
            (None, Some(why)) => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(line(&why));
                status
            }
            (Some((message, kind)), _) => {
                let message = line(&message);
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_type(kind).set_description(&*message).set_message(message);
                status
            }
        };
        let mut case = TestCase::new(line(&self.name), status);
        case.set_classname(class);
        case
    }
}

fn cases(gate: &Gate, scope: &str) -> Vec<Case> {
    let findings = gate.comparison.findings.iter().filter(|finding| finding.key.scope == scope);
    let expected = gate.expectations.iter().filter(|expected| expected.scope == scope);
    let of_figure = |finding: &Finding| Case {
        name: format!("{} {}", finding.key.subject.join(" "), finding.key.metric.name()),
        failure: finding
            .outcome
            .fails()
            .then(|| (sentence(finding, gate.reasons(finding)), finding.outcome.label())),
        skipped: None,
    };
    let said = |expected: &Expected| format!("{}; seen: {}", expected.text, expected.seen);
    let of_expectation = expected.map(|expected| Case {
        name: format!("expect {}", expected.text),
        failure: (expected.outcome == Outcome::Fails).then(|| (said(expected), expected.trouble())),
        skipped: (expected.outcome == Outcome::CannotBeJudged).then(|| said(expected)),
    });
    findings.map(of_figure).chain(of_expectation).collect()
}

/// A text in one line; the crate leaves out what XML cannot say.
fn line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

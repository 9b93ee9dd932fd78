//! The gate as `JUnit`'s XML: a suite an architecture, a case a figure, and a case an expectation.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::Gate;
use super::compare::Finding;
use super::explain::sentence;

/// A case and, when it fails, the message and what it is called.
struct Case {
    name: String,
    failure: Option<(String, &'static str)>,
}

pub(super) fn junit(gate: &Gate) -> String {
    let suites: Vec<(&str, Vec<Case>)> =
        gate.comparison.scopes().into_iter().map(|scope| (scope, cases(gate, scope))).collect();
    let total: usize = suites.iter().map(|(_, cases)| cases.len()).sum();
    let failed: usize = suites.iter().map(|(_, cases)| failures(cases)).sum();
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let written =
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).and_then(|()| {
            writer
                .create_element("testsuites")
                .with_attributes([
                    ("name", clean(&format!("hoplab gate {}", gate.subject)).as_str()),
                    ("tests", &total.to_string()),
                    ("failures", &failed.to_string()),
                ])
                .write_inner_content(|writer| {
                    suites.iter().try_for_each(|(scope, cases)| suite(writer, gate, scope, cases))
                })
        });
    written.expect("a vector takes all that is written");
    let mut text = String::from_utf8(writer.into_inner()).expect("what was written is text");
    text.push('\n');
    text
}

fn failures(cases: &[Case]) -> usize {
    cases.iter().filter(|case| case.failure.is_some()).count()
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
    };
    let of_expectation = expected.map(|expected| Case {
        name: format!("expect {}", expected.text),
        failure: (!expected.holds).then(|| (format!("{}; seen: {}", expected.text, expected.seen), "unmet")),
    });
    findings.map(of_figure).chain(of_expectation).collect()
}

fn suite(writer: &mut Writer<Vec<u8>>, gate: &Gate, scope: &str, cases: &[Case]) -> std::io::Result<()> {
    let class = clean(&format!("{}.{scope}", gate.subject));
    let element = writer.create_element("testsuite").with_attributes([
        ("name", clean(scope).as_str()),
        ("tests", &cases.len().to_string()),
        ("failures", &failures(cases).to_string()),
    ]);
    element.write_inner_content(|writer| {
        for case in cases {
            let name = clean(&case.name);
            let attributes = [("classname", class.as_str()), ("name", name.as_str())];
            let element = writer.create_element("testcase").with_attributes(attributes);
            match &case.failure {
                None => element.write_empty()?,
                Some((message, kind)) => element.write_inner_content(|writer| {
                    let message = clean(message);
                    let attributes = [("type", *kind), ("message", message.as_str())];
                    let failure = writer.create_element("failure").with_attributes(attributes);
                    failure.write_text_content(BytesText::new(&message)).map(drop)
                })?,
            };
        }
        Ok(())
    })?;
    Ok(())
}

/// Without characters that XML cannot say.
fn clean(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

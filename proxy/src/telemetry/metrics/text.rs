//! Prometheus' text format, version 0.0.4: families of samples, each with its help and type, labels escaped
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). Knows no metric.

use std::fmt::{Display, Write};

/// The media type of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What kind of numbers a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric, with all its label values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// One line, without a backslash.
    pub(super) help: &'static str,
}

/// Names and values of labels, in their order.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// The text while it is being written.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    family: &'static str,
}

impl Text {
    /// Begins a family; the samples that follow are its.
    pub(super) fn family(&mut self, family: Family) {
        let Family { name, kind, help } = family;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = name;
        self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// Adds a sample: `suffix` follows the family's name, `more` the labels.
    pub(super) fn sample(&mut self, suffix: &str, labels: Labels<'_>, more: Labels<'_>, value: impl Display) {
        let family = self.family;
        self.push(format_args!("{family}{suffix}"));
        let mut before = '{';
        for (name, value) in labels.iter().chain(more) {
            self.push(format_args!("{before}{name}=\""));
            self.escape(value);
            self.text.push('"');
            before = ',';
        }
        let after = if before == ',' { "} " } else { " " };
        self.push(format_args!("{after}{value}\n"));
    }

    /// What was written.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn escape(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                other => self.text.push(other),
            }
        }
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.text.write_fmt(arguments).expect("a String takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_below_their_family_with_labels_escaped() {
        let mut text = Text::default();
        text.family(Family { name: "a_total", kind: Kind::Counter, help: "How many." });
        text.sample("", &[], &[], 1);
        text.sample("", &[("b", "c"), ("d", "e\\\"\n")], &[("f", "")], 2.5);
        text.sample("_bucket", &[], &[("le", "+Inf")], 3);
        let expected = "# HELP a_total How many.\n# TYPE a_total counter\na_total 1\n\
                        a_total{b=\"c\",d=\"e\\\\\\\"\\n\",f=\"\"} 2.5\na_total_bucket{le=\"+Inf\"} 3\n";
        assert_eq!(text.finish(), expected);
    }
}

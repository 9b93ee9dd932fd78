//! The baseline: a text that is made to be read in the diff of a pull request, one figure a line.
//! Owns its grammar in both directions; touches no disk.
//!
//! ```text
//! # comments, above
//! scenario = checkout
//! seed = 1
//!
//! tolerance latency.p99_us = 5%
//! tolerance mesh endpoint cart.add latency.p99_us = 8% or 200us
//! tolerance * hop time.mean_us = any
//!
//! direct all requests.sent = 4074
//! direct edge order->payment attempts = 157
//! ```
//!
//! A line names a figure by architecture, subject and metric; names with spaces stand in quotes.
//! Everything that is wrong is found at once, with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use hoplab_config::suggest;
use hoplab_config::{Place, Problem, Problems, Severity};
use hoplab_sim::scenario::plan::Source;

use super::figures::{Figures, Key, Thousandths, Value};
use super::metric::{Metric, Unit};
use super::tolerance::{self, Stated, Tolerance};
use super::words::{self, Line, Word};

/// What was recorded, and how far it may move.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    /// The comment at its top, line by line, without the marks.
    pub notes: Vec<String>,
    /// What was run.
    pub origin: Origin,
    /// The tolerances, in the order of the file.
    pub tolerances: Vec<Stated>,
    /// The figures.
    pub figures: Figures,
}

/// What was run to get the figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin {
    /// The scenario's name; `None` when the figures are no run's.
    pub scenario: Option<String>,
    /// The seed.
    pub seed: Option<u64>,
    /// What the scenario's duration was multiplied by, as `--scale` asks; `None` when by nothing.
    pub scale: Option<f64>,
}

impl Baseline {
    /// Reads the text of the file at `path`. What is wrong with it is found at once.
    pub fn parse(path: &str, text: &str) -> Result<Read, Problems> {
        let mut reader = Reader::default();
        let mut start = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            reader.line(index + 1, line.strip_suffix('\n').unwrap_or(line), start);
            start += line.len();
        }
        reader.finish(path, text)
    }

    /// The architectures that it has figures of.
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = self.figures.keys().map(|key| key.scope.as_str()).collect();
        scopes.dedup();
        scopes
    }

    /// The tolerance of a figure.
    pub fn tolerance(&self, key: &Key) -> Tolerance {
        tolerance::of(key, &self.tolerances)
    }
}

/// A baseline that was read, with the line of each figure, counted from 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// What was read.
    pub baseline: Baseline,
    /// Where each figure stands.
    pub lines: BTreeMap<Key, usize>,
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        note(f, &self.notes)?;
        if let Some(scenario) = &self.origin.scenario {
            writeln!(f, "scenario = {}", words::written(scenario))?;
        }
        if let Some(seed) = self.origin.seed {
            writeln!(f, "seed = {seed}")?;
        }
        if let Some(scale) = self.origin.scale {
            writeln!(f, "scale = {scale}")?;
        }
        let mut begun = !self.notes.is_empty() || self.origin != Origin::default();
        if begun && !self.tolerances.is_empty() {
            writeln!(f)?;
        }
        begun |= !self.tolerances.is_empty();
        for stated in &self.tolerances {
            note(f, &stated.notes)?;
            let value = stated.tolerance.text(stated.metric.unit());
            writeln!(f, "tolerance {}{} = {value}", of_what(stated), stated.metric.name())?;
        }
        let mut scope = None;
        for (key, value) in &self.figures {
            if scope.replace(&key.scope) != Some(&key.scope) && begun {
                writeln!(f)?;
            }
            begun = true;
            writeln!(f, "{} = {value}", name(key))?;
        }
        Ok(())
    }
}

fn note(f: &mut fmt::Formatter<'_>, lines: &[String]) -> fmt::Result {
    lines.iter().try_for_each(|line| writeln!(f, "{}", format!("# {line}").trim_end()))
}

/// The name of a figure as a baseline writes it.
pub fn name(key: &Key) -> String {
    let words = [&key.scope].into_iter().chain(&key.subject).map(|word| words::written(word));
    let words: Vec<String> = words.chain([key.metric.name().to_owned()]).collect();
    words.join(" ")
}

fn of_what(stated: &Stated) -> String {
    if !stated.is_narrow() {
        return String::new();
    }
    let scope = stated.scope.as_ref().map_or_else(|| "*".to_owned(), |scope| words::written(scope));
    let subject = stated.subject.iter().map(|word| words::written(word));
    [scope].into_iter().chain(subject).fold(String::new(), |text, word| text + &word + " ")
}

/// Reads line by line.
#[derive(Default)]
struct Reader {
    read: Read,
    /// The comment that nothing has followed yet.
    pending: Vec<String>,
    /// Where each tolerance stands.
    stated_at: Vec<Range<usize>>,
    /// The headers that there were.
    headers: Vec<String>,
    problems: Vec<Problem>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str, start: usize) {
        let trimmed = line.trim();
        let all = start..start + line.trim_end().len();
        if trimmed.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.read.baseline.notes.extend(pending);
        } else if let Some(comment) = trimmed.strip_prefix('#') {
            if !self.read.baseline.figures.is_empty() {
                let hint = "write it at the top, or above the tolerance that it explains";
                self.wrong(all, "a comment among the figures, which `--update` would lose", hint);
            }
            self.pending.push(comment.trim().to_owned());
        } else if ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|mark| trimmed.starts_with(mark)) {
            self.wrong(
                all,
                "a mark of a merge conflict",
                "resolve it, or delete the file and make it anew with `--update`",
            );
        } else {
            match words::read(line, start) {
                Ok(Line { names, value }) => self.statement(number, &names, &value, all),
                Err((span, fact, hint)) => self.wrong(span, fact, hint),
            }
        }
    }

    fn statement(&mut self, number: usize, names: &[Word], value: &Word, all: Range<usize>) {
        match names {
            [first, of @ ..] if first.text == "tolerance" && first.span.len() == "tolerance".len() => {
                self.tolerance(of, value, all);
            }
            [name] => self.header(name, value),
            [scope, subject @ .., metric] if !subject.is_empty() => {
                let Some(metric) = self.metric(metric) else { return };
                let key = Key {
                    scope: scope.text.clone(),
                    subject: subject.iter().map(|word| word.text.clone()).collect(),
                    metric,
                };
                self.figure(number, key, value, all);
            }
            _ => {
                let hint =
                    "write `ARCHITECTURE SUBJECT METRIC = VALUE`, as in `direct all requests.sent = 7`";
                self.wrong(all, "a figure is named by architecture, subject and metric", hint);
            }
        }
    }

    fn header(&mut self, name: &Word, value: &Word) {
        let pending = std::mem::take(&mut self.pending);
        self.read.baseline.notes.extend(pending);
        if self.headers.contains(&name.text) {
            self.wrong(name.span.clone(), format!("{} stands here twice", name.text), "keep one of them");
        }
        self.headers.push(name.text.clone());
        let origin = &mut self.read.baseline.origin;
        match name.text.as_str() {
            "scenario" if value.text.starts_with('"') => match words::quoted(&value.text, value.span.start) {
                Ok(scenario) => origin.scenario = Some(scenario.text),
                Err((span, fact, hint)) => self.wrong(span, fact, hint),
            },
            "scenario" => origin.scenario = Some(value.text.clone()),
            "seed" => match value.text.parse() {
                Ok(seed) => origin.seed = Some(seed),
                Err(_) => self.wrong(value.span.clone(), "not a seed", "write a whole number"),
            },
            "scale" => match value.text.parse::<f64>() {
                Ok(scale) if scale.is_finite() && scale > 0.0 => origin.scale = Some(scale),
                _ => self.wrong(value.span.clone(), "not a scale", "write a number above zero"),
            },
            unknown => {
                let known = ["scenario", "seed", "scale", "tolerance"];
                let hint = suggest::hint(unknown, known);
                self.wrong(name.span.clone(), format!("unknown key \"{unknown}\""), hint);
            }
        }
    }

    fn tolerance(&mut self, of: &[Word], value: &Word, all: Range<usize>) {
        let notes = std::mem::take(&mut self.pending);
        let Some((metric, place)) = of.split_last() else {
            let hint = "write `tolerance METRIC = 5%`";
            return self.wrong(all, "a tolerance of which metric?", hint);
        };
        let Some(metric) = self.metric(metric) else { return };
        let tolerance = match Tolerance::parse(&value.text, metric) {
            Ok(tolerance) => tolerance,
            Err(hint) => {
                return self.wrong(value.span.clone(), format!("not a tolerance: {}", value.text), hint);
            }
        };
        let (scope, subject) = match place {
            [] => (None, &[][..]),
            [scope, subject @ ..] => ((scope.text != "*").then(|| scope.text.clone()), subject),
        };
        let subject: Vec<String> = subject.iter().map(|word| word.text.clone()).collect();
        let stated = Stated { notes, scope, subject, metric, tolerance };
        let twin = |other: &Stated| {
            (&other.scope, &other.subject, other.metric) == (&stated.scope, &stated.subject, stated.metric)
        };
        if self.read.baseline.tolerances.iter().any(twin) {
            return self.wrong(all, "this tolerance is stated twice", "keep one of them");
        }
        self.read.baseline.tolerances.push(stated);
        self.stated_at.push(all);
    }

    fn figure(&mut self, number: usize, key: Key, value: &Word, all: Range<usize>) {
        let pending = std::mem::take(&mut self.pending);
        self.read.baseline.notes.extend(pending);
        let hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let read = match key.metric.unit() {
            Unit::Text if hexadecimal(&value.text) => Some(Value::Text(value.text.clone())),
            Unit::Text => None,
            Unit::Micros | Unit::Count => Thousandths::parse(&value.text).map(Value::Number),
        };
        let Some(read) = read else {
            let hint = match key.metric.unit() {
                Unit::Text => "write a hexadecimal digest",
                _ => "write a number of at most three decimals, without a unit",
            };
            return self.wrong(
                value.span.clone(),
                format!("not a {}: {}", key.metric.label(), value.text),
                hint,
            );
        };
        if let Some(first) = self.read.lines.get(&key) {
            let fact = format!("this figure stands in line {first} already");
            return self.wrong(all, fact, "keep the right one");
        }
        self.read.lines.insert(key.clone(), number);
        self.read.baseline.figures.insert(key, read);
    }

    fn metric(&mut self, word: &Word) -> Option<Metric> {
        let metric = Metric::named(&word.text);
        if metric.is_none() {
            let hint = suggest::hint(&word.text, Metric::all().map(Metric::name));
            self.wrong(word.span.clone(), format!("unknown metric \"{}\"", word.text), hint);
        }
        metric
    }

    fn wrong(&mut self, span: Range<usize>, fact: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem {
            severity: Severity::Error,
            place: Some(Place::new(0, span)),
            fact: fact.into(),
            hint: Some(hint.into()),
        });
    }

    /// A tolerance for what no figure is about was probably misspelt.
    fn aimless(&mut self) {
        let Baseline { tolerances, figures, .. } = &self.read.baseline;
        let mut aimless = Vec::new();
        for (stated, span) in tolerances.iter().zip(&self.stated_at) {
            if stated.is_narrow() && !figures.keys().any(|key| stated.covers(key)) {
                let wanted = of_what(stated) + stated.metric.name();
                let known =
                    figures.keys().filter(|key| key.metric == stated.metric).map(|key| match stated.scope {
                        Some(_) => name(key),
                        None => name(&Key { scope: "*".to_owned(), ..key.clone() }).replacen("\"*\"", "*", 1),
                    });
                let known: Vec<String> = known.collect();
                let hint = suggest::hint(&wanted, known.iter().map(String::as_str));
                aimless.push((span.clone(), hint));
            }
        }
        for (span, hint) in aimless {
            self.wrong(span, "no figure is meant by this tolerance", hint);
        }
    }

    fn finish(mut self, path: &str, text: &str) -> Result<Read, Problems> {
        let pending = std::mem::take(&mut self.pending);
        self.read.baseline.notes.extend(pending);
        if self.problems.is_empty() {
            self.aimless();
        }
        if self.problems.is_empty() && self.read.baseline.figures.is_empty() {
            let end = text.trim_end().len();
            self.wrong(
                end..end,
                "there is no figure in it",
                "delete the file and make it anew with `--update`",
            );
        }
        if self.problems.is_empty() {
            return Ok(self.read);
        }
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        Err(Problems::new(vec![source], self.problems))
    }
}

//! A live product's outlets, opened: one observer that hears every report, counts it, and hands spans to whoever
//! writes lines of them. Owns no format and no number.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use hoplab_proxy::telemetry::metrics::Metrics;
use hoplab_proxy::telemetry::otlp::Exporter;
use hoplab_proxy::telemetry::{Interest, Observer, Outlets, Report, access_log};

use super::lines::{Format, Queue, Writer};
use super::troubles::Troubles;

/// The outlets of a product that runs.
pub(super) struct Opened {
    metrics: Metrics,
    writers: Vec<Writer>,
    wants_arrivals: bool,
    wants_traces: bool,
}

impl Opened {
    /// Opens `outlets` for the product that is called `name`; paths start from `folder`.
    pub(super) fn open(outlets: &Outlets, folder: &Path, name: &str, seed: u64) -> anyhow::Result<Self> {
        let metrics = Metrics::default();
        let exporter = Exporter::new(name, seed);
        let formats: [(_, _, Format); 2] = [
            ("access_log", &outlets.access_log, Box::new(access_log::line)),
            ("spans", &outlets.spans, Box::new(move |span| exporter.line(span))),
        ];
        let mut writers = Vec::new();
        for (lines, sink, format) in formats {
            let Some(sink) = sink else { continue };
            let writer = Writer::open(sink, folder, lines, &metrics, format);
            writers.push(writer.with_context(|| format!("cannot open {sink} for `{lines}`"))?);
        }
        let (wants_arrivals, wants_traces) = (outlets.admin.is_some(), outlets.spans.is_some());
        Ok(Self { metrics, writers, wants_arrivals, wants_traces })
    }

    /// What was counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What hears the product's reports.
    pub(super) fn observer(&self) -> impl Observer + use<> {
        Hears {
            metrics: self.metrics.clone(),
            queues: self.writers.iter().map(Writer::queue).collect(),
            troubles: Troubles::default(),
            wants_arrivals: self.wants_arrivals,
            wants_traces: self.wants_traces,
        }
    }

    /// Has the files opened again that lines are written to.
    pub(super) fn reopen(&self) {
        self.writers.iter().for_each(Writer::reopen);
    }

    /// Writes what is waiting.
    pub(super) fn close(self) {
        self.writers.into_iter().for_each(Writer::close);
    }
}

/// Fans reports out.
struct Hears {
    metrics: Metrics,
    queues: Vec<Queue>,
    troubles: Troubles,
    wants_arrivals: bool,
    wants_traces: bool,
}

impl Observer for Hears {
    fn observe(&self, report: Report) {
        self.metrics.observe(&report);
        match report {
            Report::Span(span) if !self.queues.is_empty() => {
                let span = Arc::new(span);
                self.queues.iter().for_each(|queue| queue.offer(Arc::clone(&span)));
            }
            Report::Breaker(moved) => {
                let (upstream, state) = (&moved.upstream, moved.state);
                let endpoint = moved.endpoint.as_deref().unwrap_or("all endpoints");
                // Requests go on where nobody reads it.
                let _ = writeln!(io::stderr(), "breaker of {upstream} ({endpoint}): {}", state.name());
            }
            Report::Source(trouble) => {
                let _ = writeln!(io::stderr(), "members of {}: {}", trouble.upstream, trouble.fact);
            }
            Report::Tls(trouble) => {
                if let Some(said) = self.troubles.news(&trouble) {
                    let _ = writeln!(io::stderr(), "{said}");
                }
            }
            // Others would drown what is said once in a while.
            Report::Span(_)
            | Report::Policy(_)
            | Report::Panicked
            | Report::Arrived(_)
            | Report::Gauges(_) => {}
        }
    }

    fn wants(&self, interest: Interest) -> bool {
        match interest {
            Interest::Arrivals => self.wants_arrivals,
            Interest::Facts => !self.queues.is_empty(),
            Interest::Traces => self.wants_traces,
        }
    }
}

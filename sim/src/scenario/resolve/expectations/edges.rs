//! Edges: from whom to whom what is expected goes.

use hoplab_config::{At, Context};

use super::{Expectations, NOT_ASKED};
use crate::figures::{Figure, Subject};
use crate::scenario::plan::party::{CLIENT, GATEWAY, Party};
use crate::scenario::plan::{Metric, ServiceId};

impl Expectations<'_> {
    /// Finds the two ends of an edge on which `metric` is measured.
    pub(super) fn edge(
        &self,
        edge: &At<String>,
        metric: Option<Metric>,
        context: &mut Context<'_>,
    ) -> Option<(Party, Party)> {
        let subject = metric.and_then(subject);
        if let (Some(metric), None) = (metric, subject) {
            let edges = Figure::about(Subject::Edges).chain(Figure::about(Subject::Network));
            let edges = edges.filter(|figure| !NOT_ASKED.contains(figure));
            let keys: Vec<_> = edges.map(Figure::key).collect();
            let fact = format!("{} is not measured on an edge", metric.figure().key());
            context.error(edge.place, fact).hint(format!("what is: {}", keys.join(", ")));
        }
        let Some((from, to)) = edge.value.split_once("->").or_else(|| edge.value.split_once('→')) else {
            let fact = format!("\"{}\" is no edge", edge.value);
            context.error(edge.place, fact).hint("write \"order -> payment\", or \"client -> order\"");
            return None;
        };
        let part = |name: &str| At { value: name.trim().to_owned(), place: edge.place };
        let (from, to) = (self.party(&part(from), context), self.party(&part(to), context));
        let (from, to) = (from?, to?);
        if [from, to].contains(&Party::Gateway) {
            self.check_gateway(edge, subject, context);
        }
        if !self.has_calls(from, to) {
            let fact = format!("no call goes along \"{}\"", edge.value);
            context.error(edge.place, fact).hint("name a caller and whom it calls");
        }
        Some((from, to))
    }

    fn party(&self, name: &At<String>, context: &mut Context<'_>) -> Option<Party> {
        match &*name.value {
            CLIENT => Some(Party::Clients),
            GATEWAY => Some(Party::Gateway),
            _ => self.names.service(name, context).map(Party::Service),
        }
    }

    /// A gateway opens connections, and calls for those who call it.
    fn check_gateway(&self, edge: &At<String>, subject: Option<Subject>, context: &mut Context<'_>) {
        if subject == Some(Subject::Edges) {
            let hint = "write \"client -> order\", which is through the gateway where there is one";
            context.error(edge.place, "calls are those of clients and services").hint(hint);
        } else if !self.compared.is_empty() && !self.compared.iter().any(|of| of.gateway.is_some()) {
            context.error(edge.place, "none of the architectures has a gateway").hint("name another edge");
        }
    }

    /// Whether the one calls the other, or opens connections to it for somebody.
    fn has_calls(&self, from: Party, to: Party) -> bool {
        match (from, to) {
            (Party::Clients, Party::Gateway) => true,
            (_, Party::Gateway | Party::Clients) => false,
            (Party::Service(from), Party::Service(to)) => self.services[from.0].callees().contains(&to.0),
            (Party::Clients | Party::Gateway, Party::Service(to)) => self.is_requested(to),
        }
    }

    fn is_requested(&self, service: ServiceId) -> bool {
        let mut requested = self.loads.iter().flat_map(|load| &load.mix);
        !self.loads_are_right || requested.any(|(id, _)| id.service == service)
    }
}

/// What the figure is about, if that is on edges.
fn subject(metric: Metric) -> Option<Subject> {
    let Metric::Figure(figure) = metric else { return None };
    Some(figure.subject()).filter(|subject| matches!(subject, Subject::Edges | Subject::Network))
}

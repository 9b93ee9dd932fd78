//! The names of services and endpoints, and what may be a name.

use hoplab_config::{At, Context, suggest};
use indexmap::IndexMap;

use crate::scenario::plan::application::{EndpointId, ServiceId};
use crate::scenario::plan::party::{CLIENT, GATEWAY};
use crate::scenario::schema::topology::Service;

/// A DNS label holds no more.
const LENGTH_MAX: usize = 63;
/// Names of the two ends that are no services.
const TAKEN: [&str; 2] = [CLIENT, GATEWAY];

/// Every service and endpoint by its name.
pub(crate) struct Names(IndexMap<String, Vec<String>>);

impl Names {
    /// The names of `services`, which are checked.
    pub(super) fn of(services: &[(At<String>, Service)], context: &mut Context<'_>) -> Self {
        for (name, service) in services {
            check("a service", name, context);
            if TAKEN.contains(&name.value.as_str()) {
                let fact = format!("a service cannot be called \"{}\"", name.value);
                context
                    .error(name.place, fact)
                    .hint("the name stands for one end of the traffic in every scenario");
            }
            for (name, _) in service.endpoints() {
                check("an endpoint", name, context);
            }
        }
        refuse_pods(services, context);
        let endpoints = |service: &Service| service.endpoints().map(|(name, _)| name.value.clone()).collect();
        Self(services.iter().map(|(name, service)| (name.value.clone(), endpoints(service))).collect())
    }

    /// The names of the services.
    pub(crate) fn services(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The service that is called so; notes that there is none.
    pub(crate) fn service(&self, name: &At<String>, context: &mut Context<'_>) -> Option<ServiceId> {
        let index = self.0.get_index_of(&name.value);
        if index.is_none() {
            context.unknown("service", name, self.services());
        }
        index.map(ServiceId)
    }

    /// The service that is called so, quietly.
    pub(crate) fn find(&self, name: &str) -> Option<ServiceId> {
        self.0.get_index_of(name).map(ServiceId)
    }

    /// The service, and which of its pods, that a name stands for which is no service's; there may be no such pod.
    pub(crate) fn pod(&self, name: &str) -> Option<(ServiceId, u32)> {
        if self.find(name).is_some() {
            return None;
        }
        let (service, number) = name.rsplit_once('-')?;
        Some((self.find(service)?, number.parse().ok()?))
    }

    /// An endpoint of a service, by its own name.
    pub(crate) fn endpoint_of(
        &self,
        service: ServiceId,
        name: &At<String>,
        context: &mut Context<'_>,
    ) -> Option<usize> {
        let (service, endpoints) = self.0.get_index(service.0)?;
        let index = endpoints.iter().position(|known| *known == name.value);
        if index.is_none() {
            let hint = suggest::hint(&name.value, endpoints.iter().map(String::as_str));
            let fact = format!("unknown endpoint \"{}\" of \"{service}\"", name.value);
            context.error(name.place, fact).hint(hint);
        }
        index
    }

    /// The endpoint that is called `service.endpoint`; notes that there is none.
    pub(crate) fn endpoint(&self, name: &At<String>, context: &mut Context<'_>) -> Option<EndpointId> {
        let Some((service, endpoint)) = name.value.split_once('.') else {
            let fact = format!("\"{}\" names no endpoint", name.value);
            context.error(name.place, fact).hint("write \"service.endpoint\"");
            return None;
        };
        let part = |value: &str| At { value: value.to_owned(), place: name.place };
        let service = self.service(&part(service), context)?;
        let endpoint = self.endpoint_of(service, &part(endpoint), context)?;
        Some(EndpointId { service, endpoint })
    }

    /// `service.endpoint`.
    pub(crate) fn text(&self, id: EndpointId) -> String {
        let (service, endpoints) = self.0.get_index(id.service.0).expect("the endpoint is of this scenario");
        format!("{service}.{}", endpoints[id.endpoint])
    }
}

/// Notes a name that could not be one in a cluster: lower-case letters, digits and hyphens.
pub(crate) fn check(what: &str, name: &At<String>, context: &mut Context<'_>) {
    let text = &name.value;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(letters)
        && text.len() <= LENGTH_MAX;
    if !fits {
        let hint = "write lower-case letters, digits and hyphens, a letter first, 63 at most";
        context.error(name.place, format!("\"{text}\" is no name for {what}")).hint(hint);
    }
}

/// Notes services that are called like a pod of another: `payment-0` beside `payment`.
fn refuse_pods(services: &[(At<String>, Service)], context: &mut Context<'_>) {
    for (name, _) in services {
        let Some((owner, number)) = name.value.rsplit_once('-') else { continue };
        let Ok(number) = number.parse::<u32>() else { continue };
        let owner = services.iter().find(|(other, _)| other.value == owner);
        let replicas = owner.map(|(_, service)| service.replicas.as_ref().map_or(1, |at| at.value));
        let fact = format!("\"{}\" is already the name of a pod", name.value);
        if replicas.is_some_and(|replicas| number < replicas) {
            context.error(name.place, fact).hint("a service's pods are called after it: name-0, name-1, …");
        } else if number == 0 && TAKEN.iter().any(|taken| name.value == format!("{taken}-0")) {
            context.error(name.place, fact).hint("client-0 and gateway-0 are in every scenario");
        }
    }
}

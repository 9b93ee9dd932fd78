//! Services, endpoints and steps.

use hoplab_config::{At, Context, Named, Place};
use hoplab_proxy::upstream::{self, Rank, WEIGHT_MAX};
use http::Method;
use http::uri::PathAndQuery;

use super::connections;
use super::cycles::{self, Calls};
use super::names::Names;
use super::{bounds, limit};
use crate::distribution::Sizes;
use crate::scenario::plan::{
    Call, Endpoint, EndpointId, Network, OnError, Overload, Protocol, Service, ServiceId, Step, Zone, ZoneId,
};
use crate::scenario::schema::{named, said, topology as written};

/// Resolves `services`; index and endpoint index of each are as in `names`.
pub(super) fn services(
    services: Vec<(At<String>, written::Service)>,
    names: &Names,
    network: &Network,
    context: &mut Context<'_>,
) -> Vec<Service> {
    let zones = &network.zones;
    if services.is_empty() {
        let hint = "write `[services.NAME]` tables, or name an `app` under `[scenario]`";
        context.error(Place::BEGINNING, "there is no service").hint(hint);
    }
    let mut resolver = Resolver { names, calls: Calls::new() };
    let mut all = Vec::new();
    for (index, (name, service)) in services.into_iter().enumerate() {
        let protocol = said(service.protocol);
        let endpoints =
            resolver.endpoints((ServiceId(index), &name.value), protocol, named(service.endpoints), context);
        let replicas = bounds::replicas(service.replicas.as_ref(), context);
        let here = service.zone.and_then(|name| zone(&name, zones, context));
        let zones = match service.zones {
            Some(list) => {
                let names = listed(&list, replicas, ["zone", "zones"], context);
                names.iter().map(|name| zone(name, zones, context)).collect()
            }
            None => vec![here; replicas as usize],
        };
        let weights = service.weights.map(|list| listed_weights(&list, replicas, context));
        let ranks = ranks(service.priorities.as_ref(), service.backups.as_ref(), replicas, context);
        all.push(Service {
            name: name.value,
            replicas,
            cores: bounds::count("core", service.cores.as_ref(), bounds::CORES_MAX, context),
            queue: service.queue.map(|at| at.value),
            zone: here.filter(|here| zones.iter().all(|zone| *zone == Some(*here))),
            zones,
            nic: network.nic_of(service.bandwidth.map(|at| at.value.0)),
            weights: weights.unwrap_or_else(|| vec![1; replicas as usize]),
            ranks,
            overload: service.overload.and_then(|written| overload(written.value, context)),
            deadline: said(service.deadline),
            on_cancel: said(service.on_cancel),
            protocol,
            keep_alive: connections::kept_for(service.keep_alive, context),
            max_connection_age: connections::kept_for(service.max_connection_age, context),
            is_store: service.store.is_some_and(|at| at.value),
            endpoints,
        });
    }
    cycles::refuse(&resolver.calls, names, context);
    all
}

/// A list with one entry a pod.
fn listed<'a, T>(
    list: &'a At<Vec<At<T>>>,
    replicas: u32,
    [one, several]: [&str; 2],
    context: &mut Context<'_>,
) -> &'a [At<T>] {
    let count = list.value.len();
    if count != replicas as usize {
        let fact = format!("{count} {} for {replicas} pods", if count == 1 { one } else { several });
        context.error(list.place, fact).hint("write one for each of the `replicas`");
    }
    &list.value
}

fn listed_weights(list: &At<Vec<At<u32>>>, replicas: u32, context: &mut Context<'_>) -> Vec<u32> {
    for weight in listed(list, replicas, ["weight", "weights"], context) {
        if !(1..=WEIGHT_MAX).contains(&weight.value) {
            let hint = format!("write 1 to {WEIGHT_MAX}");
            context.error(weight.place, format!("`{}` is no weight", weight.value)).hint(hint);
        }
    }
    list.value.iter().map(|weight| weight.value).collect()
}

/// When each pod is asked: as `priorities` say, or the last ones as backups.
fn ranks(
    priorities: Option<&At<Vec<At<u32>>>>,
    backups: Option<&At<u32>>,
    replicas: u32,
    context: &mut Context<'_>,
) -> Vec<Rank> {
    if let (Some(_), Some(backups)) = (priorities, backups) {
        let hint = "backups stand behind all priorities: take one of the two out";
        context.error(backups.place, "\"backups\" beside \"priorities\"".to_owned()).hint(hint);
    }
    if let Some(list) = priorities {
        let listed = listed(list, replicas, ["priority", "priorities"], context);
        let ranks = listed.iter().map(|written| {
            upstream::rank(Some(written.value), false).unwrap_or_else(|told| {
                let (fact, hint) = told.split_once(": ").unwrap_or((&told, "write 0 for the first"));
                context.error(written.place, fact.to_owned()).hint(hint);
                Rank::default()
            })
        });
        return ranks.collect();
    }
    if let Some(backups) = backups
        && backups.value >= replicas
    {
        let fact = format!("{} backups of {replicas} pods", backups.value);
        context.error(backups.place, fact).hint("one pod at least is asked before them");
    }
    let backups = backups.map_or(0, |backups| backups.value);
    let rank = |pod| if pod < replicas.saturating_sub(backups) { Rank::default() } else { Rank::Backup };
    (0..replicas).map(rank).collect()
}

pub(super) fn zone(name: &At<String>, zones: &[Zone], context: &mut Context<'_>) -> Option<ZoneId> {
    let index = zones.iter().position(|zone| zone.name == name.value);
    if index.is_none() {
        context.unknown("zone", name, zones.iter().map(|zone| zone.name.as_str()));
    }
    index.map(ZoneId)
}

fn overload(written: written::Overload, context: &mut Context<'_>) -> Option<Overload> {
    let (above, times) = (written.above?, written.times?);
    if above.value.0 < 1.0 {
        let hint = "requests are counted within a second: write `\"1 rps\"` or more";
        context.error(above.place, format!("more than {} cannot be counted", above.value)).hint(hint);
    }
    Some(Overload { above: above.value.0 as u32, times: bounds::factor(&times, context) })
}

struct Resolver<'a> {
    names: &'a Names,
    calls: Calls,
}

impl Resolver<'_> {
    fn endpoints(
        &mut self,
        (service, service_name): (ServiceId, &str),
        protocol: Protocol,
        endpoints: Named<written::Endpoint>,
        context: &mut Context<'_>,
    ) -> Vec<Endpoint> {
        let mut all: Vec<Endpoint> = Vec::new();
        for (index, (name, endpoint)) in endpoints.into_iter().enumerate() {
            let endpoint = endpoint.unwrap_or_default();
            let place = endpoint.path.as_ref().or(endpoint.method.as_ref()).map_or(name.place, |at| at.place);
            let id = EndpointId { service, endpoint: index };
            let usual = match protocol {
                Protocol::Http1 | Protocol::Http2 => format!("/{}", name.value),
                Protocol::Grpc => format!("/{service_name}/{}", name.value),
            };
            let endpoint = Endpoint {
                method: method(endpoint.method, context),
                path: path(endpoint.path, usual, context),
                once: said(endpoint.once),
                response: endpoint.response.map_or(Sizes::ZERO, |at| at.value),
                steps: self.steps(id, endpoint.steps.map(|at| at.value).unwrap_or_default(), context),
                name: name.value,
            };
            if protocol == Protocol::Grpc {
                connections::refuse_method(&endpoint.method, place, context);
            }
            refuse_twin(&endpoint, &all, place, context);
            all.push(endpoint);
        }
        all
    }

    fn steps(
        &mut self,
        caller: EndpointId,
        steps: Vec<At<written::Step>>,
        context: &mut Context<'_>,
    ) -> Vec<Step> {
        steps.into_iter().filter_map(|step| self.step(caller, step, context)).collect()
    }

    fn step(
        &mut self,
        caller: EndpointId,
        step: At<written::Step>,
        context: &mut Context<'_>,
    ) -> Option<Step> {
        match step.value {
            written::Step::Work(work) => Some(Step::Work(work)),
            written::Step::Sleep(sleep) => Some(Step::Sleep(sleep)),
            written::Step::Call(call) => self.call(caller, *call, context).map(Step::Call),
            written::Step::All(written::AllStep { all, at_most }) => {
                let branches = all?;
                if branches.value.is_empty() {
                    context.error(branches.place, "nothing to do at once");
                }
                let count = branches.value.len();
                let branches = self.steps(caller, branches.value, context);
                let at_most =
                    at_most.map(|most| bounds::count("branch", Some(&most), bounds::CALLS_MAX, context));
                Some(Step::All { branches, at_most: at_most.map_or(count, |at_most| at_most as usize) })
            }
        }
    }

    fn call(
        &mut self,
        caller: EndpointId,
        call: written::CallStep,
        context: &mut Context<'_>,
    ) -> Option<Call> {
        let written = call.call?;
        let target = self.names.endpoint(&written, context);
        let request = call.request.map_or(Sizes::ZERO, |at| at.value);
        let send_deadline =
            super::send_deadline(call.send_deadline.as_ref(), call.timeout.is_some(), context);
        let timeout = limit(call.timeout, context);
        let times = bounds::count("call", call.times.as_ref(), bounds::CALLS_MAX, context);
        let chance = call.chance.map_or(1.0, |at| at.value.0);
        let on_error = call.on_error.map_or(OnError::Fail, |at| at.value);
        let target = target?;
        self.calls.entry(caller).or_default().push((target, written.place));
        Some(Call { target, request, timeout, send_deadline, times, chance, on_error })
    }
}

fn method(name: Option<At<String>>, context: &mut Context<'_>) -> Method {
    let Some(At { value: name, place }) = name else { return Method::POST };
    hoplab_proxy::upstream::method(&name).unwrap_or_else(|wrong| {
        context.complaint(place, &wrong);
        Method::POST
    })
}

fn path(written: Option<At<String>>, usual: String, context: &mut Context<'_>) -> String {
    let Some(At { value: path, place }) = written else { return usual };
    let fits = path.starts_with('/') && !path.contains(['?', '#']) && path.parse::<PathAndQuery>().is_ok();
    if !fits {
        context.error(place, format!("\"{path}\" is no path")).hint("write, say, \"/cart/checkout\"");
    }
    path
}

/// Notes an endpoint that answers where one of `others` does.
fn refuse_twin(endpoint: &Endpoint, others: &[Endpoint], place: Place, context: &mut Context<'_>) {
    let same = |other: &&Endpoint| other.method == endpoint.method && other.path == endpoint.path;
    if let Some(other) = others.iter().find(same) {
        let (name, method, path) = (&endpoint.name, &endpoint.method, &endpoint.path);
        let fact = format!("\"{name}\" answers at {method} {path}, where \"{}\" already does", other.name);
        context.error(place, fact).hint("give one of them another \"path\" or \"method\"");
    }
}

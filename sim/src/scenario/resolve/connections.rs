//! Connections: what services speak, and how long they keep connections.

use std::time::Duration;

use hoplab_config::quantity::Duration as Quantity;
use hoplab_config::{At, Context, Place};
use hoplab_proxy::upstream::settings::Check;
use hoplab_proxy::upstream::{Protocol as Http, Settings};
use http::Method;

use super::layers::Resolved;
use crate::scenario::plan::Load;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::connections::Protocol;
use crate::scenario::schema::policies::Layers;

/// How long connections are kept; for no time is not at all.
pub(super) fn kept_for(written: Option<At<Quantity>>, context: &mut Context<'_>) -> Option<Duration> {
    let At { value, place } = written?;
    if value.0.is_zero() {
        let hint = "write, say, `\"5s\"`, or leave the key out";
        context.error(place, "a connection that is kept for no time at all").hint(hint);
    }
    Some(value.0)
}

/// Notes an endpoint of a gRPC service that would not be asked with POST, which is all that gRPC does.
pub(super) fn refuse_method(method: &Method, place: Place, context: &mut Context<'_>) {
    if *method != Method::POST {
        context
            .error(place, format!("{method} in a service that speaks gRPC"))
            .hint("calls of gRPC are POST: leave \"method\" out, or give the service another \"protocol\"");
    }
}

/// What clients speak with the gateway.
pub(super) fn gateway_protocol(
    written: Option<&At<Http>>,
    services: &[Service],
    loads: &[Load],
    context: &mut Context<'_>,
) -> Option<Http> {
    let &At { value: protocol, place } = written?;
    if protocol == Http::Http1 {
        let asked = loads.iter().flat_map(|load| &load.mix).map(|(asked, _)| &services[asked.service.0]);
        if let Some(service) = asked.into_iter().find(|service| service.protocol == Protocol::Grpc) {
            let fact = format!("\"{}\" speaks gRPC, which is HTTP/2", service.name);
            context.error(place, fact).hint("write \"http2\", or leave it out");
        }
    }
    Some(protocol)
}

/// Lets services that speak gRPC be called over HTTP/2 where it is their proxy's profile alone that says otherwise: no system
/// puts gRPC on HTTP/1.1.
pub(super) fn adapt_to_grpc(services: &[Service], resolved: &mut Resolved) {
    let is_adapted =
        |index: usize| services[index].protocol == Protocol::Grpc && !resolved.says_protocol[index];
    let of_services = resolved.services.iter_mut().enumerate();
    let of_routes = resolved.routes.iter_mut().map(|(id, settings)| (id.service.0, settings));
    for (_, settings) in of_services.chain(of_routes).filter(|(index, _)| is_adapted(*index)) {
        settings.protocol = settings.protocol.map(|_| Http::Http2);
    }
}

/// Notes what services that speak gRPC cannot do: answer health checks over plain HTTP, or speak HTTP/1.1. `settings` are
/// those of each of the `services`, which follow from `layers` and what is `usual`.
pub(super) fn refuse_for_grpc(
    services: &[Service],
    settings: &[Settings],
    layers: &[&Layers],
    usual: Option<Place>,
    context: &mut Context<'_>,
) {
    for (service, settings) in services.iter().zip(settings) {
        let health = settings.health.as_ref();
        let is_http = health.is_some_and(|health| matches!(health.check, Check::Http { .. }));
        let is_http1 = settings.protocol == Some(Http::Http1);
        if service.protocol != Protocol::Grpc || !(is_http || is_http1) {
            continue;
        }
        let mut services = layers.iter().flat_map(|layers| &layers.services);
        let own = services.find(|(name, _)| name.value == service.name);
        let place = own.map(|(name, _)| name.place).or(usual).unwrap_or(Place::BEGINNING);
        if is_http {
            let fact = format!("health.http: \"{}\" speaks gRPC and answers no GET", service.name);
            context.error(place, fact).hint("check it with `health = { grpc = \"\" }`, or with `tcp = true`");
        }
        if is_http1 {
            let fact = format!("protocol: \"{}\" speaks gRPC, which is HTTP/2", service.name);
            context.error(place, fact).hint("write `protocol = \"http2\"`, or leave it out");
        }
    }
}

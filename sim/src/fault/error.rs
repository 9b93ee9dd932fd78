//! `error`: services answer a share of their requests with an error at once. They ask about it themselves.

use hoplab_config::form::Form;
use hoplab_config::quantity::{Duration as Quantity, Share};
use hoplab_config::{At, Context, Place, Read, table, way};
use toml_edit::Value;

use super::dice::{Dice, Drawing, Entries};
use super::sides::{WrittenTarget, percent, pods};
use super::{Aim, Fault, Run};
use crate::call::CallKey;
use crate::pods;
use crate::random;
use crate::scenario::plan::application::Service;
use crate::scenario::plan::target::Target;
use crate::scenario::resolve::surroundings::Surroundings;

/// Requests are answered with `status` at once.
#[derive(Debug, Clone)]
pub struct Error {
    /// Where.
    pub target: Target,
    /// Only requests to this endpoint (an index into the service's); all when `None`.
    pub endpoint: Option<usize>,
    /// 400 to 599.
    pub status: u16,
    /// The share of requests, 0 to 1.
    pub share: f64,
}

impl Error {
    /// Whether the request `key` to `endpoint` at `place` is to fail; `fault` is which of the plan's this is.
    pub(crate) fn fails(
        &self,
        seed: u64,
        fault: usize,
        place: pods::Place,
        endpoint: usize,
        key: CallKey,
    ) -> bool {
        place.is_in(self.target)
            && self.endpoint.is_none_or(|only| only == endpoint)
            && random::happens(&mut random::stream(seed, "fault", key.0, fault as u64), self.share)
    }
}

table! {
    /// As it is written.
    pub(crate) struct Written {
        /// Only requests to this endpoint of the service.
        endpoint: String as EndpointName = "all",
        /// The status of the answers.
        status: u32 as Status = "`500`",
        /// The share of requests that is answered so.
        share: Share = "`\"100%\"`",
        ..
        /// Where.
        target: WrittenTarget,
    }
}

way!(EndpointName: String, Form::Text { what: "an endpoint of the service", example: "charge" }, String::read);
way!(Status: u32, Form::Whole { least: 400, most: 599 }, u32::read);

impl Fault for Error {
    const KEY: &'static str = "error";
    const ABOUT: &'static str = "Requests are answered with an error at once.";
    type Written = Written;

    fn resolve(
        written: Self::Written,
        _: Option<&At<Quantity>>,
        surroundings: &Surroundings<'_>,
        context: &mut Context<'_>,
    ) -> Option<Self> {
        let place = written.target.service.as_ref().map_or(Place::BEGINNING, |at| at.place);
        let target = surroundings.target(written.target, context);
        if target.is_some_and(|target| target.service().is_none()) {
            let hint = "name a service: what it answers comes through the gateway";
            context.error(place, "the gateway has no answers of its own").hint(hint);
        }
        let service = target.and_then(Target::service);
        let named = written.endpoint.is_some();
        let endpoint = service
            .zip(written.endpoint)
            .and_then(|(service, name)| surroundings.names.endpoint_of(service, &name, context));
        let status = written.status.map_or(Some(500), |at| status_of(&at, context));
        let share = written.share.map_or(1.0, |at| at.value.0);
        let endpoint_is_known = endpoint.is_some() || !named;
        let (target, status) = (target?, status?);
        endpoint_is_known.then_some(Self { target, endpoint, status, share })
    }

    fn in_words(&self, services: &[Service]) -> String {
        let of = self.target.service().map(|service| &services[service.0]);
        let named = |index: usize| of.map_or("requests", |service| &*service.endpoints[index].name);
        let (pods, share) = (pods(services, self.target), percent(self.share));
        let endpoint = self.endpoint.map_or("requests", named);
        format!("{pods} answers {share} % of {endpoint} with {}", self.status)
    }

    fn aim(&self) -> Aim {
        Aim::Pods(self.target)
    }

    fn renews(&self) -> Option<Target> {
        None
    }

    fn draw(dice: &mut Dice, drawing: &Drawing<'_>) -> Entries {
        let mut entries = dice.pods(drawing);
        let status = [500, 503][dice.below(2)];
        entries.push(("status", Value::from(i64::from(status))));
        entries.push(("share", dice.share(drawing.plan.explore.share)));
        entries
    }

    async fn run(&self, run: &Run<'_>) {
        run.faults.switch(run.index, true);
        run.until_end().await;
        run.faults.switch(run.index, false);
    }
}

fn status_of(status: &At<u32>, context: &mut Context<'_>) -> Option<u16> {
    let fits = u16::try_from(status.value).ok().filter(|status| (400..600).contains(status));
    if fits.is_none() {
        let hint = "write a status of an error, 400 to 599";
        context.error(status.place, format!("{} is not an error's status", status.value)).hint(hint);
    }
    fits
}

//! The end of a run: how long answers are waited for once nothing is sent any more. What has not ended by then is
//! open, which is no mistake of anybody's: it is told as what it is.
//!
//! A timeout says when a request must have ended, so the run goes on until the longest one allows none to be open;
//! where no timeout bounds a request, nothing does, since queues have no bound, and it goes on for
//! [`DRAIN`]. Nothing ticks meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use hoplab_proxy::host::{Host, Instant};
use hoplab_proxy::upstream::Settings;

use crate::recorder::Recorder;
use crate::scenario::plan::products::PATIENCE;
use crate::scenario::plan::{Architecture, Call, EndpointId, Plan, Step};

/// How long after the load answers are waited for at least, and at most where no timeout says how long a request may
/// take. Requests without an answer by then are open.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);

/// What the last requests leave behind, such as attempts that nobody waits for, is heard until the next multiple of
/// this.
const GRAIN: Duration = Duration::from_millis(10);

/// Waits until every request has ended, or none can be waited for any longer.
pub(crate) async fn drain(recorder: &Recorder, host: &impl Host, plan: &Plan, architecture: &Architecture) {
    let begun = host.now();
    let give_up = Instant::START + plan.duration + patience(plan, architecture);
    if recorder.open() == 0 || begun >= give_up {
        return;
    }
    tokio::select! {
        biased;
        () = recorder.all_ended() => {
            let grains = (host.now() - begun).as_nanos() / GRAIN.as_nanos() + 1;
            host.sleep_until(begun + GRAIN * u32::try_from(grains).unwrap_or(u32::MAX)).await;
        }
        () = host.sleep_until(give_up) => {}
    }
}

/// How long a request may be open after it was to be sent.
fn patience(plan: &Plan, architecture: &Architecture) -> Duration {
    let mut timeouts = Timeouts { plan, architecture, of_answers: BTreeMap::new() };
    let loads = plan.loads.iter().zip(&architecture.applications.loads);
    let asked = loads.flat_map(|(load, own)| load.mix.iter().map(move |(id, _)| (load, own, *id)));
    let longest = asked.map(|(load, own, id)| match (load.timeout, own) {
        (Some(timeout), _) => timeout,
        (None, Some(own)) => tried(timeouts.entrance(id), own),
        (None, None) => timeouts.entrance(id),
    });
    let longest = longest.max();
    // By the end of the longest it is over, and not before.
    (longest.unwrap_or_default().min(PATIENCE) + Duration::from_millis(1)).max(DRAIN)
}

/// How long timeouts let requests take.
struct Timeouts<'a> {
    plan: &'a Plan,
    architecture: &'a Architecture,
    of_answers: BTreeMap<EndpointId, Duration>,
}

impl Timeouts<'_> {
    /// A request of a client that has no timeout of its own.
    fn entrance(&mut self, id: EndpointId) -> Duration {
        match self.architecture.gateway.as_ref().map(|gateway| gateway.calls.of(id)) {
            Some(Settings { timeout: Some(bound), .. }) => *bound,
            settings => self.answers(id, settings),
        }
    }

    /// What all attempts at an endpoint may wait for, by the `settings` of a proxy, if there is one, that has no timeout.
    fn answers(&mut self, id: EndpointId, settings: Option<&Settings>) -> Duration {
        let retries = settings.and_then(|settings| settings.retry.as_ref()).map_or(0, |retry| retry.attempts);
        self.answer(id).saturating_mul(retries.saturating_add(1))
    }

    /// What an endpoint waits for, one after the other; its work has no bound.
    fn answer(&mut self, id: EndpointId) -> Duration {
        if let Some(known) = self.of_answers.get(&id) {
            return *known;
        }
        let plan = self.plan;
        let steps = &plan.services[id.service.0].endpoints[id.endpoint].steps;
        let longest = self.steps(id.service.0, steps);
        self.of_answers.insert(id, longest);
        longest
    }

    /// What a service waits for in these steps.
    fn steps(&mut self, caller: usize, steps: &[Step]) -> Duration {
        steps
            .iter()
            .fold(Duration::ZERO, |sum, step| sum.saturating_add(self.step(caller, step)).min(PATIENCE))
    }

    fn step(&mut self, caller: usize, step: &Step) -> Duration {
        match step {
            Step::Work(_) | Step::Sleep(_) => Duration::ZERO,
            Step::Call(call) => self.call(caller, call).saturating_mul(call.times),
            Step::All { branches, at_most } if *at_most < branches.len() => self.steps(caller, branches),
            Step::All { branches, .. } => {
                branches.iter().map(|branch| self.step(caller, branch)).max().unwrap_or_default()
            }
        }
    }

    fn call(&mut self, caller: usize, call: &Call) -> Duration {
        let mesh = self.architecture.beside(caller).map(|mesh| mesh.calls.of(call.target));
        let attempt = |timeouts: &mut Self| {
            let bound = mesh.and_then(|settings| settings.timeout);
            bound.unwrap_or_else(|| timeouts.answers(call.target, mesh))
        };
        if let Some(timeout) = call.timeout {
            return timeout;
        }
        match self.architecture.applications.calls.get(&(caller, call.target.service.0)) {
            Some(own) => tried(attempt(self), own),
            None => attempt(self),
        }
    }
}

/// How long whoever has these settings may take, where one attempt takes so long.
fn tried(attempt: Duration, own: &Settings) -> Duration {
    let Some(retry) = &own.retry else { return own.timeout.unwrap_or(PATIENCE).min(attempt) };
    let pause = retry.told.map_or(retry.backoff.max, |told| told.max.max(retry.backoff.max));
    let all = attempt.saturating_mul(retry.attempts.saturating_add(1)) + pause.saturating_mul(retry.attempts);
    own.timeout.unwrap_or(PATIENCE).min(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::Source;
    use crate::scenario::{Overrides, parse};

    /// Seconds of patience under each architecture, for what `rest` says.
    fn patience_s(rest: &str) -> [u64; 3] {
        let text = format!(
            "[scenario]\nduration = \"1s\"\n[compare]\narchitectures = [\"direct\", \"gateway\", \"mesh\"]\n\
             [services.first.endpoints.get]\nsteps = [{{ call = \"second.get\", times = 3 }}]\n\
             [services.second.endpoints.get]\nsteps = [{{ call = \"third.get\", timeout = \"40s\" }}]\n\
             [services.third.endpoints.get]\n{rest}"
        );
        let source = Source { path: "it.toml".to_owned(), text };
        let plan = parse(&[source], &Overrides::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
        let all = plan.architectures.iter().map(|architecture| patience(&plan, architecture).as_secs());
        all.collect::<Vec<_>>().try_into().unwrap()
    }

    #[test]
    fn the_longest_timeout_counts_and_thirty_seconds_at_least() {
        let load = "[load.all]\nrate = \"1 rps\"\nmix = { \"first.get\" = 1 }\n";
        // Three calls one after the other, of up to 40 s or the mesh's 15; the gateway gives up after 15.
        assert_eq!(patience_s(load), [120, 30, 45]);
        assert_eq!(patience_s(&format!("{load}timeout = \"10s\"")), [30, 30, 30]);
        assert_eq!(patience_s(&format!("{load}timeout = \"70s\"")), [70, 70, 70]);
        assert_eq!(
            patience_s(&format!("{load}timeout = \"5h\"")),
            [3_600, 3_600, 3_600],
            "a library's patience"
        );
        let defaults = "[gateway]\ndefaults.timeout = \"50s\"\n[mesh]\nservices.second.timeout = \"60s\"";
        assert_eq!(patience_s(&format!("{load}{defaults}")), [120, 50, 180]);
    }
}

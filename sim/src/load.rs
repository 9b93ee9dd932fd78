//! Load: clients that send requests at the times the scenario says, whether or not the system
//! keeps up (open loop), or after thinking (closed loop). Latency counts from the intended send.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hoplab_proxy::exchange::Exchange;
use hoplab_proxy::host::{Host, Instant};
use hoplab_proxy::tasks::Spawner;
use hoplab_proxy::telemetry::{Outcome, Owner, Report, Role, TraceFlags, TraceId};
use hoplab_proxy::upstream::Upstream;
use http::HeaderValue;
use rand::rngs::ChaCha8Rng;

use crate::awaited::{Awaited, Waiter};
use crate::call::CallKey;
use crate::distribution::Distribution;
use crate::random;
use crate::recorder::Recorder;
use crate::scenario::plan::{Arrivals, EndpointId, Load, Pace, Plan, ZoneId};
use crate::service;
use crate::session;
use crate::world::SimHost;

/// The clients of a run. Cloning gives another handle.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) plan: Arc<Plan>,
    /// Where the time is read.
    pub(crate) host: SimHost,
    pub(crate) pods: Arc<[ClientPod]>,
    pub(crate) recorder: Recorder,
    pub(crate) awaited: Awaited,
    pub(crate) spawner: Spawner<SimHost>,
}

/// Where clients stand.
pub(crate) struct ClientPod {
    pub(crate) zone: Option<ZoneId>,
    pub(crate) host: SimHost,
    /// How to reach each service, by its index; `None` for those that clients never call.
    pub(crate) upstreams: Vec<Option<Arc<Upstream<SimHost>>>>,
    /// The same of loads that call in a way of their own, by load and service.
    pub(crate) of_loads: BTreeMap<(usize, usize), Arc<Upstream<SimHost>>>,
}

impl ClientPod {
    /// How clients of a load reach a service that they ask.
    fn upstream(&self, load: usize, service: usize) -> Arc<Upstream<SimHost>> {
        let own = self.of_loads.get(&(load, service));
        let upstream = own.or(self.upstreams[service].as_ref());
        Arc::clone(upstream.expect("whatever is asked has an upstream"))
    }
}

impl Clients {
    /// Starts every load; returns when the last request has been sent.
    pub(crate) async fn offer(&self, reached: impl Fn(Instant)) {
        let loads = (0..self.plan.loads.len()).map(|load| self.offer_one(load, &reached));
        futures_util::future::join_all(loads).await;
    }

    async fn offer_one(&self, index: usize, reached: &impl Fn(Instant)) {
        let load = &self.plan.loads[index];
        let end = Instant::START + self.plan.duration;
        match &load.pace {
            Pace::Open { curve, arrivals } => {
                let times = ArrivalTimes::new(curve, *arrivals, self.stream("arrivals", index));
                for (number, at) in times.take_while(|at| *at < end).enumerate() {
                    self.host.sleep_until(at).await;
                    reached(at);
                    self.spawner.spawn(self.request(index, number as u64, at));
                }
            }
            Pace::Closed { users, think } => {
                for user in 0..*users {
                    let (clients, think) = (self.clone(), think.clone());
                    self.spawner.spawn(async move { clients.user(index, user, &think, end).await });
                }
                self.host.sleep_until(end).await;
            }
        }
    }

    /// A user of a closed load: thinks, asks, waits, thinks.
    async fn user(&self, load: usize, user: u32, think: &Distribution, end: Instant) {
        for turn in 0.. {
            let number = u64::from(user) << 32 | turn;
            let thought =
                think.sample(&mut random::stream(self.plan.seed, "think", CallKey::root(load, number).0, 0));
            let at = self.host.now() + thought;
            if at >= end {
                return;
            }
            self.host.sleep_until(at).await;
            self.request(load, number, at).await;
        }
    }

    /// Sends the `number`th request of a load, intended for `at`; the future waits for its answer.
    fn request(&self, load_index: usize, number: u64, at: Instant) -> impl Future<Output = ()> + use<> {
        let load = &self.plan.loads[load_index];
        let key = CallKey::root(load_index, number);
        let trace = TraceId((load_index as u128 + 1) << 64 | u128::from(number));
        let target = self.pick(load, key);
        let pod = self.pods.iter().find(|pod| pod.zone == load.zone);
        let pod = pod.expect("there are clients wherever load comes from");
        pod.host.asks(&load.name);
        self.recorder.sent(trace, target, at);
        self.recorder.called(trace, None, target.service.0);
        let upstream = pod.upstream(load_index, target.service.0);
        let mut exchange = Exchange::start(trace, None, at);
        exchange.flags = TraceFlags::SAMPLED;
        exchange.enter(Owner::Pool);
        exchange.deadline = load.timeout.map(|timeout| at + timeout);
        exchange.told = exchange.deadline.filter(|_| load.send_deadline);
        let waiter = Waiter::client();
        let call = self.awaited.call(key.child(0), &waiter);
        let bytes = load.request.draw(|| random::stream(self.plan.seed, "request", key.0, 0));
        let mut request = service::request(&self.plan, target, bytes, key.child(0));
        for (field, (name, values)) in load.headers.iter().enumerate() {
            let value = values[self.draw_header(key, field, values.len())].clone();
            request.headers_mut().insert(name.clone(), value);
        }
        session::write(self.session(load, key).as_ref(), request.headers_mut());
        let host = pod.host.clone();
        async move {
            let outcome = match service::exchange(&upstream, &mut exchange, request).await {
                Ok(status) => Outcome::Answered(status),
                Err(fault) => Outcome::Failed(fault),
            };
            waiter.leaves(host.now());
            drop(call);
            host.report(Report::Span(exchange.into_span(Role::Client, outcome, host.now())));
        }
    }

    /// What a request asks for.
    fn pick(&self, load: &Load, key: CallKey) -> EndpointId {
        let total: f64 = load.mix.iter().map(|(_, weight)| weight).sum();
        let mut left = total * random::unit(&mut random::stream(self.plan.seed, "mix", key.0, 0));
        for (endpoint, weight) in &load.mix {
            left -= weight;
            if left <= 0.0 {
                return *endpoint;
            }
        }
        load.mix.last().expect("a mix has an endpoint").0
    }

    /// Which of so many values the `field`th header field of a request has.
    fn draw_header(&self, key: CallKey, field: usize, values: usize) -> usize {
        let mut random = random::stream(self.plan.seed, "headers", key.0, field as u64);
        // The draw may be 1.
        ((random::unit(&mut random) * values as f64) as usize).min(values - 1)
    }

    /// The session that a request belongs to.
    fn session(&self, load: &Load, key: CallKey) -> Option<HeaderValue> {
        let sessions = load.sessions?;
        let drawn = random::unit(&mut random::stream(self.plan.seed, "session", key.0, 0));
        // From 0 on: the draw is above zero and at most one.
        Some(HeaderValue::from(((drawn * f64::from(sessions)).ceil() as u32).saturating_sub(1)))
    }

    fn stream(&self, purpose: &str, load: usize) -> ChaCha8Rng {
        random::stream(self.plan.seed, purpose, load as u64, 0)
    }
}

/// The times of open-loop requests: steps of a unit-rate process in the integral of the rate, so
/// that a change of the curve moves only what comes after it.
struct ArrivalTimes<'a> {
    curve: &'a [(Duration, f64)],
    arrivals: Arrivals,
    random: ChaCha8Rng,
    /// Requests that the curve asked for until `since`.
    asked: f64,
    since: f64,
    /// Which piece of the curve `since` lies in: the one that starts at this point.
    piece: usize,
    /// The next arrival, as the integral of the rate.
    next: f64,
}

impl<'a> ArrivalTimes<'a> {
    fn new(curve: &'a [(Duration, f64)], arrivals: Arrivals, random: ChaCha8Rng) -> Self {
        let mut times = Self { curve, arrivals, random, asked: 0.0, since: 0.0, piece: 0, next: 0.0 };
        if arrivals == Arrivals::Poisson {
            times.next = times.gap();
        }
        times
    }

    fn gap(&mut self) -> f64 {
        match self.arrivals {
            Arrivals::Uniform => 1.0,
            Arrivals::Poisson => -random::unit(&mut self.random).ln(),
        }
    }

    /// The rate at `second`, and where the current piece ends; before the first point and after the
    /// last one the rate is theirs.
    fn rate(&self, second: f64) -> (f64, f64, f64) {
        let point = |index: usize| {
            let (at, rate) = self.curve[index];
            (at.as_secs_f64(), rate)
        };
        let (first_at, first_rate) = point(0);
        if second < first_at {
            return (first_rate, 0.0, first_at);
        }
        if self.piece + 1 >= self.curve.len() {
            return (point(self.curve.len() - 1).1, 0.0, f64::INFINITY);
        }
        let ((from, low), (until, high)) = (point(self.piece), point(self.piece + 1));
        let slope = if until > from { (high - low) / (until - from) } else { 0.0 };
        (low + slope * (second - from), slope, until)
    }
}

impl Iterator for ArrivalTimes<'_> {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        loop {
            let (rate, slope, until) = self.rate(self.since);
            let wanted = self.next - self.asked;
            // rate·t + slope·t²/2 = wanted, in the form that stays exact for small slopes.
            let discriminant = rate * rate + 2.0 * slope * wanted;
            let after =
                if discriminant < 0.0 { f64::INFINITY } else { 2.0 * wanted / (rate + discriminant.sqrt()) };
            // Zero over zero: nothing is wanted any more, or nothing is offered any more.
            let after = if after.is_nan() { if wanted > 0.0 { f64::INFINITY } else { 0.0 } } else { after };
            if self.since + after <= until && after.is_finite() {
                let second = self.since + after;
                self.next += self.gap();
                // The clock's grain is a microsecond; rounding up keeps the order.
                return Some(Instant::from_nanos((second * 1e6 - 1e-3).ceil().max(0.0) as u64 * 1_000));
            }
            if until.is_infinite() {
                return None;
            }
            let length = until - self.since;
            self.asked += rate * length + slope * length * length / 2.0;
            let in_curve = self.since >= self.curve[0].0.as_secs_f64();
            self.since = until;
            self.piece += usize::from(in_curve);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(curve: &[(u64, f64)], arrivals: Arrivals, until: u64) -> Vec<u64> {
        let curve: Vec<_> = curve.iter().map(|(at, rate)| (Duration::from_secs(*at), *rate)).collect();
        let end = Instant::START + Duration::from_secs(until);
        let random = random::stream(1, "arrivals", 0, 0);
        ArrivalTimes::new(&curve, arrivals, random).take_while(|at| *at < end).map(Instant::micros).collect()
    }

    #[test]
    fn uniform_arrivals_are_equally_spaced_from_the_start() {
        assert_eq!(times(&[(0, 4.0)], Arrivals::Uniform, 1), [0, 250_000, 500_000, 750_000]);
        assert_eq!(times(&[(0, 1_000.0)], Arrivals::Uniform, 10).len(), 10_000);
    }

    #[test]
    fn a_ramp_offers_the_area_below_it() {
        let ramp = times(&[(0, 0.0), (10, 100.0)], Arrivals::Uniform, 10);
        assert_eq!(ramp.len(), 500);
        let first_half = ramp.iter().filter(|at| **at < 5_000_000).count();
        assert_eq!(first_half, 125);
        let down = times(&[(0, 100.0), (10, 0.0)], Arrivals::Uniform, 10);
        assert_eq!(down.len(), 500);
        let step = times(&[(0, 10.0), (1, 10.0), (1, 100.0), (2, 100.0)], Arrivals::Uniform, 3);
        assert_eq!(step.len(), 210);
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread() {
        let times = times(&[(0, 100.0)], Arrivals::Poisson, 1_000);
        let count = times.len() as f64;
        assert!((count - 100_000.0).abs() < 4.0 * 100_000.0_f64.sqrt(), "{count}");
        let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02);
        assert!(times.is_sorted());
    }
}

//! Load control: what stands between the arrival of a request and what is done for it, at a gateway (for all
//! requests, and for those of a route) and at a sidecar's inbound side. A request meets, in this order, the rate
//! limits of size, the rate limit (which may delay it), admission control, and the concurrency limit with its
//! priorities; what is refused is answered at once and costs no more than that. Content whose length nobody has told is
//! counted as it comes.
//!
//! Read it in this order: [`LimitsPolicy`] (what may be written), [`Settings`] (what it means),
//! `LoadControl::admit` (what it does), `Pass` (the place that an admitted request holds until its answer's
//! last byte). The policies themselves know no request and stand in [`crate::policy`].

pub mod settings;
mod size;
mod written;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use rand::rngs::ChaCha8Rng;

use crate::body::Body;
use crate::exchange::Exchange;
use crate::headers;
use crate::host::{Host, Instant};
use crate::policy::admission::Admission;
use crate::policy::concurrency::{self, Concurrency};
use crate::policy::limit::{Keyed, Limiter, Verdict};
use crate::policy::priority::Priorities;
use crate::random::stream;
use crate::server::Connection;
use crate::telemetry::gauges::{Gauge, LimitGauge};
use crate::telemetry::{Decision, Fault, Gauges, Outcome, Owner, PolicyEvent, Report};

use settings::By;
pub use settings::Settings;
pub use written::{
    AdaptivePolicy, AdmissionPolicy, Algorithm, ConcurrencyPolicy, LimitsPolicy, PriorityPolicy, RatePolicy,
};

/// Random streams, one a purpose, so that a draw for one moves no other.
const ADMISSION_DRAWS: u64 = 0;
const MEASUREMENT_JITTER: u64 = 1;

/// The limits that requests meet at one place.
pub struct LoadControl<H: Host> {
    host: H,
    /// What telemetry says it is about.
    name: Arc<str>,
    settings: Settings,
    by: Option<By>,
    priorities: Option<Priorities>,
    state: Mutex<State>,
}

struct State {
    rate: Option<Rate>,
    admission: Option<Admission>,
    concurrency: Option<Concurrency>,
    admission_draws: ChaCha8Rng,
    measurement_jitter: ChaCha8Rng,
}

/// A rate limit for all, or one for each key.
enum Rate {
    Shared(Limiter),
    Keyed(Box<Keyed>),
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// By what.
    pub fault: Fault,
    /// After how long it is worth to come again, where that is known.
    pub retry_after: Option<Duration>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, retry_after: None }
    }
}

impl<H: Host> Gauges for LoadControl<H> {
    fn read(&self) -> Vec<Gauge> {
        let state = self.lock();
        let limit = state.concurrency.as_ref().map(|concurrency| LimitGauge {
            name: Arc::clone(&self.name),
            limit: concurrency.limit(),
            in_progress: concurrency.in_progress(),
        });
        limit.into_iter().map(Gauge::Limit).collect()
    }
}

impl<H: Host> LoadControl<H> {
    /// The limits that `settings` say; `None` when that is none. Reports are about `name`; `seed` decides on draws.
    pub fn new(host: H, name: impl Into<Arc<str>>, settings: Settings, seed: u64) -> Option<Arc<Self>> {
        if settings.is_empty() {
            return None;
        }
        let Settings { rate, admission, concurrency, priority, size: _ } = settings.clone();
        let by = rate.as_ref().and_then(|rate| rate.by.as_ref()).map(|keys| keys.by.clone());
        let rate = rate.map(|rate| match rate.by {
            None => Rate::Shared(Limiter::new(rate.limit)),
            Some(keys) => Rate::Keyed(Box::new(Keyed::new(rate.limit, keys.keys_max as usize, seed))),
        });
        let now = host.now();
        let state = Mutex::new(State {
            rate,
            admission: admission.map(Admission::new),
            concurrency: concurrency.map(|config| Concurrency::new(config, now)),
            admission_draws: stream(seed, ADMISSION_DRAWS),
            measurement_jitter: stream(seed, MEASUREMENT_JITTER),
        });
        let priorities = priority.map(Priorities::new);
        let control = Arc::new(Self { host, name: name.into(), settings, by, priorities, state });
        let gauges: Weak<dyn Gauges> = Arc::<Self>::downgrade(&control);
        control.host.report(Report::Gauges(gauges));
        Some(control)
    }

    /// As [`LoadControl::new`]; but if there is one of that name with these settings among those `before`, that goes on,
    /// and is taken out of them.
    pub fn after(
        before: &mut Vec<Arc<Self>>,
        host: H,
        name: impl Into<Arc<str>>,
        settings: Settings,
        seed: u64,
    ) -> Option<Arc<Self>> {
        let name = name.into();
        match before.iter().position(|known| known.name == name && known.settings == settings) {
            Some(place) => Some(before.remove(place)),
            None => Self::new(host, name, settings, seed),
        }
    }

    /// Admits a request, perhaps after a delay that its `exchange` notes, or says why not.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        exchange: &mut Exchange,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Result<Pass<H>, Refusal> {
        if let Some((decision, fault)) = self.settings.size.exceeded(headers) {
            return Err(self.refuse(decision, fault));
        }
        let now = self.host.now();
        let source = exchange.source.unwrap_or(connection.peer.ip());
        let verdict = self.limit(now, headers, source, connection);
        match verdict {
            Verdict::Pass => {}
            Verdict::Delay(until) => {
                exchange.mark(now);
                exchange.enter(Owner::Delay);
                self.host.sleep_until(until).await;
                exchange.mark(self.host.now());
            }
            Verdict::Reject { retry_after } => {
                self.decided(Decision::RateLimited);
                return Err(Refusal { fault: Fault::RateLimited, retry_after });
            }
        }
        self.begin(headers)
    }

    fn limit(&self, now: Instant, fields: &HeaderMap, source: IpAddr, connection: &Connection) -> Verdict {
        let mut state = self.lock();
        match &mut state.rate {
            None => Verdict::Pass,
            Some(Rate::Shared(limiter)) => limiter.admit(now, 1),
            Some(Rate::Keyed(keyed)) => match &self.by {
                Some(By::Header(name)) => {
                    let key = headers::value(fields, name).unwrap_or_default();
                    keyed.admit(now, &key, 1)
                }
                Some(By::Source) => match source {
                    IpAddr::V4(address) => keyed.admit(now, &address.octets(), 1),
                    IpAddr::V6(address) => keyed.admit(now, &address.octets(), 1),
                },
                Some(By::Caller) | None => {
                    let caller = connection.identity.as_ref().map_or("", |identity| identity.as_str());
                    keyed.admit(now, caller.as_bytes(), 1)
                }
            },
        }
    }

    /// Asks for a place.
    fn begin(self: &Arc<Self>, headers: &HeaderMap) -> Result<Pass<H>, Refusal> {
        let now = self.host.now();
        let mut guard = self.lock();
        let state = &mut *guard;
        if let Some(admission) = &state.admission
            && !admission.admit(now, &mut state.admission_draws)
        {
            drop(guard);
            return Err(self.refuse(Decision::AdmissionRefused, Fault::AdmissionRefused));
        }
        if let Some(concurrency) = &mut state.concurrency {
            let share = self.priorities.as_ref().map_or(1.0, |priorities| priorities.share(headers));
            let admission = concurrency.admit(now, share, &mut state.measurement_jitter);
            let refusal = match admission {
                concurrency::Admission::Pass => None,
                concurrency::Admission::Shed => Some((Decision::PriorityShed, Fault::PriorityShed)),
                concurrency::Admission::Reject => {
                    Some((Decision::ConcurrencyLimited, Fault::ConcurrencyLimited))
                }
            };
            if let Some((decision, fault)) = refusal {
                drop(guard);
                return Err(self.refuse(decision, fault));
            }
        }
        drop(guard);
        Ok(Pass { control: Arc::clone(self), began: now, outcome: None })
    }

    fn refuse(&self, decision: Decision, fault: Fault) -> Refusal {
        self.decided(decision);
        fault.into()
    }

    fn decided(&self, decision: Decision) {
        let (at, upstream) = (self.host.now(), Arc::clone(&self.name));
        self.host.report(Report::Policy(PolicyEvent { at, upstream, endpoint: None, decision }));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a request that was admitted. Dropped, it makes room, and tells what it has learned.
pub(crate) struct Pass<H: Host> {
    control: Arc<LoadControl<H>>,
    began: Instant,
    /// How the request went, once that is known.
    outcome: Option<Outcome>,
}

impl<H: Host> Pass<H> {
    /// The request's content, which breaks off where it is more than may be.
    pub(crate) fn limit(&self, content: Body) -> Body {
        let control = &self.control;
        match control.settings.size.content {
            Some(most) if content.exact_length().is_none_or(|length| length > most) => {
                let control = Arc::clone(control);
                size::limited(content, most, move || {
                    control.refuse(Decision::ContentTooLarge, Fault::ContentTooLarge).fault
                })
            }
            _ => content,
        }
    }

    /// The request ends.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }
}

impl<H: Host> Drop for Pass<H> {
    fn drop(&mut self) {
        let now = self.control.host.now();
        let mut guard = self.control.lock();
        let state = &mut *guard;
        if let (Some(admission), Some(success)) = (&mut state.admission, self.outcome.and_then(succeeded)) {
            admission.observe(now, success);
        }
        if let Some(concurrency) = &mut state.concurrency {
            let telling = self.outcome.is_some_and(tells_of_load);
            let latency = telling.then(|| now.saturating_since(self.began));
            concurrency.leave(now, self.began, latency, &mut state.measurement_jitter);
        }
    }
}

/// Whether a request succeeded, as admission control sees it; `None` where that says nothing about what is behind.
fn succeeded(outcome: Outcome) -> Option<bool> {
    match outcome {
        Outcome::Answered(status) => Some(status < 500),
        Outcome::Failed(
            Fault::Cancelled
            | Fault::RateLimited
            | Fault::ConcurrencyLimited
            | Fault::AdmissionRefused
            | Fault::PriorityShed
            | Fault::RequestTimeout
            | Fault::DeadlinePassed
            | Fault::UpgradeUnsupported
            | Fault::TunnelIdle
            | Fault::ContentTooLarge
            | Fault::FieldsTooLarge,
        ) => None,
        Outcome::Failed(fault) => Some(!fault.status().is_server_error()),
    }
}

/// Whether the time that a request took tells how loaded what is behind is: it was answered, or not in time. How long a
/// tunnel lives is its two ends' affair.
fn tells_of_load(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Answered(status) => status != StatusCode::SWITCHING_PROTOCOLS.as_u16(),
        Outcome::Failed(fault) => fault == Fault::Timeout,
    }
}

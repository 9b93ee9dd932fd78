//! Outlier ejection among what requests share: attempts are observed, endpoints barred, and readmitted to
//! the instant by one task an upstream, which is there only where something ejects.

use std::sync::Arc;

use rand::rngs::ChaCha8Rng;

use super::standing::Bar;
use super::{Policies, Settled, Shared, State};
use crate::host::{Host, Instant};
use crate::policy::outlier::{Config, Moved, Observed, Outcome, Outlier};
use crate::telemetry::Decision;
use crate::timer::before;

/// Outlier detection and its randomness; a stream of its own, so that it moves no other draw.
pub(super) struct Ejection {
    pub(super) outlier: Outlier,
    random: ChaCha8Rng,
}

impl Ejection {
    pub(super) fn new(config: Config, endpoints: usize, now: Instant, random: ChaCha8Rng) -> Self {
        Self { outlier: Outlier::new(config, endpoints, now), random }
    }
}

impl<H: Host> Policies<H> {
    /// Tells outlier detection how an attempt at `endpoint` went; what that makes of it.
    pub(super) fn observe_attempt(&mut self, now: Instant, endpoint: usize, settled: Settled) -> Observed {
        let Some(Ejection { outlier, random }) = &mut self.ejection else { return Observed::Nothing };
        let Some(outcome) = settled.outcome() else { return Observed::Nothing };
        let observed = outlier.observe(now, endpoint, outcome, random);
        if observed == Observed::Ejected {
            self.standing.bar(endpoint, Bar::Ejected);
            self.stands(now, endpoint);
        }
        observed
    }
}

impl Settled {
    /// As outlier detection sees it; `None` when it says nothing about the endpoint.
    fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Answered(status) => Some(Outcome::answered(status)),
            Self::Failed { fault, connected } => fault.blames_endpoint().then_some(if connected {
                Outcome::LocalFailure
            } else {
                Outcome::ConnectFailure
            }),
            Self::Abandoned => None,
        }
    }
}

impl<H: Host> State<H> {
    /// Readmits endpoints when their time has come, and looks at rates at the end of every interval, as long as
    /// the state is there.
    pub(in super::super) fn readmit(&self) -> impl Future<Output = ()> + Send + use<H> {
        let (host, ejected) = (self.shared.host.clone(), Arc::clone(&self.shared.ejected));
        let shared = Arc::downgrade(&self.shared);
        async move {
            while let Some(due) = shared.upgrade().and_then(|shared| shared.readmit_due()) {
                // An ejection meanwhile may be over before what is due now.
                before(&host, due, ejected.notified()).await;
            }
        }
    }
}

impl<H: Host> Shared<H> {
    /// Tells of the ejection of the endpoint with this name.
    pub(super) fn after_ejection(&self, endpoint: &Arc<str>) {
        self.decided(Some(endpoint), Decision::Ejected);
        self.ejected.notify_one();
        self.report_panic();
    }

    /// Does what outlier detection has to do at this instant; when there will be more to do.
    fn readmit_due(&self) -> Option<Instant> {
        let now = self.host.now();
        let mut all = Vec::new();
        let mut policies = self.lock();
        let Policies { members, ejection, standing, .. } = &mut *policies;
        let Ejection { outlier, random } = ejection.as_mut()?;
        outlier.advance(now, random, |endpoint, moved| {
            match moved {
                Moved::Ejected => standing.bar(endpoint, Bar::Ejected),
                Moved::Readmitted => standing.lift(endpoint, Bar::Ejected),
                Moved::Refused => false,
            };
            all.push((endpoint, members.label(endpoint), moved));
        });
        let due = outlier.due();
        for (endpoint, ..) in all.iter().filter(|(.., moved)| *moved != Moved::Refused) {
            policies.stands(now, *endpoint);
        }
        drop(policies);
        for (_, label, moved) in &all {
            let decision = match moved {
                Moved::Ejected => Decision::Ejected,
                Moved::Readmitted => Decision::Readmitted,
                Moved::Refused => Decision::EjectionRefused,
            };
            self.decided(label.as_ref(), decision);
        }
        self.report_panic();
        if all.iter().any(|(.., moved)| *moved == Moved::Readmitted) {
            self.changed.notify_waiters();
        }
        Some(due)
    }
}

//! Peak EWMA: an endpoint costs what a request to it takes, times the requests on it and this one. What a request
//! takes is an exponentially weighted moving average over time that follows every peak at once; of an endpoint that
//! answers nothing it decays towards zero, so that it is tried again. The algorithm is Finagle's, the numbers are
//! Linkerd's. Owns no choice: the cheaper one of two is taken elsewhere.

use std::time::Duration;

use crate::host::Instant;

/// What the averages go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// After how long an observation weighs a factor of e less; above zero.
    pub decay: Duration,
    /// What a request takes at an endpoint that has answered none yet.
    pub default_rtt: Duration,
    /// What a request that failed counts as at least, as Linkerd's load biaser has it; as long as it took when
    /// `None`, which makes an endpoint that fails fast attractive.
    pub penalty: Option<Duration>,
}

/// The averages of all endpoints.
#[derive(Debug, Clone)]
pub struct PeakEwma {
    config: Config,
    /// By slot.
    endpoints: Vec<Average>,
}

#[derive(Debug, Clone, Copy)]
struct Average {
    rtt_ns: f64,
    at: Instant,
}

impl PeakEwma {
    /// Averages over `endpoints` that have answered nothing yet.
    pub fn new(config: Config, endpoints: usize, now: Instant) -> Self {
        let rtt_ns = config.default_rtt.as_nanos() as f64;
        Self { config, endpoints: vec![Average { rtt_ns, at: now }; endpoints] }
    }

    /// Somebody joins in `slot` that has answered nothing yet; the others' averages stay.
    pub fn join(&mut self, now: Instant, slot: usize) {
        let fresh = Average { rtt_ns: self.config.default_rtt.as_nanos() as f64, at: now };
        self.endpoints.resize(self.endpoints.len().max(slot + 1), fresh);
        self.endpoints[slot] = fresh;
    }

    /// What one more request at `endpoint` costs beside the `active` ones, in nanoseconds of waiting.
    pub fn cost(&self, now: Instant, endpoint: usize, active: u32) -> f64 {
        self.average_ns(now, endpoint) * f64::from(active.saturating_add(1))
    }

    /// Learns that a request at `endpoint` was answered, or failed, after `rtt`.
    pub fn observe(&mut self, now: Instant, endpoint: usize, rtt: Duration, success: bool) {
        let rtt = match self.config.penalty {
            Some(penalty) if !success => rtt.max(penalty),
            _ => rtt,
        };
        let rtt_ns = rtt.as_nanos() as f64;
        let kept = self.kept(now, endpoint);
        let average = &mut self.endpoints[endpoint];
        average.rtt_ns = match average.rtt_ns * kept {
            // Peaks are taken over as they are, without their share of the past.
            decayed if rtt_ns > decayed => rtt_ns,
            decayed => decayed + rtt_ns * (1.0 - kept),
        };
        average.at = now;
    }

    /// Learns that a request at `endpoint` was given up after `waited`: it would have taken at least that long.
    pub fn abandon(&mut self, now: Instant, endpoint: usize, waited: Duration) {
        if waited.as_nanos() as f64 > self.average_ns(now, endpoint) {
            self.observe(now, endpoint, waited, true);
        }
    }

    fn average_ns(&self, now: Instant, endpoint: usize) -> f64 {
        self.endpoints[endpoint].rtt_ns * self.kept(now, endpoint)
    }

    /// How much of an average is left of what it was when it was last told something.
    fn kept(&self, now: Instant, endpoint: usize) -> f64 {
        let elapsed = now.saturating_since(self.endpoints[endpoint].at);
        (-elapsed.as_secs_f64() / self.config.decay.as_secs_f64()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: Config =
        Config { decay: Duration::from_secs(10), default_rtt: Duration::from_millis(30), penalty: None };

    fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    fn cost_ms(ewma: &PeakEwma, millis: u64, active: u32) -> f64 {
        ewma.cost(at(millis), 0, active) / 1e6
    }

    #[test]
    fn an_average_follows_peaks_at_once_and_the_rest_with_time() {
        let mut ewma = PeakEwma::new(CONFIG, 1, at(0));
        assert!((cost_ms(&ewma, 0, 0) - 30.0).abs() < 1e-9);
        assert!((cost_ms(&ewma, 0, 3) - 120.0).abs() < 1e-9, "four requests");
        let ten = Duration::from_millis(10);
        ewma.observe(at(10_000), 0, ten, true);
        // 30 ms weigh 1/e, 10 ms the rest.
        let e = std::f64::consts::E;
        assert!((cost_ms(&ewma, 10_000, 0) - (30.0 / e + 10.0 * (1.0 - 1.0 / e))).abs() < 1e-9);
        ewma.observe(at(10_000), 0, Duration::from_millis(500), true);
        assert!((cost_ms(&ewma, 10_000, 0) - 500.0).abs() < 1e-9, "a peak");
        ewma.observe(at(10_000), 0, ten, true);
        assert!((cost_ms(&ewma, 10_000, 0) - 500.0).abs() < 1e-9, "no time has passed since");
        assert!((cost_ms(&ewma, 20_000, 0) - 500.0 / e).abs() < 1e-9, "silence is forgotten");
    }

    #[test]
    fn a_failure_is_as_long_as_it_took_or_the_penalty() {
        let fast = Duration::from_millis(1);
        let mut lenient = PeakEwma::new(Config { default_rtt: Duration::ZERO, ..CONFIG }, 1, at(0));
        lenient.observe(at(1), 0, fast, false);
        assert!((cost_ms(&lenient, 1, 0) - 1.0).abs() < 1e-9);
        let penalty = Some(Duration::from_secs(5));
        let mut strict = PeakEwma::new(Config { penalty, ..CONFIG }, 1, at(0));
        strict.observe(at(1), 0, fast, false);
        assert!((cost_ms(&strict, 1, 0) - 5_000.0).abs() < 1e-9);
        strict.observe(at(2), 0, Duration::from_secs(6), false);
        assert!((cost_ms(&strict, 2, 0) - 6_000.0).abs() < 1e-9, "longer than the penalty");
    }

    #[test]
    fn what_is_given_up_only_adds() {
        let mut ewma = PeakEwma::new(CONFIG, 1, at(0));
        ewma.abandon(at(0), 0, Duration::from_millis(20));
        assert!((cost_ms(&ewma, 0, 0) - 30.0).abs() < 1e-9);
        ewma.abandon(at(0), 0, Duration::from_millis(40));
        assert!((cost_ms(&ewma, 0, 0) - 40.0).abs() < 1e-9);
    }
}

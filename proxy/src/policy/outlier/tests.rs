//! What outlier detection does, by example, and what always holds.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::*;

const NOTHING: [(u64, usize, Moved); 0] = [];
const SECOND: Duration = Duration::from_secs(1);

const CONFIG: Config = Config {
    consecutive_5xx: 5,
    consecutive_gateway: 0,
    consecutive_local: 0,
    success_rate: None,
    failure_percentage: None,
    interval: Duration::from_secs(10),
    base_ejection: Duration::from_secs(30),
    max_ejection: Duration::from_secs(300),
    jitter: Duration::ZERO,
    max_ejected: 1.0,
    always_eject_one: false,
    keep_lone: false,
    connection_is_success: false,
};

/// Outlier detection, its clock and its randomness.
struct Bench {
    outlier: Outlier,
    random: ChaCha8Rng,
    now: Instant,
}

impl Bench {
    fn new(config: Config, endpoints: usize) -> Self {
        let outlier = Outlier::new(config, endpoints, Instant::START);
        Self { outlier, random: ChaCha8Rng::seed_from_u64(1), now: Instant::START }
    }

    /// How many of `outcomes` at `endpoint` ejected it.
    fn observe(&mut self, endpoint: usize, outcomes: &[Outcome]) -> usize {
        let mut ejections = 0;
        for outcome in outcomes {
            let observed = self.outlier.observe(self.now, endpoint, *outcome, &mut self.random);
            ejections += usize::from(observed == Observed::Ejected);
        }
        ejections
    }

    fn seconds(&self) -> u64 {
        self.now.micros() / 1_000_000
    }

    /// Ejects `endpoint`, and stops when it is readmitted: for how many seconds it was ejected.
    fn eject_and_wait(&mut self, endpoint: usize) -> u64 {
        let from = self.seconds();
        assert_eq!(self.observe(endpoint, &[Outcome::ServerError]), 1);
        let mut until = from;
        while self.run_until(until).is_empty() {
            until += 1;
        }
        until - from
    }

    /// What moves until `seconds`, and when.
    fn run_until(&mut self, seconds: u64) -> Vec<(u64, usize, Moved)> {
        let until = Instant::START + SECOND * u32::try_from(seconds).unwrap();
        let mut all = Vec::new();
        while self.outlier.due() <= until {
            self.now = self.outlier.due();
            let second = self.now.micros() / 1_000_000;
            let note = |endpoint, moved| all.push((second, endpoint, moved));
            self.outlier.advance(self.now, &mut self.random, note);
            assert!(self.outlier.due() > self.now, "what is due is done");
        }
        self.now = until;
        all
    }
}

#[test]
fn five_in_a_row_eject_and_a_success_between_does_not() {
    let mut bench = Bench::new(CONFIG, 2);
    let errors = [Outcome::ServerError; 4];
    assert_eq!(bench.observe(0, &errors), 0);
    assert_eq!(bench.observe(0, &[Outcome::Success]), 0);
    assert_eq!(bench.observe(0, &errors), 0);
    assert_eq!(bench.observe(0, &[Outcome::ServerError]), 1);
    assert_eq!(bench.observe(0, &errors), 0, "what was in flight");
    assert_eq!(bench.run_until(29), NOTHING);
    assert_eq!(bench.run_until(30), [(30, 0, Moved::Readmitted)]);
    assert_eq!(bench.observe(0, &errors), 0, "it begins anew");
}

#[test]
fn each_kind_of_failure_has_its_run() {
    use Outcome::{ConnectFailure, GatewayError, LocalFailure, ServerError};
    let gateway = Config { consecutive_5xx: 0, consecutive_gateway: 3, ..CONFIG };
    let mut bench = Bench::new(gateway, 1);
    assert_eq!(bench.observe(0, &[ServerError; 50]), 0, "legitimate 500s");
    assert_eq!(bench.observe(0, &[GatewayError, GatewayError, ServerError, GatewayError, LocalFailure]), 0);
    assert_eq!(bench.observe(0, &[LocalFailure]), 1, "not told apart, it is a gateway error");

    let mut bench = Bench::new(Config { consecutive_local: 3, ..gateway }, 1);
    assert_eq!(bench.observe(0, &[GatewayError, GatewayError, LocalFailure, LocalFailure]), 0);
    assert_eq!(bench.observe(0, &[ServerError, LocalFailure, LocalFailure]), 0, "an answer ends the run");
    assert_eq!(bench.observe(0, &[LocalFailure]), 1);

    let envoy = Config { consecutive_local: 3, connection_is_success: true, ..gateway };
    let mut bench = Bench::new(envoy, 1);
    assert_eq!(bench.observe(0, &[LocalFailure; 20]), 0, "each had a connection, which ends the run");
    assert_eq!(bench.observe(0, &[ConnectFailure, ConnectFailure]), 1, "the last of the twenty counts");

    let mut bench = Bench::new(Config { consecutive_local: 3, ..CONFIG }, 1);
    assert_eq!(bench.observe(0, &[ServerError, ServerError, ServerError, LocalFailure, ServerError]), 0);
    assert_eq!(
        bench.observe(0, &[ServerError]),
        1,
        "a local failure is no answer, so it ends no run of them"
    );
}

#[test]
fn statuses_are_told_apart() {
    let outcome = |status| Outcome::answered(StatusCode::from_u16(status).unwrap());
    assert_eq!([200, 404, 429, 499].map(outcome), [Outcome::Success; 4]);
    assert_eq!([500, 501, 505, 599].map(outcome), [Outcome::ServerError; 4]);
    assert_eq!([502, 503, 504].map(outcome), [Outcome::GatewayError; 3]);
}

#[test]
fn each_ejection_is_longer_than_the_one_before_up_to_a_maximum() {
    let config = Config { consecutive_5xx: 1, max_ejection: Duration::from_secs(75), ..CONFIG };
    let mut bench = Bench::new(config, 1);
    let lengths: Vec<_> = (0..5).map(|_| bench.eject_and_wait(0)).collect();
    assert_eq!(lengths, [30, 60, 75, 75, 75]);
}

#[test]
fn each_interval_in_good_health_makes_the_next_ejection_shorter() {
    let mut bench = Bench::new(Config { consecutive_5xx: 1, ..CONFIG }, 1);
    assert_eq!([0; 3].map(|endpoint| bench.eject_and_wait(endpoint)), [30, 60, 90]);
    assert_eq!(bench.seconds(), 180);
    bench.run_until(189);
    assert_eq!(bench.eject_and_wait(0), 120, "no interval was whole");
    assert_eq!(bench.seconds(), 309);
    bench.run_until(329);
    assert_eq!(bench.eject_and_wait(0), 120, "one of the two was whole: 5 - 1 times 30 s");
    let readmitted = bench.seconds();
    bench.run_until(readmitted + 1_000);
    assert_eq!(bench.eject_and_wait(0), 30);
}

#[test]
fn one_that_is_alone_may_be_kept() {
    let limit = |keep_lone, endpoints| {
        let config = Config { max_ejected: 1.0, keep_lone, ..CONFIG };
        Outlier::new(config, endpoints, Instant::START).ejected_max()
    };
    assert_eq!([limit(false, 1), limit(true, 1), limit(true, 2)], [1, 0, 2]);
}

#[test]
fn no_more_are_ejected_than_the_limit_allows() {
    let limit = |max_ejected, always_eject_one, endpoints| {
        Outlier::new(Config { max_ejected, always_eject_one, ..CONFIG }, endpoints, Instant::START)
            .ejected_max()
    };
    for (share, endpoints, most) in [
        (0.1, 1, 0),
        (0.1, 9, 0),
        (0.1, 10, 1),
        (0.1, 19, 1),
        (0.1, 20, 2),
        (0.29, 100, 29),
        (0.5, 1, 0),
        (0.5, 2, 1),
        (0.5, 3, 1),
        (0.75, 3, 2),
        (0.75, 4, 3),
        (1.0, 1, 1),
        (1.0, 3, 3),
    ] {
        assert_eq!(limit(share, false, endpoints), most, "{share} of {endpoints}");
        assert_eq!(limit(share, true, endpoints), most.max(1), "{share} of {endpoints}, or one");
    }
    let mut bench = Bench::new(Config { max_ejected: 0.75, ..CONFIG }, 4);
    let ejected = [0, 1, 2, 3].map(|endpoint| bench.observe(endpoint, &[Outcome::ServerError; 5]));
    assert_eq!(ejected, [1, 1, 1, 0], "istio#20135");
    bench.run_until(30);
    assert_eq!(
        bench.observe(3, &[Outcome::ServerError; 4]),
        0,
        "its run began anew when it could not be ejected"
    );
    assert_eq!(bench.observe(3, &[Outcome::ServerError]), 1);
}

#[test]
fn at_the_end_of_an_interval_the_worst_outliers_go_first() {
    let success_rate = Some(SuccessRate { stdev: 1.0, min_endpoints: 5, min_requests: 100 });
    let config = Config { consecutive_5xx: 0, success_rate, max_ejected: 0.1, ..CONFIG };
    let mut bench = Bench::new(config, 10);
    let answer = |bench: &mut Bench, good: [usize; 10]| {
        for (endpoint, good) in good.into_iter().enumerate() {
            bench.observe(endpoint, &vec![Outcome::Success; good]);
            bench.observe(endpoint, &vec![Outcome::ServerError; 100 - good]);
        }
    };
    let rates = [100, 100, 100, 60, 100, 100, 40, 100, 100, 100];
    answer(&mut bench, rates);
    assert_eq!(bench.run_until(10), [(10, 6, Moved::Ejected), (10, 3, Moved::Refused)]);
    assert_eq!(bench.run_until(30), NOTHING, "tallies are those of the interval");
    answer(&mut bench, rates);
    assert_eq!(bench.run_until(40), [(40, 6, Moved::Readmitted), (40, 3, Moved::Ejected)]);
}

#[test]
fn a_share_of_failures_ejects_whatever_the_others_do() {
    let rule = FailurePercentage { threshold: 0.85, min_endpoints: 3, min_requests: 20 };
    let mut bench = Bench::new(Config { consecutive_5xx: 0, failure_percentage: Some(rule), ..CONFIG }, 3);
    for endpoint in 0..3 {
        bench.observe(endpoint, &[Outcome::ServerError; 17]);
        bench.observe(endpoint, &[Outcome::Success; 3]);
    }
    bench.observe(1, &[Outcome::Success]);
    assert_eq!(bench.run_until(10), [(10, 0, Moved::Ejected), (10, 2, Moved::Ejected)]);
}

#[test]
fn local_failures_have_rates_of_their_own_when_they_are_told_apart() {
    let success_rate = Some(SuccessRate { stdev: 1.9, min_endpoints: 5, min_requests: 100 });
    let config = Config { consecutive_5xx: 0, success_rate, consecutive_local: 1_000, ..CONFIG };
    let mut bench = Bench::new(config, 5);
    for endpoint in 0..5 {
        bench.observe(endpoint, &[Outcome::Success; 100]);
    }
    bench.observe(2, &[Outcome::LocalFailure; 30]);
    assert_eq!(bench.run_until(10), [(10, 2, Moved::Ejected)]);
}

#[test]
fn readmission_before_time_is_readmission() {
    let mut bench = Bench::new(Config { consecutive_5xx: 1, ..CONFIG }, 2);
    bench.observe(0, &[Outcome::ServerError]);
    assert!(bench.outlier.readmit(bench.now, 0) && !bench.outlier.readmit(bench.now, 0));
    assert_eq!((bench.outlier.ejected(), bench.run_until(30)), (0, vec![]));
    assert_eq!(bench.eject_and_wait(0), 30, "the first was forgotten meanwhile");
}

#[test]
fn jitter_makes_ejections_longer_and_never_shorter() {
    let jitter = Duration::from_secs(5);
    let mut bench = Bench::new(Config { consecutive_5xx: 1, jitter, ..CONFIG }, 20);
    for endpoint in 0..20 {
        bench.observe(endpoint, &[Outcome::ServerError]);
    }
    let untils: Vec<_> = bench.outlier.endpoints.iter().filter_map(Watched::ejected_until).collect();
    let (first, last) = (untils.iter().min().unwrap(), untils.iter().max().unwrap());
    assert!(*first >= Instant::START + 30 * SECOND && *last <= Instant::START + 35 * SECOND);
    assert!(*last - *first > 3 * SECOND, "twenty of them are spread");
}

proptest! {
    /// Whatever happens, in whatever order: the limit holds, the count is right, and everyone comes back.
    #[test]
    fn the_limit_holds_and_everyone_comes_back(
        endpoints in 1_usize..=20,
        percent in 0_u32..=100,
        always_eject_one: bool,
        split in 0_u32..3,
        steps in prop::collection::vec((0_usize..20, 0_u8..5, 1_usize..30, 0_u64..15), 1..150),
    ) {
        let config = Config {
            consecutive_5xx: 3,
            consecutive_gateway: 2,
            consecutive_local: split,
            success_rate: Some(SuccessRate { stdev: 0.5, min_endpoints: 2, min_requests: 5 }),
            failure_percentage: Some(FailurePercentage { threshold: 0.5, min_endpoints: 1, min_requests: 5 }),
            jitter: SECOND,
            max_ejected: f64::from(percent) / 100.0,
            always_eject_one,
            ..CONFIG
        };
        let mut bench = Bench::new(config, endpoints);
        let within = |ejected: usize| {
            ejected * 100 <= percent as usize * endpoints || (always_eject_one && ejected == 1)
        };
        for (endpoint, outcome, times, pause) in steps {
            let outcome = [
                Outcome::Success, Outcome::ServerError, Outcome::GatewayError, Outcome::LocalFailure,
            ].get(usize::from(outcome)).copied();
            match outcome {
                Some(outcome) => { bench.observe(endpoint % endpoints, &vec![outcome; times]); }
                None => { bench.outlier.readmit(bench.now, endpoint % endpoints); }
            }
            let counted = bench.outlier.endpoints.iter().filter_map(Watched::ejected_until);
            prop_assert_eq!(counted.clone().count(), bench.outlier.ejected());
            prop_assert!(within(bench.outlier.ejected()), "{} of {endpoints}", bench.outlier.ejected());
            prop_assert!(counted.into_iter().all(|until| until <= bench.now + 301 * SECOND));
            let seconds = bench.seconds();
            bench.run_until(seconds + pause);
            prop_assert!(within(bench.outlier.ejected()));
        }
        let seconds = bench.seconds();
        bench.run_until(seconds + 302);
        prop_assert_eq!(bench.outlier.ejected(), 0);
    }
}

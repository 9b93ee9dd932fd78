//! What a breaker does, by example, and what always holds.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::*;

const PASS: Admission = Admission::Pass { round: 0 };
const PROBE: Admission = Admission::Probe { round: 1 };

fn at(millis: u64) -> Instant {
    Instant::START + Duration::from_millis(millis)
}

fn random() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(7)
}

fn config() -> Config {
    Config::consecutive(3, Duration::from_secs(5))
}

/// Fails until it is open, at `now`.
fn opened(config: Config, now: u64) -> Breaker {
    let mut breaker = Breaker::new(config);
    for _ in 0..config.failures {
        breaker.observe(at(now), PASS, false, &mut random());
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    breaker
}

#[test]
fn it_opens_after_a_run_of_failures_and_closes_after_a_probe() {
    let mut breaker = Breaker::new(config());
    let random = &mut random();
    for success in [false, false, true, false, false] {
        breaker.observe(at(0), PASS, success, random);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
    breaker.observe(at(0), PASS, false, random);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(breaker.admit(at(4_999)), Admission::Reject);
    assert_eq!(breaker.usable_at(at(4_999)), Some(at(5_000)));
    assert_eq!(breaker.admit(at(5_000)), PROBE);
    assert_eq!(breaker.admit(at(5_001)), Admission::Reject, "one probe at a time");
    assert_eq!(breaker.usable_at(at(5_001)), None);
    breaker.observe(at(5_002), PASS, true, random);
    assert_eq!(breaker.state(), BreakerState::HalfOpen, "a latecomer decides nothing");
    breaker.observe(at(5_003), PROBE, false, random);
    assert_eq!(breaker.admit(at(10_002)), Admission::Reject);
    let second = Admission::Probe { round: 2 };
    assert_eq!(breaker.admit(at(10_003)), second);
    breaker.abandon(second);
    assert_eq!(breaker.admit(at(10_004)), second, "an abandoned probe is made up for");
    breaker.observe(at(10_005), second, true, random);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn several_probes_must_all_succeed() {
    let mut breaker = opened(Config { probes: 3, ..config() }, 0);
    let random = &mut random();
    for _ in 0..3 {
        assert_eq!(breaker.admit(at(5_000)), PROBE);
    }
    assert_eq!(breaker.admit(at(5_000)), Admission::Reject);
    breaker.observe(at(5_001), PROBE, true, random);
    assert_eq!(breaker.admit(at(5_001)), Admission::Reject, "three in all, not three at a time");
    breaker.observe(at(5_002), PROBE, false, random);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(breaker.admit(at(10_002)), Admission::Probe { round: 2 });
    breaker.observe(at(10_003), PROBE, false, random);
    assert_eq!(breaker.state(), BreakerState::HalfOpen, "a probe of the round before decides nothing");
    breaker.abandon(PROBE);
    for _ in 0..2 {
        breaker.admit(at(10_004));
    }
    for _ in 0..3 {
        breaker.observe(at(10_005), Admission::Probe { round: 2 }, true, random);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn the_open_time_grows_to_its_limit_and_starts_anew_once_closed() {
    let open_for = Duration::from_secs(1);
    let open_max = Duration::from_secs(6);
    let mut breaker = Breaker::new(Config { growth: 2.0, open_max, ..Config::consecutive(1, open_for) });
    let random = &mut random();
    let mut now = Instant::START;
    breaker.observe(now, PASS, false, random);
    for seconds in [1, 2, 4, 6, 6, 6] {
        let until = now + Duration::from_secs(seconds);
        assert_eq!(breaker.usable_at(now), Some(until));
        now = until;
        let probe = breaker.admit(now);
        breaker.observe(now, probe, false, random);
    }
    now = now + open_max;
    let probe = breaker.admit(now);
    breaker.observe(now, probe, true, random);
    let pass = breaker.admit(now);
    breaker.observe(now, pass, false, random);
    assert_eq!(breaker.usable_at(now), Some(now + open_for));
}

#[test]
fn jitter_makes_it_longer_by_up_to_its_share() {
    let random = &mut random();
    for _ in 0..100 {
        let open_for = Duration::from_secs(1);
        let mut breaker = Breaker::new(Config { jitter: 0.5, ..Config::consecutive(1, open_for) });
        breaker.observe(at(0), PASS, false, random);
        let until = breaker.usable_at(at(0)).unwrap();
        assert!((at(1_000)..at(1_500)).contains(&until), "{until:?}");
    }
}

#[test]
fn a_rate_opens_it_from_the_least_number_of_requests_on() {
    let rate = FailureRate { share: 0.5, window: Duration::from_secs(10), min_requests: 20 };
    let mut breaker = Breaker::new(Config { failures: 0, rate: Some(rate), ..config() });
    let random = &mut random();
    for turn in 0..19 {
        breaker.observe(at(turn), PASS, turn % 2 == 1, random);
        assert_eq!(breaker.state(), BreakerState::Closed, "{turn}");
    }
    breaker.observe(at(19), PASS, true, random);
    assert_eq!(breaker.state(), BreakerState::Open, "ten of twenty failed");

    let mut breaker = Breaker::new(Config { failures: 0, rate: Some(rate), ..config() });
    for turn in 0..1_000 {
        breaker.observe(at(turn * 600), PASS, false, random);
        assert_eq!(breaker.state(), BreakerState::Closed, "never twenty within ten seconds");
    }
    for turn in 0..20 {
        breaker.observe(at(700_000 + turn), PASS, false, random);
    }
    let probe = breaker.admit(at(710_000));
    breaker.observe(at(710_000), probe, true, random);
    let pass = breaker.admit(at(710_001));
    breaker.observe(at(710_001), pass, false, random);
    assert_eq!(breaker.state(), BreakerState::Closed, "closing forgets the window");
}

#[test]
fn what_was_sent_before_it_opened_does_not_open_it_again_once_it_has_closed() {
    let mut breaker = opened(config(), 0);
    let random = &mut random();
    let probe = breaker.admit(at(5_000));
    breaker.observe(at(5_001), probe, true, random);
    for late in 0..10 {
        breaker.observe(at(6_000 + late), PASS, false, random);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }
    for failures in 1..=3 {
        let pass = breaker.admit(at(7_000));
        breaker.observe(at(7_000), pass, false, random);
        assert_eq!(breaker.state() == BreakerState::Open, failures == 3);
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Ask,
    End(usize, bool),
    Abandon(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Ask),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, success)| Step::End(which, success)),
        1 => any::<usize>().prop_map(Step::Abandon),
    ]
}

proptest! {
    /// Probes of one round: never more out than `probes`, never more succeeded and out together.
    /// Closed, everything passes. Open, nothing does, until the open time is over.
    #[test]
    fn what_always_holds(
        steps in prop::collection::vec((0_u64..2_000, step()), 1..300),
        probes in 1_u32..5,
        growth in 1.0_f64..3.0,
        jitter in 0.0_f64..1.0,
    ) {
        let rate = FailureRate { share: 0.6, window: Duration::from_secs(3), min_requests: 4 };
        let open_max = Duration::from_secs(20);
        let config = Config { rate: Some(rate), probes, growth, open_max, jitter, ..config() };
        let mut breaker = Breaker::new(config);
        let random = &mut random();
        let mut out: Vec<Admission> = Vec::new();
        let mut opened_at = Instant::START;
        let mut now = 0;
        for (gap, step) in steps {
            now += gap;
            let before = breaker.state();
            match step {
                Step::Ask => {
                    let admission = breaker.admit(at(now));
                    match (before, admission) {
                        (BreakerState::Closed, admission) => {
                            prop_assert_eq!(admission, Admission::Pass { round: breaker.round });
                        }
                        (BreakerState::Open, Admission::Probe { .. }) => {
                            prop_assert!(at(now) >= opened_at + config.open_for);
                        }
                        (BreakerState::Open, Admission::Reject) => {
                            prop_assert!(at(now) < opened_at + open_max.mul_f64(1.0 + jitter));
                        }
                        (_, admission) => {
                            prop_assert_ne!(admission, Admission::Pass { round: breaker.round });
                        }
                    }
                    if admission != Admission::Reject {
                        out.push(admission);
                    }
                }
                Step::End(which, success) if !out.is_empty() => {
                    let admission = out.swap_remove(which % out.len());
                    let (state, round) = (breaker.state(), breaker.round);
                    breaker.observe(at(now), admission, success, random);
                    let over = admission.round() != Some(round);
                    prop_assert!(!over || breaker.state() == state, "a round that is over moves nothing");
                }
                Step::Abandon(which) if !out.is_empty() => {
                    let admission = out.swap_remove(which % out.len());
                    breaker.abandon(admission);
                }
                Step::End(..) | Step::Abandon(_) => {}
            }
            if before != BreakerState::Open && breaker.state() == BreakerState::Open {
                opened_at = at(now);
            }
            let of_now = Admission::Probe { round: breaker.round };
            prop_assert!(out.iter().filter(|admission| **admission == of_now).count() <= probes as usize);
        }
    }
}

//! What holds for every algorithm, and what tells them apart.

use std::time::Duration;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

use super::*;

pub(super) fn members(weights: &[u32]) -> Vec<Member> {
    let member = |(number, weight): (usize, &u32)| Member {
        name: format!("payment-{number}:8080"),
        weight: *weight,
        local: true,
        rank: Rank::default(),
    };
    weights.iter().enumerate().map(member).collect()
}

/// The shares of the endpoints with `weights` in `keys` picks.
pub(super) fn spread(weights: &[u32], keys: u64, pick: impl Fn(u64) -> Option<usize>) -> Vec<f64> {
    let mut seen = vec![0.0; weights.len()];
    for number in 0..keys {
        seen[pick(key(&number.to_le_bytes())).unwrap()] += 1.0 / keys as f64;
    }
    seen
}

/// Of 10,000 keys: the share that belonged to `leaves` and moved, and how many others moved.
pub(super) fn moved(
    leaves: usize,
    before: impl Fn(u64) -> Option<usize>,
    after: impl Fn(u64) -> Option<usize>,
) -> (f64, u32) {
    let (mut had_to, mut others) = (0, 0);
    for number in 0..10_000_u64 {
        let key = key(&number.to_le_bytes());
        let (before, after) = (before(key).unwrap(), after(key).unwrap());
        assert_ne!(after, leaves);
        had_to += u32::from(before == leaves);
        others += u32::from(before != leaves && before != after);
    }
    (f64::from(had_to) / 10_000.0, others)
}

const EWMA: peak_ewma::Config = peak_ewma::Config {
    decay: Duration::from_secs(10),
    default_rtt: Duration::from_millis(30),
    penalty: None,
};

fn algorithms() -> [Algorithm; 6] {
    [
        Algorithm::RoundRobin,
        Algorithm::Random,
        Algorithm::LeastRequest,
        Algorithm::PeakEwma(EWMA),
        Algorithm::Ring(ring::Config { points_min: 64 }),
        Algorithm::Maglev(maglev::Config { slots: 251 }),
    ]
}

fn balancer(config: Config, weights: &[u32]) -> Balancer {
    Balancer::new(config, &members(weights), 0, Instant::START)
}

fn of(algorithm: Algorithm) -> Config {
    Config { algorithm, ..Config::default() }
}

/// The most requests on an endpoint, when as many requests as endpoints come and none is ever answered.
fn most_active(algorithm: Algorithm, endpoints: usize) -> u32 {
    let mut balancer = balancer(of(algorithm), &vec![1; endpoints]);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..endpoints {
        let picked = balancer.pick(Instant::START, None, |_| true, &mut random).unwrap();
        balancer.begin(picked);
    }
    (0..endpoints).map(|endpoint| balancer.active(endpoint)).max().unwrap()
}

/// Balls in bins, n into n: about ln n / ln ln n with one choice, ln ln n / ln 2 with two.
#[test]
fn two_choices_beat_one() {
    let one = most_active(Algorithm::Random, 10_000);
    let two = most_active(Algorithm::LeastRequest, 10_000);
    let both = most_active(Algorithm::PeakEwma(EWMA), 10_000);
    assert!(two + 2 <= one, "{two} with two choices, {one} with one");
    assert!((2..=4).contains(&two), "{two}");
    assert_eq!(two, both, "all round trips are the same");
}

#[test]
fn least_request_follows_weights_when_nobody_is_busy_and_load_by_weight_when_all_are() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut balancer = balancer(of(Algorithm::LeastRequest), &[1, 3]);
    let mut heavy = 0;
    for _ in 0..10_000 {
        heavy += balancer.pick(Instant::START, None, |_| true, &mut random).unwrap();
    }
    assert!((7_300..7_700).contains(&heavy), "{heavy} of 10,000");
    for _ in 0..4_000 {
        let picked = balancer.pick(Instant::START, None, |_| true, &mut random).unwrap();
        balancer.begin(picked);
    }
    assert!(balancer.active(1).abs_diff(3_000) <= 2, "{}", balancer.active(1));
}

#[test]
fn drawn_with_replacement_the_busier_of_two_gets_a_quarter() {
    let busier = |replacement| {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut balancer = balancer(Config { replacement, ..of(Algorithm::LeastRequest) }, &[1, 1]);
        (0..5).for_each(|_| balancer.begin(1));
        (0..10_000).filter_map(|_| balancer.pick(Instant::START, None, |_| true, &mut random)).sum::<usize>()
    };
    assert_eq!(busier(false), 0);
    assert!(busier(true).abs_diff(2_500) < 150, "{}", busier(true));
}

#[test]
fn requests_go_down_the_levels_and_to_backups_at_last() {
    for algorithm in algorithms() {
        let mut members = members(&[1; 6]);
        let ranks =
            [Rank::Level(0), Rank::Level(0), Rank::Level(1), Rank::Level(1), Rank::Backup, Rank::Backup];
        for (member, rank) in members.iter_mut().zip(ranks) {
            member.rank = rank;
        }
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut balancer = Balancer::new(of(algorithm), &members, 0, Instant::START);
        let mut shares = |balancer: &mut Balancer, admits: &dyn Fn(usize) -> bool| {
            let mut seen = [0_u32; 3];
            for number in 0..2_000_u64 {
                let picked =
                    balancer.pick(Instant::START, Some(key(&number.to_le_bytes())), admits, &mut random);
                seen[picked.unwrap() / 2] += 1;
            }
            seen
        };
        assert_eq!(shares(&mut balancer, &|_| true), [2_000, 0, 0], "{algorithm:?}");
        balancer.observe_health(Instant::START, 0, false);
        let [first, second, backup] = shares(&mut balancer, &|_| true);
        assert!(backup == 0 && first + second == 2_000, "{algorithm:?}");
        assert!(
            first.abs_diff(1_400) < 100,
            "half of the first level is good for 70 %: {first} {algorithm:?}"
        );
        balancer.observe_health(Instant::START, 1, false);
        assert_eq!(shares(&mut balancer, &|_| true), [0, 2_000, 0], "{algorithm:?}");
        assert_eq!(shares(&mut balancer, &|endpoint| endpoint != 2 && endpoint != 3), [0, 0, 2_000]);
        (2..4).for_each(|endpoint| balancer.observe_health(Instant::START, endpoint, false));
        assert_eq!(shares(&mut balancer, &|_| true), [0, 0, 2_000], "{algorithm:?}");
    }
}

#[test]
fn peak_ewma_avoids_the_slow_and_is_fooled_by_who_fails_fast() {
    let shares = |penalty| {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let config = peak_ewma::Config { penalty, ..EWMA };
        let mut balancer = balancer(of(Algorithm::PeakEwma(config)), &[1; 3]);
        let mut seen = [0; 3];
        for number in 0..3_000 {
            let now = Instant::from_nanos(number * 1_000_000);
            let picked = balancer.pick(now, None, |_| true, &mut random).unwrap();
            let (took, outcome) = match picked {
                0 => (100, Outcome::Success),
                1 => (10, Outcome::Success),
                _ => (1, Outcome::Failure),
            };
            balancer.begin(picked);
            balancer.observe(now, picked, Duration::from_millis(took), outcome);
            balancer.end(picked);
            seen[picked] += 1;
        }
        seen
    };
    let [slow, usual, failing] = shares(None);
    assert!(slow < 10 && failing > 1_900 && usual > 900, "{:?}", [slow, usual, failing]);
    let [_, usual, failing] = shares(Some(Duration::from_secs(5)));
    assert!(failing < 10 && usual > 1_900, "{usual} and {failing}");
}

#[test]
fn in_panic_health_is_ignored() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut balancer = balancer(Config { panic: 0.5, ..Config::default() }, &[1; 4]);
    let mut picks = |balancer: &mut Balancer| -> Vec<_> {
        (0..4).filter_map(|_| balancer.pick(Instant::START, None, |_| true, &mut random)).collect()
    };
    balancer.observe_health(Instant::START, 0, false);
    balancer.observe_health(Instant::START, 1, false);
    assert!(!balancer.is_panicking(), "half of them are healthy");
    assert_eq!(picks(&mut balancer), [2, 3, 2, 3]);
    balancer.observe_health(Instant::START, 2, false);
    assert!(balancer.is_panicking());
    assert_eq!(picks(&mut balancer), [0, 1, 2, 3]);
    balancer.observe_health(Instant::START, 0, true);
    balancer.observe_health(Instant::START, 0, true);
    assert_eq!(picks(&mut balancer), [0, 3, 0, 3], "said twice, counted once");
}

#[test]
fn requests_stay_in_their_zone_and_leave_it_by_share() {
    for algorithm in algorithms() {
        let zones = Some(zones::Config { overprovisioning: 1.4 });
        let mut members = members(&[1; 8]);
        members.iter_mut().skip(4).for_each(|member| member.local = false);
        let mut balancer = Balancer::new(Config { zones, ..of(algorithm) }, &members, 3, Instant::START);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut at_home = |balancer: &mut Balancer| {
            let pick = |number: u64| {
                let key = Some(key(&number.to_le_bytes()));
                balancer.pick(Instant::START, key, |_| true, &mut random).unwrap()
            };
            (0..10_000).map(pick).filter(|&picked| picked < 4).count()
        };
        assert_eq!(at_home(&mut balancer), 10_000, "{algorithm:?}");
        balancer.observe_health(Instant::START, 0, false);
        balancer.observe_health(Instant::START, 1, false);
        // 1.4 times a half.
        let stayed = at_home(&mut balancer);
        assert!((6_800..7_200).contains(&stayed), "{algorithm:?}: {stayed}");
        balancer.observe_health(Instant::START, 2, false);
        balancer.observe_health(Instant::START, 3, false);
        assert_eq!(at_home(&mut balancer), 0, "{algorithm:?}");
    }
}

#[test]
fn round_robin_is_even_within_a_zone_and_beyond_it() {
    let zones = Some(zones::Config { overprovisioning: 1.0 });
    let mut members = members(&[1; 6]);
    members.iter_mut().skip(3).for_each(|member| member.local = false);
    let mut balancer = Balancer::new(Config { zones, ..Config::default() }, &members, 0, Instant::START);
    balancer.observe_health(Instant::START, 2, false);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut seen = [0_i32; 6];
    for _ in 0..9_000 {
        seen[balancer.pick(Instant::START, None, |_| true, &mut random).unwrap()] += 1;
    }
    assert!((seen[0] - seen[1]).abs() <= 1, "{seen:?}");
    assert!((seen[3] - seen[5]).abs() <= 1 && (seen[3] - seen[4]).abs() <= 1, "{seen:?}");
    assert!((seen[0] - 3_000).abs() < 200, "{seen:?}");
}

#[test]
fn consistent_hashing_sends_who_has_no_key_anywhere() {
    for algorithm in [Algorithm::Ring(ring::Config { points_min: 1_024 }), algorithms()[5]] {
        let mut balancer = balancer(of(algorithm), &[1; 4]);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut seen = [0; 4];
        for _ in 0..4_000 {
            seen[balancer.pick(Instant::START, None, |_| true, &mut random).unwrap()] += 1;
        }
        assert!(seen.iter().all(|seen| (800..1_200).contains(seen)), "{algorithm:?}: {seen:?}");
        let mine = balancer.pick(Instant::START, Some(7), |_| true, &mut random);
        assert!((0..20).all(|_| balancer.pick(Instant::START, Some(7), |_| true, &mut random) == mine));
    }
}

proptest! {
    #[test]
    fn nothing_unusable_is_ever_picked(
        endpoints in prop::collection::vec((1_u32..5, any::<[bool; 3]>()), 0..10),
        panic in prop_oneof![Just(0.0), Just(0.5)],
        zoned: bool,
        seed: u64,
    ) {
        let weights: Vec<_> = endpoints.iter().map(|(weight, _)| *weight).collect();
        let zones = zoned.then_some(zones::Config { overprovisioning: 1.4 });
        for algorithm in algorithms() {
            let mut members = members(&weights);
            members.iter_mut().zip(&endpoints).for_each(|(member, (_, [local, ..]))| member.local = *local);
            let config = Config { panic, zones, slow_start: Some(Duration::from_secs(1)), ..of(algorithm) };
            let mut balancer = Balancer::new(config, &members, seed, Instant::START);
            for (endpoint, (_, [_, healthy, _])) in endpoints.iter().enumerate() {
                balancer.observe_health(Instant::START, endpoint, *healthy);
            }
            let health_counts = !balancer.is_panicking();
            let usable = |endpoint: usize| {
                let (_, [_, healthy, admitted]) = endpoints[endpoint];
                admitted && (healthy || !health_counts)
            };
            let any = (0..endpoints.len()).any(usable);
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            for number in 0..40 {
                let now = Instant::from_nanos(number * 50_000_000);
                let key = (number % 2 == 0).then_some(seed.wrapping_mul(number));
                let picked = balancer.pick(now, key, |endpoint| endpoints[endpoint].1[2], &mut random);
                prop_assert_eq!(picked.is_some(), any, "{:?}", algorithm);
                prop_assert!(picked.is_none_or(usable), "{:?} picked {:?}", algorithm, picked);
                if let Some(picked) = picked {
                    balancer.begin(picked);
                }
            }
        }
    }
}

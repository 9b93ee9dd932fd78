//! What each policy's hot call costs, and that of counting, in nanoseconds:
//! `cargo bench -p hoplab-benches --bench policies`. One function a policy, listed in `criterion_group!`; the policies are sync, so that they are called as they are, with
//! a clock that runs on by a microsecond a call. Each is first seen to allocate nothing, in `cargo test` as well.

use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use hoplab_proxy::host::Instant;
use hoplab_proxy::policy::admission::{self, Admission};
use hoplab_proxy::policy::balance::{self, Algorithm, Balancer, Member, maglev, peak_ewma, ring, zones};
use hoplab_proxy::policy::breaker::{self, Breaker};
use hoplab_proxy::policy::budget::{self, Budget, Cause, Outcome};
use hoplab_proxy::policy::concurrency::{self, Concurrency, gradient};
use hoplab_proxy::policy::deadline::{self, Deadline, Notation};
use hoplab_proxy::policy::failfast::{self, Failfast};
use hoplab_proxy::policy::health::{self, Health};
use hoplab_proxy::policy::hedge::{self, Hedge};
use hoplab_proxy::policy::limit::{self, Keyed, Limiter, Rate};
use hoplab_proxy::policy::outlier::{self, Outlier};
use hoplab_proxy::policy::priority::{self, Criticality, Priorities};
use hoplab_proxy::policy::retry::{self, Condition, Failure, Jitter, Retry, backoff};
use hoplab_proxy::telemetry::metrics::Metrics;
use hoplab_proxy::telemetry::{
    Attempt, AttemptKind, Decision, Outcome as Ended, PolicyEvent, Report, Role, Span, SpanId, TraceId,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

criterion_group!(
    policies,
    balancers,
    retries,
    budgets,
    breakers,
    deadlines,
    failfast_queues,
    hedges,
    outliers,
    health_checks,
    rate_limits,
    load_limits,
    observer
);
criterion_main!(policies);

/// A clock that a microsecond passes on with every look.
struct Clock(u64);

impl Clock {
    fn now(&mut self) -> Instant {
        self.0 += 1_000;
        Instant::from_nanos(self.0)
    }
}

/// Measures a `call` that allocates nothing once it is in its stride.
fn hot<T>(group: &mut BenchmarkGroup<'_, WallTime>, name: impl Into<String>, mut call: impl FnMut() -> T) {
    let name = name.into();
    let mut calls = || (0..10_000).for_each(|_| drop(black_box(call())));
    calls();
    let allocations = allocation_counter::measure(&mut calls).count_total;
    assert_eq!(allocations, 0, "{name} allocates");
    group.bench_function(name, |bencher| bencher.iter(&mut call));
}

fn balancers(criterion: &mut Criterion) {
    let (decay, default_rtt) = (Duration::from_secs(10), Duration::from_millis(30));
    let algorithms = [
        ("round-robin", Algorithm::RoundRobin),
        ("random", Algorithm::Random),
        ("least-request", Algorithm::LeastRequest),
        ("peak-ewma", Algorithm::PeakEwma(peak_ewma::Config { decay, default_rtt, penalty: None })),
        ("ring", Algorithm::Ring(ring::Config { points_min: 1_024 })),
        ("maglev", Algorithm::Maglev(maglev::Config { slots: 65_537 })),
    ];
    let members = |weights: fn(usize) -> u32| -> Vec<_> {
        let member = |number| Member {
            rank: balance::Rank::default(),
            name: format!("payment-{number}:8080"),
            weight: weights(number),
            local: number % 2 == 0,
        };
        (0..10).map(member).collect()
    };
    let zones = Some(zones::Config { overprovisioning: 1.4 });
    let alike = balance::Config::default();
    let zoned = balance::Config { panic: 0.5, slow_start: Some(decay), zones, ..alike };
    let mut group = criterion.benchmark_group("balance");
    for (name, algorithm) in algorithms {
        for (which, config, members) in
            [("alike", alike, members(|_| 1)), ("weighted", zoned, members(|number| number as u32 % 3 + 1))]
        {
            let config = balance::Config { algorithm, ..config };
            let mut balancer = Balancer::new(config, &members, 3, Instant::START);
            balancer.observe_health(Instant::START, 0, which == "alike");
            let (mut clock, mut random) = (Clock(0), ChaCha8Rng::seed_from_u64(1));
            hot(&mut group, format!("{name}/{which}"), || {
                let key = Some(clock.0);
                let picked = balancer
                    .pick(clock.now(), key, |endpoint| endpoint != 5, &mut random)
                    .expect("five may be picked");
                balancer.begin(picked);
                let outcome = balance::Outcome::Success;
                balancer.observe(clock.now(), picked, Duration::from_millis(5), outcome);
                balancer.end(picked);
            });
        }
    }
    group.finish();
}

fn retries(criterion: &mut Criterion) {
    let backoff = backoff::Config {
        base: Duration::from_millis(25),
        max: Duration::from_millis(250),
        jitter: Jitter::Full,
    };
    let retry = Retry::new(retry::Config {
        attempts: 2,
        on: vec![Condition::ConnectFailure, Condition::RefusedStream, Condition::GatewayError],
        headers: Vec::new(),
        methods: retry::Methods::default(),
        reads_trailers: true,
        candidates: retry::Candidates::default(),
        backoff,
        told: None,
    });
    let headers = HeaderMap::new();
    let mut group = criterion.benchmark_group("retry");
    hot(&mut group, "wanted", || {
        let failure =
            Failure::Answered { status: StatusCode::BAD_GATEWAY, headers: &headers, trailers: None };
        retry.wanted(&Method::GET, black_box(failure), 0)
    });
    for jitter in [Jitter::Full, Jitter::Equal, Jitter::Decorrelated, Jitter::None] {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut pauses = backoff::Backoff::new(backoff::Config { jitter, ..backoff });
        let name = format!("pause/{jitter:?}").to_lowercase();
        hot(&mut group, name, || pauses.pause(black_box(2), &mut random));
    }
    group.finish();
}

fn budgets(criterion: &mut Criterion) {
    let ttl = Duration::from_secs(10);
    let kinds = [
        ("none", None),
        ("concurrent", Some(budget::Config::Concurrent(budget::concurrent::Config { retries_max: 3 }))),
        ("active", Some(budget::Config::Active(budget::active::Config { share: 0.2, retries_min: 3 }))),
        (
            "recent",
            Some(budget::Config::Recent(budget::recent::Config { share: 0.2, floor_per_second: 10.0, ttl })),
        ),
        (
            "tokens",
            Some(budget::Config::Tokens(budget::tokens::Config {
                tokens_max: 500,
                retry_cost: 14,
                timeout_cost: 14,
                success: 1,
            })),
        ),
        (
            "throttle",
            Some(budget::Config::Throttle(budget::throttle::Config { multiplier: 2.0, window: ttl })),
        ),
    ];
    let mut group = criterion.benchmark_group("budget");
    for (name, config) in kinds {
        let (mut budget, mut clock) = (Budget::new(config), Clock(0));
        let mut random = ChaCha8Rng::seed_from_u64(1);
        hot(&mut group, format!("request/{name}"), || {
            if budget.enter(clock.now(), &mut random) {
                budget.observe(clock.now(), Outcome::Accepted { retried: None });
                budget.leave();
            }
        });
        hot(&mut group, format!("retry/{name}"), || {
            if budget.admit_retry(clock.now(), black_box(Cause::Failure), &mut random) {
                budget.retried();
            }
        });
    }
    group.finish();
}

fn breakers(criterion: &mut Criterion) {
    let open_for = Duration::from_secs(5);
    let window = Duration::from_secs(10);
    let rate = breaker::FailureRate { share: 0.5, window, min_requests: 20 };
    let consecutive = breaker::Config::consecutive(5, open_for);
    let by_rate = breaker::Config { failures: 0, rate: Some(rate), ..consecutive };
    let mut group = criterion.benchmark_group("breaker");
    for (name, config) in [("consecutive", consecutive), ("rate", by_rate)] {
        let (mut breaker, mut clock) = (Breaker::new(config), Clock(0));
        let mut random = ChaCha8Rng::seed_from_u64(1);
        hot(&mut group, format!("request/{name}"), || {
            let admission = breaker.admit(clock.now());
            breaker.observe(clock.now(), admission, black_box(true), &mut random);
        });
    }
    let (mut breaker, mut clock) = (Breaker::new(consecutive), Clock(0));
    let mut random = ChaCha8Rng::seed_from_u64(1);
    hot(&mut group, "failing", || match breaker.admit(clock.now()) {
        breaker::Admission::Reject => {}
        admission => breaker.observe(clock.now(), admission, black_box(false), &mut random),
    });
    group.finish();
}

/// What each request costs whose deadline travels: reading it, and the text that the next hop is told. The value's own
/// place in the header map is the map's affair.
fn deadlines(criterion: &mut Criterion) {
    let absolute = || deadline::Field {
        name: HeaderName::from_static("x-request-deadline"),
        notation: Notation::UnixMillis,
    };
    let read = vec![deadline::Field::grpc(), absolute()];
    let config = deadline::Config { read, write: Vec::new(), reserve: Duration::from_millis(5), own: true };
    let deadline = Deadline::new(config);
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("*/*"));
    headers.insert(deadline::GRPC_TIMEOUT, HeaderValue::from_static("2000000u"));
    headers.insert("x-request-deadline", HeaderValue::from_static("1767225602000"));
    let wall = || UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let mut clock = Clock(0);
    let mut group = criterion.benchmark_group("deadline");
    hot(&mut group, "read", || {
        let now = clock.now();
        deadline.read(black_box(&headers), now, now, wall)
    });
    for (name, notation) in [("text/grpc", Notation::Grpc), ("text/unix-ms", Notation::UnixMillis)] {
        hot(&mut group, name, || {
            let now = clock.now();
            let next = deadline.of_next_hop(black_box(now + Duration::from_secs(2)));
            notation.text(next.saturating_since(now))
        });
    }
    group.finish();
}

fn failfast_queues(criterion: &mut Criterion) {
    let config = failfast::Config { length: 100, patience: Duration::from_secs(3) };
    let (mut queue, mut clock) = (Failfast::new(config), Clock(0));
    let mut group = criterion.benchmark_group("failfast");
    hot(&mut group, "wait", || {
        let admission = queue.admit(clock.now());
        if matches!(admission, failfast::Admission::Wait { .. }) {
            queue.leave();
        }
        admission
    });
    group.finish();
}

fn hedges(criterion: &mut Criterion) {
    let window = Duration::from_secs(30);
    let after = hedge::After::Percentile { quantile: 0.95, samples_min: 100, window };
    let methods = retry::Methods::default();
    let mut hedge = Hedge::new(hedge::Config { after, hedges_max: 1, share: 0.1, methods });
    let mut clock = Clock(0);
    let mut group = criterion.benchmark_group("hedge");
    hot(&mut group, "observe", || {
        let now = clock.now();
        hedge.observe(now, Duration::from_nanos(now.nanos() % 50_000_000));
    });
    hot(&mut group, "delay", || {
        let now = clock.now();
        hedge.observe(now, Duration::from_nanos(now.nanos() % 50_000_000));
        hedge.delay(now)
    });
    hot(&mut group, "admit", || {
        hedge.enter(clock.now());
        hedge.admit(clock.now())
    });
    group.finish();
}

fn outliers(criterion: &mut Criterion) {
    let interval = Duration::from_micros(100);
    let config = outlier::Config {
        consecutive_5xx: 5,
        consecutive_gateway: 5,
        consecutive_local: 0,
        success_rate: Some(outlier::SuccessRate { stdev: 1.9, min_endpoints: 5, min_requests: 1 }),
        failure_percentage: Some(outlier::FailurePercentage {
            threshold: 0.85,
            min_endpoints: 5,
            min_requests: 1,
        }),
        interval,
        base_ejection: Duration::from_micros(300),
        max_ejection: Duration::from_millis(3),
        jitter: Duration::ZERO,
        max_ejected: 0.1,
        always_eject_one: false,
        keep_lone: false,
        connection_is_success: false,
    };
    let mut group = criterion.benchmark_group("outlier");
    for endpoints in [10, 100] {
        let (mut outlier, mut clock) = (Outlier::new(config, endpoints, Instant::START), Clock(0));
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut endpoint = 0;
        hot(&mut group, format!("observe/{endpoints}"), || {
            endpoint = (endpoint + 1) % endpoints;
            let outcome =
                if endpoint == 0 { outlier::Outcome::ServerError } else { outlier::Outcome::Success };
            outlier.observe(clock.now(), endpoint, black_box(outcome), &mut random)
        });
        // An interval of one request to each endpoint, and the look at its end.
        hot(&mut group, format!("interval/{endpoints}"), || {
            for endpoint in 0..endpoints {
                let outcome =
                    if endpoint == 0 { outlier::Outcome::ServerError } else { outlier::Outcome::Success };
                outlier.observe(clock.now(), endpoint, black_box(outcome), &mut random);
            }
            let due = outlier.due();
            outlier.advance(due, &mut random, |endpoint, moved| {
                black_box((endpoint, moved));
            });
        });
    }
    group.finish();
}

fn health_checks(criterion: &mut Criterion) {
    let mut health =
        Health::new(health::Config { rise: 2, fall: 3, begins_healthy: true, unexpected_is_down: false });
    let mut count = 0_u32;
    let mut group = criterion.benchmark_group("health");
    hot(&mut group, "observe", || {
        count = count.wrapping_add(1);
        let passed = count % 8 < 5;
        health.observe(black_box(if passed { health::Outcome::Passed } else { health::Outcome::Failed }))
    });
    group.finish();
}

/// Every algorithm, half of whose requests pass, and one limit for each of 10,000 callers.
fn rate_limits(criterion: &mut Criterion) {
    let rate = Rate::per_second(500_000.0).expect("the rate is above zero");
    let window = Duration::from_millis(1);
    let kinds = [
        ("token-bucket", limit::Config::TokenBucket(limit::token_bucket::Config { rate, burst: 20 })),
        (
            "leaky-bucket",
            limit::Config::LeakyBucket(limit::leaky_bucket::Config { rate, burst: 20, undelayed: 0 }),
        ),
        ("gcra", limit::Config::LeakyBucket(limit::leaky_bucket::Config { rate, burst: 20, undelayed: 20 })),
        (
            "sliding-window",
            limit::Config::SlidingWindow(limit::sliding_window::Config { limit: 500, window }),
        ),
        ("fixed-window", limit::Config::FixedWindow(limit::fixed_window::Config { limit: 500, window })),
    ];
    let mut group = criterion.benchmark_group("limit");
    for (name, config) in kinds {
        let (mut limiter, mut clock) = (Limiter::new(config), Clock(0));
        hot(&mut group, name, || limiter.admit(clock.now(), black_box(1)));
    }
    let (mut keyed, mut clock) = (Keyed::new(kinds[0].1, 10_000, 1), Clock(0));
    let callers: Vec<_> = (0..10_000).map(|number| format!("caller-{number}")).collect();
    let mut callers = callers.iter().cycle();
    hot(&mut group, "keyed", || {
        let caller = callers.next().expect("a cycle has no end");
        keyed.admit(clock.now(), black_box(caller.as_bytes()), 1)
    });
    group.finish();
}

fn load_limits(criterion: &mut Criterion) {
    let window = Duration::from_secs(30);
    let config =
        admission::Config { success_rate: 0.95, aggression: 1.0, window, rate_min: 0.0, rejection_max: 0.8 };
    let (mut admission, mut clock) = (Admission::new(config), Clock(0));
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut group = criterion.benchmark_group("load");
    let mut count = 0_u32;
    hot(&mut group, "admission", || {
        count = count.wrapping_add(1);
        if admission.admit(clock.now(), &mut random) {
            admission.observe(clock.now(), black_box(!count.is_multiple_of(8)));
        }
    });
    let adaptive = gradient::Config {
        quantile: 0.5,
        interval: Duration::from_micros(100),
        limit_min: 3,
        limit_max: 1_000,
        buffer: 0.25,
        min_rtt_interval: Duration::from_millis(3),
        min_rtt_jitter: 0.15,
        min_rtt_requests: 50,
    };
    let kinds =
        [("fixed", concurrency::Config::Fixed(100)), ("gradient", concurrency::Config::Gradient(adaptive))];
    for (name, config) in kinds {
        let mut concurrency = Concurrency::new(config, Instant::START);
        let (mut clock, mut random) = (Clock(0), ChaCha8Rng::seed_from_u64(1));
        hot(&mut group, format!("concurrency/{name}"), || {
            let began = clock.now();
            if concurrency.admit(began, black_box(1.0), &mut random) == concurrency::Admission::Pass {
                let now = clock.now();
                concurrency.leave(now, began, Some(now - began), &mut random);
            }
        });
    }
    let header = HeaderName::from_static("x-priority");
    let mut headers = HeaderMap::new();
    headers.insert(header.clone(), HeaderValue::from_static("sheddable"));
    let shares = [1.0, 0.9, 0.8, 0.7];
    let priorities = Priorities::new(priority::Config { header, otherwise: Criticality::Critical, shares });
    hot(&mut group, "priority", || priorities.share(black_box(&headers)));
    group.finish();
}

/// Counting the span of a request with so many attempts, each at one of 100 upstreams with three endpoints that were
/// all seen before.
fn observer(criterion: &mut Criterion) {
    let metrics = Metrics::default();
    let spans: Vec<_> = (0..300).map(|number| Report::Span(span(number, 1))).collect();
    let retried: Vec<_> = (0..300).map(|number| Report::Span(span(number, 3))).collect();
    spans.iter().chain(&retried).for_each(|report| metrics.observe(report));
    let mut group = criterion.benchmark_group("observer");
    for (name, reports) in [("span", spans), ("span/retried", retried)] {
        let mut reports = reports.iter().cycle();
        hot(&mut group, name, || metrics.observe(reports.next().expect("a cycle has no end")));
    }
    let (at, upstream, decision) = (Instant::START, "service-1".into(), Decision::Retried);
    let event = Report::Policy(PolicyEvent { at, upstream, endpoint: None, decision });
    hot(&mut group, "policy", || metrics.observe(black_box(&event)));
    group.bench_function("text", |bencher| bencher.iter(|| metrics.text().len()));
    group.finish();
}

fn span(number: u64, attempts: u64) -> Span {
    let at = |micros: u64| Instant::from_nanos(micros * 1_000);
    let attempt = |place| Attempt {
        id: SpanId(place + 1),
        upstream: format!("service-{}", number / 3).into(),
        endpoint: Some(format!("service-{}-{}:8080", number / 3, (number + place) % 3).into()),
        kind: if place == 0 { AttemptKind::First } else { AttemptKind::Retry },
        is_sent: true,
        connection: None,
        start: at(place * 100),
        end: at(place * 100 + 90),
        outcome: Ended::Answered(if place + 1 < attempts { 503 } else { 200 }),
    };
    Span {
        trace: TraceId(1),
        parent: None,
        role: Role::Gateway,
        start: at(0),
        end: at(attempts * 100),
        segments: Vec::new(),
        attempts: (0..attempts).map(attempt).collect(),
        outcome: Ended::Answered(200),
        facts: None,
    }
}

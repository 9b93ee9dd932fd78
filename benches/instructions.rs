//! What the products' hot paths cost in instructions, which a busy machine does not change:
//! `cargo bench -p hoplab-benches --bench instructions` counts them under valgrind's callgrind and writes
//! the figures that `hoplab gate --figures` compares with `instructions.baseline`.
//!
//! Each piece runs twice, the second time with twice as many calls; the difference is that of the calls
//! alone. Counts repeat for one binary on one kind of processor; another toolchain moves them, and so may
//! a processor with other vector instructions, since TLS picks what there is.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use hoplab_benches::ring::{Policing, Ring, Wires};
use hoplab_benches::{LATENCY, in_the_world, keep_connections};
use hoplab_proxy::host::Instant;
use hoplab_proxy::policy::balance::{self, Algorithm, Balancer, Member, peak_ewma};
use hoplab_proxy::policy::breaker::{self, Breaker};
use hoplab_proxy::policy::budget::{self, Budget, Outcome};
use hoplab_proxy::policy::deadline::{self, Deadline};
use hoplab_proxy::policy::limit::{self, Limiter, Rate};
use hoplab_proxy::policy::retry::{self, Condition, Failure, Jitter, Retry, backoff};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// Something that is called again and again.
struct Piece {
    /// The part of the product that it belongs to, and its own name.
    scope: &'static str,
    name: &'static str,
    /// How often it is called when it is counted.
    calls: usize,
    run: fn(usize),
}

const PIECES: [Piece; 11] = [
    policy("breaker.request", breaker),
    policy("budget.request", budget),
    policy("balance.least-request", least_request),
    policy("balance.peak-ewma", peak_ewma),
    policy("retry.wanted", retry_wanted),
    policy("deadline.read", deadline_read),
    policy("limit.token-bucket", token_bucket),
    crossing("plain", plain),
    crossing("mutual-tls", mutual),
    crossing("mutual-tls.all-policies", policed),
    // Each among all that were opened before, which must not make it dearer.
    Piece { scope: "world", name: "connection", calls: 2_000, run: keep_connections },
];

const fn policy(name: &'static str, run: fn(usize)) -> Piece {
    Piece { scope: "proxy/policy", name, calls: 20_000, run }
}

/// Includes the simulation of the network.
const fn crossing(name: &'static str, run: fn(usize)) -> Piece {
    Piece { scope: "crossing", name, calls: 400, run }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--piece", name, calls] => {
            let piece = PIECES.iter().find(|piece| piece.name == *name).context("there is no such piece")?;
            (piece.run)(calls.parse()?);
            Ok(())
        }
        // `cargo bench` says that it is one; as a test, each piece runs once, at a tiny size.
        words if words.contains(&"--bench") => count(&out(words)),
        _ => {
            for piece in &PIECES {
                (piece.run)(10);
            }
            Ok(())
        }
    }
}

/// Where the figures go: behind `--out`, or `target/instructions.figures`.
fn out(words: &[&str]) -> PathBuf {
    let asked = words.iter().position(|word| *word == "--out").and_then(|index| words.get(index + 1));
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/instructions.figures");
    asked.map_or(usual, PathBuf::from)
}

fn count(out: &Path) -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("hoplab-instructions-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut text = String::new();
    for piece in &PIECES {
        let once = instructions(piece, piece.calls, &folder)?;
        let twice = instructions(piece, 2 * piece.calls, &folder)?;
        ensure!(twice > once, "{}: {once} instructions, and {twice} for twice as many calls", piece.name);
        let each = (twice - once) / piece.calls as u64;
        writeln!(text, "{} {} instructions = {each}", piece.scope, piece.name)?;
        eprintln!("{} {}: {each} instructions", piece.scope, piece.name);
    }
    std::fs::remove_dir_all(&folder)?;
    std::fs::write(out, text).with_context(|| format!("cannot write {}", out.display()))?;
    println!("{}", out.display());
    Ok(())
}

/// All that this program executes when it calls `piece` so many times.
fn instructions(piece: &Piece, calls: usize, folder: &Path) -> anyhow::Result<u64> {
    let file = folder.join("callgrind.out");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .args(["--piece", piece.name, &calls.to_string()])
        .stdout(Stdio::null())
        .status()
        .context("valgrind cannot be started; install it (Debian: apt-get install valgrind)")?;
    if !status.success() {
        bail!("{} under valgrind: {status}", piece.name);
    }
    let text = std::fs::read_to_string(&file)?;
    let total = text.lines().find_map(|line| line.strip_prefix("summary: "));
    let total = total.or_else(|| text.lines().find_map(|line| line.strip_prefix("totals: ")));
    Ok(total.context("callgrind states no summary")?.trim().parse()?)
}

/// A clock that a microsecond passes on with every look.
struct Clock(u64);

impl Clock {
    fn now(&mut self) -> Instant {
        self.0 += 1_000;
        Instant::from_nanos(self.0)
    }
}

fn breaker(calls: usize) {
    let mut breaker = Breaker::new(breaker::Config::consecutive(5, Duration::from_secs(5)));
    let (mut clock, mut random) = (Clock(0), ChaCha8Rng::seed_from_u64(1));
    for _ in 0..calls {
        let admission = breaker.admit(clock.now());
        breaker.observe(clock.now(), admission, black_box(true), &mut random);
    }
}

fn budget(calls: usize) {
    let config = budget::recent::Config { share: 0.2, floor_per_second: 10.0, ttl: Duration::from_secs(10) };
    let mut budget = Budget::new(Some(budget::Config::Recent(config)));
    let (mut clock, mut random) = (Clock(0), ChaCha8Rng::seed_from_u64(1));
    for _ in 0..calls {
        if budget.enter(clock.now(), &mut random) {
            budget.observe(clock.now(), black_box(Outcome::Accepted { retried: None }));
            budget.leave();
        }
    }
}

fn least_request(calls: usize) {
    balance(Algorithm::LeastRequest, calls);
}

fn peak_ewma(calls: usize) {
    let (decay, default_rtt) = (Duration::from_secs(10), Duration::from_millis(30));
    balance(Algorithm::PeakEwma(peak_ewma::Config { decay, default_rtt, penalty: None }), calls);
}

fn balance(algorithm: Algorithm, calls: usize) {
    let member = |number| Member {
        name: format!("payment-{number}:8080"),
        weight: 1,
        local: false,
        rank: balance::Rank::default(),
    };
    let members: Vec<_> = (0..10).map(member).collect();
    let config = balance::Config { algorithm, ..balance::Config::default() };
    let mut balancer = Balancer::new(config, &members, 3, Instant::START);
    let (mut clock, mut random) = (Clock(0), ChaCha8Rng::seed_from_u64(1));
    for _ in 0..calls {
        let picked = balancer.pick(clock.now(), None, |_| true, &mut random).expect("all may be picked");
        balancer.begin(picked);
        let took = black_box(Duration::from_millis(5));
        balancer.observe(clock.now(), picked, took, balance::Outcome::Success);
        balancer.end(picked);
    }
}

fn retry_wanted(calls: usize) {
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
    for _ in 0..calls {
        let failure =
            Failure::Answered { status: StatusCode::BAD_GATEWAY, headers: &headers, trailers: None };
        black_box(retry.wanted(&Method::GET, black_box(failure), 0));
    }
}

fn deadline_read(calls: usize) {
    let read = vec![deadline::Field::grpc()];
    let config = deadline::Config { read, write: Vec::new(), reserve: Duration::from_millis(5), own: true };
    let deadline = Deadline::new(config);
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("*/*"));
    headers.insert(deadline::GRPC_TIMEOUT, HeaderValue::from_static("2000000u"));
    let wall = || UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let mut clock = Clock(0);
    for _ in 0..calls {
        let now = clock.now();
        let asked = black_box(deadline.read(black_box(&headers), now, now, wall));
        assert!(asked.is_ok(), "there is time left");
    }
}

fn token_bucket(calls: usize) {
    let rate = Rate::per_second(500_000.0).expect("the rate is above zero");
    let config = limit::Config::TokenBucket(limit::token_bucket::Config { rate, burst: 20 });
    let (mut limiter, mut clock) = (Limiter::new(config), Clock(0));
    for _ in 0..calls {
        black_box(limiter.admit(clock.now(), black_box(1)));
    }
}

fn plain(calls: usize) {
    turn(Wires::Plain, Policing::Defaults, calls);
}

fn mutual(calls: usize) {
    turn(Wires::Mutual, Policing::Defaults, calls);
}

fn policed(calls: usize) {
    turn(Wires::Mutual, Policing::All, calls);
}

/// Two pods, one request at a time, a crossing to each and back: two a request.
fn turn(wires: Wires, policies: Policing, calls: usize) {
    let ring = Ring { pods: 2, walkers: 1, requests: calls.div_ceil(2), hops: 2, wires, policies };
    black_box(in_the_world(ring, LATENCY));
}

//! What holds whoever comes and goes: members, requests, failures and time in any order, under all policies at once.

mod bench;

use proptest::prelude::*;
use tokio::sync::oneshot;

use super::*;
use crate::exchange::Exchange;
use crate::host::Endpoint;
use crate::policy::balance::key;
use crate::tasks::Tasks;
use crate::telemetry::TraceId;
use crate::telemetry::gauges::{Gauge, Gauges};
use crate::upstream::pool::Freshness;
use crate::upstream::{Config, Fleet, MemberId, Placement, Protocol, Rank, Upstream};
use bench::{Bench, settle};

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    /// The members become these, in this order.
    Members(Vec<Wanted>),
    /// A request comes, and is held.
    Request { key: Option<u8> },
    /// One of those that are held ends.
    End { which: usize, how: How },
    /// A while passes.
    Wait { ms: u64 },
    /// An endpoint accepts no connection any more, or does so again.
    Toggle { id: u8 },
}

/// A member as it is to be; one that moves is another one.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    id: u8,
    has_moved: bool,
    weight: u32,
    is_local: bool,
    rank: u8,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Answered(u16),
    Broken,
    Dropped,
}

fn endpoint(id: u8, has_moved: bool) -> Endpoint {
    Endpoint::new(format!("pod-{id}"), if has_moved { 81 } else { 80 })
}

fn fleet(wanted: &[Wanted]) -> Fleet {
    let spec = |wanted: &Wanted| MemberSpec {
        id: MemberId::new(format!("pod-{}", wanted.id)),
        endpoint: endpoint(wanted.id, wanted.has_moved),
        placement: Placement {
            weight: wanted.weight,
            zone: Some(if wanted.is_local { "near" } else { "far" }.into()),
            rank: if wanted.rank == 2 { Rank::Backup } else { Rank::Level(wanted.rank) },
        },
    };
    Fleet::new(wanted.iter().map(spec).collect()).unwrap()
}

fn wanted() -> impl Strategy<Value = Vec<Wanted>> {
    let one = (any::<bool>(), 1_u32..4, any::<bool>(), prop_oneof![4 => Just(0_u8), 1 => 1_u8..3]);
    let all = prop::collection::vec(one, 6);
    let order = Just((0_u8..6).collect::<Vec<_>>()).prop_shuffle();
    (all, order, 0_usize..7, any::<bool>()).prop_map(|(all, order, count, in_order)| {
        let mut ids = order[..count].to_vec();
        if in_order {
            ids.sort_unstable();
        }
        let wanted = |id: u8| {
            let (moves, weight, is_local, rank) = all[usize::from(id)];
            Wanted { id, has_moved: moves && id == 0, weight, is_local, rank }
        };
        ids.into_iter().map(wanted).collect()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let how = prop_oneof![
        3 => Just(How::Answered(200)),
        2 => Just(How::Answered(503)),
        2 => Just(How::Broken),
        1 => Just(How::Dropped),
    ];
    let step = prop_oneof![
        2 => wanted().prop_map(Step::Members),
        6 => any::<Option<u8>>().prop_map(|key| Step::Request { key }),
        5 => (0_usize..8, how).prop_map(|(which, how)| Step::End { which, how }),
        2 => prop_oneof![1_u64..500, 1_000_u64..20_000].prop_map(|ms| Step::Wait { ms }),
        1 => (0_u8..6).prop_map(|id| Step::Toggle { id }),
    ];
    prop::collection::vec(step, 1..60)
}

/// Policies, as they are written.
fn policies() -> impl Strategy<Value = String> {
    let balance = prop_oneof![
        Just("kind = \"round-robin\""),
        Just("kind = \"random\""),
        Just("kind = \"least-request\""),
        Just("kind = \"peak-ewma\""),
        Just("kind = \"ring\", by = \"source\", points = 64"),
        Just("kind = \"maglev\", by = \"source\", slots = 251"),
    ];
    let more = prop_oneof![
        Just(""),
        Just(", slow_start = \"5s\""),
        Just(", zone = \"prefer\""),
        Just(", panic = \"50%\""),
        Just(", merge_window = \"1s\", slow_start = \"2s\""),
    ];
    let rest = [
        "breaker = { failures = 2, open_for = \"3s\" }",
        "breaker = { failures = 2, open_for = \"3s\", per = \"upstream\" }",
        "outlier = { consecutive_5xx = 2, max_ejected = \"50%\", base_ejection = \"4s\", interval = \"2s\" }",
        "health = { tcp = true, interval = \"1s\", timeout = \"500ms\" }",
        "health = { tcp = true, interval = \"1s\", timeout = \"500ms\", initial = \"unhealthy\" }",
        "pool = { connections = 2, requests = 4 }",
        "pool = { connections = 2, upstream = { connections = 3, requests = 5, pending = 2 } }",
        "pool = { workers = 2, connections = 3, requests = 5, pending = 2 }",
        "pool = { workers = 3, connections = 2, upstream = { connections = 4, requests = 5 } }",
    ];
    let rest = prop::sample::subsequence(rest.to_vec(), 0..5);
    (balance, more, rest).prop_map(|(balance, more, rest)| {
        // What belongs somewhere starts nothing slowly.
        let more = if balance.contains("by =") && more.contains("slow_start") { "" } else { more };
        let mut lines = vec![format!("balance = {{ {balance}{more} }}")];
        let is_new = |lines: &[String], line: &str| {
            lines.iter().all(|known| known.split('=').next() != line.split('=').next())
        };
        for line in rest {
            if is_new(&lines, line) {
                lines.push(line.to_owned());
            }
        }
        lines.join("\n")
    })
}

/// A request that is held: whom it was sent to, and what ends it.
struct Held {
    seat: Seat,
    end: oneshot::Sender<How>,
}

/// An upstream, and what is done to it.
struct Trial {
    host: Bench,
    tasks: Tasks,
    upstream: Arc<Upstream<Bench>>,
    wanted: Vec<Wanted>,
    held: Vec<Held>,
    /// How many requests there were, each of a caller of its own.
    callers: u64,
    most: usize,
}

impl Trial {
    fn new(policies: &str) -> Self {
        let host = Bench::default();
        let tasks = Tasks::default();
        let written = hoplab_config::read::<crate::upstream::Policies>("test.toml", policies);
        let written = written.unwrap_or_else(|problems| panic!("{problems}"));
        let config = Config {
            settings: written.resolve().unwrap_or_else(|found| panic!("{policies}: {found:?}")),
            zone: Some("near".into()),
            protocol: Protocol::Http1,
            ..Config::new("it", Vec::new())
        };
        let upstream = Upstream::new(host.clone(), &tasks.spawner(host.clone()), config, 1);
        Self { host, tasks, upstream, wanted: Vec::new(), held: Vec::new(), callers: 0, most: 0 }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Members(wanted) => self.set_members(wanted),
            Step::Request { key } => self.request(key.map(|byte| key_of(u64::from(byte)))),
            Step::End { which, how } if *which < self.held.len() => self.end(*which, *how).await,
            Step::End { .. } => {}
            Step::Wait { ms } => self.host.wait(Duration::from_millis(*ms)).await,
            Step::Toggle { id } => {
                self.host.toggle(endpoint(*id, false));
                self.host.toggle(endpoint(*id, true));
            }
        }
        settle().await;
        self.check();
    }

    fn set_members(&mut self, wanted: &[Wanted]) {
        self.upstream.set_members(&fleet(wanted));
        self.wanted = wanted.to_vec();
        self.most = self.most.max(wanted.len());
    }

    /// Sends a request: to a member, whoever was one before; to nobody where nobody is usable alone.
    fn request(&mut self, key: Option<u64>) {
        let state = &self.upstream.state;
        let verdict = match state.choose(Sought { key, tried: &[], same: None }) {
            Ok(verdict) => verdict,
            Err(fault) => {
                let is_usable = state.stands(self.host.now()).iter().any(|stand| stand.is_in);
                return assert!(!is_usable, "{fault:?}, although somebody is usable");
            }
        };
        let member = Arc::clone(verdict.member());
        let is_wanted = |wanted: &Wanted| {
            member.id == MemberId::new(format!("pod-{}", wanted.id))
                && member.endpoint == endpoint(wanted.id, wanted.has_moved)
        };
        assert!(self.wanted.iter().any(is_wanted), "{} is no member", member.id);
        let (end, ended) = oneshot::channel();
        self.held.push(Held { seat: member.seat, end });
        self.tasks.spawner(self.host.clone()).spawn(hold(self.host.clone(), self.callers, verdict, ended));
        self.callers += 1;
    }

    /// Ends a request. One of a member that has left moves nobody's breaker or standing.
    async fn end(&mut self, which: usize, how: How) {
        let Held { seat, end } = self.held.remove(which);
        let is_late = !self.upstream.state.shared.lock().members.is_current(seat);
        let before = self.standings();
        let _ = end.send(how);
        settle().await;
        if is_late {
            assert_eq!(before, self.standings(), "a late verdict moved somebody");
        }
    }

    /// How all members stand: breakers, bars, requests, as the policies know it.
    fn standings(&self) -> Vec<String> {
        let policies = self.upstream.state.shared.lock();
        let Policies { members, balance, breakers, standing, .. } = &*policies;
        let stand = |slot: &usize| {
            let breaker = breakers.of(*slot).map(Breaker::state);
            let (healthy, active) = (standing.is_healthy(*slot), balance.active(*slot));
            format!("{slot} {breaker:?} {healthy} {} {active}", balance.is_healthy(*slot))
        };
        members.slots().iter().map(stand).collect()
    }

    fn check(&self) {
        let gauges = self.upstream.read();
        let endpoints = gauges.iter().map(|gauge| match gauge {
            Gauge::Endpoint(gauge) => gauge.endpoint.to_string(),
            Gauge::Limit(_) => panic!("it has no limit"),
        });
        let wanted = self.wanted.iter().map(|wanted| endpoint(wanted.id, wanted.has_moved).to_string());
        assert!(endpoints.eq(wanted), "members are those that are wanted, in their order");
        let policies = self.upstream.state.shared.lock();
        let slots = policies.members.slots();
        assert!(slots.iter().all(|slot| *slot < self.most), "there are no more slots than members at a time");
        if policies.balance.counts_active() {
            for member in policies.members.iter() {
                let held = self.held.iter().filter(|held| held.seat == member.seat).count();
                assert_eq!(policies.balance.active(member.seat.slot) as usize, held, "{}", member.id);
            }
        }
        if let Some(ejection) = &policies.ejection {
            let is_ejected = |slot: &&usize| policies.standing.is_barred(**slot, Bar::Ejected);
            assert_eq!(ejection.outlier.ejected(), slots.iter().filter(is_ejected).count());
        }
    }

    /// Everybody is well, every request over: everything is given back, and everybody is asked.
    async fn end_well(&mut self) {
        self.host.repair();
        while !self.held.is_empty() {
            self.end(0, How::Answered(200)).await;
        }
        let wanted = (0..6).map(|id| Wanted { id, has_moved: false, weight: 1, is_local: true, rank: 0 });
        self.take(&Step::Members(wanted.collect())).await;
        // Ejections, open times and slow starts are over.
        for _ in 0..12 {
            self.host.wait(Duration::from_secs(10)).await;
            self.probe(8, &mut Vec::new()).await;
        }
        let mut seen = Vec::new();
        self.probe(600, &mut seen).await;
        assert_eq!(seen.len(), 6, "only {seen:?} are asked");
        for stand in self.upstream.state.stands(self.host.now()) {
            let pool = &stand.member.site;
            assert_eq!((pool.requests_now(), pool.pending_now()), (0, 0), "{}", stand.member.id);
        }
        if let Some(together) = &self.upstream.template.together {
            let [_, pending, requests] = together.now();
            assert_eq!((pending, requests), (0, 0));
        }
        // Who leaves leaves no connection behind, and is not checked any more.
        self.take(&Step::Members(Vec::new())).await;
        assert_eq!(self.host.open_connections(), 0);
        assert_eq!(
            self.upstream.template.together.as_ref().map_or([0; 3], |together| together.now()),
            [0; 3]
        );
        let connects = self.host.connects();
        self.host.wait(Duration::from_mins(1)).await;
        assert_eq!(self.host.connects(), connects, "somebody who left is checked");
        self.request(None);
    }

    /// Sends `count` requests that are answered well at once; whom they are sent to.
    async fn probe(&mut self, count: u64, seen: &mut Vec<usize>) {
        for number in 0..count {
            self.request(Some(key_of(number)));
            let Some(held) = self.held.last() else { continue };
            if !seen.contains(&held.seat.slot) {
                seen.push(held.seat.slot);
            }
            // An answer that took no time at all would make all others look slow for ever.
            self.host.wait(Duration::from_millis(1)).await;
            self.end(0, How::Answered(200)).await;
        }
    }
}

fn key_of(number: u64) -> u64 {
    key(&number.to_le_bytes())
}

/// Has a connection until it is told how the attempt ends.
async fn hold(host: Bench, caller: u64, mut verdict: Verdict<Bench>, ended: oneshot::Receiver<How>) {
    let mut exchange = Exchange::start(TraceId(1), None, host.now());
    let member = Arc::clone(verdict.member());
    let mut lease = None;
    let how = {
        let acquired = async {
            lease = member.pool(caller).acquire(&mut exchange, Freshness::Any).await.ok();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            how = ended => how.unwrap_or(How::Dropped),
            () = acquired => How::Dropped,
        }
    };
    match how {
        How::Answered(status) => {
            verdict.answered(StatusCode::from_u16(status).unwrap(), true);
            if let Some(lease) = lease {
                lease.give_back(host.now());
            }
        }
        How::Broken => verdict.failed(Fault::Reset, lease.is_some()),
        How::Dropped => {}
    }
}

fn run(policies: &str, steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let mut trial = Trial::new(policies);
        for step in steps {
            trial.take(step).await;
        }
        trial.end_well().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn whoever_comes_and_goes_requests_find_members_and_everything_is_given_back(
        policies in policies(),
        steps in steps(),
    ) {
        run(&policies, &steps);
    }
}

//! Where it is learned who the members of an upstream are, beyond the list in its configuration: a file of its own, or a
//! name that a name server knows. A source yields desired states, which [`Upstream::set_members`] carries out: no policy
//! knows where they come from, and whoever learns of members in another way calls the same.
//!
//! While a source says nothing, or what cannot be understood, the last good state holds, and the trouble is reported.
//! What a source makes of what it sees is sync, in one file each; the looking is here.

mod dns;
mod file;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::sync::Notify;

use super::fleet::Fleet;
use super::{Placed, Placement, Upstream};
use crate::host::{Endpoint, Host, Instant};
use crate::random::stream;
use crate::tasks::Spawner;
use crate::telemetry::{Report, SourceTrouble};
use crate::timer::before;
use crate::tls::{Expected, Terms};

/// The stream of the upstream's seed for the jitter of questions; others are in `state`.
const SOURCE_STREAM: u64 = 6;

/// How long a proxy that starts waits for its sources: as long as Envoy for the first answer of a cluster's
/// (`initial_fetch_timeout`).
const SOURCES_PATIENCE: Duration = Duration::from_secs(15);

/// Where else it is learned who the members of an upstream are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// Nowhere: they are those that are listed.
    #[default]
    Listed,
    /// From a file, which replaces those that are listed: an endpoint a line, `payment-0:8080`, behind which may stand
    /// what balancing goes by, `weight=3 zone=far priority=1` or `backup`; what follows a `#` is a comment.
    File {
        /// Which.
        path: PathBuf,
        /// How often it is looked at.
        every: Duration,
    },
    /// From the addresses of a name, which replace those that are listed.
    Dns {
        /// The name, and the port at each of its addresses.
        name: Endpoint,
        /// What balancing goes by, the same for all of them.
        placement: Placement,
    },
}

impl Source {
    /// A file that is looked at every second.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File { path: path.into(), every: Duration::from_secs(1) }
    }

    /// The addresses of `name`'s host, each with its port.
    pub fn dns(name: Endpoint) -> Self {
        Self::Dns { name, placement: Placement::default() }
    }
}

impl Terms {
    /// The same for members that are the addresses of a name: who is not said to have another name has that.
    #[must_use]
    pub fn named_after(mut self, source: &Source) -> Self {
        if let (Source::Dns { name, .. }, Expected::Name(unsaid @ None)) = (source, &mut self.expects) {
            *unsaid = ServerName::try_from(name.host.to_string()).ok();
        }
        self
    }
}

/// The endpoints that a file lists which has this `text`, or all that is wrong with it.
pub(super) fn listed(text: &str) -> Result<Vec<Placed>, String> {
    file::parse(text)
}

/// What a look at a source gave.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    found: Found,
    /// When to look again.
    again: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Nothing that would be known yet.
    Nothing,
    /// What holds already, so that no trouble is left.
    Unchanged,
    /// Who the members are to be.
    Fleet(Fleet),
    /// Nothing that could be used, and why.
    Trouble(String),
}

enum Watch {
    File(file::Watch),
    Dns(Box<dns::Watch>),
}

impl Watch {
    async fn look<H: Host>(&mut self, host: &H) -> Look {
        match self {
            Self::File(watch) => {
                let read = host.read(watch.path()).await;
                watch.learn(host.now(), read)
            }
            Self::Dns(watch) => {
                let asked = watch.ask(host).await;
                watch.learn(host.now(), asked)
            }
        }
    }
}

/// Lets `upstream` follow `source`, as long as it is there.
pub(super) fn follow<H: Host>(upstream: &Arc<Upstream<H>>, spawner: &Spawner<H>, source: Source, seed: u64) {
    let watch = match source {
        Source::Listed => return,
        Source::File { path, every } => Watch::File(file::Watch::new(path, every)),
        Source::Dns { name, placement } => {
            Watch::Dns(Box::new(dns::Watch::new(name, placement, stream(seed, SOURCE_STREAM))))
        }
    };
    spawner.spawn(run(upstream.host.clone(), Arc::downgrade(upstream), watch));
}

async fn run<H: Host>(host: H, upstream: Weak<Upstream<H>>, mut watch: Watch) {
    let mut told = Told::default();
    loop {
        let Look { found, again } = watch.look(&host).await;
        let Some(upstream) = upstream.upgrade() else { return };
        if let Some(fact) = told.learn(&found) {
            let (at, name) = (host.now(), Arc::clone(upstream.name()));
            host.report(Report::Source(SourceTrouble { at, upstream: name, fact }));
        }
        if let Found::Fleet(fleet) = &found {
            upstream.set_members(fleet);
        }
        drop(upstream);
        host.sleep_until(again).await;
    }
}

/// What was told of trouble: said again and again while it lasts, it would drown what else is said.
#[derive(Debug, Default)]
struct Told(Option<String>);

impl Told {
    /// What is to be told of what was found.
    fn learn(&mut self, found: &Found) -> Option<String> {
        match found {
            Found::Fleet(_) | Found::Unchanged => {
                self.0 = None;
                None
            }
            Found::Nothing => None,
            Found::Trouble(fact) if self.0.as_ref() == Some(fact) => None,
            Found::Trouble(fact) => {
                self.0 = Some(fact.clone());
                self.0.clone()
            }
        }
    }
}

/// Waits until it is known who the members of all `upstreams` are, and how those are who count as down until they are
/// checked, so that nobody is refused for being early (as Envoy, which warms its clusters). Who is not heard of for long
/// is not waited for.
pub async fn known<'a, H: Host>(host: &H, upstreams: impl IntoIterator<Item = &'a Arc<Upstream<H>>>) {
    let is_cold =
        |upstream: &&Arc<Upstream<H>>| !upstream.known.is_known() || upstream.state.awaits_a_check();
    let unknown: Vec<_> = upstreams.into_iter().filter(is_cold).collect();
    // Where all members are listed, there is nothing to wait for, and no timer.
    if unknown.is_empty() {
        return;
    }
    let told = async {
        for upstream in unknown {
            upstream.known.told().await;
            upstream.state.checked().await;
        }
    };
    before(host, host.now() + SOURCES_PATIENCE, told).await;
}

/// Whether it is known who the members are.
pub(super) struct Known {
    is_known: AtomicBool,
    changed: Notify,
}

impl Known {
    pub(super) fn new(is_known: bool) -> Self {
        Self { is_known: AtomicBool::new(is_known), changed: Notify::new() }
    }

    pub(super) fn tell(&self) {
        if !self.is_known.swap(true, Ordering::AcqRel) {
            self.changed.notify_waiters();
        }
    }

    fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }

    async fn told(&self) {
        let changed = self.changed.notified();
        if !self.is_known() {
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_once_each_time_that_it_comes() {
        let mut watch = file::Watch::new("payment.endpoints".into(), Duration::from_secs(1));
        let mut told = Told::default();
        let mut look = |text: &str| told.learn(&watch.learn(Instant::START, Ok(text.to_owned())).found);
        let (right, wrong) = ("a:80\n", "a\n");
        assert_eq!(look(right), None);
        for _ in 0..2 {
            let said = [(); 4].map(|()| look(wrong));
            assert!(said[1].is_some() && said.iter().flatten().count() == 1, "{said:?}");
            assert_eq!(look(right), None, "it is over");
        }
    }

    #[test]
    fn who_is_the_addresses_of_a_name_must_have_that_name() {
        let epoch = std::time::SystemTime::UNIX_EPOCH;
        let authority = crate::tls::Authority::new(1, "hoplab".parse().unwrap(), epoch);
        let trusts = crate::tls::Authorities::from_pem(authority.certificate()).unwrap();
        let of = |name: Option<&str>, source: &Source| {
            let name = name.map(|name| ServerName::try_from(name.to_owned()).unwrap());
            let terms = Terms { shows: None, trusts: trusts.clone(), expects: Expected::Name(name) };
            terms.named_after(source).expects
        };
        let dns = Source::dns(Endpoint::new("pay.example.com", 443));
        let named = |name: &str| Expected::Name(Some(ServerName::try_from(name.to_owned()).unwrap()));
        assert_eq!(of(None, &dns), named("pay.example.com"));
        assert_eq!(of(Some("other.example"), &dns), named("other.example"));
        assert_eq!(of(None, &Source::Listed), Expected::Name(None));
    }
}

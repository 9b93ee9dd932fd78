//! From one plan of a proxy to the next: who is called in the same way as before stays the same upstream, with its
//! connections and all that is known of its members, and what can change in place does. Everyone else is new, and who is
//! not named any more goes when the last request that uses it is done.

use std::sync::Arc;

use super::{Config, Source, Upstream, known};
use crate::host::Host;
use crate::tasks::Spawner;
use crate::tls::Expected;

/// What makes an upstream another when it changes, besides its name, its protocol and its settings.
#[derive(PartialEq)]
pub(super) struct Nature {
    source: Source,
    zone: Option<Arc<str>>,
    expects: Option<Expected>,
}

impl Nature {
    pub(super) fn of(config: &Config) -> Self {
        let expects = config.tls.as_ref().map(|terms| terms.expects.clone());
        Self { source: config.source.clone(), zone: config.zone.clone(), expects }
    }
}

impl<H: Host> Upstream<H> {
    /// Whether it can become what `config` says.
    fn can_become(&self, config: &Config) -> bool {
        self.name == config.name
            && self.protocol == config.settings.protocol.unwrap_or(config.protocol)
            && self.settings == config.settings
            && self.nature == Nature::of(config)
    }

    /// Becomes what `config` says: takes on its members where they are listed, and opens further connections on its terms.
    fn become_as(&self, config: &Config) {
        if config.source == Source::Listed {
            self.set_members(&config.fleet());
        }
        if let (Some(tls), Some(terms)) = (&self.template.tls, &config.tls) {
            tls.renew(&self.host, terms);
        }
    }
}

/// Hands upstreams on from one plan to the next.
pub struct Succession<H: Host> {
    before: Vec<Arc<Upstream<H>>>,
    kept: Vec<(Arc<Upstream<H>>, Config)>,
    new: Vec<Arc<Upstream<H>>>,
}

impl<H: Host> Succession<H> {
    /// After a plan that had the upstreams `before`, of which there are none for the first plan.
    pub fn after(before: Vec<Arc<Upstream<H>>>) -> Self {
        Self { before, kept: Vec::new(), new: Vec::new() }
    }

    /// The upstream that `config` describes: one of those before, or a new one, as [`Upstream::new`] makes it.
    pub fn upstream(
        &mut self,
        host: &H,
        spawner: &Spawner<H>,
        config: Config,
        seed: u64,
    ) -> Arc<Upstream<H>> {
        if let Some(place) = self.before.iter().position(|before| before.can_become(&config)) {
            let upstream = self.before.remove(place);
            self.kept.push((Arc::clone(&upstream), config));
            return upstream;
        }
        let upstream = Upstream::new(host.clone(), spawner, config, seed);
        self.new.push(Arc::clone(&upstream));
        upstream
    }

    /// Waits until it is known who the members of the new ones are, and how they are, as a proxy does that starts.
    pub async fn is_known(&self, host: &H) {
        known(host, &self.new).await;
    }

    /// Those that are kept become what the plan says.
    pub fn carry_out(self) {
        self.kept.iter().for_each(|(upstream, config)| upstream.become_as(config));
    }
}

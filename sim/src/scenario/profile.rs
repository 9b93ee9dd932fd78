//! Profiles: known systems as data, `profiles/NAME.toml`. A profile has what a system does when nobody says otherwise, what
//! it costs, and where each figure comes from. It may stand over another one; the scenario stands over all.
//!
//! Read it in this order: `written` (the keys), `chain` (which file a name means, and what it stands over), [`figures`]
//! (where a value comes from), `shipped` (those that hoplab has). Not here: what becomes of it in an architecture
//! (`super::resolve`).

mod basis;
mod chain;
pub mod figures;
mod shipped;
pub(super) mod written;

use hoplab_config::form::Key;
use hoplab_config::{Context, Keys, Problems, Source, keys, read_kept, read_with};

pub use basis::Basis;
pub(super) use chain::{Chain, is_profile};
pub use figures::Figure;
pub(super) use shipped::is_shipped;
pub use shipped::names as shipped;

/// A known system, as its profile tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// What it is called in architectures: `kong` in `gateway:kong`.
    pub name: String,
    /// Its name for headings.
    pub title: String,
    /// Of which version its defaults and figures are.
    pub version: Option<String>,
    /// When its sources were read: a date.
    pub as_of: Option<String>,
    /// When the system ended, if it has: a date.
    pub ended: Option<String>,
    /// What the system does that is not modelled, a sentence each.
    pub left_out: Vec<String>,
    /// The profiles that it stands over, the nearest first.
    pub extends: Vec<String>,
    /// Whether it can be a gateway.
    pub is_gateway: bool,
    /// Whether it can be a mesh.
    pub is_mesh: bool,
    /// Whether the proxies of that mesh see requests; those of layer 4 do not.
    pub sees_requests: bool,
    /// What its figures are taken from, the nearest profile's first.
    pub sources: Vec<Evidence>,
    /// Every key that it says, and that those say on which it stands and it does not, in the order of the files.
    pub figures: Vec<Figure>,
}

impl Profile {
    /// How many of its values are known so well.
    pub fn count(&self, basis: Basis) -> usize {
        self.figures.iter().filter(|figure| figure.basis == basis).count()
    }

    /// Whether the text of a scenario says itself, for all services and phases, what one of its figures says.
    pub fn is_replaced(&self, figure: &Figure, scenario: &str) -> bool {
        // Of costs a scenario says all or nothing.
        let costs = [("gateway.costs.", "costs.gateway"), ("mesh.costs.", "costs.sidecar")];
        if let Some((_, all)) = costs.iter().find(|(table, _)| figure.key.starts_with(table)) {
            return keys::rest_at(scenario, all).is_some();
        }
        let is_heard = self.sees_requests || !OF_REQUESTS.iter().any(|table| figure.key.starts_with(table));
        // A word in place of the table is its kind, and leaves the rest of it.
        let is_balance = figure.key.ends_with(".balance");
        let path = if is_balance { format!("{}.kind", figure.key) } else { figure.key.clone() };
        let says = |rest: &str| matches!(rest, "" | "kind") || !path.ends_with(&format!(".balance.{rest}"));
        is_heard && keys::rest_at(scenario, &path).is_some_and(says)
    }
}

/// What a mesh is told of requests, which means nothing to proxies that see none.
const OF_REQUESTS: [&str; 3] = ["mesh.defaults", "mesh.limits", "mesh.inbound_retry"];

/// What figures are taken from.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What its figures call it, in the file of which profile.
    pub name: String,
    /// That profile.
    pub profile: String,
    /// What it is: a title, a repository with a path.
    pub title: String,
    /// Where it is found.
    pub at: Option<String>,
    /// Of when it is.
    pub date: Option<String>,
    /// Of which version.
    pub version: Option<String>,
    /// On which machines its figures were measured.
    pub hardware: Option<String>,
    /// How they were measured.
    pub method: Option<String>,
}

/// The keys of a profile's file.
pub fn keys() -> Vec<Key> {
    written::File::keys()
}

/// The profile in the file of `context`.
pub fn document(context: &mut Context<'_>) -> Option<Profile> {
    let chain = Chain::of_file(context)?;
    let profile = chain.profile(context);
    (!context.has_errors()).then_some(profile)
}

/// The profile that hoplab has under this name.
pub fn of_hoplab(name: &str) -> Option<Profile> {
    let text = shipped::text(name)?;
    let file = Source { path: shipped::path(name), text: text.to_owned() };
    read_with(file, document).ok().map(|(profile, _)| profile)
}

/// The profile called `name` among the texts of a run, which were kept with it.
pub fn of_run(name: &str, texts: &[Source]) -> Result<Profile, Problems> {
    let read = |context: &mut Context<'_>| {
        let chain = Chain::open(name, None, context)?;
        Some(chain.profile(context))
    };
    read_kept(texts, read).map(|(profile, _)| profile)
}

//! Which kind of file it is that somebody wrote, told by the names of its tables. Reads nothing of what they say.

use std::path::Path;

use clap::ValueEnum;
use hoplab_config::{Keys, keys};
use hoplab_sim::scenario::profile;

/// The kinds of files that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// What is run
    Scenario,
    /// Services that several scenarios share
    Application,
    /// What `hoplab gateway` serves
    Gateway,
    /// What `hoplab sidecar` serves
    Sidecar,
    /// A known system, which architectures name
    Profile,
}

impl Kind {
    /// The kind of the file at `path`, by most of its tables; a scenario when nothing tells.
    pub(crate) fn of(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let top = keys::names_of(&text);
        if top == ["services"] {
            return Self::Application;
        }
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let known = |known: Vec<&'static str>| top.iter().filter(|key| known.contains(&key.as_str())).count();
        let profile = profile::keys().into_iter().map(|key| key.name).collect();
        // Where the tables tell nothing, the file's name may.
        let score = |kind: &str, keys| (known(keys), usize::from(name.contains(kind)));
        let scores = [
            (score("scenario", hoplab_sim::scenario::tables()), Self::Scenario),
            (score("gateway", names::<hoplab_gateway::Config>()), Self::Gateway),
            (score("sidecar", names::<hoplab_mesh::Config>()), Self::Sidecar),
            (score("profile", profile), Self::Profile),
        ];
        let best = scores.iter().map(|(score, _)| *score).max();
        scores.into_iter().find(|(score, _)| Some(*score) == best).map_or(Self::Scenario, |(_, kind)| kind)
    }
}

impl Kind {
    /// The command that uses such a file.
    pub(crate) fn command(self) -> &'static str {
        match self {
            Self::Scenario | Self::Application => "run",
            Self::Profile => "profiles",
            Self::Gateway => "gateway",
            Self::Sidecar => "sidecar",
        }
    }
}

fn names<T: Keys>() -> Vec<&'static str> {
    T::keys().into_iter().map(|key| key.name).collect()
}

//! What is joined: the parts of a study in a folder. Owns what is said when some are missing: which, whose share
//! they were, and the commands that run them; and which failure is told of many. What the parts are joined to is
//! for the commands to know.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::bail;
use hoplab_reports::study::{Kind, Parts, Study, share_of};
use hoplab_sim::scenario::{self, Overrides};

use crate::arguments::Shard;

/// A study whose parts lie in a folder.
pub(crate) struct Joining<'a> {
    pub(crate) study: &'a Study,
    pub(crate) parts: &'a Parts,
    /// Where the parts are, and where the report goes.
    pub(crate) dir: &'a Path,
    /// The folders that the parts were taken from; none when they were made in `dir`.
    pub(crate) from: &'a [PathBuf],
    /// Whether the summary is printed as JSON.
    pub(crate) json: bool,
}

/// The pieces of a study that are not there: which of all they are, and what they are called.
#[derive(Default)]
pub(crate) struct Missing(Vec<(u64, String)>);

impl Missing {
    /// Passes a part on, and notes it when it is not there.
    pub(crate) fn note<T>(&mut self, part: Option<T>, index: u64, called: &impl ToString) -> Option<T> {
        if part.is_none() {
            self.0.push((index, called.to_string()));
        }
        part
    }
}

/// Why pieces of a study have no result: the first of them by number, whoever was done first.
#[derive(Default)]
pub(crate) struct Failures(Option<(u64, anyhow::Error)>);

impl Failures {
    /// Takes note of how the piece of this number ended.
    pub(crate) fn note(&mut self, number: u64, ended: anyhow::Result<()>) {
        if let Err(error) = ended
            && self.0.as_ref().is_none_or(|(first, _)| number < *first)
        {
            self.0 = Some((number, error));
        }
    }

    /// The first failure, if there is one.
    pub(crate) fn first(self) -> anyhow::Result<()> {
        self.0.map_or(Ok(()), |(_, error)| Err(error))
    }
}

impl Joining<'_> {
    /// Refuses to go on when one of `count` pieces, which are called `what`, is missing.
    pub(crate) fn whole(&self, missing: &Missing, what: &str, count: u64) -> anyhow::Result<()> {
        let Missing(pieces) = missing;
        if pieces.is_empty() {
            return Ok(());
        }
        let mut text = format!("{} of {count} {what} are missing: {}", pieces.len(), listed(pieces));
        let shards = self.shards_of(pieces);
        if !shards.is_empty() {
            let names: Vec<String> = shards.iter().map(|(shard, _)| shard.to_string()).collect();
            let shards = if names.len() == 1 { "shard" } else { "shards" };
            let _ = write!(text, " ({shards} {})", names.join(", "));
        }
        let command = command(self.study);
        let _ = write!(text, "\nrun them here, and report, with: {command} --out {}", quoted(self.dir));
        for (shard, dir) in &shards {
            let dir = dir.map_or_else(|| "DIR".to_owned(), quoted);
            let _ =
                write!(text, "\nor elsewhere, and merge again, with: {command} --shard {shard} --out {dir}");
        }
        bail!(text)
    }

    /// Whose share the `pieces` were, and in which of the folders that share was begun; nothing when the folders do
    /// not agree on how many shares there are.
    fn shards_of(&self, pieces: &[(u64, String)]) -> Vec<(Shard, Option<&Path>)> {
        let begun: Vec<(Shard, &Path)> = (self.from.iter())
            .filter_map(|dir| Some((share_of(dir)?.parse().ok()?, dir.as_path())))
            .collect();
        let Some((first, _)) = begun.first() else { return Vec::new() };
        if begun.iter().any(|(shard, _)| shard.of != first.of) {
            return Vec::new();
        }
        let mut shards: Vec<Shard> = pieces.iter().map(|(index, _)| Shard::with(*index, first.of)).collect();
        shards.sort();
        shards.dedup();
        let dir_of = |wanted: Shard| begun.iter().find(|(shard, _)| *shard == wanted).map(|(_, dir)| *dir);
        shards.into_iter().map(|shard| (shard, dir_of(shard))).collect()
    }
}

/// The first few, and that there are more.
fn listed(pieces: &[(u64, String)]) -> String {
    const SHOWN: usize = 10;
    let more = if pieces.len() > SHOWN { ", …" } else { "" };
    let names: Vec<&str> = pieces.iter().take(SHOWN).map(|(_, name)| name.as_str()).collect();
    format!("{}{more}", names.join(", "))
}

/// The command that asks for `study`, without its folder.
fn command(study: &Study) -> String {
    let name = match study.kind {
        Kind::Seeds => "run",
        Kind::Sweep => "sweep",
        Kind::Explore => "explore",
    };
    let mut text = format!("hoplab {name} {}", quoted(Path::new(&study.sources[0].path)));
    // What differs from the file was asked for.
    if let Ok(file) = scenario::parse(&study.sources, &Overrides::default()) {
        if !file.architectures.iter().map(|of| of.name()).eq(study.architectures.iter()) {
            let _ = write!(text, " --arch {}", study.architectures.join(","));
        }
        if file.seed != study.seed {
            let _ = write!(text, " --seed {}", study.seed);
        }
    }
    #[expect(clippy::float_cmp, reason = "it is the default or it was asked for")]
    if study.scale != 1.0 {
        let _ = write!(text, " --scale {}", study.scale);
    }
    if study.kind != Kind::Sweep || study.seeds > 1 {
        let _ = write!(text, " --seeds {}", study.seeds);
    }
    text
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=,:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

//! A study in a folder, the shape that `run --seeds`, `sweep`, `explore`, `advise` and `merge` share: it is opened or resumed,
//! the pieces of this machine's share that are missing are run until there are none or Ctrl-C asks for an end, and
//! each leaves a part. Owns what is said when some are missing at the end: which, whose share they were, and the
//! commands that run them. What a piece is, and what the parts are joined to, is for the commands to know.

use std::fmt::Write as _;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};
use hoplab_reports::claim::Claim;
use hoplab_reports::study::{Kind, Parts, Study, note_share, share_of};
use hoplab_sim::batch::{self, Panicked, Progress};
use hoplab_sim::record::Record;
use hoplab_sim::scenario::plan::Plan;
use hoplab_sim::scenario::{self, Overrides};

use crate::arguments::{Machine, Shard};
use crate::end::End;
use crate::{build, interrupt, place, terminal};

/// A study in the folder that this command has claimed for it.
pub(crate) struct OpenStudy {
    pub(crate) study: Study,
    pub(crate) parts: Parts,
    /// Where the parts are, and where the report goes.
    pub(crate) dir: PathBuf,
    /// The folders that the parts were taken from; none when they are made in `dir`.
    from: Vec<PathBuf>,
    pub(crate) machine: Machine,
    /// Whether the summary is printed as JSON.
    pub(crate) json: bool,
    _claim: Claim,
}

impl OpenStudy {
    /// Opens `study` in `dir`, or resumes it, for the `machine`'s share of it; says what lies there that is not used.
    pub(crate) fn open(study: Study, dir: &Path, machine: &Machine, json: bool) -> anyhow::Result<Self> {
        let claim = place::claim(dir, &[])?;
        let parts = study.open(dir, &build::name()?)?;
        note_share(dir, machine.shard.map(|shard| shard.to_string()).as_deref())?;
        let strangers = parts.strangers()?;
        if strangers > 0 {
            let dir = dir.display();
            eprintln!(
                "{strangers} parts in {dir} are of another study or by another build of hoplab: not used"
            );
        }
        let (dir, machine) = (dir.to_owned(), machine.clone());
        Ok(Self { study, parts, dir, from: Vec::new(), machine, json, _claim: claim })
    }

    /// Puts together in `dir` what lies in the folders `from`.
    pub(crate) fn put_together(from: &[PathBuf], dir: &Path, json: bool) -> anyhow::Result<Self> {
        let first = &from[0];
        let study = Study::read(first)?;
        for other in &from[1..] {
            if Study::read(other)? != study {
                bail!("{} and {} are not of the same study", first.display(), other.display());
            }
        }
        let claim = place::claim(dir, from)?;
        let parts = study.open(dir, &build::name()?)?;
        for from in from {
            parts.take_from(from)?;
        }
        let (dir, from, machine) = (dir.to_owned(), from.to_owned(), Machine::default());
        Ok(Self { study, parts, dir, from, machine, json, _claim: claim })
    }

    /// The scenario of a study that is put together, with what was said over it.
    pub(crate) fn plan(&self) -> anyhow::Result<Plan> {
        let read = scenario::parse(&self.study.sources, &self.study.overrides());
        read.map_err(|_| anyhow!("the scenario in {} cannot be read", self.dir.display()))
    }

    /// Of this machine's share of the `pieces`, whose parts `name` calls: how many are there, and which are missing.
    pub(crate) fn share<T: Copy>(
        &self,
        pieces: impl Iterator<Item = T>,
        name: impl Fn(T) -> String,
    ) -> (usize, Vec<T>) {
        let share = (0..).zip(pieces).filter(|(index, _)| self.machine.takes(*index)).map(|(_, piece)| piece);
        let (kept, missing): (Vec<T>, Vec<T>) = share.partition(|piece| self.parts.has(&name(*piece)));
        (kept.len(), missing)
    }

    /// How many of all `pieces`, whose parts `name` calls, are there.
    pub(crate) fn done<T>(&self, pieces: impl Iterator<Item = T>, name: impl Fn(T) -> String) -> usize {
        pieces.map(name).filter(|name| self.parts.has(name)).count()
    }

    /// How a command ends that has run this machine's share of `of` pieces, whose parts `name` calls, and is not to report:
    /// it was stopped, or others do the rest.
    pub(crate) fn ends_before_report(
        &self,
        of: usize,
        name: impl Fn(usize) -> String,
    ) -> anyhow::Result<Option<End>> {
        let dir = self.dir.display();
        if interrupt::is_asked() {
            let done = self.done(0..of, name);
            writeln!(anstream::stdout(), "stopped: {done} of {of} pieces are in {dir}")?;
            eprintln!("the same command goes on where it stopped");
            return Ok(Some(End::Interrupted));
        }
        let Some(shard) = self.machine.shard else { return Ok(None) };
        end_of_share(&format!("shard {shard} of {of} pieces is in {dir}")).map(Some)
    }

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
        let command = command(&self.study);
        let _ = write!(text, "\nrun them here, and report, with: {command} --out {}", quoted(&self.dir));
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

/// What the part of a seed is called.
pub(crate) fn seed_name(seed: u64) -> String {
    format!("seed-{seed}")
}

/// Runs the `plan` of each of the `pieces`, until there is no more plan or Ctrl-C asks for an end; `keep` gets what came
/// of each. Of several failures the first by the order of the pieces is returned, not the first in time.
pub(crate) fn run_each<T: Copy + Sync>(
    threads: NonZeroUsize,
    pieces: &[T],
    progress: &Progress,
    plan: impl Fn(T) -> Option<Arc<Plan>> + Sync,
    mut keep: impl FnMut(T, Result<Record, Panicked>) -> anyhow::Result<()> + Send,
) -> anyhow::Result<()> {
    let next = |number: usize| plan(*pieces.get(number).filter(|_| !interrupt::is_asked())?);
    let mut first: Option<(usize, anyhow::Error)> = None;
    terminal::with_progress(progress, || {
        batch::run(threads, &next, progress, &mut |number, result| {
            if let Err(error) = keep(pieces[number], result)
                && first.as_ref().is_none_or(|(first, _)| number < *first)
            {
                first = Some((number, error));
            }
        });
    });
    first.map_or(Ok(()), |(_, error)| Err(error))
}

/// Ends a command that was asked for a share alone: says what is there now, and how the shares are joined.
pub(crate) fn end_of_share(said: &str) -> anyhow::Result<End> {
    writeln!(anstream::stdout(), "{said}")?;
    if interrupt::is_asked() {
        return Ok(End::Interrupted);
    }
    eprintln!("join the shards with: hoplab merge DIR… --out DIR");
    Ok(End::Well)
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
        Kind::Advise => "advise",
    };
    let mut text = format!("hoplab {name} {}", quoted(Path::new(&study.sources[0].path)));
    // What differs from the file was asked for.
    if let Ok(file) = scenario::parse(&study.sources, &Overrides::default()) {
        if !file.architectures.iter().map(|of| &*of.name).eq(study.architectures.iter().map(String::as_str)) {
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

//! What a folder holds: a run, a sweep, an exploration or an advice; finding them, and rendering them again from
//! what was recorded.

use std::path::{Path, PathBuf};
use std::{fs, io};

use hoplab_sim::record::Record;
use hoplab_sim::sweep::record::Sweep;

use crate::advise::{self, Advice};
use crate::error::Error;
pub use crate::names::holds;
use crate::names::{Kind, STUDY, kind};
use crate::table::Look;
use crate::{checksums, explore, sweep, table, write};

/// How deep below a folder runs are looked for.
const DEPTH_MAX: usize = 2;

/// What was recorded in a folder.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// A run, also one of joined seeds.
    Run(Box<Record>),
    /// A scenario at many points.
    Sweep(Box<Sweep>),
    /// What drawn faults broke.
    Exploration(Box<explore::Summary>),
    /// What to choose, and why.
    Advice(Box<Advice>),
}

impl Kept {
    /// What lies in `dir` itself, of which nothing may have been altered.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        if holds(dir) {
            checksums::whole(dir)?;
        }
        match kind(dir) {
            Some(Kind::Run) => Ok(Self::Run(Box::new(write::read(dir)?))),
            Some(Kind::Sweep) => match sweep::read(dir)? {
                Some(sweep) => Ok(Self::Sweep(Box::new(sweep))),
                None => Err(Error::Nothing { dir: dir.to_owned() }),
            },
            Some(Kind::Exploration) => Ok(Self::Exploration(Box::new(explore::Summary::read(dir)?))),
            Some(Kind::Advice) => Ok(Self::Advice(Box::new(Advice::read(dir)?))),
            None if dir.join(STUDY).is_file() => Err(Error::NotJoined { dir: dir.to_owned() }),
            None => Err(Error::Nothing { dir: dir.to_owned() }),
        }
    }

    /// Renders all of it into `dir`.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        match self {
            Self::Run(record) => write::write(record, dir).map(|_| ()),
            Self::Sweep(sweep) => sweep::write(sweep, dir),
            Self::Exploration(summary) => explore::write_again(summary, dir),
            Self::Advice(advice) => advise::write_again(advice, dir),
        }
    }

    /// What the command that made it printed; its report lies in `dir`.
    pub fn table(&self, dir: &Path, look: Look) -> String {
        match self {
            Self::Run(record) => table::table(record, Some(dir), look),
            Self::Sweep(sweep) => sweep::table(sweep, Some(dir), look),
            Self::Exploration(summary) => summary.to_text(dir),
            Self::Advice(advice) => advise::text(advice, dir, look),
        }
    }

    /// What it is, in a word.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Sweep(_) => "sweep",
            Self::Exploration(_) => "exploration",
            Self::Advice(_) => "advice",
        }
    }
}

/// The folders at most two levels below `dir` in which something was recorded, in the order of their
/// names. What lies inside a run's own folder is its own.
pub fn inside(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    search(dir, DEPTH_MAX, &mut found)?;
    if found.is_empty() {
        return Err(Error::Nothing { dir: dir.to_owned() });
    }
    Ok(found)
}

fn search(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    let refused = |source: io::Error| Error::Files { action: "read", path: dir.to_owned(), source };
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir).map_err(refused)? {
        let path = entry.map_err(refused)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.is_dir() && !hidden {
            folders.push(path);
        }
    }
    folders.sort();
    for folder in folders {
        if holds(&folder) {
            found.push(folder);
        } else if depth > 1 {
            search(&folder, depth - 1, found)?;
        }
    }
    Ok(())
}

//! What a folder holds: a run, a sweep or an exploration; finding them, and rendering them again from
//! what was recorded. Owns which files tell one from the other, not what is in them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use hoplab_sim::record::Record;
use hoplab_sim::sweep::record::Sweep;
use serde::Deserialize;

use crate::checksums::{self, CHECKSUMS};
use crate::table::Look;
use crate::write::{self, Error, SUMMARY};
use crate::{explore, study, sweep, table};

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
            None if dir.join(study::STUDY).is_file() => Err(Error::NotJoined { dir: dir.to_owned() }),
            None => Err(Error::Nothing { dir: dir.to_owned() }),
        }
    }

    /// Renders all of it into `dir`. Of an exploration there is nothing but what was kept.
    pub fn write(&self, dir: &Path) -> Result<(), Error> {
        match self {
            Self::Run(record) => write::write(record, dir).map(|_| ()),
            Self::Sweep(sweep) => sweep::write(sweep, dir),
            Self::Exploration(summary) => {
                let text = summary.to_json() + "\n";
                if fs::read(dir.join(SUMMARY)).is_ok_and(|there| there == text.as_bytes()) {
                    return Ok(());
                }
                write::put(dir, vec![(PathBuf::from(SUMMARY), text.into_bytes())]).map(drop)
            }
        }
    }

    /// What the command that made it printed; its report lies in `dir`.
    pub fn table(&self, dir: &Path, look: Look) -> String {
        match self {
            Self::Run(record) => table::table(record, Some(dir), look),
            Self::Sweep(sweep) => sweep::table(sweep, Some(dir), look),
            Self::Exploration(summary) => summary.to_text(),
        }
    }

    /// What it is, in a word.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Sweep(_) => "sweep",
            Self::Exploration(_) => "exploration",
        }
    }
}

/// Whether something was recorded in `dir` itself, or parts that wait to be joined.
pub fn holds(dir: &Path) -> bool {
    kind(dir).is_some() || dir.join(study::STUDY).is_file() || dir.join(CHECKSUMS).is_file()
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

#[derive(Clone, Copy)]
enum Kind {
    Run,
    Sweep,
    Exploration,
}

/// The part that every summary has but a run's.
#[derive(Deserialize)]
struct Said {
    kind: String,
}

/// What `dir` holds. The summary is written last, so where several commands left their records it is
/// the summary that tells whose they are; without one, the record itself does.
fn kind(dir: &Path) -> Option<Kind> {
    let there = |name: &str| dir.join(name).is_file();
    let summary = fs::read(dir.join(SUMMARY)).ok();
    let said = summary.and_then(|bytes| serde_json::from_slice::<Said>(&bytes).ok());
    match said.as_ref().map(|said| said.kind.as_str()) {
        Some("explore") => Some(Kind::Exploration),
        Some("sweep") if there(sweep::RECORD) => Some(Kind::Sweep),
        _ if there(write::RECORD) => Some(Kind::Run),
        _ if there(sweep::RECORD) => Some(Kind::Sweep),
        _ => None,
    }
}

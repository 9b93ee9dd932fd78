//! Work in parts: many seeds, the points of a sweep. A study says what is asked; each part is a file of its
//! own that appears whole or not at all, so that what was interrupted goes on where it stopped, and what
//! several machines did is joined by putting their parts together. Owns the files, not what is in a part.

use std::path::{Path, PathBuf};
use std::{fs, io};

use hoplab_sim::journal::Journal;
use hoplab_sim::run::VERSION;
use hoplab_sim::scenario::Overrides;
use hoplab_sim::scenario::plan::{Plan, Source};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::write::{Error, replace};

/// The version of a study's shape.
pub const SCHEMA: u32 = 1;

/// What is asked. Parts of studies that are equal may be put together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// What kind of study it is.
    pub kind: Kind,
    /// The version of hoplab.
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The texts, the scenario file first.
    pub sources: Vec<Source>,
    /// The architectures, in order.
    pub architectures: Vec<String>,
    /// The first seed.
    pub seed: u64,
    /// How many consecutive seeds.
    pub seeds: u64,
    /// What the scenario's duration and warm-up are multiplied by.
    pub scale: f64,
}

/// A kind of study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The same scenario under many seeds.
    Seeds,
    /// A scenario at many points of a grid, and searches along a key.
    Sweep,
    /// Faults drawn at random.
    Explore,
}

/// A part as it lies in its file.
#[derive(Serialize, Deserialize)]
struct Part<T> {
    /// Of which study.
    study: String,
    /// By which build of hoplab.
    build: String,
    seen: T,
}

/// Where the study and its parts lie in a run's folder.
pub(crate) const STUDY: &str = "record/study.json";
const PARTS: &str = "record/parts";
/// Where it is said which share of the study the folder was asked for.
const SHARE: &str = "record/share";

/// Notes which share of its study, as `I/N`, `dir` was asked for; none: all of it.
pub fn note_share(dir: &Path, share: Option<&str>) -> Result<(), Error> {
    let path = dir.join(SHARE);
    if let Some(share) = share {
        return replace(&path, format!("{share}\n").as_bytes());
    }
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::Files { action: "remove", path, source })
        }
        _ => Ok(()),
    }
}

/// The share of its study that `dir` was asked for, when it was not all of it.
pub fn share_of(dir: &Path) -> Option<String> {
    Some(fs::read_to_string(dir.join(SHARE)).ok()?.trim_end().to_owned())
}

impl Study {
    /// A study of `plan` from its seed on.
    pub fn of(kind: Kind, plan: &Plan, seeds: u64) -> Self {
        Self {
            schema: SCHEMA,
            kind,
            version: VERSION.to_owned(),
            scenario: plan.name.clone(),
            sources: plan.sources.clone(),
            architectures: plan.architectures.iter().map(|of| of.name().to_owned()).collect(),
            seed: plan.seed,
            seeds,
            scale: plan.scale,
        }
    }

    /// The study that lies in `dir`.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(STUDY);
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::NoStudy { dir: dir.to_owned() },
            _ => Error::Files { action: "read", path: path.clone(), source },
        })?;
        serde_json::from_slice(&bytes).map_err(|reason| Error::NotARecord { path, reason })
    }

    /// The parts of this study that lie in `dir`, or will: writes what the study is.
    pub fn open(&self, dir: &Path, build: &str) -> Result<Parts, Error> {
        let mut text = self.to_json();
        text.push('\n');
        replace(&dir.join(STUDY), text.as_bytes())?;
        Ok(Parts { dir: dir.join(PARTS), study: self.key(), build: build.to_owned() })
    }

    /// What its runs have over their file.
    pub fn overrides(&self) -> Overrides {
        let architectures = Some(self.architectures.clone());
        Overrides { architectures, seed: Some(self.seed), scale: self.scale }
    }

    /// A hash over all of it.
    pub fn key(&self) -> String {
        Journal::digest_of([("study", self.to_json().as_str())])
    }

    fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a study has string keys and numbers, which JSON can say")
    }
}

/// The parts of a study in a folder.
#[derive(Debug, Clone)]
pub struct Parts {
    dir: PathBuf,
    study: String,
    build: String,
}

impl Parts {
    /// The part called `name`, if it is there, whole, of this study and by this build.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.read(&self.path(name))
    }

    /// Whether [`Parts::get`] has the part called `name`, without making anything of what is in it.
    pub fn has(&self, name: &str) -> bool {
        self.read::<serde::de::IgnoredAny>(&self.path(name)).is_some()
    }

    fn read<T: DeserializeOwned>(&self, path: &Path) -> Option<T> {
        let part: Part<T> = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (part.study == self.study && part.build == self.build).then_some(part.seen)
    }

    /// Puts a part in its place.
    pub fn put<T: Serialize>(&self, name: &str, seen: &T) -> Result<(), Error> {
        let part = Part { study: self.study.clone(), build: self.build.clone(), seen };
        let encode = |error: serde_json::Error| Error::Encode { name: PARTS, reason: error.to_string() };
        let mut text = serde_json::to_vec(&part).map_err(encode)?;
        text.push(b'\n');
        replace(&self.path(name), &text)
    }

    /// Takes over the parts that lie beside another copy of this study, unless they are here already; says how
    /// many. A part by another build is refused: it may have behaved differently.
    pub fn take_from(&self, dir: &Path) -> Result<usize, Error> {
        let from = dir.join(PARTS);
        let files = |action, path: &Path, source| Error::Files { action, path: path.to_owned(), source };
        let entries = match fs::read_dir(&from) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(files("read", &from, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(|error| files("read", &from, error))?.file_name());
        }
        names.sort();
        let mut taken = 0;
        for name in names.iter().filter(|name| Path::new(name).extension().is_some_and(|is| is == "json")) {
            let path = from.join(name);
            let bytes = fs::read(&path).map_err(|error| files("read", &path, error))?;
            let not_a_part = |reason| Error::NotARecord { path: path.clone(), reason };
            let part: Part<serde::de::IgnoredAny> = serde_json::from_slice(&bytes).map_err(not_a_part)?;
            if part.study != self.study {
                continue;
            }
            if part.build != self.build {
                return Err(Error::OtherBuild { path });
            }
            let to = self.dir.join(name);
            // What an earlier study left there, or was cut short, is no part.
            if self.read::<serde::de::IgnoredAny>(&to).is_none() {
                replace(&to, &bytes)?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }
}

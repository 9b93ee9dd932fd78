//! Work in parts: many seeds, the points of a sweep. A study says what is asked; each part is a file of its
//! own that appears whole or not at all, so that what was interrupted goes on where it stopped, and what
//! several machines did is joined by putting their parts together. Owns the study's own files; its parts are those of `parts`.

mod parts;

use std::fs;
use std::path::Path;

use hoplab_sim::journal::Journal;
use hoplab_sim::record::VERSION;
use hoplab_sim::scenario::Overrides;
use hoplab_sim::scenario::plan::{Plan, Source};
use serde::{Deserialize, Serialize};

use crate::alteration;
use crate::checksums::{self, Checksums};
use crate::error::Error;
use crate::file::{self, remove, replace};
use crate::names::{CHECKSUMS, PARTS, SHARE, STUDY, holds};
pub use parts::Parts;
pub(crate) use parts::note_parts;

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
    /// The trials that a choice rests on.
    Advise,
}

/// Notes which share of its study, as `I/N`, `dir` was asked for; none: all of it.
pub fn note_share(dir: &Path, share: Option<&str>) -> Result<(), Error> {
    let mut checksums = Checksums::read(dir)?.unwrap_or_default();
    let Some(share) = share else {
        checksums.retain(|path| path != SHARE);
        checksums.write(dir)?;
        return remove(&dir.join(SHARE));
    };
    let text = format!("{share}\n");
    checksums.note(SHARE, text.as_bytes());
    checksums.write(dir)?;
    replace(&dir.join(SHARE), text.as_bytes())
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
            architectures: plan.architectures.iter().map(|of| of.name.to_string()).collect(),
            seed: plan.seed,
            seeds,
            scale: plan.scale,
        }
    }

    /// Whether a study lies in `dir`.
    pub fn is_in(dir: &Path) -> bool {
        dir.join(STUDY).is_file()
    }

    /// Its parts that lie in `dir`, to be read.
    pub fn parts_in(&self, dir: &Path) -> Parts {
        Parts::new(dir.join(PARTS), self.key(), String::new())
    }

    /// The study that lies in `dir`, of which nothing may have been altered.
    pub fn read(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(STUDY);
        if path.is_file() || dir.join(CHECKSUMS).is_file() {
            checksums::whole(dir)?;
        }
        let bytes = file::read(&path, || Error::NoStudy { dir: dir.to_owned() })?;
        serde_json::from_slice(&bytes).map_err(|reason| Error::NotARecord { path, reason })
    }

    /// The parts of this study that lie in `dir`, or will: writes what the study is. Refuses to go on with what was
    /// altered; what is merely gone is made again.
    pub fn open(&self, dir: &Path, build: &str) -> Result<Parts, Error> {
        parts::remove_partial(&dir.join(PARTS))?;
        let mut checksums = match Checksums::read(dir)? {
            Some(checksums) => {
                let mut alterations = checksums::alterations(dir)?;
                alterations.retain(|found| {
                    let is_read =
                        found.path.starts_with(PARTS) || [STUDY, SHARE].contains(&found.path.as_str());
                    is_read && found.kind != alteration::Kind::Missing
                });
                if !alterations.is_empty() {
                    return Err(Error::Altered { dir: dir.to_owned(), alterations });
                }
                checksums
            }
            None if holds(dir) => return Err(Error::NoChecksums { dir: dir.to_owned() }),
            None => Checksums::default(),
        };
        let mut text = self.to_json();
        text.push('\n');
        // Until the study is finished, parts come and go: each has its checksum inside.
        checksums.retain(|path| !path.starts_with(PARTS));
        checksums.note(STUDY, text.as_bytes());
        checksums.write(dir)?;
        replace(&dir.join(STUDY), text.as_bytes())?;
        Ok(Parts::new(dir.join(PARTS), self.key(), build.to_owned()))
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

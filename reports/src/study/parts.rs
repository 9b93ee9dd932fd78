//! The parts of a study in a folder: a file each, with a checksum over its name and all of its text, so that a part
//! that was altered, cut short or called otherwise is none. Owns the files, not what is in a part.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::alteration::{Alteration, Kind};
use crate::checksums::Checksums;
use crate::error::Error;
use crate::file::{is_nothing, remove, replace};
use crate::names::{PARTIAL, PARTS, is_part_called};
use crate::seal::{is_whole, sealed};

/// A part as it lies in its file, after the checksum.
#[derive(Serialize, Deserialize)]
struct Part<T> {
    /// Of which study.
    study: String,
    /// By which build of hoplab.
    build: String,
    seen: T,
}

/// The parts of a study in a folder.
#[derive(Debug, Clone)]
pub struct Parts {
    dir: PathBuf,
    study: String,
    build: String,
}

impl Parts {
    pub(super) fn new(dir: PathBuf, study: String, build: String) -> Self {
        Self { dir, study, build }
    }

    /// The part called `name`, if it is there, whole, of this study and by this build.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.read(&self.path(name))
    }

    /// Whether [`Parts::get`] has the part called `name`, without making anything of what is in it.
    pub fn has(&self, name: &str) -> bool {
        self.read::<IgnoredAny>(&self.path(name)).is_some()
    }

    /// How many parts lie here that are of another study or by another build: they are not used.
    pub fn strangers(&self) -> Result<usize, Error> {
        let names = names(&self.dir)?;
        let is_ours = |name: &&OsString| self.read::<IgnoredAny>(&self.dir.join(name)).is_some();
        Ok(names.len() - names.iter().filter(is_ours).count())
    }

    /// The part called `name`, if it is there, whole and of this study, by whichever build.
    pub fn of_any_build<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        Some(self.part(&self.path(name))?.seen)
    }

    fn read<T: DeserializeOwned>(&self, path: &Path) -> Option<T> {
        let part = self.part(path)?;
        (part.build == self.build).then_some(part.seen)
    }

    fn part<T: DeserializeOwned>(&self, path: &Path) -> Option<Part<T>> {
        let bytes = fs::read(path).ok()?;
        if !is_whole(path.file_name()?.to_str()?, &bytes) {
            return None;
        }
        let part: Part<T> = serde_json::from_slice(&bytes).ok()?;
        (part.study == self.study).then_some(part)
    }

    /// Puts a part in its place.
    pub fn put<T: Serialize>(&self, name: &str, seen: &T) -> Result<(), Error> {
        let part = Part { study: self.study.clone(), build: self.build.clone(), seen };
        let encode = |error: serde_json::Error| Error::Encode { name: PARTS, reason: error.to_string() };
        let text = serde_json::to_string(&part).map_err(encode)?;
        let path = self.path(name);
        replace(&path, sealed(&format!("{name}.json"), &text).as_bytes())
    }

    /// Takes over the parts that lie beside another copy of this study, unless they are here already; says how
    /// many. A part by another build is refused: it may have behaved differently.
    pub fn take_from(&self, dir: &Path) -> Result<usize, Error> {
        let from = dir.join(PARTS);
        let mut taken = 0;
        for name in names(&from)? {
            let path = from.join(&name);
            let bytes = fs::read(&path).map_err(|source| Error::Files {
                action: "read",
                path: path.clone(),
                source,
            })?;
            if !is_whole(&name.to_string_lossy(), &bytes) {
                let path = format!("{PARTS}/{}", name.to_string_lossy());
                let alterations = vec![Alteration { path, kind: Kind::Changed }];
                return Err(Error::Altered { dir: dir.to_owned(), alterations });
            }
            let not_a_part = |reason| Error::NotARecord { path: path.clone(), reason };
            let part: Part<IgnoredAny> = serde_json::from_slice(&bytes).map_err(not_a_part)?;
            if part.study != self.study {
                continue;
            }
            if part.build != self.build {
                return Err(Error::OtherBuild { path });
            }
            let to = self.dir.join(&name);
            // What an earlier study left there is no part of this one.
            if self.read::<IgnoredAny>(&to).is_none() {
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

/// Notes every whole part that lies in `dir`, of whichever study.
pub(crate) fn note_parts(dir: &Path, checksums: &mut Checksums) -> Result<(), Error> {
    let parts = dir.join(PARTS);
    for name in names(&parts)? {
        let (path, name) = (parts.join(&name), name.to_string_lossy().into_owned());
        let bytes = fs::read(&path).map_err(|source| Error::Files { action: "read", path, source })?;
        if is_whole(&name, &bytes) {
            checksums.note(&format!("{PARTS}/{name}"), &bytes);
        }
    }
    Ok(())
}

/// Removes what a command left that was killed while it wrote a part.
pub(crate) fn remove_partial(dir: &Path) -> Result<(), Error> {
    for name in entries(dir)? {
        if Path::new(&name).extension().is_some_and(|is| is == PARTIAL) {
            remove(&dir.join(name))?;
        }
    }
    Ok(())
}

/// The files in a folder that are called as parts are, in order.
fn names(dir: &Path) -> Result<Vec<OsString>, Error> {
    let mut names = entries(dir)?;
    names.retain(|name| is_part_called(&name.to_string_lossy()));
    Ok(names)
}

/// What lies in a folder, in order; nothing when it is not there.
fn entries(dir: &Path) -> Result<Vec<OsString>, Error> {
    let files = |source| Error::Files { action: "read", path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_nothing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(files(error)),
    };
    let names: Result<Vec<OsString>, _> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    let mut names = names.map_err(files)?;
    names.sort();
    Ok(names)
}

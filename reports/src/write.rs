//! The folder that a run leaves behind, and reading it again. Everything is rendered before the
//! first byte is written, and each file appears whole or not at all; `summary.json` comes last, so a
//! folder that has one is complete. Nothing but the named files is written, all of them have a checksum
//! ([`crate::checksums`]), and what an earlier result left is removed.

use std::path::{Path, PathBuf};

use hoplab_sim::record::{self, Record};
use serde::Deserialize;

use crate::checksums::{self, Checksums};
use crate::error::Error;
use crate::file::{self, remove, replace};
use crate::names::{CHECKSUMS, PARTS, RUN, SHARE, STUDY, SUMMARY};
use crate::study::note_parts;
use crate::summary::Summary;
use crate::{data, page as pages, plots};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The folder.
    pub dir: PathBuf,
    /// The files in it, relative to it.
    pub files: Vec<PathBuf>,
}

/// Writes the record, its figures, plots and page into `dir`, which is made when it is missing.
pub fn write(record: &Record, dir: &Path) -> Result<Written, Error> {
    put(dir, files(record)?)
}

/// Puts the files of a result into `dir`, by their paths in it and with their checksums, `summary.json` last, and
/// removes those of an earlier result. What a study keeps stays.
pub(crate) fn put(dir: &Path, files: Vec<(PathBuf, Vec<u8>)>) -> Result<Written, Error> {
    let before = Checksums::read(dir)?.unwrap_or_default();
    let mut now = before.clone();
    now.retain(|path| [STUDY, SHARE].contains(&path));
    note_parts(dir, &mut now)?;
    for (path, bytes) in &files {
        now.note(&path.to_string_lossy(), bytes);
    }
    // From here until the new summary is there, the folder holds no result.
    remove(&dir.join(SUMMARY))?;
    for path in before.paths().filter(|path| !now.lists(path) && !path.starts_with(PARTS)) {
        remove(&dir.join(path))?;
    }
    now.write(dir)?;
    let mut written = vec![PathBuf::from(CHECKSUMS)];
    for (name, bytes) in files {
        replace(&dir.join(&name), &bytes)?;
        written.push(name);
    }
    Ok(Written { dir: dir.to_owned(), files: written })
}

/// The record in a run's folder, of which nothing may have been altered.
pub fn read(dir: &Path) -> Result<Record, Error> {
    let path = dir.join(RUN);
    if path.is_file() || dir.join(CHECKSUMS).is_file() {
        checksums::whole(dir)?;
    }
    let bytes = file::read(&path, || Error::NoRun { dir: dir.to_owned() })?;
    let not_a_record = |reason| Error::NotARecord { path: path.clone(), reason };
    let Versioned { schema } = serde_json::from_slice(&bytes).map_err(not_a_record)?;
    if schema != u64::from(record::SCHEMA) {
        return Err(Error::OtherSchema { path, found: schema });
    }
    serde_json::from_slice(&bytes).map_err(not_a_record)
}

/// The part of a record that every version has.
#[derive(Deserialize)]
struct Versioned {
    schema: u64,
}

/// Every file of a run by its path in the folder, in the order of writing.
pub fn files(record: &Record) -> Result<Vec<(PathBuf, Vec<u8>)>, Error> {
    let encode = |name, reason: String| Error::Encode { name, reason };
    let mut text = serde_json::to_vec(record).map_err(|error| encode(RUN, error.to_string()))?;
    text.push(b'\n');
    let mut files = vec![(PathBuf::from(RUN), text)];
    let tables = data::files(record).map_err(|error| encode("record/*.csv", error.to_string()))?;
    files.extend(tables.into_iter().map(|file| (Path::new("record").join(file.name), file.bytes)));
    let plots = plots::files(record).map_err(|plots::Error { name, reason }| Error::Plot { name, reason })?;
    files.extend(plots.into_iter().map(|file| (Path::new("plots").join(file.name), file.bytes)));
    files.push((PathBuf::from("report.html"), pages::page(record).into_bytes()));
    files.push((PathBuf::from(SUMMARY), (Summary::of(record).to_json() + "\n").into_bytes()));
    Ok(files)
}

//! The folder that a run leaves behind, and reading it again. Everything is rendered before the
//! first byte is written, and each file appears whole or not at all; `summary.json` comes last, so a
//! folder that has one is complete. Nothing but the named files is written, all of them have a checksum
//! ([`crate::checksums`]), and what an earlier result left is removed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hoplab_sim::record::{self, Record};
use serde::Deserialize;

use crate::checksums::{self, Alteration, CHECKSUMS, Checksums};
use crate::summary::Summary;
use crate::{data, page as pages, plots, study};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The folder.
    pub dir: PathBuf,
    /// The files in it, relative to it.
    pub files: Vec<PathBuf>,
}

/// Why a folder could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Files {
        /// What was tried: `write`, `read`, …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A plot could not be drawn.
    #[error("cannot draw plots/{name}: {reason}")]
    Plot {
        /// The plot's file.
        name: String,
        /// What the drawing library said.
        reason: String,
    },
    /// The record could not be said in JSON or CSV.
    #[error("cannot encode {name}: {reason}")]
    Encode {
        /// The file.
        name: &'static str,
        /// What the encoder said.
        reason: String,
    },
    /// There is no run in the folder.
    #[error("{} holds no run: there is no record/record.json in it", dir.display())]
    NoRun {
        /// The folder.
        dir: PathBuf,
    },
    /// There is nothing in the folder that could be rendered.
    #[error(
        "{0} holds neither a run nor a sweep nor an exploration, nor does a folder in it\n\
         help: `hoplab run FILE --out {0}` leaves a run there",
        dir.display()
    )]
    Nothing {
        /// The folder.
        dir: PathBuf,
    },
    /// There are parts in the folder, and nobody joined them.
    #[error(
        "{0} holds parts of a study that were not joined\n\
         help: `hoplab merge {0}` joins them, with the folders of the other shards",
        dir.display()
    )]
    NotJoined {
        /// The folder.
        dir: PathBuf,
    },
    /// Something in the folder is not as hoplab left it.
    #[error("{}", checksums::in_words(dir, alterations))]
    Altered {
        /// The folder.
        dir: PathBuf,
        /// What is not as it was.
        alterations: Vec<Alteration>,
    },
    /// What lies in the folder cannot be compared with what was left there.
    #[error(
        "{} has no record/checksums: they were removed, or another version of hoplab wrote it\n\
         help: run it again, into another folder or after this one was removed",
        dir.display()
    )]
    NoChecksums {
        /// The folder.
        dir: PathBuf,
    },
    /// Other people's files lie in the folder.
    #[error(
        "{} holds files that hoplab did not write: {}\n\
         help: name a folder with --out that is empty, does not exist, or holds what hoplab wrote",
        dir.display(),
        files.join(", ")
    )]
    Strangers {
        /// The folder.
        dir: PathBuf,
        /// The first few of them.
        files: Vec<String>,
    },
    /// Another command writes into the folder.
    #[error(
        "{} is being written into by {by}\n\
         help: wait until that has ended, or name another folder with --out",
        dir.display()
    )]
    Taken {
        /// The folder.
        dir: PathBuf,
        /// Who, as far as it is known.
        by: String,
    },
    /// There is no study in the folder.
    #[error("{} holds no study: there is no record/study.json in it", dir.display())]
    NoStudy {
        /// The folder.
        dir: PathBuf,
    },
    /// A part of a study was made by another build of hoplab.
    #[error(
        "{} was made by another build of hoplab, which may have behaved differently: run all shards with copies of \
         the binary that merges",
        path.display()
    )]
    OtherBuild {
        /// The part.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a record of a run: {reason}", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: serde_json::Error,
    },
    /// The file was written by a version that shapes records differently.
    #[error(
        "{} has schema {found}, this version of hoplab reads schema {}: run the scenario again",
        path.display(),
        record::SCHEMA
    )]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// The schema in it.
        found: u64,
    },
}

/// Where the record lies in a run's folder.
pub(crate) const RECORD: &str = "record/record.json";

/// Writes the record, its figures, plots and page into `dir`, which is made when it is missing.
pub fn write(record: &Record, dir: &Path) -> Result<Written, Error> {
    put(dir, files(record)?)
}

/// Where the summary of whatever a folder holds lies.
pub(crate) const SUMMARY: &str = "summary.json";

/// Puts the files of a result into `dir`, by their paths in it and with their checksums, `summary.json` last, and
/// removes those of an earlier result. What a study keeps stays.
pub(crate) fn put(dir: &Path, files: Vec<(PathBuf, Vec<u8>)>) -> Result<Written, Error> {
    let before = Checksums::read(dir)?.unwrap_or_default();
    let mut now = before.clone();
    now.retain(|path| [study::STUDY, study::SHARE].contains(&path));
    study::note_parts(dir, &mut now)?;
    for (path, bytes) in &files {
        now.note(&path.to_string_lossy(), bytes);
    }
    // From here until the new summary is there, the folder holds no result.
    remove(&dir.join(SUMMARY))?;
    for path in before.paths().filter(|path| !now.lists(path) && !path.starts_with(study::PARTS)) {
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

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if !checksums::is_nothing(&source) => {
            Err(Error::Files { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// The record in a run's folder, of which nothing may have been altered.
pub fn read(dir: &Path) -> Result<Record, Error> {
    let path = dir.join(RECORD);
    if path.is_file() || dir.join(CHECKSUMS).is_file() {
        checksums::whole(dir)?;
    }
    let bytes = fs::read(&path).map_err(|source| {
        if checksums::is_nothing(&source) {
            return Error::NoRun { dir: dir.to_owned() };
        }
        Error::Files { action: "read", path: path.clone(), source }
    })?;
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
    let mut text = serde_json::to_vec(record).map_err(|error| encode(RECORD, error.to_string()))?;
    text.push(b'\n');
    let mut files = vec![(PathBuf::from(RECORD), text)];
    let tables = data::files(record).map_err(|error| encode("record/*.csv", error.to_string()))?;
    files.extend(tables.into_iter().map(|file| (Path::new("record").join(file.name), file.bytes)));
    let plots = plots::files(record).map_err(|plots::Error { name, reason }| Error::Plot { name, reason })?;
    files.extend(plots.into_iter().map(|file| (Path::new("plots").join(file.name), file.bytes)));
    files.push((PathBuf::from("report.html"), pages::page(record).into_bytes()));
    files.push((PathBuf::from(SUMMARY), (Summary::of(record).to_json() + "\n").into_bytes()));
    Ok(files)
}

/// Writes one file, whole or not at all, and the folders that lead to it.
pub fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    replace(path, text.as_bytes())
}

/// Puts a file in place in one step: written beside it first, then renamed.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Files { action, path, source }
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed("make the folder", parent))?;
    }
    let partial = partial(path);
    let moved = fs::write(&partial, bytes)
        .map_err(failed("write", &partial))
        .and_then(|()| fs::rename(&partial, path).map_err(failed("write", path)));
    if moved.is_err() {
        let _ = fs::remove_file(&partial);
    }
    moved
}

/// What a file is called while it is written.
fn partial(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".");
    partial.push(checksums::PARTIAL);
    PathBuf::from(partial)
}

/// Makes the folder of a file that is to be written, and tries whether it can be.
pub fn try_file(path: &Path) -> Result<(), Error> {
    let files = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Files { action: "write", path, source }
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(files(parent))?;
    }
    let partial = partial(path);
    fs::write(&partial, "").map_err(files(path))?;
    fs::remove_file(&partial).map_err(files(path))
}

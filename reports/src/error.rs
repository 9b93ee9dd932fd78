//! Why a folder of results could not be written or read, each with what can be done about it.

use std::io;
use std::path::PathBuf;

use hoplab_sim::record;

use crate::alteration::{self, Alteration};

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
    #[error("{}", alteration::in_words(dir, alterations))]
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

//! The one command that may write into a folder: makes the folder, tries it, refuses one that holds other people's
//! files, and keeps other commands out until it has ended. Knows nothing of what will be written.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::checksums::Checksums;
use crate::error::Error;
use crate::file::is_nothing;
use crate::names::{LOCK, holds};

/// A folder that is this command's to write into, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    leaving: Leaving,
    /// Holds the lock while it is open.
    _lock: File,
}

/// What is to be tidied up when a folder is left.
#[derive(Debug, Clone)]
pub struct Leaving {
    dir: PathBuf,
    is_made: bool,
}

impl Claim {
    /// Claims `dir` for the command that calls itself `who`. A folder of other people's files is refused, unless one
    /// of the `sources`, which hoplab wrote, lies in it.
    pub fn of(dir: &Path, who: &str, sources: &[PathBuf]) -> Result<Self, Error> {
        if !sources.iter().any(|source| is_parent(dir, source)) {
            refuse_strangers(dir)?;
        }
        let is_made = !dir.exists();
        let path = dir.join(LOCK);
        let files = |action| {
            let path = path.clone();
            move |source| Error::Files { action, path, source }
        };
        fs::create_dir_all(dir.join("record")).map_err(files("make the folder of"))?;
        let mut lock = lock(dir, &path)?;
        let written = lock.set_len(0).and_then(|()| lock.write_all(who.as_bytes()));
        written.map_err(files("write"))?;
        let claim = Self { leaving: Leaving { dir: dir.to_owned(), is_made }, _lock: lock };
        // What cannot be written over is told before anything is simulated.
        Checksums::read(dir)?;
        Ok(claim)
    }

    /// For who has to end without dropping the claim.
    pub fn leaving(&self) -> Leaving {
        self.leaving.clone()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.leaving.leave();
    }
}

impl Leaving {
    /// Removes the lock, and the folders when nothing was written into them.
    pub fn leave(&self) {
        // What cannot be removed is in nobody's way: the lock itself ends with the process.
        let _ = fs::remove_file(self.dir.join(LOCK));
        let _ = fs::remove_dir(self.dir.join("record"));
        if self.is_made {
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

/// Opens and locks the file at `path`; says who has it when that is another.
fn lock(dir: &Path, path: &Path) -> Result<File, Error> {
    let files = |source| Error::Files { action: "write", path: path.to_owned(), source };
    loop {
        let mut options = File::options();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(files)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                let known = file.read_to_string(&mut by).is_ok() && !by.is_empty();
                let by = if known { by } else { "another command".to_owned() };
                return Err(Error::Taken { dir: dir.to_owned(), by });
            }
            // A file system without locks keeps nobody apart, and is no reason not to run.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(files(error)),
        }
        // Who had it may have removed it in between: then this one locks nobody out.
        let (ours, there) = (file.metadata().map_err(files)?, fs::metadata(path));
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
}

fn refuse_strangers(dir: &Path) -> Result<(), Error> {
    const SAID_MAX: usize = 3;
    if holds(dir) {
        return Ok(());
    }
    let mut files = names(dir)?;
    let inside = names(&dir.join("record"))?;
    if inside.iter().all(|name| Path::new("record").join(name) == Path::new(LOCK)) {
        files.retain(|name| name != "record");
    }
    if files.is_empty() {
        return Ok(());
    }
    if files.len() > SAID_MAX {
        files.truncate(SAID_MAX);
        files.push("…".to_owned());
    }
    Err(Error::Strangers { dir: dir.to_owned(), files })
}

/// What lies in a folder, in order; nothing when it is not there.
fn names(dir: &Path) -> Result<Vec<String>, Error> {
    let files = |source| Error::Files { action: "write into", path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_nothing(&error) && !dir.exists() => return Ok(Vec::new()),
        Err(error) => return Err(files(error)),
    };
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = entries.map(name).collect::<io::Result<_>>().map_err(files)?;
    names.sort();
    Ok(names)
}

/// Whether `source` lies right in `dir`.
fn is_parent(dir: &Path, source: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(source).is_some_and(|source| source.parent().map(Path::to_owned) == real(dir))
}

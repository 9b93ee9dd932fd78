//! One file of those that hoplab leaves: it appears whole or not at all. Knows neither folders of results nor what is
//! in a file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::names::PARTIAL;

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
    partial.push(PARTIAL);
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

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if !is_nothing(&source) => {
            Err(Error::Files { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Whether an error says that there is no such file.
pub(crate) fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

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
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed("write", parent))?;
    }
    let partial = partial(path);
    fs::write(&partial, "").map_err(failed("write", path))?;
    fs::remove_file(&partial).map_err(failed("write", path))
}

/// Removes a file, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if !is_nothing(&source) => Err(failed("remove", path)(source)),
        _ => Ok(()),
    }
}

/// The bytes of a file; when there is no such file, the error is what `absent` makes.
pub(crate) fn read(path: &Path, absent: impl FnOnce() -> Error) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|source| if is_nothing(&source) { absent() } else { failed("read", path)(source) })
}

/// What becomes of the system's refusal to do something with a file.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Files { action, path, source }
}

/// Whether an error says that there is no such file.
pub(crate) fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

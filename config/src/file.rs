//! Files on a disk, and those that they name relative to themselves: the only place of the reader that touches one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::context::{Context, read_from};
use crate::problem::Problems;
use crate::source::Source;

/// What a file means.
#[derive(Debug)]
pub struct Loaded<T> {
    /// What it means.
    pub value: T,
    /// What is worth a look.
    pub warnings: Problems,
    /// The text of the file itself.
    pub text: String,
    /// The file itself, and those that it names whose changes count as its own.
    pub files: Vec<PathBuf>,
}

/// Reads the file at `path`, and those that it names.
pub fn load<T>(path: &Path, read: impl FnOnce(&mut Context<'_>) -> Option<T>) -> Result<Loaded<T>, Problems> {
    match fs::read_to_string(path) {
        Ok(text) => load_text(path, text, read),
        Err(why) => {
            let name = path.display().to_string();
            let nothing = Source { path: name.clone(), text: String::new() };
            let mut fetch = |_: &str| Err(String::new());
            let mut context = Context::new(nothing, &mut fetch);
            let hint = match why.kind() {
                io::ErrorKind::InvalidData => "name a file of TOML, which is text",
                _ => "name another, from the folder that the command runs in",
            };
            context.error_outside(unreadable(&name, &why)).hint(hint);
            Err(context.into_problems())
        }
    }
}

/// As [`load`], of a file at `path` with this `text`, whatever stands on the disk by now; but those that it names are read
/// there.
pub fn load_text<T>(
    path: &Path,
    text: String,
    read: impl FnOnce(&mut Context<'_>) -> Option<T>,
) -> Result<Loaded<T>, Problems> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files = vec![path.to_owned()];
    let mut fetch = |name: &str| fs::read_to_string(folder.join(name)).map_err(|why| unreadable(name, &why));
    let source = Source { path: path.display().to_string(), text: text.clone() };
    let (value, warnings) = read_from(source, &mut fetch, |context| {
        context.set_now(now());
        let read = read(context);
        files.extend_from_slice(context.followed());
        read
    })?;
    Ok(Loaded { value, warnings, text, files })
}

#[expect(clippy::disallowed_methods, reason = "a file on a disk is read now, whenever that is")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Whether everybody on this machine can read the file at `path`. Where files have no such modes, nobody can.
pub fn is_open_to_all(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Why the file called `name` cannot be read.
fn unreadable(name: &str, why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::NotFound => format!("there is no file \"{name}\""),
        io::ErrorKind::InvalidData => format!("\"{name}\" is not text (UTF-8)"),
        io::ErrorKind::IsADirectory => format!("\"{name}\" is a folder"),
        io::ErrorKind::PermissionDenied => format!("\"{name}\" may not be read: permission denied"),
        _ => format!("\"{name}\" cannot be read: {why}"),
    }
}

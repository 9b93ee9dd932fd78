//! `record/checksums`: a checksum for every file that hoplab left in a folder, itself included; and what of a folder
//! is no longer as it was left. A part of a study has its checksum inside ([`crate::study`]) until its study is
//! finished and it is listed here as well. Owns no opinion on who may go on with what was altered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Component, Path};

use crate::alteration::{Alteration, Kind};
use crate::error::Error;
use crate::file::{is_nothing, replace};
use crate::names::{CHECKSUMS, LOCK, PARTS, SUMMARY, holds, is_part_called};
use crate::seal::{hash, is_whole};

/// Checksums by path, relative to the folder, with `/` between its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checksums(BTreeMap<String, String>);

impl Checksums {
    /// Those of `dir`; `None` where there are none.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(CHECKSUMS);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if is_nothing(&error) => return Ok(None),
            Err(source) => return Err(Error::Files { action: "read", path, source }),
        };
        let text = String::from_utf8(bytes).ok();
        match text.as_deref().and_then(Self::parse) {
            Some(checksums) => Ok(Some(checksums)),
            None => Err(Error::Altered {
                dir: dir.to_owned(),
                alterations: vec![Alteration { path: CHECKSUMS.to_owned(), kind: Kind::Changed }],
            }),
        }
    }

    /// Lines of a checksum and a path; the last is over those before it.
    fn parse(text: &str) -> Option<Self> {
        let body = text.strip_suffix('\n')?;
        let start = body.rfind('\n').map_or(0, |end| end + 1);
        let (listed, last) = text.split_at(start);
        let (own, path) = last.trim_end_matches('\n').split_once("  ")?;
        if path != CHECKSUMS || own != hash(listed.as_bytes()) {
            return None;
        }
        let entry = |line: &str| {
            let (hash, path) = line.split_once("  ")?;
            is_inside(path).then(|| (unescaped(path), hash.to_owned()))
        };
        listed.lines().map(entry).collect::<Option<_>>().map(Self)
    }

    fn to_text(&self) -> String {
        use fmt::Write as _;
        let mut text = String::new();
        for (path, hash) in &self.0 {
            let _ = writeln!(text, "{hash}  {}", escaped(path));
        }
        let own = hash(text.as_bytes());
        let _ = writeln!(text, "{own}  {CHECKSUMS}");
        text
    }

    /// Puts them in their place in `dir`.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), Error> {
        replace(&dir.join(CHECKSUMS), self.to_text().as_bytes())
    }

    /// Notes what is in the file at `path`.
    pub(crate) fn note(&mut self, path: &str, bytes: &[u8]) {
        self.0.insert(path.to_owned(), hash(bytes));
    }

    /// Forgets the files whose paths are not `kept`.
    pub(crate) fn retain(&mut self, kept: impl Fn(&str) -> bool) {
        self.0.retain(|path, _| kept(path));
    }

    /// The paths.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether a file at `path` is listed.
    pub(crate) fn lists(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }
}

/// What in `dir` is not as hoplab left it, by path. Fails when there is nothing to compare it with.
pub fn alterations(dir: &Path) -> Result<Vec<Alteration>, Error> {
    let checksums = match Checksums::read(dir) {
        Ok(Some(checksums)) => checksums,
        Ok(None) => return Err(Error::NoChecksums { dir: dir.to_owned() }),
        Err(Error::Altered { alterations, .. }) => return Ok(alterations),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    let mut there = BTreeSet::new();
    list(dir, "", &mut there)?;
    for (path, expected) in &checksums.0 {
        let kind = match fs::read(dir.join(path)) {
            Ok(bytes) if hash(&bytes) == *expected => continue,
            Err(error) if is_nothing(&error) => Kind::Missing,
            // What is there cannot even be read.
            Ok(_) | Err(_) => Kind::Changed,
        };
        found.push(Alteration { path: path.clone(), kind });
    }
    for path in there.into_iter().filter(|path| !checksums.lists(path) && path != CHECKSUMS && path != LOCK) {
        let kind = match path.strip_prefix(PARTS).and_then(|name| name.strip_prefix('/')) {
            Some(name) if is_part_called(name) => match fs::read(dir.join(&path)) {
                Ok(bytes) if is_whole(name, &bytes) => continue,
                Ok(_) | Err(_) => Kind::Changed,
            },
            _ if path.starts_with("record/") || path.starts_with("plots/") => Kind::Added,
            _ => Kind::Beside,
        };
        found.push(Alteration { path, kind });
    }
    found.sort();
    Ok(found)
}

/// Refuses to read on when something in `dir` is not as hoplab left it. What is gone and can be rendered again from
/// what is there is no reason.
pub fn whole(dir: &Path) -> Result<(), Error> {
    let mut alterations = alterations(dir)?;
    alterations.retain(|found| match found.kind {
        Kind::Changed | Kind::Added => true,
        Kind::Missing => !is_rendered(&found.path),
        Kind::Beside => false,
    });
    if alterations.is_empty() { Ok(()) } else { Err(Error::Altered { dir: dir.to_owned(), alterations }) }
}

/// Whether a file shows what others in the folder hold.
fn is_rendered(path: &str) -> bool {
    let is_table = path.starts_with("record/") && Path::new(path).extension().is_some_and(|is| is == "csv");
    is_table || path.starts_with("plots/") || [SUMMARY, "report.html"].contains(&path)
}

/// Every file below `dir`, by its path from there on; what cannot be followed counts as a file.
fn list(dir: &Path, below: &str, found: &mut BTreeSet<String>) -> Result<(), Error> {
    let place = dir.join(below);
    let refused = |source: io::Error| Error::Files { action: "read", path: place.clone(), source };
    for entry in fs::read_dir(&place).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        let is_folder = entry.file_type().map_err(refused)?.is_dir();
        // A folder in which something else was recorded is that one's own.
        if !is_folder {
            found.insert(path);
        } else if !holds(&dir.join(&path)) {
            list(dir, &path, found)?;
        }
    }
    Ok(())
}

/// Whether a path stays in the folder.
fn is_inside(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn escaped(path: &str) -> String {
    path.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescaped(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, false) => path.push(letter),
            (_, true) => path.push(if letters.next() == Some('n') { '\n' } else { '\\' }),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_letter_of_it_may_differ() {
        let mut checksums = Checksums::default();
        for path in ["summary.json", "record/a b.csv", "record/c\\n\nd"] {
            checksums.note(path, path.as_bytes());
        }
        let text = checksums.to_text();
        assert_eq!(Checksums::parse(&text), Some(checksums));
        assert_eq!(Checksums::parse(&Checksums::default().to_text()), Some(Checksums::default()));
        for index in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[index] ^= 1;
            let altered = String::from_utf8(bytes).ok();
            assert_eq!(altered.as_deref().and_then(Checksums::parse), None, "byte {index}");
        }
        assert_eq!(Checksums::parse(""), None);
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for path in ["../secret", "/etc/passwd", "record/../../secret", ""] {
            assert!(!is_inside(path), "{path}");
        }
        assert!(is_inside("record/parts/seed-1.json"));
    }
}
